"""Run tests marked `serial` alone, on any worker, and all other tests in parallel.

Each test takes two locks: first the entry lock for a moment, then a shared run lock while it runs. A serial test holds
the entry lock and takes the run lock exclusively: it waits for the running tests to end, and no other test starts.
"""

import fcntl
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ledgerpress.eventlog.clock_guard import ClockLimits, default_limits, set_default_limits
from tests.engines.fixtures import (
    jetstream_url,
    log_url,
    nats_server,
    postgres_server,
    postgres_url,
    sqlite_url,
)

__all__ = ["jetstream_url", "log_url", "nats_server", "postgres_server", "postgres_url", "sqlite_url"]

ENTRY_LOCK = Path(__file__)
RUN_LOCK = Path(__file__).parent

# On a busy machine, or if the first example imports a module, an example takes long. In a new checkout, the first draw of
# a text builds a table of Unicode categories, which can take seconds.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[*settings().suppress_health_check, HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def heeded_signals() -> None:
    """Let the programs that tests start heed signals: they inherit ignored ones.

    nohup(1) ignores SIGHUP, and shells ignore SIGINT in programs in the background of a script.
    """
    for number, handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def unchanged_priority() -> Iterator[None]:
    """Let commands that run in the process of the tests not lower the priority of the tests after them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "nice", lambda _: 0)
        yield


@pytest.fixture
def any_silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trust the clock of the machine however far it is ahead of a log that was recorded with a clock of tests."""
    days = 36_500
    monkeypatch.setenv("LEDGERPRESS_MAX_CLOCK_AHEAD_DAYS", str(days))
    before = default_limits()
    set_default_limits(ClockLimits.of(60, days))
    yield
    set_default_limits(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    if item.get_closest_marker("serial"):
        with held(ENTRY_LOCK, fcntl.LOCK_EX), held(RUN_LOCK, fcntl.LOCK_EX):
            return (yield)
    with ExitStack() as locks:
        with held(ENTRY_LOCK, fcntl.LOCK_EX):
            locks.enter_context(held(RUN_LOCK, fcntl.LOCK_SH))
        return (yield)


@contextmanager
def held(path: Path, mode: int) -> Iterator[None]:
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, mode)
        yield
    finally:
        fcntl.flock(
            lock, fcntl.LOCK_UN
        )  # explicitly: a process that a test forked may still hold the descriptor
        os.close(lock)
