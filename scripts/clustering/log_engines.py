"""The log engine of the cluster on one machine: three NATS servers or one PostgreSQL server."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from scripts.engines.nats import NatsCluster, NatsServer, wait_until
from scripts.engines.postgres import PostgresServer

PUBLICATION: Final = "daily"
"""The name of the newsroom's log in the engine."""
STREAM: Final = f"LEDGERPRESS_{PUBLICATION}"
"""The name of its stream in JetStream."""


class EngineServer(Protocol):
    """One server of the engine. Each method returns when its work is done."""

    @property
    def name(self) -> str: ...

    @property
    def addresses(self) -> str: ...

    @property
    def pid(self) -> int: ...

    @property
    def kill_command(self) -> str:
        """The shell command that does the same as `kill`."""

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def stop(self) -> None: ...


class Engine(Protocol):
    """All servers of the engine."""

    @property
    def title(self) -> str: ...

    @property
    def killed(self) -> str:
        """The text that describes how a server is killed."""

    @property
    def url(self) -> str:
        """The URL of the newsroom's log."""

    @property
    def servers(self) -> Sequence[EngineServer]: ...

    def start(self) -> None: ...

    def close(self) -> None: ...

    def leader(self) -> EngineServer | None:
        """Return the server that accepts writes, or `None` while there is no leader."""

    def wait_current(self) -> None:
        """Wait until every server has all events of the leader."""


class _Nats:
    """One of the three NATS servers, with the name that the output shows."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    @property
    def name(self) -> str:
        return f"nats-{self._server.name[1:]}"

    @property
    def addresses(self) -> str:
        return f"nats://{self._server.address}, monitoring {self._server.monitor}"

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def kill_command(self) -> str:
        return f"kill -9 {self.pid}"

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.kill()

    def stop(self) -> None:
        self._server.stop()


class NatsEngine:
    """Three NATS servers with JetStream; each has a replica of the log."""

    title = "three NATS servers (JetStream, sync_interval: always)"
    killed = "killed (SIGKILL)"

    def __init__(self, directory: Path) -> None:
        self._cluster = NatsCluster(directory)
        self.servers: Sequence[_Nats] = [_Nats(server) for server in self._cluster.servers]

    @property
    def url(self) -> str:
        return self._cluster.url(PUBLICATION)

    def start(self) -> None:
        self._cluster.start()

    def close(self) -> None:
        self._cluster.stop()

    def leader(self) -> EngineServer | None:
        leader = self._cluster.leader(STREAM)
        return None if leader is None else self.servers[self._cluster.servers.index(leader)]

    def wait_current(self) -> None:
        all_current = partial(self._cluster.is_current, STREAM)
        wait_until(all_current, "all replicas of the stream", self._cluster.servers[0].output)


class _Postgres:
    """The PostgreSQL server as an `EngineServer`."""

    name = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def addresses(self) -> str:
        return self._server.address()

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def kill_command(self) -> str:
        return f"kill -QUIT {self.pid}"

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.stop("immediate")

    def stop(self) -> None:
        self._server.stop("fast")


class PostgresEngine:
    """One PostgreSQL server. An immediate shutdown simulates a crash; it then recovers from its write-ahead log."""

    title = "one PostgreSQL server"
    killed = "stopped without a clean shutdown, as in a crash (SIGQUIT)"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: PostgresServer | None = None
        self.servers: Sequence[_Postgres] = []

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the PostgreSQL server is not running; call start() first")
        return self._server.url(PUBLICATION)

    def start(self) -> None:
        self._server = PostgresServer(folder=self._directory)
        self.servers = [_Postgres(self._server)]

    def close(self) -> None:
        if self._server is not None:
            self._server.stop("fast")

    def leader(self) -> EngineServer | None:
        return self.servers[0]

    def wait_current(self) -> None:
        """Return immediately: there are no other servers."""
