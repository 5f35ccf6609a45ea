"""Tests marked `serial` run alone, whichever worker they land on; all others run beside one another.

Everyone passes a turnstile on the way in. A serial test keeps it shut until the room is empty and it has
finished, so it neither waits for ever nor shares the machine with another test of this checkout.
"""

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.engines.fixtures import (
    jetstream_url,
    log_url,
    nats_server,
    postgres_server,
    postgres_url,
    sqlite_url,
)

__all__ = ["jetstream_url", "log_url", "nats_server", "postgres_server", "postgres_url", "sqlite_url"]

TURNSTILE = Path(__file__)
ROOM = Path(__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    if item.get_closest_marker("serial"):
        with held(TURNSTILE, fcntl.LOCK_EX), held(ROOM, fcntl.LOCK_EX):
            return (yield)
    with ExitStack() as room:
        with held(TURNSTILE, fcntl.LOCK_EX):
            room.enter_context(held(ROOM, fcntl.LOCK_SH))
        return (yield)


@contextmanager
def held(path: Path, mode: int) -> Iterator[None]:
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, mode)
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # by hand: a child that a test forked may still hold the descriptor
        os.close(lock)
