"""The publication time on a scraped page: an age, or a date in English, in digits, or in ISO 8601.

A strict grammar reads the whole text. It reads fewer texts than a general parser of dates, but never takes a headline
such as "May", "3M" or "10" for a date: see docs/decisions/0042-reading-pages.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum, auto
from typing import Final

from ledgerpress.features.page_import.parser.ages import Age, read_age
from ledgerpress.features.page_import.parser.clock_times import ClockTime, split_time

_DAY: Final = timedelta(days=1)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY: Final = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?"
_WEEKDAY_NEXT_TO_DATE: Final = re.compile(
    rf"^{_WEEKDAY},?\s+(?=.*\d)|(?<=\d)(?:,?\s+{_WEEKDAY}|\s+\({_WEEKDAY}\))$", re.IGNORECASE
)
_WEEKDAY_ONLY: Final = re.compile(r"(?:on\s+|last\s+|this\s+(?:past\s+)?)?(?P<day>\w+day)", re.IGNORECASE)
_YEAR: Final = r"(?:\s*,\s*|\s+)(?P<year>\d{4}|['’]\d{2})"
_MONTH: Final = r"(?P<month>[A-Za-z]{3,9})\.?"
_NUMBER: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_BY_NAME: Final = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_MONTH}\s+(?:the\s+)?{_NUMBER}(?:{_YEAR})?",
        rf"(?:the\s+)?{_NUMBER}\.?\s+(?:of\s+)?{_MONTH}(?:{_YEAR})?",
        r"(?P<day>\d{1,2})-(?P<month>[A-Za-z]{3,9})-(?P<year>\d{4})",
        r"(?P<year>\d{4})[\s-](?P<month>[A-Za-z]{3,9})[\s-](?P<day>\d{1,2})",
        rf"{_MONTH}(?P<day>){_YEAR}",
    )
]
_YEAR_FIRST: Final = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.]|\.\s)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})\.?"
    r"|(?P<year_>\d{4})年\s?(?P<month_>\d{1,2})月\s?(?P<day_>\d{1,2})日"
)
_DOTTED: Final = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4}|\d{2})")
_DIGITS: Final = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
)
_DIGITS_ANYWHERE: Final = re.compile(rf"(?<![\w/-]){_DIGITS.pattern}(?![\w/-])")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """When a page was saved, in UTC, and how to read its dates.

    `zone` is the zone of times without a zone. `day_first` states whether 5/12/2024 is in December; `None` means that
    this is unknown.
    """

    at: datetime
    day_first: bool | None = None
    zone: tzinfo = UTC

    @property
    def is_whole_day(self) -> bool:
        """Return whether the retrieval is a date without a time of day, which is stored as midnight."""
        return self.at.astimezone(self.zone).time() == time(0)

    @property
    def latest(self) -> datetime:
        """The first time that is impossible for a publication."""
        return self.at + (_DAY if self.is_whole_day else timedelta(microseconds=1))

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()


class DateSource(Enum):
    """What a time was read from. An uncertain date can be read in two ways, or is not that of the publication."""

    CALENDAR = auto()
    AGE = auto()
    UNCERTAIN = auto()
    MISSING = auto()
    """There is no possible date: the time of retrieval was taken."""


@dataclass(frozen=True, slots=True)
class PageDate:
    """A time on a page, in UTC, with a sentence about the guess if it was guessed.

    The publication may have been earlier by `precision`.
    """

    at: datetime
    guess: str | None = None
    source: DateSource = DateSource.CALENDAR
    precision: timedelta = _DAY

    @property
    def is_guessed(self) -> bool:
        """Return whether a date on another page should replace this one."""
        return self.source in {DateSource.UNCERTAIN, DateSource.MISSING}

    @property
    def is_calendar_date(self) -> bool:
        """Return whether the page contains a date, not only an age."""
        return self.source in {DateSource.CALENDAR, DateSource.UNCERTAIN}


def read_date(line: str, retrieval: Retrieval) -> PageDate | None:
    """Return the time of a line that is a date or an age, or `None` if it is neither.

    An age is subtracted from the retrieval. If the retrieval is a date without a time of day, only whole days are
    subtracted. A date after the retrieval, or one that is not in the calendar, is impossible; the time of retrieval is
    returned instead.
    """
    age = read_age(line)
    if age is not None:
        return _counted_back(line, age, retrieval)
    text, clock_time = split_time(line)
    text = _WEEKDAY_NEXT_TO_DATE.sub("", text)
    named = _named_day(text, clock_time, retrieval) if clock_time else None
    named = named or _weekday(text, retrieval) or _by_name(text, retrieval) or _in_digits(text, retrieval)
    if named is None:
        return None
    try:
        at = _at(named.day, clock_time, retrieval) if named.day else None
    except OverflowError:
        at = None
    if at is None:
        return _impossible(f'the date "{line}" is not in the calendar', retrieval)
    if at >= retrieval.latest:
        return _impossible(f'the date "{line}" is after the retrieval', retrieval)
    guess = named.guess
    if clock_time and clock_time.unknown_zone and guess is None:
        guess = f"has the unknown time zone {clock_time.unknown_zone}: read in the zone of the site"
    sentence = (
        f'the {"age" if named.source is DateSource.AGE else "date"} "{line}" {guess}' if guess else None
    )
    return PageDate(at, sentence, named.source)


def order_of_digits(lines: Iterable[str]) -> bool | None:
    """Return whether dates such as 13/5/2024 begin with the day, or `None` if the lines do not show it."""
    orders = set()
    for line in lines:
        for match in _DIGITS_ANYWHERE.finditer(line):
            first, second = int(match["first"]), int(match["second"])
            if (first > 12) != (second > 12):
                orders.add(first > 12)
    return orders.pop() if len(orders) == 1 else None


@dataclass(frozen=True, slots=True)
class _Day:
    """A day, or `None` if it is not in the calendar. The guess continues a sentence about the line."""

    day: date | None
    guess: str | None = None
    source: DateSource = DateSource.CALENDAR


def _counted_back(text: str, age: Age, retrieval: Retrieval) -> PageDate:
    if age.length is None:
        return _impossible(f'the age "{text}" gives no possible time', retrieval)
    try:
        at = retrieval.at - (timedelta(days=age.length.days) if retrieval.is_whole_day else age.length)
    except OverflowError:
        return _impossible(f'the age "{text}" reaches back before the year 1', retrieval)
    shown = at.date().isoformat() if retrieval.is_whole_day else at.isoformat(sep=" ", timespec="minutes")
    guess = f'the age "{text}" was subtracted from the retrieval date: {shown}'
    return PageDate(at, guess, DateSource.AGE, age.precision)


def _impossible(reason: str, retrieval: Retrieval) -> PageDate:
    return PageDate(retrieval.at, f"{reason}: published at the retrieval date", DateSource.MISSING)


def _at(day: date, clock_time: ClockTime | None, retrieval: Retrieval) -> datetime:
    midnight = ClockTime(time(0), None, None)
    return (clock_time or midnight).on(day, retrieval.zone)


def _named_day(text: str, clock_time: ClockTime, retrieval: Retrieval) -> _Day | None:
    """Read the day of "yesterday at 5:00 PM", "2 days ago, 17:00" and "8 hours ago at 10:09 am"."""
    age = read_age(text.removesuffix(","))
    if age is None or age.length is None:
        return None
    try:
        day = retrieval.today - timedelta(days=age.length.days)
        if age.length % _DAY and not retrieval.is_whole_day:
            day = _nearest_day(retrieval.at - age.length, clock_time, retrieval)
    except OverflowError:
        return _Day(None)
    return _Day(day, f"was subtracted from the retrieval date: {day}", source=DateSource.AGE)


def _nearest_day(at: datetime, clock_time: ClockTime, retrieval: Retrieval) -> date:
    """Return the day on which the clock shows the time nearest to `at`, since an age in hours is rounded."""
    middle = at.astimezone(retrieval.zone).date()
    days = (middle - _DAY, middle, middle + _DAY)
    return min(days, key=lambda day: abs(_at(day, clock_time, retrieval) - at))


def _weekday(text: str, retrieval: Retrieval) -> _Day | None:
    match = _WEEKDAY_ONLY.fullmatch(text)
    if match is None or match["day"].lower() not in _WEEKDAYS:
        return None
    days = (retrieval.today.weekday() - _WEEKDAYS.index(match["day"].lower()) - 1) % 7 + 1
    try:
        day = retrieval.today - timedelta(days=days)
    except OverflowError:
        return _Day(None)
    return _Day(day, f"was read as the last such day before the retrieval: {day}", source=DateSource.AGE)


def _by_name(text: str, retrieval: Retrieval) -> _Day | None:
    match = next((full for pattern in _BY_NAME if (full := pattern.fullmatch(text))), None)
    month = _month(match["month"].lower()) if match else 0
    if match is None or month == 0:
        return None
    if match["year"] is None:
        return _without_year(month, int(match["day"]), retrieval)
    year = _year(match["year"].lstrip("'’"))
    if not match["day"]:
        return _Day(
            _day(year, month, 1), "has no day: the first of the month was taken", source=DateSource.UNCERTAIN
        )
    return _Day(_day(year, month, int(match["day"])))


def _without_year(month: int, day: int, retrieval: Retrieval) -> _Day:
    for year in range(retrieval.today.year, max(retrieval.today.year - 9, 0), -1):
        latest = _day(year, month, day)
        if latest is not None and latest <= retrieval.today:
            return _Day(latest, f"has no year: {latest} is the last such day before the retrieval")
    return _Day(None)


def _in_digits(text: str, retrieval: Retrieval) -> _Day | None:
    match = _YEAR_FIRST.fullmatch(text)
    if match:
        year, month, day = (int(match[name] or match[f"{name}_"]) for name in ("year", "month", "day"))
        return _Day(_day(year, month, day))
    match = _DOTTED.fullmatch(text)
    if match:
        return _Day(_day(_year(match["year"]), int(match["month"]), int(match["day"])))
    match = _DIGITS.fullmatch(text)
    if match is None:
        return None
    first, second, year = int(match["first"]), int(match["second"]), _year(match["year"])
    month_first, day_first = _day(year, first, second), _day(year, second, first)
    if retrieval.day_first is not None:
        return _Day(day_first if retrieval.day_first else month_first)
    possible = [day for day in (month_first, day_first) if day and day <= retrieval.today]
    if len(set(possible)) < 2:
        return _Day(possible[0] if possible else month_first or day_first)
    guess = (
        f"can be {possible[0]} or {possible[1]}: {possible[0]} was taken;"
        " --day-first or --month-first decides"
    )
    return _Day(possible[0], guess, source=DateSource.UNCERTAIN)


def _year(digits: str) -> int:
    """Return a year of four digits, or of two digits from 1969 to 2068, as POSIX reads them."""
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= 69 else 2000)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month(name: str) -> int:
    """Return 1 to 12 for the name of a month or its first letters, otherwise 0."""
    return next((number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)), 0)
