"""Servers of engines that a test may stop and start again on the same address."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer


class Stoppable(Protocol):
    """A server of an engine."""

    def url(self, publication: str) -> str:
        """Return the URL of a publication's log on it."""
        ...

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


@contextmanager
def postgres() -> Iterator[Stoppable]:
    """A PostgreSQL server that runs."""
    with closing(PostgresServer()) as server:
        yield server


@contextmanager
def jetstream() -> Iterator[Stoppable]:
    """A NATS server that runs."""
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
"""What starts a server, for each engine that is not a file."""
