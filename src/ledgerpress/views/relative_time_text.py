"""Relative times such as "2 years ago": formats them, and computes when their text changes.

Instants are integer microseconds since 1970-01-01 UTC, as in the log; an aware `datetime` is also accepted.
A week is 7 days, a month 30 days and a year 365 days, so the text never depends on a calendar.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Instant: TypeAlias = int | datetime
"""Microseconds since 1970-01-01 UTC, or an aware `datetime`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 24 * 60 * _MINUTE

# Largest first. A unit is used for ages from its own length up to the length of the next larger unit.
_UNITS: Final = (
    ("year", 365 * _DAY),
    ("month", 30 * _DAY),
    ("week", 7 * _DAY),
    ("day", _DAY),
    ("hour", 60 * _MINUTE),
    ("minute", _MINUTE),
)


def age_in_units(then: Instant, now: Instant) -> tuple[int, str] | None:
    """Return how long before `now` the instant `then` was, as a number of the largest unit, such as 2 of `year`.

    Below a minute, and if `then` is after `now`, it is `None`. Counts are rounded down.
    Raises `ValueError` for a `datetime` without a time zone.
    """
    age = _microseconds(now) - _microseconds(then)
    return next(((age // length, name) for name, length in _UNITS if age >= length), None)


def relative_time(then: Instant, now: Instant) -> str:
    """Return how long before `now` the instant `then` was, in English, such as "1 minute ago" or "just now".

    Raises `ValueError` for a `datetime` without a time zone.
    """
    age = age_in_units(then, now)
    if age is None:
        return "just now"
    count, name = age
    return f"{count} {name}{'' if count == 1 else 's'} ago"


def relative_time_changes_at(then: Instant, now: Instant) -> int:
    """Return the first microsecond after `now` at which the text of `relative_time(then, now)` changes.

    A response with the text may be cached up to, but not including, that microsecond.
    Raises `ValueError` for a `datetime` without a time zone.
    """
    start = _microseconds(then)
    age = _microseconds(now) - start
    longer: int | None = None
    for _, length in _UNITS:
        if age >= length:
            # Four weeks end after 30 days and twelve months after 365, where the next unit begins.
            next_age = (age // length + 1) * length
            return start + (next_age if longer is None else min(next_age, longer))
        longer = length
    return start + _MINUTE


def _microseconds(instant: Instant) -> int:
    if isinstance(instant, int):
        return instant
    if instant.utcoffset() is None:
        raise ValueError("a datetime needs a time zone")
    return (instant - _EPOCH) // _MICROSECOND
