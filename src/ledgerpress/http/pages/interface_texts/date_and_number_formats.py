"""Dates, times, ages, numbers and lists in a language, by the rules of the Unicode CLDR."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import langcodes
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_timedelta, get_timezone_name
from babel.numbers import format_decimal

from ledgerpress.bounded_cache import BoundedCache

DIGITS: Final = "latn"
"""The digits 0 to 9 in all languages: most sites of newspapers in Arabic use them (docs/decisions/0077)."""
_ENGLISH: Final = "en-GB"
"""English without a region has the day before the month."""
_MINIMUM_OF_GROUPS: Final = {"es": 10_000}
"""Numbers below it have no separator; in other languages, those below 1,000. CLDR has this, and Babel does not."""
_REMEMBERED: Final = 2_048
_Unit: TypeAlias = Literal["year", "month", "week", "day", "hour", "minute"]
_SECONDS: Final[Mapping[_Unit, int]] = {
    "year": 365 * 86_400,
    "month": 30 * 86_400,
    "week": 7 * 86_400,
    "day": 86_400,
    "hour": 3_600,
    "minute": 60,
}


class Formats:
    """The formats of a language, which is a valid tag of BCP 47. The results of its functions are remembered."""

    def __init__(self, language: str) -> None:
        self._locale = locale_of(language)
        remember = lru_cache(maxsize=_REMEMBERED)
        self.day: Callable[[date], str] = remember(self._day)
        self.ago: Callable[[int, str], str] = remember(self._ago)
        self.number: Callable[[int], str] = remember(self._number)
        self._zone_names = BoundedCache[tuple[str, tzinfo | None], str](max_entries=_REMEMBERED)

    @property
    def browser_locale(self) -> str:
        """The tag with which `Intl` in a browser formats in the same way."""
        locale = self._locale
        parts = (locale.language, locale.script, locale.territory)
        return "-".join(part for part in parts if part) + f"-u-nu-{DIGITS}"

    @property
    def list_patterns(self) -> Mapping[str, str]:
        """The patterns of lists: `2` for two items; `start`, `middle` and `end` for more."""
        patterns: Mapping[str, str] = self._locale.list_patterns["standard"]
        return patterns

    def time(self, at: datetime) -> str:
        """Return the time of day. It has 24 hours in all languages, so that “12:30” has one meaning."""
        return f"{at:%H:%M}"

    def zone(self, at: datetime) -> str:
        """Return the abbreviation of a time's zone, or its offset if the zone has no abbreviation."""
        name = at.tzname() or ""
        if not name.isalpha():
            return f"UTC{at:%z}"
        if name == "UTC" or self._locale.language == "en":
            return name
        key = (name, at.tzinfo)
        known = self._zone_names.get(key)
        if known is None:
            local = get_timezone_name(at, width="short", locale=self._locale)
            known = local if local.isalpha() else name
            self._zone_names.put(key, known)
        return known

    def _day(self, day: date) -> str:
        text = format_date(day, "long", self._locale)
        # French numbers only the first day of a month as an ordinal, for which CLDR has no pattern.
        return f"1er {text[2:]}" if self._locale.language == "fr" and text.startswith("1 ") else text

    def _ago(self, count: int, unit: str) -> str:
        (granularity,) = (known for known in _SECONDS if known == unit)
        age = timedelta(seconds=-count * _SECONDS[granularity])
        return format_timedelta(
            age, granularity, threshold=float("inf"), add_direction=True, format="long", locale=self._locale
        )

    def _number(self, number: int) -> str:
        if abs(number) < _MINIMUM_OF_GROUPS.get(self._locale.language, 0):
            return str(number)
        return format_decimal(number, locale=self._locale, numbering_system=DIGITS)


def locale_of(language: str) -> Locale:
    """Return the locale that has the formats of a language: without a region if the CLDR does not know its region."""
    if language == "en":
        language = _ENGLISH
    tag = langcodes.Language.get(language)
    names = (
        (tag.language, tag.script, tag.territory),
        (tag.language, tag.script),
        (tag.language, tag.territory),
        (tag.language,),
    )
    for parts in names:
        try:
            return Locale.parse("_".join(part for part in parts if part))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse(_ENGLISH, sep="-")
