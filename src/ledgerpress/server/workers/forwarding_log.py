"""The log as a worker uses it: the worker that applies events records the appends of all workers, in shared groups.

If that worker ends or hangs during an append, the result is unknown. Then the log itself decides: the event ids of an
append are unique, and it has an exact expected version. So this worker looks for the events, and otherwise records them
itself: the other worker can then no longer record them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from ledgerpress.eventlog.delegating_log import DelegatingLog
from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, LogClosed, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, OpenedLog, StreamWrite, check_writes
from ledgerpress.server.workers.append_gathering import AppendGathering
from ledgerpress.server.workers.errors import RequestFailed, WorkerError, WorkerTimeout, WorkerUnavailable
from ledgerpress.server.workers.forwarded_append import (
    Appended,
    Result,
    decoded_appends,
    decoded_results,
    encoded_appends,
    encoded_results,
    position_or_error,
    result_of,
)

APPEND: Final = "append"
"""The kind of the request."""
HANG_SECONDS: Final = 1.0
"""Seconds without a response after which a worker records an append itself."""


class Writer(Protocol):
    """The worker that records the appends of all workers."""

    @property
    def other(self) -> int | None:
        """The number of that worker; `None` if it is this one, if it hangs, or if it is unknown."""
        ...

    def hangs(self, worker: int) -> None:
        """Note that a worker does not respond."""
        ...

    async def request(self, worker: int, kind: str, payload: bytes, *, timeout: float) -> bytes:
        """Return the response of a worker. Raises `WorkerError`."""
        ...


class ForwardingLog(DelegatingLog):
    """An opened log whose appends another worker records, as long as there is one that responds."""

    def __init__(
        self,
        log: OpenedLog,
        writer: Writer,
        recorded: Callable[[Sequence[StreamWrite], int], None],
    ) -> None:
        """`recorded` is called with each append that this worker has recorded for another one, and its position."""
        super().__init__(log)
        self._writer = writer
        self._recorded = recorded
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Sequence[StreamWrite], asyncio.Future[int]]] = []
        self._requests = set[asyncio.Task[None]]()
        self._gathering = AppendGathering()

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Do the same as `EventLog.append`, in this worker or in another one."""
        if self._writer.other is None:
            async with self._gathering.turn():
                return await self._log.append(writes)
        check_writes(writes)
        position: asyncio.Future[int] = self._loop.create_future()
        self._waiting.append((writes, position))
        if len(self._waiting) == 1:
            # Deferred, so that one message contains all appends of this iteration of the event loop.
            self._loop.call_soon(self._begin_request)
        try:
            return await position
        except WorkerError as error:
            if error.is_outcome_unknown:
                return await self._resolved(writes)
        except LogClosed:  # the other worker is ending; it has recorded nothing
            pass
        return await self._log.append(writes)

    def _begin_request(self) -> None:
        waiting, self._waiting = self._waiting, []
        request = self._loop.create_task(self._request(waiting))
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)

    async def _request(self, waiting: Sequence[tuple[Sequence[StreamWrite], asyncio.Future[int]]]) -> None:
        """Let the writer record appends, and set their positions or errors."""
        results: Sequence[int | Exception]
        try:
            results = await self._results([writes for writes, _ in waiting])
        except WorkerError as error:
            results = [type(error)(*error.args) for _ in waiting]
        for (_, position), result in zip(waiting, results, strict=True):
            if position.done():
                continue
            if isinstance(result, int):
                position.set_result(result)
            else:
                position.set_exception(result)

    async def _results(self, appends: Sequence[Sequence[StreamWrite]]) -> list[int | EventLogError]:
        worker = self._writer.other
        if worker is None:  # meanwhile it is this worker
            raise WorkerUnavailable("there is no other worker that records appends")
        try:
            response = await self._writer.request(
                worker, APPEND, encoded_appends(appends), timeout=HANG_SECONDS
            )
        except WorkerTimeout:
            self._writer.hangs(worker)
            raise
        try:
            return [position_or_error(result) for result in decoded_results(response)]
        except msgspec.MsgspecError as error:  # the worker has other code
            raise RequestFailed("the response of the worker cannot be read") from error

    async def _resolved(self, writes: Sequence[StreamWrite]) -> int:
        """Return the position of an append that another worker may have recorded; otherwise record it."""
        if (position := await self._position_of(writes)) is not None:
            return position
        try:
            return await self._log.append(writes)
        except (WrongExpectedVersion, DuplicateEvent):
            # The other worker has recorded it meanwhile, or another command has changed a stream.
            if (position := await self._position_of(writes)) is not None:
                return position
            raise

    async def _position_of(self, writes: Sequence[StreamWrite]) -> int | None:
        """Return the position of the last event of `writes` if the log contains it; it contains all of them or none."""
        write = [write for write in writes if write.events][-1]
        after = 0 if write.expected == ANY_VERSION else write.expected
        for event in await self._log.read_stream(write.stream, after):
            if event.header.event_id == write.events[-1].event_id:
                return event.position
        return None

    async def record_for(self, _: int, payload: bytes) -> bytes:
        """Record appends of another worker, and return their results."""
        results = await asyncio.gather(*map(self._result, decoded_appends(payload)))
        return encoded_results(results)

    async def _result(self, writes: Sequence[StreamWrite]) -> Result:
        try:
            async with self._gathering.turn():
                position = await self._log.append(writes)
        except EventLogError as error:
            return result_of(error)
        self._recorded(writes, position)
        return Appended(position)
