"""`ledgerpress projection`, `status` and GraphQL with a paused projection, in real processes on real files."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.features.registry import all_projectors
from ledgerpress.features.site.commands import NameSite
from ledgerpress.server.log_factory import existing_log
from ledgerpress.server.store import open_store
from tests.integration.failing_projectors import sparkled
from tests.integration.server_process import Server, Servers

PROGRAM: Final = (sys.executable, "-m", "tests.integration.failing_projector_program")
ROOT: Final = Path(__file__).parents[2]
PROJECTIONS: Final = "{ projections { name state checkpoint lag lagSeconds failedAt error } }"
RENAME: Final = 'mutation { siteName(input: { name: "Cursed again" }) { position viewsBehind } }'


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command."""

    code: int
    out: str
    err: str


async def run(*arguments: str | Path) -> Result:
    """Run a command in its own process until it ends."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *map(str, arguments), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Result(process.returncode, out.decode(), err.decode())


@pytest.fixture(autouse=True)
def repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that repairs the projector in every process."""
    file = tmp_path / "mended"
    monkeypatch.setenv("LEDGERPRESS_TEST_MENDED", str(file))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return file.touch


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A store without views; the projector of people fails at a site name with “Cursed”."""
    directory = tmp_path / "data"
    async with open_store(directory) as store:
        for name in ("The Tide", "The Cursed Tide", "The Ebb"):
            await store.commands.handle(NameSite(name=name))
    lose_views(directory)
    return directory


def lose_views(data: Path) -> None:
    for views in data.glob("views-*"):
        views.unlink()


async def position_of(data: Path, name: str) -> int:
    async with existing_log(data) as log:
        return next(
            event.position
            for event in await log.read(0, 100)
            if event.payload and name.encode() in event.payload.plaintext
        )


async def status(data: Path) -> dict[str, dict[str, Any]]:
    """Return the output of `status --json` for each projection, by name."""
    result = await run("status", "--json", "--data", data)
    projections = {projection["name"]: projection for projection in json.loads(result.out)["projections"]}
    assert result.code == any(projection["state"] == "PAUSED" for projection in projections.values())
    return projections


async def test_status_shows_the_position_and_the_lag_of_a_paused_projection(data: Path) -> None:
    projections = await status(data)
    failing_position, people = await position_of(data, "Cursed"), projections.pop("people")
    assert people["state"] == "PAUSED"
    assert (people["failedAt"], people["checkpoint"], people["lag"]) == (
        failing_position,
        failing_position - 1,
        2,
    )
    assert people["error"] == "ValueError: this cannot be"
    assert 0 < people["lagSeconds"] < 600
    assert all(
        (projection["lag"], projection["lagSeconds"], projection["failedAt"]) == (0, 0, None)
        for projection in projections.values()
    )
    table = (await run("status", "--data", data)).out
    assert "failed at" in table
    assert f"{failing_position}" in next(line for line in table.splitlines() if line.startswith("people"))


async def test_skip_is_recorded_and_continues_the_projection(data: Path) -> None:
    failing_position = await position_of(data, "Cursed")
    result = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--yes", "--data", data)
    assert result.code == 0, result.err
    assert result.out == f"skipped  position {failing_position}  site.named  site\n"
    assert f"is running again and has reached position {failing_position + 2}" in result.err
    event_result = await run("events", "show", str(failing_position + 2), "--data", data)
    line = json.loads(event_result.out)
    assert (line["type"], line["subject"]) == ("projection.skipped", "projection.people")
    assert line["data"]["data"] == {"projection": "people", "position": failing_position}
    assert line["data"]["reason"] == "Ticket 12."
    assert all(
        projection["state"] == "RUNNING" and projection["lag"] == 0
        for projection in (await status(data)).values()
    )
    verification = await run("verify", "--data", data)
    assert verification.code == 0, verification.err

    lose_views(data)
    assert (await status(data))["people"]["state"] == "RUNNING"
    again = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--yes", "--data", data)
    assert (again.code, again.out) == (1, "")
    assert "projection people runs; there is nothing to skip" in again.err


async def test_resume_retries_the_event(data: Path, repair: Callable[[], None]) -> None:
    failing_position = await position_of(data, "Cursed")
    result = await run("projection", "resume", "people", "--data", data)
    assert result.code == 1
    assert f"people is paused again at position {failing_position}: ValueError: this cannot be" in result.err
    repair()
    result = await run("projection", "resume", "people", "--data", data)
    assert result.code == 0, result.err
    assert (await status(data))["people"]["checkpoint"] == failing_position + 1
    result = await run("projection", "resume", "people", "--data", data)
    assert result.code == 1
    assert "projection people runs; there is nothing to resume" in result.err


async def test_invalid_arguments_are_rejected_and_record_nothing(data: Path, tmp_path: Path) -> None:
    skip = ("projection", "skip")
    for code, message, *arguments in (
        (
            2,
            "there is no projection peeple; the projections are categories, ",
            *skip,
            "peeple",
            "--reason",
            "x",
        ),
        (
            2,
            "there is no projection peeple; the projections are categories, ",
            "projection",
            "resume",
            "peeple",
        ),
        (2, "--reason", *skip, "people"),
        (1, "A skip needs a reason.", *skip, "people", "--reason", " "),
        (1, "projection posts runs; there is nothing to skip", *skip, "posts", "--reason", "x"),
    ):
        result = await run(*map(str, arguments), "--data", data)
        assert (result.code, result.out) == (code, "")
        assert str(message) in result.err
    missing = await run(*skip, "people", "--reason", "x", "--data", tmp_path / "nowhere")
    assert missing.code == 3
    assert (await status(data))["people"]["lag"] == 2


async def test_a_running_server_continues_after_a_skip_and_after_resume(
    data: Path, repair: Callable[[], None]
) -> None:
    failing_position = await position_of(data, "Cursed")
    async with Servers(data.parent) as servers:
        server = await servers.launch(data, program=PROGRAM)
        assert [
            (projection["name"], projection["failedAt"]) for projection in await paused_projections(server)
        ] == [("people", failing_position)]
        result = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--yes", "--data", data)
        assert result.code == 0, result.err
        await server.ready()
        assert await paused_projections(server) == []
        assert await ask(server, "{ site { name } }") == {"site": {"name": "The Ebb"}}

        renamed = (await ask(server, RENAME))["siteName"]
        assert renamed["viewsBehind"]
        (people,) = await paused_projections(server)
        assert (people["failedAt"], people["lag"]) == (renamed["position"], 1)
        assert people["error"] == "ValueError: this cannot be"
        assert people["lagSeconds"] > 0
        repair()
        result = await run("projection", "resume", "people", "--data", data)
        assert result.code == 0, result.err
        await server.ready()
        assert await ask(server, "{ site { name } }") == {"site": {"name": "Cursed again"}}
        assert await server.stop() == 0


async def ask(server: Server, query: str) -> dict[str, Any]:
    """Return the data of a server's response."""
    async with await server.connect() as client:
        data, _ = await client.execute(query)
        return data


async def paused_projections(server: Server) -> list[dict[str, Any]]:
    """Return the paused projections that a server reports."""
    return [
        projection
        for projection in (await ask(server, PROJECTIONS))["projections"]
        if projection["state"] == "PAUSED"
    ]


async def test_an_undecodable_event_is_skipped_for_each_projection(
    data: Path, repair: Callable[[], None]
) -> None:
    repair()
    async with open_store(data) as store:
        unknown = await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
    names = [projector.name for projector in all_projectors()]
    assert {projection["failedAt"] for projection in (await status(data)).values()} == {unknown}
    for name in names:
        result = await run("projection", "skip", name, "--reason", "Ticket 12.", "--yes", "--data", data)
        assert result.code == 0, result.err
        assert result.out == f"skipped  position {unknown}  post.sparkled  post.sparks\n"
    assert {projection["checkpoint"] for projection in (await status(data)).values()} == {
        unknown + len(names)
    }
    head = await run("head", "--data", data)
    assert head.code == 1
    assert "integrity skipped an event" in head.err
