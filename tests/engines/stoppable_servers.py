"""Servers of log engines that a test can stop and restart on the same address."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer


class Stoppable(Protocol):
    """A server of a log engine."""

    def url(self, publication: str) -> str:
        """Return the URL of the log of a publication on this server."""
        ...

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        ...

    def stop(self) -> None:
        """Stop the server."""
        ...


@contextmanager
def postgres() -> Iterator[Stoppable]:
    """Run a PostgreSQL server."""
    with closing(PostgresServer()) as server:
        yield server


@contextmanager
def jetstream() -> Iterator[Stoppable]:
    """Run a NATS server."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        server = NatsServer(Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


ELSEWHERE: Final[dict[str, Callable[[], AbstractContextManager[Stoppable]]]] = {
    "postgres": postgres,
    "jetstream": jetstream,
}
"""The function that runs a server, for each engine with a server."""
