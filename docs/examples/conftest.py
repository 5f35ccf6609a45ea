"""Fixtures of the project's tests, for the tests of the examples."""

from tests.conftest import (
    jetstream_url,
    log_url,
    nats_server,
    postgres_server,
    postgres_url,
    sqlite_url,
)

__all__ = [
    "jetstream_url",
    "log_url",
    "nats_server",
    "postgres_server",
    "postgres_url",
    "sqlite_url",
]
