"""`ledgerpress log copy`: a log copied through every engine and back, with kills, stays the same log."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import event_codec
from ledgerpress.operator import log_copy
from ledgerpress.operator.log_copy import LogCopy, copy_log
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.log_factory import existing_log, open_log
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.store import Store, open_store
from scripts.workloads.generated_log import PUBLICATION
from tests.contract.sample_events import everything
from tests.engines.fixtures import ENGINES
from tests.integration.program_runs import ROOT
from tests.withdrawn_log import batches_with_withdrawals
from tests.written_log import write_copy

EVENTS: Final = int(os.environ.get("LEDGERPRESS_TEST_EVENTS", "30000"))
COURT: Final = "By order of a court."


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def head(log: str, data: Path) -> dict[str, Any]:
    tree_head: dict[str, Any] = json.loads(done("head", "--json", "--log", log, "--data", data))
    return tree_head


def run_until_killed(at: int, delay: float, *arguments: str | Path) -> None:
    """Run the program in its own process until it is killed, `delay` seconds after the copy reaches `at`."""
    command = [
        sys.executable,
        "-m",
        "tests.integration.killed_copy_program",
        str(at),
        str(delay),
        *map(str, arguments),
    ]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo newsroom with three withdrawn payloads."""
    data = tmp_path_factory.mktemp("demo") / "store"
    done("demo", "--data", data)
    for position in (20, 41, 60):
        done("withdraw", str(position), "--reason", COURT, "--yes", "--data", data)
    return data


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("generated") / "store"
    data.mkdir()
    batches = batches_with_withdrawals(EVENTS, 1_000)
    assert asyncio.run(write_copy(data / "log.sqlite", PUBLICATION, batches)) == EVENTS
    return data


@pytest.fixture
def copy_targets(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Copy targets in order: one in each other engine, and finally a file."""
    others = [request.getfixturevalue(f"{engine}_url") for engine in ENGINES if engine != "sqlite"]
    return [
        *(others or [f"sqlite:{tmp_path / 'between.sqlite'}"]),
        f"sqlite:{tmp_path / 'last' / 'log.sqlite'}",
    ]


@pytest.mark.parametrize("name", ["demo", "generated"])
def test_a_log_is_the_same_after_copies_through_every_engine(
    request: pytest.FixtureRequest, name: str, copy_targets: list[str], tmp_path: Path
) -> None:
    origin: Path = request.getfixturevalue(name)
    last = tmp_path / "last"
    last.mkdir()
    digests = view_digests(origin)
    first = json.loads(done("head", "--json", "--data", origin))
    copies = list(pairwise([f"sqlite:{origin / 'log.sqlite'}", *copy_targets]))
    for number, (source, target) in enumerate(copies):
        if name == "generated" and number < 2:
            run_until_killed(1_000, 0.03, "log", "copy", source, target)
            rejection = run("head", "--log", target, "--data", tmp_path / "node")
            assert (rejection.exit_code, "unfinished copy" in rejection.stderr) == (3, True), rejection.stderr
        if name == "generated" and number == 0:
            run_until_killed(EVENTS // 2, 0.2, "log", "copy", source, target)
        assert json.loads(done("log", "copy", source, target, "--json")) == {**first, "missing": 0}
    assert view_digests(last) == digests
    assert json.loads(done("head", "--json", "--data", last)) == first


def view_digests(data: Path) -> dict[str, dict[str, Any]]:
    """Return the digests of all views of a store, rebuilt from its log."""
    for views in data.glob("views*"):
        views.unlink()
    status = json.loads(done("status", "--json", "--data", data))
    digests = {projection["name"]: projection["digest"] for projection in status["projections"]}
    assert all(digests.values())
    return digests


@pytest.fixture
def store(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "store"))


@pytest.fixture
def target_url(log_url: str) -> str:
    """The URL of a copy target, in each engine in turn."""
    return log_url


def test_a_copy_stays_open_while_the_source_is_written_to(
    store: Path, target_url: str, tmp_path: Path
) -> None:
    """A payload that is withdrawn between two runs is not in the copy, although the first run copied it."""
    first = run("log", "copy", "sqlite:", target_url, "--keep-open", "--data", store)
    assert (first.exit_code, "The copy is unfinished" in first.stderr) == (0, True), first.output
    done("withdraw", "30", "--reason", COURT, "--yes", "--data", store)
    done(
        "import", "page", ROOT / "tests/pages/tide-mill.txt", "--retrieved-at", "2024-12-22", "--data", store
    )
    second = run("log", "copy", "sqlite:", target_url, "--keep-open", "--data", store)
    rejection = run("serve", "--log", target_url, "--data", tmp_path / "node", "--port", "0")
    assert (rejection.exit_code, "unfinished copy" in rejection.stderr) == (3, True), rejection.output
    third = run("log", "copy", "sqlite:", target_url, "--data", store)
    root = json.loads(done("head", "--json", "--data", store))["root"]
    assert root not in first.stdout
    assert root in second.stdout
    assert root in third.stdout
    verification = json.loads(done("verify", "--json", "--log", target_url, "--data", tmp_path / "node"))
    assert (verification["intact"], verification["head"]["root"]) == (True, root)
    event = json.loads(done("events", "show", "30", "--log", target_url, "--data", tmp_path / "node"))
    assert "data" not in event


def test_a_source_that_grew_during_the_copy_has_its_own_exit_code(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = run("log", "copy", "sqlite:", f"sqlite:{tmp_path / 'one'}", "--data", store, "--json")
    assert (copy.exit_code, json.loads(copy.stdout)["missing"]) == (0, 0)
    monkeypatch.setattr(log_copy, "MAX_ROUNDS", 0)
    copy = run("log", "copy", "sqlite:", f"sqlite:{tmp_path / 'two'}", "--data", store, "--json")
    assert (copy.exit_code, json.loads(copy.stdout)["missing"] > 0) == (4, True), copy.output
    (tmp_path / "head").write_text(copy.stdout, "utf-8")
    done("verify", "--data", store, "--head", tmp_path / "head")


def test_a_log_cannot_be_copied_to_itself(store: Path) -> None:
    for target in ("sqlite:", f"sqlite:{store / 'log.sqlite'}"):
        rejection = run("log", "copy", "sqlite:", target, "--data", store)
        assert (rejection.exit_code, "the same place" in rejection.stderr) == (2, True), rejection.output


def test_a_finished_copy_is_only_compared(store: Path, target_url: str) -> None:
    copy = done("log", "copy", "sqlite:", target_url, "--data", store)
    for option in ([], ["--keep-open"]):
        again = run("log", "copy", "sqlite:", target_url, "--data", store, *option)
        assert (again.exit_code, again.stdout, again.stderr) == (0, copy, "")
    done("withdraw", "30", "--reason", COURT, "--yes", "--data", store)
    result = run("log", "copy", "sqlite:", target_url, "--data", store)
    assert (result.exit_code, "is a finished log already, with" in result.stderr) == (3, True)


def test_an_unfinished_copy_can_be_continued_only_from_the_same_log(
    store: Path, target_url: str, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(store, tmp_path / "other"))
    done("log", "copy", "sqlite:", target_url, "--keep-open", "--data", store)
    for data, positions in ((store, ("30",)), (other, ("31", "32"))):
        for position in positions:
            done("withdraw", position, "--reason", COURT, "--yes", "--data", data)
    done("log", "copy", "sqlite:", target_url, "--keep-open", "--data", store)
    result = run("log", "copy", "sqlite:", target_url, "--data", other)
    assert (result.exit_code, "is a copy of another log" in result.stderr) == (3, True), result.output
    new = tmp_path / "new"
    done("demo", "--data", new)
    result = run("log", "copy", "sqlite:", target_url, "--data", new)
    assert (result.exit_code, "another publication" in result.stderr) == (3, True), result.output
    done("log", "copy", "sqlite:", target_url, "--data", store)
    assert not run("verify", "--log", target_url, "--data", tmp_path / "node").exit_code


@pytest.mark.parametrize("change", ["payload", "header", "gap", "withdrawn"])
def test_a_damaged_event_is_not_copied(store: Path, target_url: str, change: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store / "log.sqlite", isolation_level=None)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(
            {
                "payload": "UPDATE event SET payload = zeroblob(9) WHERE position = 100",
                "header": "UPDATE event SET actor_id = 'nobody' WHERE position = 100",
                "gap": "DELETE FROM event WHERE position = 100",
                "withdrawn": "UPDATE event SET payload = NULL, salt = NULL WHERE position = 100",
            }[change]
        )
    result = run("log", "copy", "sqlite:", target_url, "--data", store)
    assert (result.exit_code, "position 100" in result.stderr) == (1, True), result.output
    rejection = run("head", "--log", target_url, "--data", tmp_path / "node")
    assert (rejection.exit_code, "unfinished copy" in rejection.stderr) == (3, True), rejection.output


def test_a_url_with_a_password_can_be_read_from_a_file(store: Path, target_url: str, tmp_path: Path) -> None:
    (tmp_path / "to").write_text(f"{target_url}\n", "utf-8")
    root = json.loads(done("head", "--json", "--data", store))["root"]
    assert root in done("log", "copy", "sqlite:", f"@{tmp_path / 'to'}", "--data", store)
    (tmp_path / "source").write_bytes(b"\xef\xbb\xbfsqlite:\r\n")  # as editors of Windows write it
    assert root in done("log", "copy", f"@{tmp_path / 'source'}", f"@{tmp_path / 'to'}", "--data", store)
    missing = run("log", "copy", "sqlite:", f"@{tmp_path / 'missing'}", "--data", store)
    assert (missing.exit_code, "missing cannot be read" in missing.stderr) == (2, True), missing.output
    result = run("log", "copy", "sqlite:", "@postgresql://u:S3CRET@h/db?publication=daily", "--data", store)
    assert (result.exit_code, "S3CRET" in result.output, "S3CRET" in result.stderr) == (2, False, False), (
        result.output
    )


def test_no_message_shows_a_password(store: Path, tmp_path: Path) -> None:
    for unreachable in ("postgresql://ann:secret@127.0.0.1:1/db", "nats://ann:secret@127.0.0.1:1"):
        (tmp_path / "to").write_text(f"{unreachable}?publication=daily", "utf-8")
        result = run("log", "copy", "sqlite:", f"@{tmp_path / 'to'}", "--data", store)
        assert (result.exit_code, "secret" in result.output) == (3, False), result.output


def test_invalid_urls_and_missing_logs_are_rejected(store: Path, tmp_path: Path) -> None:
    for source, target, code in (
        ("sqlite:", "mysql://there", 2),
        ("log.sqlite", f"sqlite:{tmp_path / 'to.sqlite'}", 2),
        (f"sqlite:{tmp_path / 'nothing.sqlite'}", f"sqlite:{tmp_path / 'to.sqlite'}", 3),
        ("sqlite:", f"sqlite:{store / 'views.json'}", 3),
        ("sqlite:", f"sqlite:{tmp_path / 'missing' / 'to.sqlite'}", 3),
    ):
        result = run("log", "copy", source, target, "--data", store)
        assert (result.exit_code, len(result.stderr.splitlines())) == (code, 1), result.output
    assert not (tmp_path / "to.sqlite").exists()


@pytest.mark.parametrize("command", [("backup",), ("restore",)])
def test_backups_of_other_engines_refer_to_their_own_tools(command: tuple[str], tmp_path: Path) -> None:
    if command == ("restore",):
        (tmp_path / "file").touch()
    for url, tool in (
        ("postgresql://ann:secret@there/db?publication=daily", "pg_dump"),
        ("nats://ann:secret@there?publication=daily", "nats stream"),
    ):
        result = run("log", *command, tmp_path / "file", "--log", url, "--data", tmp_path / "node")
        assert result.exit_code == 3
        assert tool in result.stderr
        assert "ledgerpress log copy" in result.stderr
        assert "secret" not in result.output


def test_no_log_is_created_in_the_directory_of_a_node(store: Path, tmp_path: Path) -> None:
    node, file, elsewhere = tmp_path / "node", tmp_path / "backup", f"sqlite:{store / 'log.sqlite'}"
    done("status", "--data", node, "--log", elsewhere)
    before = sorted(node.iterdir())
    done("log", "backup", file, "--data", store)
    target_url, other = f"sqlite:{node / 'log.sqlite'}", tmp_path / "other"
    page = ("import", "page", ROOT / "tests/pages/tide-mill.txt", "--retrieved-at", "2024-12-22")
    for command in (
        ("log", "restore", file, "--data", node),
        ("log", "restore", file, "--data", node, "--log", target_url),
        ("log", "copy", elsewhere, target_url),
        ("log", "copy", elsewhere, target_url, "--keep-open"),
        ("log", "copy", elsewhere, "sqlite:", "--data", node),
        ("demo", "--data", other, "--log", target_url),
        (*page, "--data", other, "--log", target_url),
    ):
        rejection = run(*command)
        assert (rejection.exit_code, "is the directory of a node" in rejection.stderr) == (3, True), (
            rejection.output
        )
        assert sorted(node.iterdir()) == before
    done("status", "--data", node, "--log", elsewhere)


def test_events_can_be_imported_into_any_engine(store: Path, target_url: str, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    done("events", "export", file, "--data", store)
    for _ in range(2):
        done("events", "import", file, "--log", target_url, "--data", tmp_path / "node")
        assert head(target_url, tmp_path / "node") == json.loads(done("head", "--json", "--data", store))
    done("withdraw", "30", "--reason", COURT, "--yes", "--data", store)
    file.unlink()
    done("events", "export", file, "--data", store)
    again = run("events", "import", file, "--log", target_url, "--data", tmp_path / "node")
    assert (again.exit_code, "is a finished log already" in again.stderr) == (3, True), again.output


async def test_the_source_can_be_written_to_during_the_copy(
    store: Path, target_url: str, tmp_path: Path
) -> None:
    """Copy twice while posts are created and withdrawn, and once after that: nothing is missing."""
    source, target = LogUrl.parse("sqlite:"), LogUrl.parse(target_url)
    async with open_store(store) as source_store:
        stopping = asyncio.Event()
        writing = asyncio.create_task(write(source_store, stopping))
        for _ in range(2):
            before = await source_store.log.head()
            await source_store.log.wait_beyond(before + 20, 30)
            copy = await copy_log(source, target, store, keep_open=True)
            assert copy.head.size > before
        stopping.set()
        assert await writing > 3
        copy = await copy_log(source, target, store)
        assert (copy.head.size, copy.missing) == (await source_store.log.head(), 0)
        target_log = await open_log(target, tmp_path, create_as=None)
        try:
            assert await everything(target_log) == await everything(source_store.log)
        finally:
            await target_log.aclose()


async def write(store: Store, stopping: asyncio.Event) -> int:
    """Create posts, and withdraw every fifth immediately; return the number of withdrawn posts."""
    count = 0
    while not stopping.is_set():
        post = await store.commands.handle(
            CreatePost(title=f"Number {count}", body="Word for word.", publish=True)
        )
        count += 1
        if count % 5 == 0:
            await withdraw_payload(
                store.log,
                event_codec(),
                store.clock,
                store.randomness,
                post.position,
                CommandRequest(reason=COURT),
            )
    return count // 5


async def test_two_concurrent_runs_create_one_copy(store: Path, target_url: str, tmp_path: Path) -> None:
    """Either run may fail and be repeated later; the target always contains the same log."""
    source, target = LogUrl.parse("sqlite:"), LogUrl.parse(target_url)
    results = await asyncio.gather(
        *(copy_log(source, target, store) for _ in range(2)), return_exceptions=True
    )
    assert all(isinstance(result, LogCopy | EventLogError) for result in results), results
    copy = await copy_log(source, target, store)
    async with existing_log(store) as log:
        target_log = await open_log(target, tmp_path, create_as=None)
        try:
            assert await everything(target_log) == await everything(log)
            assert copy.head.size == await log.head()
        finally:
            await target_log.aclose()
