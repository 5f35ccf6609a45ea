"""SIGHUP replaces the workers of a server while clients send requests and follow changes."""

import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from tests.integration.keep_alive_client import Client
from tests.integration.server_process import Server, Servers
from tests.integration.sse_client import opened
from tests.integration.worker_processes import until_ended, workers_of

WORKERS: Final = 2
EDITORS: Final = 4
READERS: Final = 4
SUBSCRIBERS: Final = 3
RELOADS: Final = 2
CHANGES: Final = "subscription { changes { position } }"
TITLES: Final = "{ posts(first: 5) { totalCount nodes { title } } }"


@dataclass
class Load:
    """Clients that send one request after the other, each on a connection that it keeps alive."""

    server: Server
    requests: int = 0
    titles: set[str] = field(default_factory=set)
    last_position: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def edit(self, editor: int) -> None:
        """Create posts until the load is finished. Every request must succeed."""
        number = 0
        while not self.finished.is_set():
            async with await self.server.connect() as client:
                while not client.is_ended and not self.finished.is_set():
                    number += 1
                    title = f"Number {number} of {editor}"
                    outcome = await client.mutate("postCreate", title=title)
                    assert outcome.done["title"] == title
                    self.last_position = max(self.last_position, outcome.position or 0)
                    self.titles.add(title)
                    self.requests += 1

    async def read(self) -> None:
        """Read until the load is finished. Every request must succeed."""
        while not self.finished.is_set():
            async with await self.server.connect() as client:
                while not client.is_ended and not self.finished.is_set():
                    await self._read(client)

    async def _read(self, client: Client) -> None:
        position = self.last_position
        _, seen = await client.execute(TITLES, min_position=position)
        assert seen >= position
        self.requests += 1

    async def check_readiness(self) -> None:
        """Ask for the readiness until the load is finished. The server never reports that it stops."""
        while not self.finished.is_set():
            async with await self.server.connect() as client:
                while not client.is_ended and not self.finished.is_set():
                    # It may be behind by an event, or a worker may be slow to start on a busy machine.
                    status = json.loads(await client.fetch("/health/ready"))["status"]
                    assert status != "stopping"


@dataclass
class Subscriber:
    """A subscriber that resumes after the last event that it has received, as a browser does."""

    server: Server
    positions: list[int]
    streams: int = 0

    async def follow(self) -> None:
        """Receive changes until cancelled."""
        host, port = await self.server.address()
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http:
            while True:
                headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self.positions[-1])}
                async with opened(http, "POST", "/graphql", CHANGES, headers) as stream:
                    assert stream.status == 200
                    self.streams += 1
                    while event := await stream.next_or_end():
                        assert "errors" not in event.data, event.data
                        self.positions.append(event.data["data"]["changes"]["position"])

    async def until(self, position: int) -> None:
        """Wait until the change at `position` has arrived."""
        async with asyncio.timeout(20):
            while self.positions[-1] < position:  # noqa: ASYNC110 - the list is polled
                await asyncio.sleep(0.01)


async def test_a_reload_fails_no_request_and_repeats_or_loses_no_event(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--workers", str(WORKERS))
        async with await server.connect() as client:
            start = (await client.mutate("postCreate", title="First")).position
        assert start is not None
        load = Load(server)
        subscribers = [Subscriber(server, [start]) for _ in range(SUBSCRIBERS)]
        following = [asyncio.create_task(subscriber.follow()) for subscriber in subscribers]
        async with asyncio.TaskGroup() as clients:
            for number in range(EDITORS):
                clients.create_task(load.edit(number))
            for _ in range(READERS):
                clients.create_task(load.read())
            clients.create_task(load.check_readiness())
            for _ in range(RELOADS):
                former = workers_of(server)
                before = load.requests
                server.signal(signal.SIGHUP)
                await until_ended(*former)
                assert load.requests > before
            load.finished.set()
        async with await server.connect() as client:
            last = (await client.mutate("postCreate", title="Last")).position
            data, _ = await client.execute("{ posts { totalCount } }")
        assert last is not None
        assert data["posts"]["totalCount"] == len(load.titles) + 2
        for subscriber in subscribers:
            await subscriber.until(last)
            assert subscriber.positions == list(range(start, last + 1))
            assert subscriber.streams > RELOADS
        for task in following:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert await server.stop() == 0
        assert server.words() == ""
