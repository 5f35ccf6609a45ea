"""Decides whether the clock may be used to record events.

A process trusts the clock that it starts with, unless that clock is far ahead of the last recorded time. While it runs,
it compares the clock with a monotonic clock. NTP adjusts the speed of both, so their difference changes only if the
clock is set. The monotonic clock also counts the time while the machine is suspended (`CLOCK_BOOTTIME`), where the
system has such a clock.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ledgerpress import rfc3339
from ledgerpress.eventlog.clock_randomness_ids import Clock

logger = logging.getLogger(__name__)

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_MONOTONIC_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
REPORTED_SILENCE: Final = 30 * _DAY
"""A start reports a clock that is further ahead of the last recorded time, in microseconds."""

Elapsed = Callable[[], int]
"""Returns the microseconds since some fixed moment; setting the clock does not change it."""
RecordedTime = Callable[[], int | None]
"""Returns the last recorded time, in microseconds since 1970, UTC; `None` if it is not known."""


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """The limits within which a clock is trusted.

    `max_jump` is the largest change of the clock against the monotonic clock, in microseconds; `max_ahead` is the
    largest time by which the clock of a starting process may be ahead of the last recorded time.
    """

    max_jump: int = 60 * _SECOND
    max_ahead: int = 400 * _DAY

    @classmethod
    def of(cls, jump_seconds: float, ahead_days: float) -> "ClockLimits":
        """Return limits in other units. Raises `ValueError` unless both are above 0 and finite."""
        if not (0 < jump_seconds < float("inf") and 0 < ahead_days < float("inf")):
            raise ValueError("the limits of a clock must be above 0 and finite")
        return cls(round(jump_seconds * _SECOND), round(ahead_days * _DAY))


_DEFAULT: Final = [ClockLimits()]


def default_limits() -> ClockLimits:
    """Return the limits of the stores that this process opens without limits of their own."""
    return _DEFAULT[0]


def set_default_limits(limits: ClockLimits) -> None:
    """Set the limits of the stores that this process opens without limits of their own."""
    _DEFAULT[0] = limits


def monotonic_microseconds() -> int:
    """Return the microseconds since the machine was started, including the time while it was suspended, if possible."""
    return time.clock_gettime_ns(_MONOTONIC_CLOCK) // 1_000


class ClockGuard:
    """Checks one clock. `check` and the properties never wait for the log."""

    def __init__(
        self, clock: Clock, limits: ClockLimits, recorded_time: RecordedTime, elapsed: Elapsed
    ) -> None:
        """Trust the current time, unless it is too far ahead of the recorded time. `elapsed` is a monotonic clock."""
        self._clock = clock
        self._limits = limits
        self._recorded_time = recorded_time
        self._elapsed = elapsed
        self._offset = self._current_offset()
        self._jump = 0
        self._ahead_of: int | None = None
        """The recorded time of which the clock is too far ahead, until that is confirmed."""
        self._behind: int | None = None
        """The recorded time that the clock has not reached yet."""
        self._compare_with_log()

    def report(self) -> None:
        """Log if the clock is far from the last recorded time. Call it once, when a process begins to serve."""
        last = self._recorded_time()
        if (problem := self.problem) is not None:
            logger.error("%s", problem)
        elif (notice := self.notice) is not None:
            logger.warning("%s", notice)
        elif last is not None and (ahead := self._clock.now() - last) > REPORTED_SILENCE:
            logger.warning(
                "the clock shows %s, %s after the last recorded time, %s",
                shown(last + ahead), duration(ahead), shown(last),
            )  # fmt: skip

    @property
    def problem(self) -> str | None:
        """The reason why nothing is recorded, and what to do; `None` if the clock is trusted."""
        now = self._clock.now()
        if self._jump:
            direction = "ahead" if self._jump > 0 else "back"
            return (
                f"the clock jumped {direction} by {duration(self._jump)} while this process was running: it shows "
                f"{shown(now)} instead of {shown(now - self._jump)}, so nothing is recorded. Set the clock; if it is "
                "right now, restart this process"
            )
        if self._ahead_of is not None:
            return (
                f"the clock shows {shown(now)}, {duration(now - self._ahead_of)} after the last recorded time, "
                f"{shown(self._ahead_of)}, so nothing is recorded. If the clock is right, run `ledgerpress clock confirm`; "
                "otherwise set the clock"
            )
        return None

    @property
    def notice(self) -> str | None:
        """A notice for operators about a clock that is trusted, but far from the last recorded time."""
        if self._behind is None:
            return None
        now = self._clock.now()
        return (
            f"the clock shows {shown(now)}, {duration(now - self._behind)} before the last recorded time, "
            f"{shown(self._behind)}. If it is wrong, set it; if events were recorded with a wrong clock, run "
            "`ledgerpress clock correct`"
        )

    def check(self) -> str | None:
        """Compare the clock again, and return `problem`. Log it once if it begins or ends."""
        was_rejected = self.is_rejected
        self._compare_with_monotonic_clock()
        if self._ahead_of is not None or self._behind is not None:
            self._compare_with_log()
        if self.is_rejected and not was_rejected:
            logger.error("%s", self.problem)
        elif was_rejected and not self.is_rejected:
            logger.warning("the clock is right again, or was confirmed; events are recorded")
        return self.problem

    @property
    def is_rejected(self) -> bool:
        """Whether nothing is recorded because of the clock."""
        return self._jump != 0 or self._ahead_of is not None

    def _compare_with_monotonic_clock(self) -> None:
        offset = self._current_offset()
        difference = offset - self._offset
        if abs(difference) > self._limits.max_jump:
            self._jump = difference
        else:
            # Small steps do not add up to a jump.
            self._jump, self._offset = 0, offset

    def _current_offset(self) -> int:
        return self._clock.now() - self._elapsed()

    def _compare_with_log(self) -> None:
        last = self._recorded_time()
        if last is None:
            return
        ahead = self._clock.now() - last
        self._ahead_of = last if ahead > self._limits.max_ahead else None
        self._behind = last if -ahead > self._limits.max_jump else None


def shown(time: int) -> str:
    """Return a time in seconds as text, in UTC."""
    try:
        return rfc3339.format_time(time // _SECOND * _SECOND)
    except OverflowError:
        return f"{time:,} microseconds since 1970"


def duration(microseconds: int) -> str:
    """Return the length of a span of time as text, such as `3,652 days` or `2:30:00`."""
    span = timedelta(seconds=round(abs(microseconds) / _SECOND))
    return f"{span.days:,} day{'' if span.days == 1 else 's'}" if span.days else str(span)
