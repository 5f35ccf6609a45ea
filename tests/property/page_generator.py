"""Generates saved article pages together with what they contain."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import strategies as st

RETRIEVED: Final = datetime(2025, 3, 4, 15, 30, tzinfo=UTC)
_START: Final = datetime(1999, 1, 1, tzinfo=UTC)

_WORDS: Final = (
    *(
        "mill",
        "tide",
        "harbour",
        "lamp",
        "kite",
        "orchard",
        "bread",
        "ferry",
        "stone",
        "winter",
        "council",
        "garden",
    ),
    *(
        "été",
        "straße",
        "señor",
        "øre",
        "naïve",
        "łódka",
        "bridge",
        "“quoted”",
        "two-way",
        "don’t",
        "7th",
        "1,200",
        "R&D",
    ),
)
_FIRST_NAMES: Final = ("Ada", "Bob", "Siobhán", "José", "Mary-Ann", "J.", "ADA", "Łukasz", "Дарья")
_LAST_NAMES: Final = ("Example", "O’Brien", "van Dyke", "de la Cruz", "Müller", "EXAMPLE", "Петрова", "King")


def _day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0)


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


DATE_FORMS: Final[tuple[Callable[[datetime], str], ...]] = (
    lambda at: f"{at:%B} {at.day}, {at.year}",
    lambda at: f"{at:%b}. {at.day}, {at.year}",
    lambda at: f"{at:%B} {_ordinal(at.day)} {at.year}",
    lambda at: f"{at:%A}, {at.day} {at:%B} {at.year}",
    lambda at: f"the {_ordinal(at.day)} of {at:%B} {at.year}",
    lambda at: f"{at:%a %b} {at.day} {at.year}",
    lambda at: f"{at.day}-{at:%b}-{at.year}",
    lambda at: f"{at:%Y-%m-%d}",
    lambda at: f"{at:%Y/%m/%d}",
    lambda at: f"{at.day}.{at.month}.{at.year}",
    lambda at: f"{at.year}年{at.month}月{at.day}日",
)
TIME_FORMS: Final[tuple[Callable[[datetime], str], ...]] = (
    lambda at: f"{at:%B} {at.day}, {at.year} at {at:%I:%M %p}",
    lambda at: f"{at:%B} {at.day}, {at.year}, {int(f'{at:%I}')}:{at:%M}{'a.m.' if at.hour < 12 else 'p.m.'}",
    lambda at: f"{at:%A}, {at.day} {at:%b} {at.year} {at:%H:%M} UTC",
    lambda at: f"{at:%H:%M} GMT, {at:%a} {at:%B} {at.day}, {at.year}",
    lambda at: f"{at:%Y-%m-%dT%H:%M}Z",
    lambda at: f"{at:%Y-%m-%d %H:%M}",
    lambda at: f"{at + timedelta(hours=1):%Y-%m-%dT%H:%M:00}+01:00",
)
_AGE_UNITS: Final = (
    (timedelta(minutes=1), ("minute", "min", "m")),
    (timedelta(hours=1), ("hour", "hr", "h")),
    (timedelta(days=1), ("day", "day", "d")),
    (timedelta(days=7), ("week", "wk", "w")),
    (timedelta(days=30), ("month", "mo", "mo")),
    (timedelta(days=365), ("year", "yr", "y")),
)


@dataclass(frozen=True)
class Entry:
    """An article, or an entry of the recent posts, and its lines on the page."""

    title: str
    text: tuple[str, ...]
    authors: tuple[str, ...]
    at: datetime
    lines: tuple[str, ...]


@dataclass(frozen=True)
class GeneratedPage:
    article: Entry
    headings: tuple[str, ...]
    categories: tuple[str, ...]
    site_name: str | None
    recent: tuple[Entry, ...] = field(default=())
    text: str = ""


_words: Final = st.lists(st.sampled_from(_WORDS), min_size=2, max_size=6)
_sentences: Final = st.lists(st.sampled_from(_WORDS), min_size=5, max_size=30).map(
    lambda words: f"The {' '.join(words)} of it."
)
_titles: Final = _words.map(lambda words: f"The {' '.join(word.title() for word in words)} Story")
_names: Final = st.builds("{} {}".format, st.sampled_from(_FIRST_NAMES), st.sampled_from(_LAST_NAMES))
_authors: Final = st.lists(_names, max_size=3, unique_by=str.casefold).map(tuple)
_moments: Final = st.integers(min_value=0, max_value=(RETRIEVED - _START) // timedelta(minutes=1)).map(
    lambda minutes: _START + timedelta(minutes=minutes)
)


@st.composite
def dates(draw: st.DrawFn) -> tuple[str, datetime]:
    """Generate a date in any form, with its time."""
    at = draw(_moments)
    if draw(st.booleans()):
        return draw(st.sampled_from(TIME_FORMS))(at), at
    return draw(st.sampled_from(DATE_FORMS))(at), _day(at)


@st.composite
def ages(draw: st.DrawFn) -> tuple[str, datetime]:
    """Generate an age in any form, with its time."""
    unit, (name, short, letter) = draw(st.sampled_from(_AGE_UNITS))
    count = draw(st.integers(min_value=1, max_value=40))
    plural = "" if count == 1 else "s"
    forms = (
        f"{count} {name}{plural} ago",
        f"{count} {short}{plural} ago",
        f"{count}{letter}",
        f"{count}{letter} ago",
    )
    return draw(st.sampled_from(forms)), RETRIEVED - count * unit


def _joined(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


@st.composite
def details(draw: st.DrawFn, authors: tuple[str, ...], date: str) -> tuple[str, ...]:
    """Generate the lines with a date and a byline."""
    labelled = draw(st.sampled_from(("{}", "Posted on {}", "Published: {}", "First published {}"))).format(
        date
    )
    read = draw(st.sampled_from(((), ("4 min read",))))
    if not authors:
        return draw(st.sampled_from(((labelled, *read), (" | ".join((labelled, *read)),))))
    by = f"By {_joined(authors)}"
    orders = [
        (by, labelled, *read),
        (labelled, by, *read),
        (" · ".join((by, labelled, *read)),),
        (f"{labelled} by {_joined(authors)}", *read),
        ("By", _joined(authors), labelled),
    ]
    return draw(st.sampled_from(orders))


@st.composite
def pages(draw: st.DrawFn) -> GeneratedPage:
    """Generate a page with an article, and perhaps a site name, categories, and a list of recent posts."""
    title, *recent_titles = draw(st.lists(_titles, min_size=1, max_size=5, unique_by=str.casefold))
    authors = draw(_authors)
    date, at = draw(dates())
    about = draw(details(authors, date))
    updated = draw(st.sampled_from(((), (f"Updated: {RETRIEVED:%B} {RETRIEVED.day}, {RETRIEVED.year}",))))
    lines = (*updated, *about) if draw(st.booleans()) else (*about, *updated)
    sections = draw(st.lists(st.tuples(_titles, st.lists(_sentences, min_size=1, max_size=3)), max_size=3))
    body = (draw(_sentences), *(line for heading, texts in sections for line in (heading, *texts)))
    categories = tuple(draw(st.sampled_from(((), ("Town",), ("Town", "Food & Drink")))))
    site_name = draw(st.sampled_from((None, "The Courier")))

    recent = []
    for recent_title in recent_titles:
        age, recent_at = draw(st.one_of(ages(), dates()))
        names = draw(_authors)
        teaser = tuple(draw(st.lists(_sentences, max_size=1)))
        by = (f"By {_joined(names)}",) if names else ()
        entry_lines = (recent_title, *draw(st.permutations([*teaser, *by])), age)
        recent.append(Entry(recent_title, teaser, names, recent_at, tuple(entry_lines)))

    above = draw(st.booleans())
    top = [*(lines if above else ()), f"{title} | {site_name}" if site_name else title, title]
    page = [*top, *(() if above else lines), *body]
    page[:0] = [f"Categories: {', '.join(categories)}"] if categories else []
    page += ["Recent Posts", *(line for entry in recent for line in entry.lines)] if recent else []
    return GeneratedPage(
        article=Entry(title, body, authors, at, lines),
        headings=tuple(heading for heading, _ in sections),
        categories=categories,
        site_name=site_name,
        recent=tuple(recent),
        text=draw(st.sampled_from(("\n", "\n\n", "\r\n"))).join(page),
    )
