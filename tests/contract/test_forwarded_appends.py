"""A worker lets another one record its appends: whatever happens to that one, each append is recorded once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from enum import Enum
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import DuplicateEvent, InvalidEnvelope, WrongExpectedVersion
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.server.workers.errors import WorkerLost, WorkerTimeout, WorkerUnavailable
from ledgerpress.server.workers.forwarding_log import APPEND, ForwardingLog
from tests.contract.sample_events import sample_event

OTHER: Final = 7


class Fate(Enum):
    """What happens to the other worker when it receives a request."""

    RESPONDS = "responds"
    UNREACHABLE = "cannot be reached"
    ENDS_BEFORE = "ends before it has recorded anything"
    ENDS_AFTER = "ends after it has recorded the appends"
    HANGS = "hangs before it has recorded anything, and continues later"
    IS_ENDING = "has closed its log"


class OtherWorker:
    """The worker that records the appends of all workers, on its own connection to the log."""

    def __init__(self, log: SqliteEventLog) -> None:
        self.fate = Fate.RESPONDS
        self.is_hanging = False
        self.requests = 0
        self.recorded: list[tuple[Sequence[StreamWrite], int]] = []
        self.late: asyncio.Task[bytes] | None = None
        self._opened = log
        self._log = ForwardingLog(
            log, NoOther(), lambda writes, position: self.recorded.append((writes, position))
        )

    @property
    def other(self) -> int | None:
        return None if self.is_hanging else OTHER

    def hangs(self, worker: int) -> None:
        assert worker == OTHER
        self.is_hanging = True

    async def request(self, worker: int, kind: str, payload: bytes, *, timeout: float) -> bytes:
        assert (worker, kind, timeout > 0) == (OTHER, APPEND, True)
        self.requests += 1
        match self.fate:
            case Fate.UNREACHABLE:
                raise WorkerUnavailable("it has ended")
            case Fate.ENDS_BEFORE:
                raise WorkerLost("it has ended")
            case Fate.HANGS:
                self.late = asyncio.create_task(self._record_late(payload))
                raise WorkerTimeout("it has not responded")
            case Fate.IS_ENDING:
                await self._opened.aclose()
        response = await self._log.record_for(1, payload)
        if self.fate is Fate.ENDS_AFTER:
            raise WorkerLost("it has ended")
        return response

    async def _record_late(self, payload: bytes) -> bytes:
        await asyncio.sleep(0)
        return await self._log.record_for(1, payload)


class NoOther:
    """For the worker that records itself."""

    other = None

    def hangs(self, worker: int) -> None:
        raise AssertionError(worker)

    async def request(self, worker: int, kind: str, payload: bytes, *, timeout: float) -> bytes:
        raise AssertionError(worker)


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    async with aclosing(
        await SqliteEventLog.open(tmp_path / "log.sqlite", create_as=lambda: uuid8("publication"))
    ) as log:
        yield log


@pytest.fixture
async def other(own: SqliteEventLog, tmp_path: Path) -> AsyncIterator[OtherWorker]:
    async with aclosing(await SqliteEventLog.open(tmp_path / "log.sqlite", create_as=None)) as log:
        yield OtherWorker(log)


@pytest.fixture
async def log(own: SqliteEventLog, other: OtherWorker) -> ForwardingLog:
    return ForwardingLog(own, other, lambda writes, position: None)


def write(stream: str, expected: int, *numbers: int) -> StreamWrite:
    return StreamWrite(stream, expected, tuple(map(sample_event, numbers)))


@pytest.mark.parametrize("fate", Fate)
async def test_an_append_is_recorded_once(log: ForwardingLog, other: OtherWorker, fate: Fate) -> None:
    other.fate = fate
    assert await log.append([write("taxonomy", NO_STREAM, 1), write("site", NO_STREAM, 2)]) == 2
    assert other.requests == 1
    if other.late is not None:
        await other.late
    events = await log.read(0, 100)
    assert [event.header.event_id for event in events] == [sample_event(1).event_id, sample_event(2).event_id]
    # What the other worker has recorded, it hands over to its projections.
    recorded = [position for _, position in other.recorded]
    if fate is Fate.HANGS:
        assert recorded in ([], [2]), "either worker may have been the first"
    else:
        assert recorded == ([2] if fate in {Fate.RESPONDS, Fate.ENDS_AFTER} else [])


@pytest.mark.parametrize("fate", Fate)
async def test_a_conflict_is_reported(log: ForwardingLog, other: OtherWorker, fate: Fate) -> None:
    assert await log.append([write("taxonomy", NO_STREAM, 1)]) == 1
    other.fate = fate
    with pytest.raises(WrongExpectedVersion) as conflict:
        await log.append([write("taxonomy", NO_STREAM, 2)])
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("taxonomy", 0, 1)
    if other.late is not None:
        await other.late
    assert await log.head() == 1


async def test_an_event_id_is_recorded_once(log: ForwardingLog) -> None:
    await log.append([write("taxonomy", NO_STREAM, 1)])
    with pytest.raises(DuplicateEvent) as duplicate:
        await log.append([write("site", NO_STREAM, 1)])
    assert duplicate.value.event_id == sample_event(1).event_id


async def test_an_invalid_append_is_rejected_before_it_is_sent(
    log: ForwardingLog, other: OtherWorker
) -> None:
    with pytest.raises(InvalidEnvelope):
        await log.append([])
    assert not other.requests


async def test_appends_at_the_same_time_share_a_request_and_fail_separately(
    log: ForwardingLog, other: OtherWorker
) -> None:
    writes = [write("taxonomy", NO_STREAM, 1), write("site", NO_STREAM, 2), write("taxonomy", NO_STREAM, 3)]
    results = await asyncio.gather(*(log.append([each]) for each in writes), return_exceptions=True)
    assert results[:2] == [1, 2]
    assert isinstance(results[2], WrongExpectedVersion)
    assert other.requests == 1


async def test_nothing_more_is_sent_to_a_worker_that_hangs(log: ForwardingLog, other: OtherWorker) -> None:
    other.fate = Fate.HANGS
    await log.append([write("taxonomy", NO_STREAM, 1)])
    await log.append([write("taxonomy", 1, 2)])
    assert other.requests == 1
