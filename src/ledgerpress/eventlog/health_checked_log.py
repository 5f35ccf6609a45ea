"""A wrapper that checks the health of a log, and fails fast while the log is unreachable."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, ParamSpec, TypeVar

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    DuplicateEvent,
    EventLogError,
    GapInLog,
    InvalidEnvelope,
    LogClosed,
    LogDamaged,
    LogReplaced,
    LogUnavailable,
    UndecodableEvent,
    WithdrawalUnfinished,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.eventlog.log_health import LogHealth, not_attempted

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 1.0
"""Seconds between two health checks."""
LOST_CHECK_INTERVAL: Final = 0.25
"""Seconds between two checks of an unreachable log: writes may fail for this long after the engine is back."""
CHECK_TIMEOUT: Final = 6.0
"""Seconds that a check may take: a log that does not answer for this long is unreachable.

This is longer than the retries of the adapters, which may have to wait for the election of a leader.
"""
APPEND_TIMEOUT: Final = 20.0
"""Seconds after which an append without a result counts as unresolved, for example because the disk hangs.

This is longer than the retries and the waits for locks of the adapters.
"""
PROBE_TIMEOUT: Final = 6.0
"""Seconds that a probe of writes may take."""
MAX_SHORT_CHECKS: Final = 4
"""Known events count as lost if this many consecutive checks, over the log's staleness or longer, do not find them."""

_REJECTIONS: Final = (WrongExpectedVersion, DuplicateEvent, InvalidEnvelope, WithdrawalUnfinished, LogClosed)
"""Errors of an append that concern the command, not the log."""
_UNREADABLE: Final = (GapInLog, UndecodableEvent, LogClosed)
"""Errors of a read that concern an event, not the log."""


class HealthCheckedLog:
    """A wrapper that checks the health of an opened log. The caller that opened the log must close it.

    Each check verifies that the log is still the one that was opened. If the log was replaced, by the log of another
    publication or by an older state of itself, every method raises `LogReplaced` from then on. Recovery from an older
    state is possible: once the log has all known events again, nothing was lost.

    While contact is lost, every method except `check` and every pending read raises `LogUnavailable` immediately.
    Pending appends continue: only the log can determine whether they are recorded.

    After a failed append, appends are attempted one at a time, and others raise `LogUnavailable` immediately: so
    requests do not wait for a disk that is full or a lock that is held. Each check then probes whether the log accepts
    writes again.
    """

    def __init__(self, log: OpenedLog, health: LogHealth | None = None) -> None:
        self._log = log
        self._check_requested = asyncio.Event()
        self._reads = set["_EndableBlock"]()
        self._appends: dict[_EndableBlock, float] = {}
        self._next_expiry: asyncio.TimerHandle | None = None
        self._applied: Callable[[], tuple[int, str | None]] = lambda: (0, None)
        self._short_checks = 0
        self._short_since = 0.0
        self._stopped = False
        self._is_trying = False
        self._unexpected = ""
        self.health = health or LogHealth(notices=log.notices, counts=lambda: log.counts)

    @property
    def publication(self) -> str:
        return self._log.publication

    @property
    def staleness(self) -> float:
        return self._log.staleness

    @property
    def max_events(self) -> int | None:
        return self._log.max_events

    def verify_applied(self, applied: Callable[[], tuple[int, str | None]]) -> None:
        """Verify an applied event in each check: `applied` returns its position and its leaf hash in hex."""
        self._applied = applied

    def check_not_replaced(self) -> None:
        """Raise `LogReplaced` if the log is no longer the one that was opened."""
        if self.health.replaced is not None:
            raise LogReplaced(self.health.replaced)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        if (error := self.health.unusable("write")) is not None:
            raise error
        failure = self.health.failed_write
        if failure is None:
            position = await self._attempt_append(writes)
        elif self._is_trying:
            raise not_attempted(failure)
        else:
            self._is_trying = True
            try:
                position = await self._attempt_append(writes)
            finally:
                self._is_trying = False
        self.health.note_head(position)
        self.health.succeed_write()
        return position

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Do the same as `EventLog.withdraw`. A failure does not mean that appends fail: it may lack a permission."""
        if (error := self.health.unusable("write")) is not None:
            raise error
        try:
            head = await self._log.withdraw(position, writes)
        except LogUnavailable as failure:
            self._check_requested.set()
            self.health.unresolved += isinstance(failure, AppendUnresolved)
            raise
        self.health.note_head(head)
        return head

    async def head(self) -> int:
        head = await self._read(self._log.head)
        self.health.note_head(head)
        return head

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        events = await self._read(self._log.read, after, limit)
        self.health.note_head(events[-1].position if events else 0)
        return events

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        events = await self._read(self._log.read_stream, stream, after)
        self.health.note_head(events[-1].position if events else 0)
        return events

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Do the same as `EventLog.wait_beyond`. `False` does not show whether the log can be reached."""
        is_beyond = await self._read(self._log.wait_beyond, position, timeout)
        if is_beyond:
            self.health.note_head(position + 1)
        return is_beyond

    async def watch(self) -> None:
        """Check the log periodically until cancelled, or until it is certain that it was replaced."""
        while not self._stopped:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOST_CHECK_INTERVAL if self.health.is_lost else CHECK_INTERVAL):
                    await self._check_requested.wait()
            self._check_requested.clear()
            await self.check()

    async def check(self) -> bool:
        """Check the log, even while contact is lost; return whether it is reachable and is the log that was opened."""
        if self.health.clock is not None:
            self.health.clock.check()
        if self._stopped:
            return False
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                self.health.note_head(await self._verified_head())
        except TimeoutError:
            # If other requests were answered meanwhile, the log is busy, not unreachable.
            if self.health.is_lost or self.health.silence >= CHECK_TIMEOUT:
                self._lose(f"it has not answered for {CHECK_TIMEOUT:g} s")
        except LogClosed:
            return False
        except LogReplaced as error:
            # A log that lacked known events for too long counts as replaced, but may recover.
            self._stopped = not self._short_checks
            self._mark_replaced(str(error))
        except Exception as error:  # noqa: BLE001 - after an error of any class, the next check must follow
            if isinstance(error, LogDamaged):
                self.health.note_damage(error)
            self._lose(self._reason(error))
        else:
            await self._probe_writes()
            self.health.replaced = None
            self.health.regain()
        return not self.health.is_lost

    async def _probe_writes(self) -> None:
        """If the last write failed, find out whether the log accepts writes again."""
        if self.health.failed_write is None or self.health.damage is not None:
            return
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self._log.check_writable()
        except TimeoutError:
            self.health.fail_write(LogUnavailable(f"a probe was not answered for {PROBE_TIMEOUT:g} s"))
        except (LogClosed, LogReplaced):
            return
        except Exception as error:  # noqa: BLE001 - as in `check`
            self.health.fail_write(self._as_unavailable(error))
        else:
            self.health.succeed_write()

    async def _verified_head(self) -> int:
        """Return the head. Raises `LogReplaced` unless the log is the one that was opened and has all known events.

        Raises `LogUnavailable` if known events are missing that may still appear.
        """
        known_head, (position, leaf_hash) = self.health.head, self._applied()
        short_checks, self._short_checks = self._short_checks, 0
        publication = await self._log.current_publication()
        if publication != self.publication:
            raise LogReplaced(f"it is the log of another publication ({publication}, not {self.publication})")
        known_head = max(known_head, position)
        if (head := await self._log.head()) < known_head:
            await asyncio.sleep(LOST_CHECK_INTERVAL)
            head = await self._log.head()
        if head < known_head:
            self._short_since = self._short_since if short_checks else time.monotonic()
            self._short_checks = short_checks + 1
            is_lost = (
                self._short_checks >= MAX_SHORT_CHECKS
                and time.monotonic() - self._short_since >= self.staleness
            )
            error = LogReplaced if is_lost else LogUnavailable
            raise error(f"it ends at position {head}, but it had already reached {known_head}")
        if leaf_hash is not None:
            # The server that answers may lag behind the leader, and not have the event yet.
            for event in await self._log.read(position - 1, 1):
                if event.header.leaf_hash().hex() != leaf_hash:
                    raise LogReplaced(f"it has another event at position {position}")
        return head

    async def _attempt_append(self, writes: Sequence[StreamWrite]) -> int:
        block = _EndableBlock()
        try:
            with block:
                self._expire_later(block)
                try:
                    return await self._log.append(writes)
                finally:
                    self._appends.pop(block, None)
        except _REJECTIONS:
            raise
        except EventLogError as error:
            failure = self._as_unavailable(error)
            self._fail_write(failure)
            raise failure from error.__cause__
        except TimeoutError as error:
            if not block.is_ended:
                raise
            failure = AppendUnresolved(
                f"the log has not answered for {APPEND_TIMEOUT:g} s: the append may or may not be recorded"
            )
            self._fail_write(failure)
            raise failure from error

    def _expire_later(self, block: "_EndableBlock") -> None:
        """End `block` after `APPEND_TIMEOUT`. One timer for all appends costs less than one for each."""
        loop = asyncio.get_running_loop()
        self._appends[block] = deadline = loop.time() + APPEND_TIMEOUT
        if self._next_expiry is None:
            self._next_expiry = loop.call_at(deadline, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next_expiry = None
        while self._appends:
            block, deadline = next(iter(self._appends.items()))
            if deadline > loop.time():
                self._next_expiry = loop.call_at(deadline, self._expire, loop)
                break
            del self._appends[block]
            block.end()

    def _fail_write(self, failure: LogUnavailable) -> None:
        self.health.unresolved += isinstance(failure, AppendUnresolved)
        if not isinstance(failure, LogReplaced):
            self.health.fail_write(failure)
        # The log may reject writes for a moment and still answer reads: check it.
        self._check_requested.set()

    async def _read(self, read: Callable[P, Awaitable[T]], *arguments: P.args, **options: P.kwargs) -> T:
        if (unusable := self.health.unusable("read")) is not None:
            raise unusable
        block = _EndableBlock()
        try:
            with block:
                self._reads.add(block)
                try:
                    return await read(*arguments, **options)
                finally:
                    self._reads.discard(block)
        except _UNREADABLE:
            raise
        except LogDamaged as error:
            # Other parts of the log may still be readable.
            self.health.failed["read"] += 1
            self.health.note_damage(error)
            raise
        except EventLogError as error:
            self._lose(str(error))
            raise self._as_unavailable(error) from error.__cause__
        except TimeoutError as error:
            if not block.is_ended:
                raise
            raise LogUnavailable("the log can no longer be reached") from error

    def _mark_replaced(self, reason: str) -> None:
        if self.health.replaced is not None and not self._stopped:
            return
        self.health.replaced = (
            f"the log was replaced: {reason}. This node no longer reads or writes it. Put the right log in its place "
            "and restart this node; views that are ahead of a restored log are then rebuilt"
        )
        logger.error("%s", self.health.replaced)
        self.health.lose(reason)
        self._end_reads()

    def _lose(self, reason: str) -> None:
        if not self.health.is_lost:
            logger.warning(
                "the log cannot be reached; the views are served without new events until it can: %s", reason
            )
        self.health.lose(reason)
        self._end_reads()

    def _end_reads(self) -> None:
        # Pending reads would fail with the same error anyway, but later.
        for block in self._reads:
            block.end()

    def _as_unavailable(self, error: Exception) -> LogUnavailable:
        """Return the error as a `LogUnavailable`: whatever the log could not do, a later attempt may succeed."""
        return error if isinstance(error, LogUnavailable) else LogUnavailable(self._reason(error))

    def _reason(self, error: Exception) -> str:
        """Return the text of an error; log the traceback of an error that no log should raise, the first time."""
        if isinstance(error, EventLogError | OSError):
            return str(error)
        reason = f"{type(error).__name__}: {error}"
        if reason != self._unexpected:
            logger.error("unexpected error of the log", exc_info=error)
        self._unexpected = reason
        return reason


class _EndableBlock:
    """A block that can be ended from outside while its task waits in it.

    It is like `asyncio.timeout` without a time, and takes a third of the time to enter and leave.
    """

    __slots__ = ("_cancelling", "_task", "is_ended")

    def __init__(self) -> None:
        self.is_ended = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can enter the block")
        self._task = task
        self._cancelling = task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        is_cancelled_here = self.is_ended and self._task.uncancel() <= self._cancelling
        if is_cancelled_here and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def end(self) -> None:
        """Cancel what the task waits for, and raise `TimeoutError` in the task at the end of the block."""
        if not self.is_ended:
            self.is_ended = True
            self._task.cancel()
