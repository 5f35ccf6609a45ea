"""`ledgerpress log copy`: a log goes through every engine and back, killed on the way, and stays the same log."""

import asyncio
import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.adapters.sqlite.replica import write_replica
from ledgerpress.cli import app
from scripts.generated_log import PUBLICATION
from tests.engines.fixtures import ENGINES
from tests.integration.programs import ROOT
from tests.withdrawn_log import batches_with_withdrawals

EVENTS: Final = 100_000
COURT: Final = "By order of a court."


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def head(log: str, data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done("head", "--json", "--log", log, "--data", data))
    return found


def killed(at: int, delay: float, *arguments: str | Path) -> None:
    """Run the program in a process of its own until it is killed, so soon after the copy came to a position."""
    command = [
        sys.executable,
        "-m",
        "tests.integration.killed_copy",
        str(at),
        str(delay),
        *map(str, arguments),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo newsroom, of which three payloads are withdrawn."""
    data = tmp_path_factory.mktemp("demo") / "store"
    done("demo", "--data", data)
    for position in (20, 41, 60):
        done("withdraw", str(position), "--reason", COURT, "--data", data)
    return data


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("generated") / "store"
    data.mkdir()
    batches = batches_with_withdrawals(EVENTS, 1_000)
    assert asyncio.run(write_replica(data / "log.sqlite", PUBLICATION, batches)) == EVENTS
    return data


@pytest.fixture
def journey(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The places that a log goes to: one in each engine, and a file in the end."""
    others = [request.getfixturevalue(f"{engine}_url") for engine in ENGINES if engine != "sqlite"]
    return [
        *(others or [f"sqlite:{tmp_path / 'between.sqlite'}"]),
        f"sqlite:{tmp_path / 'last' / 'log.sqlite'}",
    ]


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_a_log_goes_through_every_engine_and_back(
    request: pytest.FixtureRequest, name: str, journey: list[str], tmp_path: Path
) -> None:
    origin: Path = request.getfixturevalue(name)
    (tmp_path / "last").mkdir()
    legs = list(pairwise([f"sqlite:{origin / 'log.sqlite'}", *journey]))
    first = json.loads(done("head", "--json", "--data", origin))
    for number, (source, target) in enumerate(legs):
        if name == "generated" and number < 2:
            # In the first copy early and late, in the next only once, at some other moment.
            killed(1_000, 0.03, "log", "copy", source, target)
            refused = run("head", "--log", target, "--data", tmp_path / "node")
            assert (refused.exit_code, "not finished" in refused.stderr) == (3, True), refused.stderr
            if number == 0:
                killed(EVENTS // 2, 0.2, "log", "copy", source, target)
        copied = json.loads(done("log", "copy", source, target, "--json"))
        assert copied == first
    assert head(legs[-1][1], tmp_path / "node") == first
    assert equal_views(origin, tmp_path / "last")


def equal_views(one: Path, other: Path) -> bool:
    """Return whether two stores have the same in all their tables, made anew from their logs."""
    found = []
    for data in (one, other):
        for views in data.glob("views*"):
            views.unlink()
        status = json.loads(done("status", "--json", "--data", data))
        found.append({each["name"]: each["digest"] for each in status["projections"]})
        assert all(found[-1].values())
    return found[0] == found[1]
