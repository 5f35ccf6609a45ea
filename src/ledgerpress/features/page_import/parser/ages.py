"""Ages as pages print them: "5 days ago", "1 mo ago", "3d", "an hour ago", "last week", "yesterday".

A week is 7 days, a month 30 days and a year 365 days. An age consists of the whole text, so that a headline with an age
in it is not one. Without "ago", only numbers with small letters count: "3d" is an age, "3D" and "A Week" are not.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_DAY: Final = timedelta(days=1)
_UNITS: Final = {
    timedelta(seconds=1): ("s", "sec", "secs", "second", "seconds"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes"),
    timedelta(hours=1): ("h", "hr", "hrs", "hour", "hours"),
    _DAY: ("d", "day", "days"),
    7 * _DAY: ("w", "wk", "wks", "week", "weeks"),
    14 * _DAY: ("fortnight", "fortnights"),
    30 * _DAY: ("mo", "mos", "mth", "mths", "month", "months"),
    365 * _DAY: ("y", "yr", "yrs", "year", "years"),
}
_LENGTHS: Final = {name: length for length, names in _UNITS.items() for name in names}
_NUMBERS: Final = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_COUNTS: Final[dict[str, float]] = {
    **{name: number for number, name in enumerate(_NUMBERS, 1)},
    "a": 1,
    "an": 1,
    "half a": 0.5,
    "half an": 0.5,
    "a couple of": 2,
    "a couple": 2,
    "": 3,
    "a few": 3,
    "several": 3,
}
_ZERO: Final = timedelta(0)
_NAMED: Final = {
    **dict.fromkeys(("now", "just now", "right now", "moments ago", "a moment ago"), _ZERO),
    **dict.fromkeys(("today", "earlier today", "this morning", "this afternoon", "this evening"), _ZERO),
    **dict.fromkeys(("tonight", "this week", "earlier this week", "this month", "this year"), _ZERO),
    **dict.fromkeys(("yesterday", "last night"), _DAY),
    "the day before yesterday": 2 * _DAY,
    **dict.fromkeys(("last week", "past week", "previous week"), 7 * _DAY),
    **dict.fromkeys(("last month", "past month", "previous month"), 30 * _DAY),
    **dict.fromkeys(("last year", "past year", "previous year"), 365 * _DAY),
}
_UNKNOWN: Final = frozenset(["a while ago", "some time ago", "the other day"])
_NAMED_LENGTHS: Final = {"week": 7 * _DAY, "month": 30 * _DAY, "year": 365 * _DAY}

_UNIT: Final = "|".join(sorted(_LENGTHS, key=len, reverse=True))
_WORDS: Final = "|".join(sorted(filter(None, _COUNTS), key=len, reverse=True))
_NUMBER: Final = r"[0-9]+(?:\.[0-9])?"
_DIGITS_OF: Final = rf"{_NUMBER}\+?\s?(?:{_UNIT})"
_NUMBER_OF: Final = rf"(?:{_DIGITS_OF}|(?:(?:{_WORDS})\s)?(?:{_UNIT}))"
_AGO: Final = re.compile(
    r"(?:(?:about|around|almost|nearly|over|roughly|approximately|less than|more than)\s|[~<>]\s?)?"
    rf"(?P<age>{_NUMBER_OF}(?:,?\s(?:and\s)?{_NUMBER_OF}|{_DIGITS_OF})*)\s(?:ago|earlier)",
    re.IGNORECASE,
)
_BARE: Final = re.compile(rf"(?P<age>{_DIGITS_OF}(?:,?\s?[0-9]+\s?(?:{_UNIT}))*)")
_TERM: Final = re.compile(
    rf"(?:(?<![0-9])(?P<count>{_NUMBER})\+?\s?|(?P<words>{_WORDS})\s)?\b(?P<unit>{_UNIT})\b", re.IGNORECASE
)
_PERIOD: Final = re.compile(
    r"(?<![A-Za-z])(s|sec|m|min|h|hr|d|w|wk|mo|mth|y|yr)(s?)\.(?=,?\s)", re.IGNORECASE
)
_GLUED: Final = re.compile(r"(?<=[0-9+])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
_FUTURE: Final = re.compile(rf"in (?:[0-9]+|{_WORDS})\s?(?:{_UNIT})", re.IGNORECASE)
# Six digits limit the longest age to 999999 years, which fits into a timedelta.
_MAX_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Age:
    """An age, and the time by which it may be longer. The length is `None` if it is impossible or unknown ("in 3 days", "a while ago")."""

    length: timedelta | None
    precision: timedelta


def read_age(text: str) -> Age | None:
    """Return the age that the text is, or `None` for other text. Case and extra whitespace are ignored."""
    words = _PERIOD.sub(r"\1\2", " ".join(text.split()))
    named = _NAMED.get(words.lower())
    if named is not None:
        return Age(named, _NAMED_LENGTHS.get(words.lower().rsplit(" ", 1)[-1], _DAY))
    match = _AGO.fullmatch(words) or _BARE.fullmatch(words)
    if match is None:
        is_unknown = words.lower() in _UNKNOWN or _FUTURE.fullmatch(words) is not None
        return Age(None, _DAY) if is_unknown else None
    return _sum(_GLUED.sub(" ", match["age"]))


def _sum(text: str) -> Age | None:
    total, precision = _ZERO, 365 * _DAY
    for term in _TERM.finditer(text):
        count, unit = term["count"], term["unit"].lower()
        if count is None and term["words"] is None and not unit.endswith("s"):
            return None  # "day ago"
        if count is not None and len(count) > _MAX_DIGITS:
            return Age(None, _DAY)
        amount = float(count) if count is not None else _COUNTS[(term["words"] or "").lower()]
        try:
            total += amount * _LENGTHS[unit]
        except OverflowError:
            return Age(None, _DAY)
        precision = min(precision, _LENGTHS[unit])
    return Age(total, precision)
