"""Clients that query and edit on one server during a rebuild, and the result of each request."""

import asyncio
import json
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.integration.keep_alive_client import Client, ConnectionLost
from tests.integration.server_process import PROGRAM, Server

READERS: Final = 16
EDITORS: Final = 4
QUERIES: Final = (
    "{ recentPosts(first: 20) { totalCount nodes { title teaser categories { name } } } }",
    "{ categories(first: 20) { nodes { name articleCount articles(first: 5) { nodes { title } } } } }",
    "{ moment { position } articles(first: 5, orderBy: PUBLISHED_AT_ASC) { nodes { title body { html } } } }",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was answered: a `query` or an `edit`, from and to when, in seconds since 1970."""

    kind: str
    began: float
    ended: float


@dataclass(slots=True)
class Load:
    """What the clients have seen. `wrong` holds what must not be: failures, and answers that are too old."""

    pause: float
    asked: list[Asked] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def read(self, client: Client, number: int) -> None:
        """Ask one query after the other, for ever; no answer is of an earlier position than one before."""
        chance, seen = random.Random(number), 0
        while True:
            _, position = await self._timed("query", lambda: client.execute(chance.choice(QUERIES)))
            if position < seen:
                self.wrong.append(f"reader {number} was at {seen}, and then at {position}")
            seen = position
            await asyncio.sleep(self.pause * 2 * chance.random())

    async def edit(self, client: Client, number: int) -> None:
        """Edit a post of one's own, for ever; every answer shows one's own last edit."""
        chance = random.Random(-number)
        made = await client.mutate("postCreate", title=f"Editor {number}", publish=True)
        post_id, slug = made.done["id"], made.done["slug"]
        for turn in range(1_000_000):
            title = f"Editor {number}, turn {turn}"
            outcome = await self._timed("edit", partial(client.mutate, "postEdit", id=post_id, title=title))
            if outcome.errors or outcome.views_behind or outcome.done["title"] != title:
                self.wrong.append(f"{title}: {outcome}")
            found, position = await self._timed(
                "query",
                lambda: client.execute("query ($slug: String!) { post(slug: $slug) { title } }", slug=slug),
            )
            if found["post"]["title"] != title or position < (outcome.position or 0):
                self.wrong.append(f"{title} at {outcome.position}, and then {found} at {position}")
            await asyncio.sleep(self.pause * 2 * chance.random())

    def times(self, kind: str, since: float, until: float) -> list[float]:
        """Return how long each request of a kind took that began and ended in between, in seconds."""
        return sorted(
            one.ended - one.began
            for one in self.asked
            if one.kind == kind and since <= one.began and one.ended <= until
        )

    def within(self, since: float, until: float) -> dict[str, int]:
        """Return how many requests of each kind were under way at some moment in between."""
        found = [one.kind for one in self.asked if one.began <= until and one.ended >= since]
        return {kind: found.count(kind) for kind in ("query", "edit")}

    async def _timed(self, kind: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        began = time.time()
        answer = await ask()
        self.asked.append(Asked(kind, began, time.time()))
        return answer


@asynccontextmanager
async def clients(
    server: Server, pause: float, readers: int = READERS, editors: int = EDITORS
) -> AsyncIterator[Load]:
    """Let clients ask and edit, with `pause` seconds between two requests of one of them on average."""
    load = Load(pause)
    connections = [await server.connect() for _ in range(readers + editors)]
    tasks = [asyncio.create_task(load.read(one, number)) for number, one in enumerate(connections[:readers])]
    tasks += [asyncio.create_task(load.edit(one, number)) for number, one in enumerate(connections[readers:])]
    try:
        yield load
    finally:
        for task in tasks:
            task.cancel()
        for task, end in zip(tasks, await asyncio.gather(*tasks, return_exceptions=True), strict=True):
            if not isinstance(end, asyncio.CancelledError):
                load.wrong.append(f"{task.get_name()} ended: {end!r}")
        for connection in connections:
            await connection.aclose()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How a rebuild went: the position at which each killed one had arrived, the last one's answer, and the switch.

    The switch begins when the last rebuild has named the views to use, and ends when the server answers from them.
    """

    killed_at: Sequence[int]
    answer: dict[str, Any]
    switched_from: float
    switched_to: float


async def rebuild(data: Path, server: Server, kill_after: Sequence[float]) -> Rebuilt:
    """Rebuild the views in `data`: killed as many seconds after each beginning to write, resumed, and let through."""
    killed_at = []
    for seconds in kill_after:
        before = _sizes(data)
        process = await _start(data)
        while _sizes(data) == before:
            assert process.returncode is None, "the rebuild ended before it had begun to write"
            await asyncio.sleep(0.02)
        await asyncio.sleep(seconds)
        assert process.returncode is None, "the rebuild was through before it was to be killed"
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        killed_at.append(await _unfinished(data))
    process = await _start(data)
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    answer = json.loads(said)
    named = (data / "views.json").stat().st_mtime
    while True:
        file, since = await _views(server)
        if file == answer["compared"]["after"]:
            return Rebuilt(killed_at, answer, named, since)
        await asyncio.sleep(0.02)


def _sizes(data: Path) -> dict[str, int]:
    """Return how large the views files are that are not in use, with their write-ahead logs."""
    in_use = json.loads((data / "views.json").read_bytes())["current"]
    files = [file for file in data.glob("views-*.sqlite*") if not file.name.startswith(in_use)]
    return {file.name: file.stat().st_size for file in files if not file.name.endswith("-shm")}


async def _start(data: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *PROGRAM, "rebuild", "--json", "--data", data,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def _unfinished(data: Path) -> int:
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "views", "list", "--json", "--data", data, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    return max((one["position"] or 0 for one in json.loads(said) if one["state"] == "unfinished"), default=0)


async def _views(server: Server) -> tuple[str, float]:
    try:
        async with await server.connect() as client:
            body = await client.fetch("/health/ready")
    except ConnectionLost:
        raise AssertionError(server.words()) from None
    views = json.loads(body)["views"]
    return views["file"], datetime.fromisoformat(views["since"]).timestamp()
