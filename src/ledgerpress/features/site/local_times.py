"""Times on pages, in the time zone and in the language of the site. A template shows them with `words(…)`."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo

from ledgerpress.http.pages.interface_texts.words import Words, english_words
from ledgerpress.rfc3339 import to_datetime
from ledgerpress.views.relative_time_text import age_in_units


class _TimeText:
    """A time as text. `str` returns it in English."""

    __slots__ = ()

    def in_words(self, words: Words) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.in_words(english_words())


@dataclass(frozen=True, slots=True)
class DayText(_TimeText):
    """The day of a time."""

    at: datetime

    def in_words(self, words: Words) -> str:
        return words.formats.day(self.at.date())


@dataclass(frozen=True, slots=True)
class MinuteText(_TimeText):
    """The day, the time of day and the time zone of a time."""

    at: datetime

    def in_words(self, words: Words) -> str:
        return words.minute(self.at)


@dataclass(frozen=True, slots=True)
class ZoneText(_TimeText):
    """The abbreviation of a time's zone, or its offset if the zone has no abbreviation."""

    at: datetime

    def in_words(self, words: Words) -> str:
        return words.formats.zone(self.at)


@dataclass(frozen=True, slots=True)
class AgeText(_TimeText):
    """How long before `now` the time `then` was, both in microseconds since 1970, UTC."""

    then: int
    now: int

    def in_words(self, words: Words) -> str:
        return words.age(age_in_units(self.then, self.now))


def local_time(microseconds: int, zone: tzinfo) -> datetime:
    """Return a time (microseconds since 1970, UTC) in a time zone."""
    at = to_datetime(microseconds)
    # In the first and the last hours of the calendar, the local time may have no date.
    with suppress(OverflowError):
        at = at.astimezone(zone)
    return at
