"""Clients that write and read while workers of a server are killed, and what must be true then and at the end."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.integration.keep_alive_client import Client, ConnectionLost
from tests.integration.log_history import History, assert_gapless
from tests.integration.server_process import Server
from tests.integration.worker_processes import is_serving, kill, worker_of, workers_of

WRITERS: Final = 6
READERS: Final = 4
PAUSE_SECONDS: Final = 0.05
BACK_SECONDS: Final = 60.0
"""Seconds within which a killed worker must be replaced, on a machine that does other work."""
TITLES: Final = "{ posts(first: 3) { totalCount nodes { title } } }"


@dataclass
class KilledWorkers:
    """The load, the kills, and what was acknowledged."""

    server: Server
    workers: int
    random: Random
    longest_pause: float = 0.3
    """The most seconds from the moment at which a killed worker is replaced to the next kill."""
    killed: set[int] = field(default_factory=set)
    absences: list[float] = field(default_factory=list)
    """Seconds from each kill until another worker served in place of the killed one."""
    positions: dict[str, int] = field(default_factory=dict)
    """The acknowledged positions by idempotency key."""
    reads: int = 0
    lost: int = 0
    """The number of requests to killed workers that got no response."""
    replayed: int = 0
    busy: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, kills: int) -> None:
        """Kill workers while clients send requests. Requests to other workers must not fail."""
        async with asyncio.TaskGroup() as clients:
            for number in range(WRITERS):
                clients.create_task(self._write(number))
            for _ in range(READERS):
                clients.create_task(self._read())
            for _ in range(kills):
                await asyncio.sleep(self.random.uniform(0, self.longest_pause))
                await self._kill_one()
            self.finished.set()

    async def _kill_one(self) -> None:
        former = workers_of(self.server)
        victim = self.random.choice(sorted(former))
        self.killed.add(victim)
        kill(victim)
        began = time.monotonic()
        async with asyncio.timeout(BACK_SECONDS):
            while True:
                new = workers_of(self.server) - former
                if len(new) == 1 and is_serving(next(iter(new))):
                    break
                await asyncio.sleep(0.01)
        self.absences.append(time.monotonic() - began)

    async def _connect(self) -> tuple[Client, int | None]:
        """Return a connection and the worker that serves it; `None` if that worker was killed meanwhile."""
        client = await self.server.connect()
        with suppress(ConnectionLost):
            await client.get("/health/live")
            try:
                return client, worker_of(self.server, client)
            except AssertionError:
                pass
        return client, None

    def _check_lost(self, pid: int | None) -> None:
        self.lost += 1
        assert pid is None or pid in self.killed, f"worker {pid} was not killed, but a request to it failed"

    async def _write(self, writer: int) -> None:
        number, key = 0, None
        while not self.finished.is_set() or key is not None:
            client, pid = await self._connect()
            async with client:
                try:
                    while not self.finished.is_set() or key is not None:
                        if key is None:
                            number += 1
                            key = f"number {number} of {writer}"
                        await self._create(client, key)
                        key = None
                        await self._pause()
                except ConnectionLost:
                    self._check_lost(pid)

    async def _create(self, client: Client, key: str) -> None:
        while True:
            outcome = await client.mutate("postCreate", title=key, publish=True, idempotencyKey=key)
            if outcome.code != "BUSY":
                break
            self.busy += 1  # the views are behind on a busy machine; nothing was recorded
        assert outcome.done["title"] == key
        assert outcome.position is not None
        assert outcome.seen_at >= outcome.position
        self.replayed += outcome.replayed
        self.positions[key] = outcome.position

    async def _read(self) -> None:
        while not self.finished.is_set():
            client, pid = await self._connect()
            async with client:
                try:
                    while not self.finished.is_set():
                        position, created = max(self.positions.values(), default=0), len(self.positions)
                        data, seen = await client.execute(TITLES, min_position=position)
                        assert seen >= position
                        assert data["posts"]["totalCount"] >= created
                        self.reads += 1
                        await self._pause()
                except ConnectionLost:
                    self._check_lost(pid)

    async def _pause(self) -> None:
        """Leave the machine time for what the clients do not cause: a new worker needs a core to start."""
        await asyncio.sleep(self.random.uniform(0, PAUSE_SECONDS))

    def check(self, history: History) -> None:
        """Fail unless the log has each acknowledged write exactly once, where it was acknowledged, and no gap."""
        assert_gapless(history)
        commands: dict[str, dict[str, int]] = {}
        for event in history:
            if event.idempotency_key is not None:
                commands.setdefault(event.idempotency_key, {})[event.header.command_id] = event.position
        assert {key: list(positions.values()) for key, positions in commands.items()} == {
            key: [position] for key, position in self.positions.items()
        }
