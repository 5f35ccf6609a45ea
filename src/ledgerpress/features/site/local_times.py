"""Times as text in the time zone of the site, in English."""

from contextlib import suppress
from datetime import datetime, tzinfo

from ledgerpress.rfc3339 import to_datetime


def local_time(microseconds: int, zone: tzinfo) -> datetime:
    """Return a time (microseconds since 1970, UTC) in a time zone."""
    at = to_datetime(microseconds)
    # In the first and the last hours of the calendar, the local time may have no date.
    with suppress(OverflowError):
        at = at.astimezone(zone)
    return at


def day_text(at: datetime) -> str:
    return f"{at.day} {at:%B} {at.year}"


def minute_text(at: datetime) -> str:
    return f"{day_text(at)}, {at:%H:%M} {zone_name(at)}"


def zone_name(at: datetime) -> str:
    """Return the abbreviation of a time's zone, or its offset if the zone has no abbreviation."""
    name = at.tzname() or ""
    return name if name.isalpha() else f"UTC{at:%z}"
