"""A clock that is ahead, behind or jumps: what a server and the command line record, and how an operator recovers."""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from ledgerpress.retry import poll
from ledgerpress.rfc3339 import format_time
from tests.integration.program_runs import Ended, ended
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers

PROGRAM: Final = (sys.executable, "-m", "tests.integration.clock_program")
DAY: Final = 86_400
TEN_YEARS: Final = 3_652 * DAY
RECENT: Final = "query ($at: AsOf) { recentPosts(asOf: $at) { nodes { title publishedAt updatedAt } } }"
EVERYTHING: Final = """
query ($at: AsOf) {
  recentPosts(asOf: $at) { nodes { title publishedAt updatedAt age } }
  post(slug: "ten-years-ahead", asOf: $at) { id createdAt article { publishedAt } }
  moment(asOf: $at) { position time }
}
"""
CHANGES: Final = """
query ($low: Position!, $high: Position!) {
  changes(first: 50, filter: {positionFrom: $low, positionTo: $high}) {
    nodes { position type recordedAt uncorrectedRecordedAt }
  }
}
"""
REPUBLISH: Final = """
mutation ($id: ID!, $note: String) { postPublish(input: {id: $id, correction: $note}) { userErrors { code } } }
"""
CREATE: Final = """
mutation ($title: String!) { postCreate(input: {title: $title, publish: true}) { position userErrors { code } } }
"""


class Machine:
    """A machine whose clock the test sets, with a store."""

    def __init__(self, folder: Path, servers: Servers, clock: Path) -> None:
        self.data = folder / "data"
        self.servers = servers
        self._clock = clock

    def set_clock(self, seconds: float) -> None:
        """Let the clock differ from that of the real machine by `seconds`, also in processes that run."""
        file = self._clock.with_suffix(".new")
        file.write_text(str(seconds), "ascii")
        file.replace(self._clock)

    async def serve(self) -> Server:
        """Start a server; it need not become ready."""
        server = await self.servers.launch(self.data, program=PROGRAM)
        await server.address()
        return server

    async def program(self, *arguments: str | Path) -> Ended:
        """Run the program on the store until it ends."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, *arguments, "--data", self.data,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, env={**os.environ, **self.servers.environment},
        )  # fmt: skip
        return await ended(process)

    async def done(self, *arguments: str | Path) -> str:
        """Run the program, which must succeed, and return its output."""
        result = await self.program(*arguments)
        assert result.code == 0, result.err
        return result.out


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    clock = tmp_path / "clock"
    environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_TEST_CLOCK": str(clock)}
    async with Servers(tmp_path, environment) as servers:
        machine = Machine(tmp_path, servers, clock)
        machine.set_clock(0)
        yield machine


class Browser:
    """An HTTP client of one server."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def answer(self, query: str, **variables: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the response to a GraphQL request."""
        response = await self._http.post("/graphql", json={"query": query, "variables": variables})
        return response.status_code, response.json()

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of the response, which must have no errors."""
        status, body = await self.answer(query, **variables)
        assert (status, body.get("errors")) == (200, None), body
        data: dict[str, Any] = body["data"]
        return data

    async def publish(self, title: str) -> int:
        """Create and publish a post; return the position."""
        created = (await self.ask(CREATE, title=title))["postCreate"]
        assert created["userErrors"] == []
        return int(created["position"])

    async def recent(self, as_of: dict[str, Any] | None = None) -> list[str]:
        """Return the titles of the recent posts, newest first."""
        nodes = (await self.ask(RECENT, at=as_of))["recentPosts"]["nodes"]
        return [node["title"] for node in nodes]

    async def until_ready(self, *, ready: bool) -> dict[str, Any]:
        """Wait until the server is ready, or is not; return what it reports."""

        async def is_as_expected() -> dict[str, Any] | None:
            response = await self._http.get("/health/ready")
            return response.json() if (response.status_code == 200) is ready else None

        state = await poll(is_as_expected, interval=0.05, timeout=20)
        assert state is not None
        return state

    async def until_recent(self, titles: list[str]) -> None:
        """Wait until these are the titles of the recent posts."""

        async def is_recent() -> bool | None:
            return await self.recent() == titles or None

        assert await poll(is_recent, interval=0.05, timeout=20), await self.recent()

    async def metric(self, name: str) -> float:
        text = (await self._http.get("/metrics")).text
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        return float(line.split()[1])


@asynccontextmanager
async def browser_of(server: Server) -> AsyncIterator[Browser]:
    host, port = await server.address()
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http:
        yield Browser(http)


def now() -> int:
    """Return the time of the real machine."""
    return time.time_ns() // 1_000


def utc_now() -> str:
    return format_time(now())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jump", "words"), [(TEN_YEARS, "jumped ahead by 3,652 days"), (-DAY, "jumped back by 1 day")]
)
async def test_a_server_records_nothing_after_a_jump_until_the_clock_is_right(
    machine: Machine, jump: int, words: str
) -> None:
    server = await machine.serve()
    async with browser_of(server) as browser:
        await browser.publish("Before")
        machine.set_clock(30)  # a small step of NTP
        await browser.publish("After a step")
        machine.set_clock(30 + jump)
        status, body = await browser.answer(CREATE, title="With a wrong clock")
        assert (status, body["errors"][0]["extensions"]["code"]) == (503, "LOG_UNAVAILABLE")
        assert "clock" in body["errors"][0]["message"]
        assert await browser.recent() == ["After a step", "Before"]
        state = await browser.until_ready(ready=False)
        assert (state["status"], state["failing"]) == ("failing", ["write"])
        assert any(words in notice for notice in state["notices"])
        assert await browser.metric("ledgerpress_clock_rejected") == 1
        await browser.answer(CREATE, title="With a wrong clock")

        machine.set_clock(0)
        await browser.until_ready(ready=True)
        await browser.publish("With the right clock")
        assert await browser.metric("ledgerpress_clock_rejected") == 0
        assert "With the right clock" in await browser.recent()
        assert "With a wrong clock" not in await browser.recent()
    assert server.words().count(words) == 1


@pytest.mark.slow
async def test_a_server_with_a_clock_that_is_behind_reports_it_and_records(machine: Machine) -> None:
    await machine.done("demo")
    machine.set_clock(-DAY)
    server = await machine.serve()
    async with browser_of(server) as browser:
        state = await browser.until_ready(ready=True)
        assert any("before the last recorded time" in notice for notice in state["notices"])
        before = (await browser.ask("{ moment { time } }"))["moment"]["time"]
        await browser.publish("Yesterday")
        assert (await browser.ask("{ moment { time } }"))["moment"]["time"] == before
    assert "before the last recorded time" in server.words()
    assert "before the last recorded time" in await machine.done("status")


@pytest.mark.slow
async def test_a_clock_that_is_too_far_ahead_must_be_confirmed(machine: Machine) -> None:
    await machine.done("demo")
    machine.set_clock(401 * DAY)
    server = await machine.serve()
    async with browser_of(server) as browser:
        assert (await browser.answer(CREATE, title="Late"))[0] == 503
        assert len(await browser.recent()) > 1
        state = await browser.until_ready(ready=False)
        assert any("ledgerpress clock confirm" in notice for notice in state["notices"])

        refused = await machine.program("token", "create", "Late", "--role", "editor")
        assert refused.code == 3
        assert "ledgerpress clock confirm" in refused.err
        for reading in (("token", "list"), ("status",), ("head",), ("clock", "show")):
            result = await machine.program(*reading)
            assert (result.code, result.err) == (0, "")
        assert (await machine.program("clock", "confirm")).code == 5  # there is no terminal

        await machine.done("clock", "confirm", "--reason", "The newsroom was closed.", "--yes")
        await browser.until_ready(ready=True)
        await browser.publish("Late")
    assert (await machine.program("token", "create", "Late", "--role", "editor")).code == 0


@pytest.mark.slow
async def test_a_server_without_tokens_starts_and_creates_the_first_one_after_the_confirmation(
    machine: Machine,
) -> None:
    await machine.done("demo")
    environment = {**machine.servers.environment}
    del environment["LEDGERPRESS_ANONYMOUS_ROLE"]
    machine.servers.environment = environment
    machine.set_clock(401 * DAY)
    server = await machine.serve()
    async with browser_of(server) as browser:
        assert len(await browser.recent()) > 1
    assert server.admin_token() is None
    await server.stop()
    await machine.done("clock", "confirm", "--yes")
    server = await (await machine.serve()).ready()
    assert server.admin_token() is not None


@pytest.mark.slow
async def test_after_a_year_without_events_nothing_needs_a_confirmation(machine: Machine) -> None:
    await machine.done("demo")
    machine.set_clock(366 * DAY)
    server = await machine.serve()
    async with browser_of(server) as browser:
        await browser.until_ready(ready=True)
        await browser.publish("A year later")
        assert (await browser.recent())[0] == "A year later"
    assert "366 days after the last recorded time" in server.words()


@pytest.mark.slow
async def test_an_old_backup_can_be_used_after_a_confirmation(machine: Machine, tmp_path: Path) -> None:
    await machine.done("demo")
    await machine.done("log", "backup", tmp_path / "backup.sqlite")
    machine.data = tmp_path / "restored"
    machine.set_clock(100 * DAY)
    await machine.done("log", "restore", tmp_path / "backup.sqlite")
    await machine.done("token", "create", "Recent backup", "--role", "editor")
    machine.data = tmp_path / "restored-later"
    machine.set_clock(800 * DAY)
    await machine.done("log", "restore", tmp_path / "backup.sqlite")
    assert (await machine.program("token", "create", "Old backup", "--role", "editor")).code == 3
    await machine.done("clock", "confirm", "--yes")
    await machine.done("token", "create", "Old backup", "--role", "editor")
    assert "The log is intact" in await machine.done("verify")


@pytest.mark.slow
async def test_a_correction_repairs_what_a_wrong_clock_has_recorded(machine: Machine, tmp_path: Path) -> None:
    server = await machine.serve()
    async with browser_of(server) as browser:
        await browser.publish("Before")
    await server.stop()
    started = utc_now()
    machine.set_clock(TEN_YEARS)
    await machine.done("clock", "confirm", "--yes")  # a mistake
    server = await machine.serve()
    async with browser_of(server) as browser:
        wrong = await browser.publish("Ten years ahead")
    await server.stop()
    machine.set_clock(0)
    server = await machine.serve()
    async with browser_of(server) as browser:
        between = utc_now()
        last = await browser.publish("After")
        assert await browser.recent() == ["Ten years ahead", "After", "Before"]
        assert await browser.recent({"time": utc_now()}) == ["Before"]
        former = await browser.ask(EVERYTHING, at={"position": last})

        correct = ("clock", "correct", "--reason", "The clock was ten years ahead.")
        refused = await machine.program(*correct, "--yes")
        assert refused.code == 1
        assert "--time" in refused.err
        preview = await machine.done(*correct, "--time", started, "--preview")
        assert "post.published" in preview
        assert await browser.recent() == ["Ten years ahead", "After", "Before"]
        await machine.done(*correct, "--time", started, "--yes")

        await browser.until_recent(["After", "Ten years ahead", "Before"])
        assert await browser.recent({"time": between}) == ["Ten years ahead", "Before"]
        assert await browser.recent({"time": utc_now()}) == ["After", "Ten years ahead", "Before"]
        assert await browser.ask(EVERYTHING, at={"position": last}) == former
        changes = (await browser.ask(CHANGES, low=wrong, high=last))["changes"]["nodes"]
        assert changes[-1]["uncorrectedRecordedAt"] is not None
        assert started <= changes[-1]["recordedAt"] < between
        assert changes[0]["uncorrectedRecordedAt"] is None
        (post,) = [
            n for n in (await browser.ask(RECENT))["recentPosts"]["nodes"] if n["title"].startswith("Ten")
        ]
        assert started <= post["publishedAt"] == post["updatedAt"] < between
        # The editor publishes the post again: its date stays corrected.
        post_id = (await browser.ask('{ post(slug: "ten-years-ahead") { id } }'))["post"]["id"]
        again = await browser.ask(REPUBLISH, id=post_id, note="It was not ten years.")
        assert again["postPublish"]["userErrors"] == []
        assert await browser.recent() == ["After", "Ten years ahead", "Before"]
    history = await machine.done("history", "ten-years-ahead")
    assert "the clock showed 20" in history
    assert "The views match the log" in await machine.done("verify")
    head = json.loads(await machine.done("head", "--json"))
    assert head["recordedTime"] <= now()
    await machine.done("events", "export", tmp_path / "events.jsonl")
    machine.data = tmp_path / "imported"
    await machine.done("events", "import", tmp_path / "events.jsonl")
    assert json.loads(await machine.done("head", "--json")) == head
    async with browser_of(await machine.serve()) as browser:
        assert await browser.recent() == ["After", "Ten years ahead", "Before"]


@pytest.mark.slow
async def test_a_correction_leaves_events_that_the_right_clock_recorded_between_wrong_ones(
    machine: Machine,
) -> None:
    await machine.done("demo")
    for clock, name in ((TEN_YEARS, "wrong"), (0, "right"), (TEN_YEARS, "wrong again")):
        machine.set_clock(clock)
        if name == "wrong":
            await machine.done("clock", "confirm", "--yes")  # a mistake
        await machine.done("token", "create", name, "--role", "editor")
    machine.set_clock(0)
    correct = ("clock", "correct", "--reason", "The clock was ahead.", "--ahead", "3652d", "--yes")
    (first,) = re.findall("position ([0-9]+) to ([0-9]+)", (await machine.program(*correct)).err)
    (second,) = re.findall("position ([0-9]+) to ([0-9]+)", (await machine.program(*correct)).err)
    assert int(second[0]) - int(first[1]) == 3, "the events of the right token were corrected"
    assert "No event" in (await machine.program(*correct)).err


@pytest.mark.slow
async def test_a_span_beyond_all_times_is_rejected(machine: Machine) -> None:
    await machine.done("demo")
    for option in ("--ahead", "--behind"):
        result = await machine.program(
            "clock", "correct", "--reason", "x", "--from", "3", option, "9999999999d"
        )
        assert result.code == 1, result.err
        assert "must be after 1970" in result.err


@pytest.mark.slow
async def test_a_preview_names_what_taking_back_a_correction_does(machine: Machine) -> None:
    await machine.done("demo")
    correct = ("clock", "correct", "--reason", "x", "--from", "3")
    await machine.done(*correct, "--ahead", "1h", "--yes")
    preview = await machine.done(*correct, "--undo", "--preview")
    assert "1 event would be corrected: to the times that the clock showed." in preview
    assert re.search(
        r"corrected +positions 3 to 3: 1:00:00 earlier  \(at position \d+\)",
        await machine.done("clock", "show"),
    )
    (correction,) = json.loads(await machine.done("clock", "show", "--json"))["corrections"]
    assert (correction["firstPosition"], correction["lastPosition"], correction["shift"]) == (
        3,
        3,
        -3_600_000_000,
    )
