"""The health of a log: whether reads and writes succeed, and since when they fail."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from ledgerpress.eventlog.clock_guard import ClockGuard
from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    ClockRejected,
    LogAccessDenied,
    LogDamaged,
    LogReplaced,
    LogUnavailable,
)

logger = logging.getLogger(__name__)

Operation: TypeAlias = Literal["read", "write"]
OPERATIONS: Final[tuple[Operation, ...]] = ("read", "write")


class Failure(NamedTuple):
    """The failure of the last attempt of an operation. `since` is the time of the first failure, in seconds."""

    error: LogUnavailable
    since: float


class LogHealth:
    """The health of a log.

    If the log cannot be reached, contact is lost until the log answers a health check. If a write fails, writes count
    as failing until a write succeeds, or a probe that does the same as a write; a successful read does not end this. A
    log that is damaged counts as failing until the process ends.
    """

    def __init__(
        self,
        *,
        notices: Sequence[str] = (),
        counts: Callable[[], Mapping[str, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with contact. `notices` and `counts` come from an `OpenedLog`; `monotonic` returns seconds."""
        self._notices = tuple(notices)
        self.head = 0
        """The greatest position that the log has reported."""
        self.regained = 0
        """The number of times that contact was lost and regained."""
        self.unresolved = 0
        """The number of appends whose result could not be determined."""
        self.replaced: str | None = None
        """The reason why the log is no longer the one that was opened, if so. Usually only a restart helps."""
        self.failed: dict[Operation, int] = dict.fromkeys(OPERATIONS, 0)
        """The number of failed attempts of each operation, including health checks."""
        self._counts = counts
        self._monotonic = monotonic
        self._last_contact = monotonic()
        self.is_lost = False
        """Whether the last attempt to reach the log failed."""
        self._lost_reason = ""
        self.failed_write: Failure | None = None
        """The last failure of a write, until a write succeeds."""
        self.clock: ClockGuard | None = None
        """The guard of the clock that writes use, if there is one."""
        self.damage: LogDamaged | None = None
        """The first failure because of which the log counts as damaged."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The counters of the log, by name: see `OpenedLog.counts`."""
        return self._counts()

    @property
    def silence(self) -> float:
        """Seconds since the last answer of the log."""
        return self._monotonic() - self._last_contact

    @property
    def failing(self) -> dict[Operation, str]:
        """The operations that fail now, with the reasons."""
        if self.replaced is not None:
            return dict.fromkeys(OPERATIONS, self.replaced)
        if self.damage is not None:
            return dict.fromkeys(OPERATIONS, str(self.damage))
        if self.is_lost:
            return dict.fromkeys(OPERATIONS, self._lost_reason)
        if (problem := self.clock_problem) is not None:
            return {"write": problem}
        return {} if self.failed_write is None else {"write": str(self.failed_write.error)}

    @property
    def clock_problem(self) -> str | None:
        """The reason why nothing is recorded with the current clock; `None` if there is none."""
        return None if self.clock is None else self.clock.problem

    @property
    def notices(self) -> tuple[str, ...]:
        """Notices for operators: those of the log about its storage, and the reasons why operations fail now."""
        clock_notice = None if self.clock is None else self.clock.notice
        return (
            *self._notices,
            *(() if clock_notice is None else (clock_notice,)),
            *(f"{operation}s fail: {reason}" for operation, reason in self.failing.items()),
        )

    def note_head(self, head: int = 0) -> None:
        """Note that the log has answered, and that its head is at least `head`.

        This does not regain contact: the request may have been sent before contact was lost.
        """
        if not self.is_lost:
            self._last_contact = self._monotonic()
        self.head = max(self.head, head)

    def regain(self) -> None:
        """Note that the log has answered a health check."""
        if self.is_lost:
            logger.warning("the log can be reached again, after %.1f s", self.silence)
        self.regained += self.is_lost
        self.is_lost = False
        self._last_contact = self._monotonic()

    def lose(self, reason: str) -> None:
        """Note that the log cannot be reached."""
        self.failed["read"] += 1
        self._lost_reason = reason
        self.is_lost = True

    def fail_write(self, error: LogUnavailable) -> None:
        """Note that a write, or a probe of writes, failed. Log the first of several failures."""
        self.failed["write"] += 1
        if isinstance(error, LogDamaged):
            self.note_damage(error)
        if self.failed_write is None:
            logger.error(
                "the log accepts no writes; this server is not ready until it accepts them again: %s", error
            )
        since = self._monotonic() if self.failed_write is None else self.failed_write.since
        self.failed_write = Failure(error, since)

    def succeed_write(self) -> None:
        """Note that a write, or a probe of writes, succeeded."""
        if self.failed_write is not None:
            seconds = self._monotonic() - self.failed_write.since
            logger.warning("the log accepts writes again, after %.1f s", seconds)
            self.failed_write = None

    def note_damage(self, error: LogDamaged) -> None:
        """Note that the log is damaged. This is permanent: only an operator can restore the log."""
        if self.damage is None:
            logger.error("the log is damaged; this server accepts no writes until it is restarted: %s", error)
            self.damage = error

    def unusable(self, operation: Operation) -> LogUnavailable | None:
        """Return a new error to raise instead of attempting `operation`, or `None` if it can be attempted."""
        if self.is_lost:
            if self.replaced is not None:
                return LogReplaced(self.replaced)
            return LogUnavailable(f"the log cannot be reached; its last answer was {self.silence:.0f} s ago")
        if operation == "write" and self.damage is not None:
            return LogDamaged(str(self.damage))
        if operation == "write" and self.clock is not None and (problem := self.clock.check()) is not None:
            self.failed["write"] += 1
            return ClockRejected(problem)
        return None


def not_attempted(failure: Failure) -> LogUnavailable:
    """Return the error of a write that is not attempted because earlier writes failed: nothing was recorded."""
    error = failure.error
    if isinstance(error, LogAccessDenied):
        return LogAccessDenied(str(error))
    if isinstance(error, AppendUnresolved):
        return LogUnavailable(f"an earlier write has failed: {error}")
    return LogUnavailable(str(error))
