"""Times as text: `date-time` of RFC 3339, section 5.6, exactly, and whole dates. Every time from outside is read here.

Times are numbers of microseconds since 1970, UTC. Python's `datetime.fromisoformat` reads another language, ISO 8601:
week dates, hours without minutes, offsets without a colon, fractions after a comma; and it rejects leap seconds.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DATE: Final = r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?"
_OFFSET: Final = r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
_FULL_DATE: Final = re.compile(_DATE)
_DATE_TIME: Final = re.compile(f"{_DATE}[Tt]{_TIME}{_OFFSET}")
_WITHOUT_OFFSET: Final = re.compile(f"{_DATE}[Tt]{_TIME}")
_LOCAL: Final = re.compile(f"{_DATE}(?:[Tt]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?)?")


class InvalidTime(ValueError):
    """A text that is not a time. The message does not repeat the text."""


def parse(text: str) -> int:
    """Return the time in `text`. Digits after the microsecond are dropped. Raises `InvalidTime`.

    A leap second is read as the second after it. `-00:00` is UTC, of a clock whose local offset is unknown.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        if _WITHOUT_OFFSET.fullmatch(text):
            raise InvalidTime("it lacks an offset from UTC, such as Z or +01:00")
        raise InvalidTime("the form is that of 2024-12-22T09:00:00Z")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    is_leap_second = second == "60"
    moment = _midnight(year, month, day) + timedelta(
        hours=int(hour), minutes=int(minute), microseconds=int((fraction or "")[:6].ljust(6, "0"))
    )
    try:
        if sign:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
            moment += offset if sign == "-" else -offset
        if is_leap_second and (moment.hour, moment.minute, (moment + timedelta(days=1)).day) != (23, 59, 1):
            raise InvalidTime("a leap second is the second 60 of the last minute of a month, UTC")
        return to_microseconds(moment + timedelta(seconds=int(second)))
    except OverflowError:
        raise InvalidTime("it is before the year 1 or after the year 9999, UTC") from None


def parse_date_or_time(text: str, zone: tzinfo = UTC) -> int:
    """Return the time in `text`, or midnight, in `zone`, of the date in `text`. Raises `InvalidTime`."""
    if match := _FULL_DATE.fullmatch(text):
        return to_microseconds(_midnight(*match.groups()).replace(tzinfo=zone))
    return parse(text)


def parse_span(text: str, zone: tzinfo) -> tuple[int, int]:
    """Return the first and the last microsecond of the day, minute or second in `text`. Raises `InvalidTime`.

    A text with an offset from UTC is one time. Without an offset, it is a date, or a date and a time as in forms of HTML
    (`2024-12-22T09:00`), in `zone`.
    """
    match = _LOCAL.fullmatch(text)
    if match is None:
        time = parse(text)
        return time, time
    year, month, day, hour, minute, second = match.groups()
    first = _midnight(year, month, day) + timedelta(
        hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0)
    )
    length = timedelta(days=1) if hour is None else timedelta(seconds=60 if second is None else 1)
    try:
        begin, end = (to_microseconds(moment.replace(tzinfo=zone)) for moment in (first, first + length))
    except OverflowError:
        raise InvalidTime("it is before the year 1 or after the year 9999, UTC") from None
    return begin, end - 1


def format_time(microseconds: int) -> str:
    """Return a time as text, in UTC. A fraction of zero is omitted."""
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")


def to_datetime(microseconds: int) -> datetime:
    """Return a time as a `datetime` in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(moment: datetime) -> int:
    """Return a `datetime` with a time zone as a time."""
    return (moment - EPOCH) // _MICROSECOND


def _midnight(year: str, month: str, day: str) -> datetime:
    try:
        return datetime(int(year), int(month), int(day), tzinfo=UTC)
    except ValueError:
        problem = f"the month {year}-{month} does not have a day {day}" if int(year) else "there is no year 0"
        raise InvalidTime(problem) from None
