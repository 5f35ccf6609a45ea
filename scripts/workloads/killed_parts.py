"""The parts of an installation that can be killed at any moment and started again: servers, and the engine of the log."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final, Protocol

from scripts.engines.nats import NatsCluster, temporary_cluster
from scripts.engines.postgres import PostgresServer
from tests.integration.server_process import Server, Servers

PUBLICATION: Final = "daily"
_STREAM: Final = f"LEDGERPRESS_{PUBLICATION}"
_KILLED: Final = -signal.SIGKILL
_AGAIN_SECONDS: Final = 0.1


class KilledServer:
    """A server process on its own data directory, or on one that it shares."""

    def __init__(self, servers: Servers, data: Path, *options: str, quiet: bool) -> None:
        """If `quiet`, the server may print nothing but its banner and may not end by itself."""
        self.data = data
        self.server: Server | None = None
        """The process, once clients can connect to it."""
        self._launched: Server | None = None
        self._servers = servers
        self._options = options
        self._quiet = quiet

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._launched is not None and self._launched.is_running

    async def launch(self) -> Server:
        """Start a process without waiting for it."""
        self._launched = await self._servers.launch(self.data, *self._options)
        return self._launched

    async def start(self) -> None:
        """Start a process, and again if it is killed meanwhile, until one accepts connections.

        Raises `RuntimeError` if a quiet server ends by itself.
        """
        while self.server is None or not self.server.is_running:
            launched = await self.launch()
            try:
                await launched.address()
                self.server = launched
            except AssertionError:
                if self._quiet and await launched.ended() != _KILLED:
                    raise RuntimeError(f"a server ended by itself: {launched.words()}") from None
                await asyncio.sleep(_AGAIN_SECONDS)

    async def kill(self) -> None:
        """Kill the process. Raises `RuntimeError` if a quiet server has printed anything but its banner."""
        server, self.server = self._launched, None
        if server is not None:
            await server.kill()
            words = server.words()
            if self._quiet and words:
                raise RuntimeError(f"a server printed: {words}")


class KilledEngine(Protocol):
    """The servers of the log's engine."""

    def url(self) -> str:
        """Return the URL of the log."""

    def kill(self, random: Random) -> int:
        """Kill at least one process with SIGKILL; return the number of killed servers or processes."""

    def recover(self) -> None:
        """Start the servers that do not run, and wait until the log can be written."""


class _Postgres:
    """Kills one process of the server, after which it ends all others and recovers; or all of its processes."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def url(self) -> str:
        return self._server.url(PUBLICATION)

    def kill(self, random: Random) -> int:
        if random.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(random.choice(self._server.backends()), signal.SIGKILL)
        else:
            self._server.kill()
        return 1

    def recover(self) -> None:
        if not self._server.is_running:
            self._server.start()


class _Nats:
    """Kills the leader of the stream, any other server, or all three at once."""

    def __init__(self, cluster: NatsCluster) -> None:
        self._cluster = cluster

    def url(self) -> str:
        return self._cluster.url(PUBLICATION)

    def kill(self, random: Random) -> int:
        chosen = random.random()
        leader = self._cluster.leader(_STREAM)
        if chosen < 0.1:
            victims = list(self._cluster.servers)
        elif chosen < 0.5 and leader is not None:
            victims = [leader]
        else:
            victims = [random.choice(self._cluster.servers)]
        for server in victims:
            server.kill()
        return len(victims)

    def recover(self) -> None:
        ended = [server for server in self._cluster.servers if not server.is_running]
        for server in ended:
            server.launch()
        for server in ended:
            server.wait_ready()


@contextmanager
def _postgres() -> Iterator[KilledEngine]:
    with closing(PostgresServer()) as server:
        yield _Postgres(server)


@contextmanager
def _nats() -> Iterator[KilledEngine]:
    with temporary_cluster() as cluster:
        yield _Nats(cluster)


ENGINES: Final = {"postgres": _postgres, "jetstream": _nats}
"""The function that runs an engine with servers, by its name."""
