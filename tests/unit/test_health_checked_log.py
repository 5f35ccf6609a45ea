"""A log with health checks: when it is lost and regained, and that calls fail fast in between."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import pytest

from ledgerpress.eventlog import health_checked_log
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    LogDamaged,
    LogReplaced,
    LogUnavailable,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.health_checked_log import HealthCheckedLog
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.eventlog.log_health import LogHealth
from tests.time_skipping_loop import now, run_skipping

T = TypeVar("T")


class Engine:
    """A log whose responses a test sets."""

    notices = ("unsynced: so it is",)
    staleness = 0.0
    detects_replacement = False
    max_events = None

    def __init__(self) -> None:
        self.counts = {"reconnects": 0}
        self.fails: Exception | None = None
        self.hangs = False
        self.rejects_writes: Exception | None = None
        self.calls = 0
        self.at = 7
        self.owner = "ours"

    publication = "ours"

    async def current_publication(self) -> str:
        return await self._answer(self.owner)

    async def head(self) -> int:
        return await self._answer(self.at)

    async def read_stream(self, stream: str, after: int = 0) -> list[Any]:
        return await self._answer([])

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        if self.rejects_writes is not None:
            raise self.rejects_writes
        return await self._answer(8)

    async def check_writable(self) -> None:
        await self._answer(None)
        if self.rejects_writes is not None:
            raise self.rejects_writes

    async def _answer(self, answer: T) -> T:
        self.calls += 1
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.fails is not None:
            raise self.fails
        return answer


class Seconds:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def log(engine: Engine, seconds: Seconds) -> HealthCheckedLog:
    health = LogHealth(notices=engine.notices, counts=lambda: engine.counts, monotonic=seconds)
    return HealthCheckedLog(cast("OpenedLog", engine), health)


async def test_health_contains_the_last_head_the_silence_counts_and_notices(
    log: HealthCheckedLog, engine: Engine, seconds: Seconds
) -> None:
    assert await log.head() == 7
    assert log.health.head == 7
    assert await log.append([]) == 8
    seconds.now += 2
    assert (log.health.head, log.health.silence, log.health.is_lost) == (8, 2.0, False)
    engine.counts["reconnects"] = 4
    assert log.health.counts == {"reconnects": 4}
    assert log.health.notices == ("unsynced: so it is",)


async def test_only_checks_reach_the_engine_while_the_log_is_lost(
    log: HealthCheckedLog, engine: Engine, seconds: Seconds
) -> None:
    await log.head()
    engine.fails = LogUnavailable("away")
    seconds.now += 1
    with pytest.raises(LogUnavailable, match="away"):
        await log.head()
    calls = engine.calls
    operations: list[Callable[[], Any]] = [log.head, lambda: log.read_stream("site"), lambda: log.append([])]
    for operation in operations:
        with pytest.raises(LogUnavailable, match="its last answer was 1 s ago"):
            await operation()
    assert engine.calls == calls
    assert not await log.check()
    engine.fails = None
    seconds.now += 1
    assert log.health.silence == 2.0, "a failed check does not end the silence"
    assert await log.check()
    assert (log.health.silence, log.health.regained) == (0.0, 1)
    assert await log.head() == 7


async def test_a_failed_append_alone_does_not_mean_that_the_log_is_lost(
    log: HealthCheckedLog, engine: Engine
) -> None:
    engine.fails = AppendUnresolved("who knows")
    with pytest.raises(AppendUnresolved):
        await log.append([])
    engine.fails = LogUnavailable("no writes now")
    with pytest.raises(LogUnavailable):
        await log.append([])
    assert not log.health.is_lost
    assert log.health.unresolved == 1


async def test_writes_fail_until_a_write_or_a_probe_succeeds(
    log: HealthCheckedLog, engine: Engine, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    engine.rejects_writes = LogUnavailable("the disk is full")
    for _ in range(2):
        with pytest.raises(LogUnavailable, match="full"):
            await log.append([])
    assert await log.head() == 7
    assert await log.check(), "the log can be read"
    assert log.health.failing == {"write": "the disk is full"}
    assert log.health.notices == ("unsynced: so it is", "writes fail: the disk is full")
    assert log.health.failed == {"read": 0, "write": 3}
    assert caplog.text.count("accepts no writes") == 1
    seconds.now += 3
    engine.rejects_writes = None
    assert await log.check()
    assert log.health.failing == {}
    assert "accepts writes again, after 3.0 s" in caplog.text
    engine.rejects_writes = LogUnavailable("locked")
    with pytest.raises(LogUnavailable, match="locked"):
        await log.append([])
    engine.rejects_writes = None
    assert await log.append([]) == 8
    assert log.health.failing == {}


async def test_while_writes_fail_one_append_is_attempted_at_a_time(
    log: HealthCheckedLog, engine: Engine
) -> None:
    engine.rejects_writes = AppendUnresolved("no answer")
    with pytest.raises(AppendUnresolved):
        await log.append([])
    engine.rejects_writes, engine.hangs = None, True
    attempt = asyncio.create_task(log.append([]))
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable, match="an earlier write has failed: no answer") as raised:
        await log.append([])
    assert type(raised.value) is LogUnavailable, "it was not attempted, so nothing was recorded"
    attempt.cancel()
    engine.hangs = False
    await asyncio.wait([attempt])
    assert await log.append([]) == 8


async def test_an_append_without_an_answer_is_unresolved(
    log: HealthCheckedLog, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "APPEND_TIMEOUT", 0.01)
    engine.hangs = True
    with pytest.raises(AppendUnresolved, match="may or may not be recorded"):
        await log.append([])
    assert "write" in log.health.failing


def test_each_append_without_an_answer_ends_after_its_own_time(engine: Engine) -> None:
    ends: dict[str, float] = {}

    async def append(log: HealthCheckedLog, name: str) -> None:
        with pytest.raises(AppendUnresolved):
            await log.append([])
        ends[name] = now()

    async def appends() -> None:
        log = HealthCheckedLog(cast("OpenedLog", engine))
        assert await log.append([]) == 8
        await asyncio.sleep(1)
        engine.hangs = True
        first = asyncio.ensure_future(append(log, "first"))
        await asyncio.sleep(4)
        cancelled = asyncio.ensure_future(log.append([]))
        await asyncio.sleep(1)
        others = [asyncio.ensure_future(append(log, name)) for name in ("second", "third")]
        await asyncio.sleep(1)
        cancelled.cancel()
        await asyncio.gather(first, *others)
        assert cancelled.cancelled()
        assert log.health.unresolved == 3

    run_skipping(appends())
    timeout = health_checked_log.APPEND_TIMEOUT
    assert ends == {"first": 1 + timeout, "second": 6 + timeout, "third": 6 + timeout}


async def test_a_rejected_command_does_not_count_as_a_failure(log: HealthCheckedLog, engine: Engine) -> None:
    engine.rejects_writes = WrongExpectedVersion(stream="post.a", expected=1, actual=2)
    with pytest.raises(WrongExpectedVersion):
        await log.append([])
    assert log.health.failing == {}


async def test_a_damaged_log_accepts_no_writes_and_other_events_can_be_read(
    log: HealthCheckedLog, engine: Engine
) -> None:
    engine.fails = LogDamaged("page 3")
    with pytest.raises(LogDamaged):
        await log.read_stream("site")
    engine.fails = None
    assert await log.check()
    assert await log.read_stream("site") == []
    assert set(log.health.failing) == {"read", "write"}
    with pytest.raises(LogDamaged, match="page 3"):
        await log.append([])


async def test_a_failed_append_triggers_the_next_check(
    log: HealthCheckedLog, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "CHECK_INTERVAL", 3_600.0)
    watching = asyncio.create_task(log.watch())
    engine.fails = LogUnavailable("away")
    with pytest.raises(LogUnavailable):
        await log.append([])
    async with asyncio.timeout(20):
        while not log.health.is_lost:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.001)
    watching.cancel()


async def test_checks_continue_after_an_error_that_no_log_should_raise(
    log: HealthCheckedLog, engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "LOST_CHECK_INTERVAL", 0.001)
    engine.fails = RuntimeError("the handler is closed")
    assert not await log.check()
    assert log.health.failing["read"] == "RuntimeError: the handler is closed"
    assert "Traceback" in caplog.text
    watching = asyncio.create_task(log.watch())
    calls = engine.calls
    async with asyncio.timeout(10):
        while engine.calls < calls + 3:  # noqa: ASYNC110 - a polled condition
            await asyncio.sleep(0.001)
        engine.fails = None
        while log.health.is_lost:  # noqa: ASYNC110 - a polled condition
            await asyncio.sleep(0.001)
    watching.cancel()
    assert caplog.text.count("Traceback") == 1


async def test_a_probe_that_raises_an_error_that_no_log_should_raise_does_not_end_the_checks(
    log: HealthCheckedLog, engine: Engine
) -> None:
    engine.rejects_writes = LogUnavailable("full")
    with pytest.raises(LogUnavailable):
        await log.append([])
    engine.rejects_writes = RuntimeError("the handler is closed")
    assert await log.check()
    assert log.health.failing == {"write": "RuntimeError: the handler is closed"}
    engine.rejects_writes = None
    assert await log.check()
    assert log.health.failing == {}


async def test_reads_end_when_the_log_is_lost_but_appends_continue(
    log: HealthCheckedLog, engine: Engine
) -> None:
    engine.hangs = True
    reading = asyncio.create_task(log.read_stream("site"))
    appending = asyncio.create_task(log.append([]))
    await asyncio.sleep(0)
    engine.hangs, engine.fails = False, LogUnavailable("away")
    assert not await log.check()
    with pytest.raises(LogUnavailable, match="can no longer be reached"):
        await reading
    assert not appending.done()
    appending.cancel()


async def test_a_log_is_lost_if_a_check_times_out_and_no_other_call_returns(
    log: HealthCheckedLog, engine: Engine, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "CHECK_TIMEOUT", 0.01)
    engine.hangs = True
    assert await log.check()
    assert not log.health.is_lost
    seconds.now += 1
    assert not await log.check()
    assert log.health.is_lost


async def test_a_log_in_which_events_are_missing_briefly_was_not_replaced(
    log: HealthCheckedLog, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "LOST_CHECK_INTERVAL", 0.0)
    await log.head()
    engine.at = 6
    assert not await log.check()
    assert log.health.replaced is None
    engine.at = 7
    assert await log.check()
    assert await log.head() == 7


async def test_events_can_be_missing_for_as_long_as_a_deposed_leader_can_respond(
    log: HealthCheckedLog, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health_checked_log, "LOST_CHECK_INTERVAL", 0.0)
    engine.staleness = 3_600.0
    await log.head()
    engine.at = 6
    for _ in range(3 * health_checked_log.MAX_SHORT_CHECKS):
        assert not await log.check()
    assert (log.health.is_lost, log.health.replaced) == (True, None)
    engine.at = 7
    assert await log.check()
    engine.at, engine.staleness = 6, 0.0
    for _ in range(2 * health_checked_log.MAX_SHORT_CHECKS):
        assert not await log.check()
    assert log.health.replaced is not None
    assert caplog.text.count("the log was replaced") == 1
    with pytest.raises(LogReplaced, match="it ends at position 6, but it had already reached 7"):
        await log.read_stream("site")
    engine.at = 8
    assert await log.check()
    assert await log.read_stream("site") == []


async def test_a_replaced_log_is_not_used_again(
    log: HealthCheckedLog, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_checked_log, "LOST_CHECK_INTERVAL", 0.0)
    await log.head()
    engine.at, engine.owner = 9, "theirs"
    async with asyncio.timeout(20):
        await log.watch()
    engine.at, engine.owner = 7, "ours"
    operations: list[Callable[[], Any]] = [log.head, lambda: log.read_stream("site"), lambda: log.append([])]
    for operation in operations:
        with pytest.raises(LogReplaced, match="restart this node"):
            await operation()
