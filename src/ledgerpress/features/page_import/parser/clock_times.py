"""The time of day next to a date: "at 9:00 AM", "17:30 UTC", "09:00:00+01:00", "17:30h", "(9:00 AM)", "noon"."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIME: Final = (
    r"(?:(?P<hour>\d{1,2})(?:(?P<minutes>[:.](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?)"
    r"\s?(?:(?P<half>[ap]\.?m\b\.?)|h(?:(?:ou)?rs)?\b)?|\s?(?P<hour_half>[ap]\.?m\b\.?))|(?P<name>noon|midday|midnight))"
)
_ZONE: Final = (
    r"(?:\s?\(?(?P<offset>Z|(?:UTC|GMT)?\s?[+\-−]\d{1,2}(?::?\d{2})?)\)?|\s\(?(?P<zone>(?-i:[A-Z]{2,5}))\)?)?"
)
_AFTER_DATE: Final = re.compile(
    rf"(?P<rest>.*?[\w.)])(?:,?\s+(?:at|@|[-–—/|•·])\s+|\s*,\s*|\s+|(?<=\d)T(?=\d))"
    rf"(?P<bracket>\()?{_TIME}{_ZONE}(?(bracket)\))",
    re.IGNORECASE,
)
_BEFORE_DATE: Final = re.compile(
    rf"(?:at\s+)?{_TIME}{_ZONE}(?:\s*,\s*|\s+(?:on|[-–—])\s+|\s+)(?P<rest>\w.*)", re.IGNORECASE
)
_ALONE: Final = re.compile(rf"(?:at\s+)?{_TIME}{_ZONE}", re.IGNORECASE)
_NAMES: Final = {"noon": 12, "midday": 12, "midnight": 0}
# The zones of RFC 5322 and the usual ones of Europe, in hours from UTC.
_OFFSETS: Final = {
    "UTC": 0,
    "GMT": 0,
    "UT": 0,
    "WET": 0,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
_REGIONS: Final = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of day with its zone; `zone` is `None` without one, and `unknown_zone` names a zone that is not known."""

    time: time
    zone: tzinfo | None
    unknown_zone: str | None

    def on(self, day: date, zone: tzinfo) -> datetime:
        """Return the time on a day, in UTC; without a zone of its own, it is in `zone`. Raises `OverflowError`."""
        return datetime.combine(day, self.time, self.zone or zone).astimezone(UTC)


def split_time(text: str) -> tuple[str, ClockTime | None]:
    """Return the text without its time of day, and the time; without a valid time, the whole text and `None`."""
    for pattern in (_AFTER_DATE, _BEFORE_DATE):
        match = pattern.fullmatch(text)
        clock_time = _clock_time(match) if match else None
        if match and clock_time:
            return match["rest"], clock_time
    return text, None


def is_time(text: str) -> bool:
    """Return whether the text is only a time of day."""
    match = _ALONE.fullmatch(text)
    return match is not None and _clock_time(match) is not None


def _clock_time(match: re.Match[str]) -> ClockTime | None:
    half = match["half"] or match["hour_half"]
    hour = _NAMES[match["name"].lower()] if match["name"] else int(match["hour"])
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower().startswith("p") else 0)
    try:
        at = time(hour, int(match["minute"] or 0), int(match["second"] or 0))
        zone, unknown = _zone(match["offset"], match["zone"])
    except ValueError:
        return None
    return ClockTime(at, zone, unknown)


def _zone(offset: str | None, name: str | None) -> tuple[tzinfo | None, str | None]:
    if offset:
        sign = -1 if "-" in offset or "−" in offset else 1
        digits = re.findall(r"\d+", offset)
        if not digits:
            return UTC, None
        hours, minutes = digits if len(digits) == 2 else (digits[0][:-2] or "0", digits[0][-2:])
        if len(digits) == 1 and len(digits[0]) <= 2:
            hours, minutes = digits[0], "0"
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes))), None
    if name in _OFFSETS:
        return timezone(timedelta(hours=_OFFSETS[name])), None
    if name in _REGIONS:
        try:
            return ZoneInfo(_REGIONS[name]), None
        except ZoneInfoNotFoundError:
            pass
    return None, name
