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
class Request:
    """A request with a response: a `query` or an `edit`, with its start and end in seconds since 1970."""

    kind: str
    began: float
    ended: float


@dataclass(slots=True)
class Load:
    """The requests of the clients. `wrong` describes failures and responses that are too old.

    `pause` is the average time between two requests of a client, in seconds.
    """

    pause: float
    requests: list[Request] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def read(self, client: Client, number: int) -> None:
        """Send queries until cancelled; no response may have an earlier position than a previous one."""
        chance, last_position = random.Random(number), 0
        while True:
            _, position = await self._timed("query", lambda: client.execute(chance.choice(QUERIES)))
            if position < last_position:
                self.wrong.append(f"reader {number} was at {last_position}, and then at {position}")
            last_position = position
            await asyncio.sleep(self.pause * 2 * chance.random())

    async def edit(self, client: Client, number: int) -> None:
        """Edit the client's own post until cancelled; every response must show the client's last edit."""
        chance = random.Random(-number)
        created = await client.mutate("postCreate", title=f"Editor {number}", publish=True)
        post_id, slug = created.done["id"], created.done["slug"]
        for turn in range(1_000_000):
            title = f"Editor {number}, turn {turn}"
            outcome = await self._timed("edit", partial(client.mutate, "postEdit", id=post_id, title=title))
            if outcome.errors or outcome.views_behind or outcome.done["title"] != title:
                self.wrong.append(f"{title}: {outcome}")
            data, position = await self._timed(
                "query",
                lambda: client.execute("query ($slug: String!) { post(slug: $slug) { title } }", slug=slug),
            )
            if data["post"]["title"] != title or position < (outcome.position or 0):
                self.wrong.append(f"{title} at {outcome.position}, and then {data} at {position}")
            await asyncio.sleep(self.pause * 2 * chance.random())

    def times(self, kind: str, since: float, until: float) -> list[float]:
        """Return the durations in seconds of the requests of a kind that began and ended in the period, sorted."""
        return sorted(
            request.ended - request.began
            for request in self.requests
            if request.kind == kind and since <= request.began and request.ended <= until
        )

    def within(self, since: float, until: float) -> dict[str, int]:
        """Return how many requests of each kind were running at any time in the period."""
        kinds = [
            request.kind for request in self.requests if request.began <= until and request.ended >= since
        ]
        return {kind: kinds.count(kind) for kind in ("query", "edit")}

    async def _timed(self, kind: str, send: Callable[[], Awaitable[Any]]) -> Any:
        began = time.time()
        result = await send()
        self.requests.append(Request(kind, began, time.time()))
        return result


@asynccontextmanager
async def clients(
    server: Server, pause: float, readers: int = READERS, editors: int = EDITORS
) -> AsyncIterator[Load]:
    """Run clients that query and edit, with on average `pause` seconds between two requests of a client."""
    load = Load(pause)
    connections = [await server.connect() for _ in range(readers + editors)]
    tasks = [
        asyncio.create_task(load.read(connection, number))
        for number, connection in enumerate(connections[:readers])
    ]
    tasks += [
        asyncio.create_task(load.edit(connection, number))
        for number, connection in enumerate(connections[readers:])
    ]
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
    """The result of a rebuild: the positions that the killed rebuilds had reached, the last output, and the switch.

    The switch begins when the last rebuild writes the name of the new views, and ends when the server uses them.
    """

    killed_at: Sequence[int]
    answer: dict[str, Any]
    switched_from: float
    switched_to: float


async def rebuild(data: Path, server: Server, kill_after: Sequence[float]) -> Rebuilt:
    """Rebuild the views in `data`.

    For each number in `kill_after`, start a rebuild and kill it that many seconds after its first write. The last rebuild
    runs to its end.
    """
    killed_at = []
    for seconds in kill_after:
        before = _sizes(data)
        process = await _start(data)
        while _sizes(data) == before:
            assert process.returncode is None, "the rebuild ended before its first write"
            await asyncio.sleep(0.02)
        await asyncio.sleep(seconds)
        assert process.returncode is None, "the rebuild ended before it could be killed"
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        killed_at.append(await _unfinished(data))
    process = await _start(data)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    answer = json.loads(output)
    switched_from = (data / "views.json").stat().st_mtime
    while True:
        file, since = await _views(server)
        if file == answer["compared"]["after"]:
            return Rebuilt(killed_at, answer, switched_from, since)
        await asyncio.sleep(0.02)


def _sizes(data: Path) -> dict[str, int]:
    """Return the sizes of the views files that are not in use, with their write-ahead logs."""
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
    output, _ = await process.communicate()
    return max(
        (views["position"] or 0 for views in json.loads(output) if views["state"] == "unfinished"), default=0
    )


async def _views(server: Server) -> tuple[str, float]:
    try:
        async with await server.connect() as client:
            body = await client.fetch("/health/ready")
    except ConnectionLost:
        raise AssertionError(server.words()) from None
    views = json.loads(body)["views"]
    return views["file"], datetime.fromisoformat(views["since"]).timestamp()
