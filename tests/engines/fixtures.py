"""The log engines: for each one, a fixture with the URL of a new log.

To add an engine, add a fixture `<name>_url` here, its name to `ENGINES`, and the fixture to tests/conftest.py.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from scripts.engines.nats import NatsServer, temporary_server
from scripts.engines.postgres import PostgresServer

ENGINES: Final = ("sqlite", "postgres", "jetstream")

_numbers = count(1)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server that all tests of this process share; do not stop or reconfigure it."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.url(f"test-{next(_numbers)}")


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """The NATS server that all tests of this process share; do not stop or reconfigure it."""
    with temporary_server() as server:
        yield server


@pytest.fixture
def jetstream_url(nats_server: NatsServer) -> str:
    return nats_server.url(f"test-{next(_numbers)}")


@pytest.fixture(params=ENGINES)
def log_url(request: pytest.FixtureRequest) -> str:
    """The URL of a new log, on each engine in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
