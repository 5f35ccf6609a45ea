"""`ledgerpress projection`, `status` and GraphQL on a paused projection: real processes on real files."""

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
class Ended:
    """What a command has come to."""

    code: int
    out: str
    err: str


async def run(*arguments: str | Path) -> Ended:
    """Run a command in a process of its own, to its end."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *map(str, arguments), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture(autouse=True)
def mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What mends the projector in every process."""
    file = tmp_path / "mended"
    monkeypatch.setenv("LEDGERPRESS_TEST_MENDED", str(file))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return file.touch


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A store without views, at whose cursed name the projector of people fails."""
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
            one.position
            for one in await log.read(0, 100)
            if one.payload and name.encode() in one.payload.plaintext
        )


async def status(data: Path) -> dict[str, dict[str, Any]]:
    """What `status --json` says of each projection, by name."""
    ended = await run("status", "--json", "--data", data)
    found = {one["name"]: one for one in json.loads(ended.out)["projections"]}
    assert ended.code == any(one["state"] == "PAUSED" for one in found.values())
    return found


async def test_a_paused_projection_is_told_with_the_place_and_the_time_it_lags(data: Path) -> None:
    found = await status(data)
    cursed, people = await position_of(data, "Cursed"), found.pop("people")
    assert people["state"] == "PAUSED"
    assert (people["failedAt"], people["checkpoint"], people["lag"]) == (cursed, cursed - 1, 2)
    assert people["error"] == "ValueError: this cannot be"
    assert 0 < people["lagSeconds"] < 600
    assert all((one["lag"], one["lagSeconds"], one["failedAt"]) == (0, 0, None) for one in found.values())
    table = (await run("status", "--data", data)).out
    assert "failed at" in table
    assert f"{cursed}" in next(line for line in table.splitlines() if line.startswith("people"))


async def test_skip_records_the_event_and_lets_the_projection_go_on(data: Path) -> None:
    cursed = await position_of(data, "Cursed")
    ended = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--data", data)
    assert ended.code == 0, ended.err
    assert ended.out == f"skipped  position {cursed}  site.named  site\n"
    assert f"is running again and has reached position {cursed + 2}" in ended.err
    shown = await run("events", "show", str(cursed + 2), "--data", data)
    line = json.loads(shown.out)
    assert (line["type"], line["subject"]) == ("projection.skipped", "projection.people")
    assert line["data"]["data"] == {"projection": "people", "position": cursed}
    assert line["data"]["reason"] == "Ticket 12."
    assert all(one["state"] == "RUNNING" and one["lag"] == 0 for one in (await status(data)).values())
    verified = await run("verify", "--data", data)
    assert verified.code == 0, verified.err

    lose_views(data)
    assert (await status(data))["people"]["state"] == "RUNNING"
    again = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--data", data)
    assert (again.code, again.out) == (1, "")
    assert "projection people runs; there is nothing to skip" in again.err


async def test_resume_lets_the_projection_try_again(data: Path, mend: Callable[[], None]) -> None:
    cursed = await position_of(data, "Cursed")
    ended = await run("projection", "resume", "people", "--data", data)
    assert ended.code == 1
    assert f"people is paused again at position {cursed}: ValueError: this cannot be" in ended.err
    mend()
    ended = await run("projection", "resume", "people", "--data", data)
    assert ended.code == 0, ended.err
    assert (await status(data))["people"]["checkpoint"] == cursed + 1
    ended = await run("projection", "resume", "people", "--data", data)
    assert ended.code == 1
    assert "projection people runs; there is nothing to resume" in ended.err


async def test_what_is_asked_for_wrongly_is_refused_and_records_nothing(data: Path, tmp_path: Path) -> None:
    skip = ("projection", "skip")
    for code, said, *arguments in (
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
        ended = await run(*map(str, arguments), "--data", data)
        assert (ended.code, ended.out) == (code, "")
        assert str(said) in ended.err
    missing = await run(*skip, "people", "--reason", "x", "--data", tmp_path / "nowhere")
    assert missing.code == 3
    assert (await status(data))["people"]["lag"] == 2


async def test_a_running_server_goes_on_after_a_skip_and_after_a_resumption(
    data: Path, mend: Callable[[], None]
) -> None:
    cursed = await position_of(data, "Cursed")
    async with Servers(data.parent) as servers:
        server = await servers.launch(data, program=PROGRAM)
        assert [(one["name"], one["failedAt"]) for one in await paused(server)] == [("people", cursed)]
        ended = await run("projection", "skip", "people", "--reason", "Ticket 12.", "--data", data)
        assert ended.code == 0, ended.err
        await server.ready()
        assert await paused(server) == []
        assert await ask(server, "{ site { name } }") == {"site": {"name": "The Ebb"}}

        renamed = (await ask(server, RENAME))["siteName"]
        assert renamed["viewsBehind"]
        (people,) = await paused(server)
        assert (people["failedAt"], people["lag"]) == (renamed["position"], 1)
        assert people["error"] == "ValueError: this cannot be"
        assert people["lagSeconds"] > 0
        mend()
        ended = await run("projection", "resume", "people", "--data", data)
        assert ended.code == 0, ended.err
        await server.ready()
        assert await ask(server, "{ site { name } }") == {"site": {"name": "Cursed again"}}
        assert await server.stop() == 0


async def ask(server: Server, query: str) -> dict[str, Any]:
    """Return the data of a server's answer."""
    async with await server.connect() as client:
        told, _ = await client.execute(query)
        return told


async def paused(server: Server) -> list[dict[str, Any]]:
    """What a server says of the projections that are paused."""
    return [one for one in (await ask(server, PROJECTIONS))["projections"] if one["state"] == "PAUSED"]


async def test_an_event_that_cannot_be_decoded_is_skipped_for_each_projection(
    data: Path, mend: Callable[[], None]
) -> None:
    mend()
    async with open_store(data) as store:
        unknown = await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
    names = [projector.name for projector in all_projectors()]
    assert {one["failedAt"] for one in (await status(data)).values()} == {unknown}
    for name in names:
        ended = await run("projection", "skip", name, "--reason", "Ticket 12.", "--data", data)
        assert ended.code == 0, ended.err
        assert ended.out == f"skipped  position {unknown}  post.sparkled  post.sparks\n"
    assert {one["checkpoint"] for one in (await status(data)).values()} == {unknown + len(names)}
    head = await run("head", "--data", data)
    assert head.code == 1
    assert "integrity skipped an event" in head.err
