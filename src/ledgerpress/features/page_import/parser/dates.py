"""The publication time on a scraped page: an age, or a date in English or ISO 8601."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from ledgerpress.views.relative_time_text import parse_relative_time

_LABEL: Final = re.compile(r"(?:posted|published|updated|date)\b\s*(?:on\b|:)?\s*", re.IGNORECASE)
_WEEKDAY: Final = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+", re.IGNORECASE
)
_MONTH_FIRST: Final = re.compile(
    r"(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})"
)
_DAY_FIRST: Final = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?\s+(?P<month>[A-Za-z]{3,9})\.?,?\s+(?P<year>\d{4})"
)
_ISO: Final = re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})")
_AGE_SHAPED: Final = re.compile(
    r"(?:in )?\d+ (?:second|minute|hour|day|week|month|year)s?(?: ago)?", re.IGNORECASE
)
"""Text in the form of an age. It is never a headline, even if it is not a valid age."""
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


@dataclass(frozen=True, slots=True)
class PageDate:
    """A time on a page, in UTC, with a sentence about the guess if it was guessed."""

    at: datetime
    guess: str | None = None


def read_date(line: str, retrieved_at: datetime) -> PageDate | None:
    """Return the time of a line that is a date or an age, or `None` if it is neither.

    An age is subtracted from `retrieved_at`. A retrieval at midnight is treated as a date without a time of day: only
    whole days are subtracted. A date after the retrieval is impossible; the time of retrieval is returned instead.
    """
    bare = _without(_LABEL, line)
    age = parse_relative_time(bare)
    if age is not None:
        return _counted_back(bare, age, retrieved_at)
    if _AGE_SHAPED.fullmatch(bare):
        return PageDate(retrieved_at, f'the age "{line}" is invalid: published at the retrieval date')
    at = _date(bare)
    if at is None:
        return None
    if at > retrieved_at:
        return PageDate(
            retrieved_at, f'the date "{line}" is after the retrieval: published at the retrieval date'
        )
    return PageDate(at)


def _counted_back(text: str, age: timedelta, retrieved_at: datetime) -> PageDate:
    whole_days = retrieved_at.time() == time(0)
    try:
        at = retrieved_at - (timedelta(days=age.days) if whole_days else age)
    except OverflowError:
        return PageDate(
            retrieved_at, f'the age "{text}" reaches back before the year 1: published at the retrieval date'
        )
    time_text = at.date().isoformat() if whole_days else at.isoformat(sep=" ", timespec="minutes")
    return PageDate(at, f'the age "{text}" was subtracted from the retrieval date: {time_text}')


def _date(text: str) -> datetime | None:
    text = _without(_WEEKDAY, text)
    match = _MONTH_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text) or _ISO.fullmatch(text)
    if match is None:
        return None
    month = int(match["month"]) if match["month"].isdigit() else _month(match["month"].lower())
    try:
        return datetime(int(match["year"]), month, int(match["day"]), tzinfo=UTC)
    except ValueError:
        return None


def _month(name: str) -> int:
    """Return 1 to 12 for the name of a month or its first letters, otherwise 0."""
    return next((number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)), 0)


def _without(start: re.Pattern[str], text: str) -> str:
    match = start.match(text)
    return text[match.end() :] if match else text
