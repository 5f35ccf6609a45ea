"""The recent-posts list of a scraped page: headlines, teasers, bylines and ages, each on a line of its own.

Only headlines are required.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Final

from ledgerpress.commands.text_rules import MAX_TEASER, MAX_TITLE
from ledgerpress.features.page_import.parser.dates import DateSource, PageDate, Retrieval
from ledgerpress.features.page_import.parser.details_line import Details, ScannedLine, read_details, scan
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    is_cut,
    is_footer,
    is_sentence,
)
from ledgerpress.features.posts.body.plain_text import derived_teaser
from ledgerpress.grapheme_clusters import shortened

_HEADING: Final = re.compile(r"(?:recent|latest) (?:posts|articles|stories)\s*:?", re.IGNORECASE)

_BARS: Final = re.compile(r"(?<=\S)(?:\s*[|•●∙⋅·‧]\s*|\s+[-–—/»]\s+|\s*(?=[(]))(?=\S)")
_YEAR: Final = re.compile(r"\d{4}")
_YEAR_OR_AGO: Final = re.compile(r"\d{4}|\bago$", re.IGNORECASE)
_JOINS: Final = re.compile(
    r"\b(?:of|on|in|to|from|since|until|till|before|after|by|for|and|the|this|at|as|than|vs)$", re.IGNORECASE
)
_SPACES: Final = re.compile(r"(?<=\S)\s+")
_MAX_PARTS: Final = 16
"""The maximum number of words or parts of a date, so that the time for a line is bounded."""


@dataclass(frozen=True, slots=True)
class ParsedTeaser:
    """A post of which the page contains only a headline and optionally a teaser.

    `teaser_is_cut` means that the teaser ends in "…". `age_text` is the text of the age or date ("5 days ago"); without
    it, the date is the time of retrieval.
    """

    title: str
    teaser: str | None
    teaser_is_cut: bool
    date: PageDate
    age_text: str | None
    authors: tuple[str, ...] = ()

    @property
    def published_at(self) -> datetime:
        return self.date.at


@dataclass(slots=True)
class _Group:
    """Lines of posts, the details of the last one, and whether these contain a date."""

    lines: list[str] = field(default_factory=list)
    details: Details = field(default_factory=Details)


def split_recent(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the lines above and below the heading of the recent-posts list.

    Without such a heading, all lines are above. A line with the same words followed by a paragraph is a heading of the
    article.
    """
    for index, line in enumerate(lines):
        if _HEADING.fullmatch(line) and not any(map(is_sentence, lines[index + 1 : index + 2])):
            return lines[:index], [line for line in lines[index + 1 :] if not _HEADING.fullmatch(line)]
    return lines, ()


def parse_recent(
    lines: Sequence[str], retrieval: Retrieval
) -> tuple[tuple[ParsedTeaser, ...], tuple[str, ...]]:
    """Return the posts in the order of the list, each once, and a sentence for each guess.

    A line that cannot belong to a post is left out and reported as a guess; it is not an error.
    """
    guesses: list[str] = []
    post_lines: list[str] = []
    for line in lines:
        if is_footer(line):
            guesses.append(
                f'the line "{line}" below the recent posts was left out: it looks like the footer of the page'
            )
        else:
            post_lines.append(line)
    scanned = scan(_with_dates_apart(post_lines, retrieval), retrieval)
    groups = _groups(_pieces(list(scanned)), guesses)
    teasers_are_usual = _teasers_are_usual([group.lines for group in groups if group.details.date])
    missing = PageDate(retrieval.at, source=DateSource.MISSING)
    posts: dict[ParsedTeaser, None] = {}
    for group in groups:
        date = group.details.date
        *others, last = _entries(group.lines, teasers_are_usual=teasers_are_usual and date is not None)
        guesses += group.details.guesses
        for entry in others:
            posts[_post(*entry, missing)] = None
        posts[_post(*last, date or missing, group.details)] = None
    for post in posts:
        if len(post.title) > MAX_TITLE:
            guesses.append(
                f'the line "{shortened(post.title, 40)}" was left out: it is too long for a headline'
            )
        elif post.age_text is None:
            guesses.append(f'the recent post "{post.title}" has no date: published at the retrieval date')
    return tuple(post for post in posts if len(post.title) <= MAX_TITLE), tuple(dict.fromkeys(guesses))


def _with_dates_apart(lines: Sequence[str], retrieval: Retrieval) -> Sequence[str]:
    """Put dates and headlines on lines of their own if each headline has its date: "Old news (3d ago)"."""
    for separators, min_dated in ((_BARS, 1), (_SPACES, 2)):
        apart: list[str] = []
        for line in lines:
            title_and_date = _without_date(line, separators, retrieval)
            if title_and_date is None and not is_sentence(line):
                break
            apart += title_and_date or (line,)
        else:
            if len(apart) >= len(lines) + min_dated:
                return apart
    return lines


def _without_date(line: str, separators: re.Pattern[str], retrieval: Retrieval) -> tuple[str, str] | None:
    """Return the headline and the date of a line that contains both. Only a date with a year may come first."""
    if len(line) > 2 * MAX_TITLE:
        return None
    gaps = list(separators.finditer(line))
    for gap in gaps[-_MAX_PARTS:]:
        title, rest = line[: gap.start()], line[gap.end() :]
        is_part_of_headline = separators is _SPACES and (
            _JOINS.search(title) or rest.lower().startswith("on ") or not _YEAR_OR_AGO.search(rest)
        )
        if (
            not is_part_of_headline
            and _has_only_date(rest, retrieval)
            and read_details(title, retrieval) is None
        ):
            return title, rest
    for gap in reversed(gaps[:_MAX_PARTS]):
        rest, title = line[: gap.start()], line[gap.end() :]
        if _YEAR.search(rest) and _has_only_date(rest, retrieval) and read_details(title, retrieval) is None:
            return title, rest
    return None


def _has_only_date(text: str, retrieval: Retrieval) -> bool:
    details = read_details(text, retrieval)
    return details is not None and details.date is not None and not details.others


def _pieces(scanned: Sequence[ScannedLine]) -> list[str | Details]:
    """Return lines of posts and details in order. Details that follow one another belong together.

    A byline below a headline is its author. Below a date, it belongs to the post above, unless a date follows: then it
    is a headline ("By Popular Demand").
    """
    pieces: list[str | Details] = []
    for item, following in zip_longest(scanned, scanned[1:]):
        details, last = item.details, pieces[-1] if pieces else None
        is_below_date = not isinstance(last, str) and (last is None or last.date is not None)
        if details is None:
            pieces += item.lines
        elif details.is_empty:
            continue
        elif details.date is None and is_below_date and (last is None or _has_date(following)):
            pieces += item.lines
        elif isinstance(last, Details):
            last.add(details)
        else:
            pieces.append(details)
    return pieces


def _has_date(item: ScannedLine | None) -> bool:
    return item is not None and item.details is not None and item.details.date is not None


def _groups(pieces: Sequence[str | Details], guesses: list[str]) -> list[_Group]:
    """Return the lines with each date. The dates are below the posts, or, if the list begins with one, above them.

    A teaser can be below the date of its post.
    """
    is_date_first = (
        bool(pieces)
        and isinstance(pieces[0], Details)
        and pieces[0].date is not None
        and isinstance(pieces[-1], str)
    )
    groups = [_Group()]
    for piece, following in zip_longest(pieces, pieces[1:]):
        if isinstance(piece, str):
            is_teaser_below_date = (
                len(groups[-1].lines) == 1 and is_sentence(piece) and not isinstance(following, Details)
            )
            if groups[-1].details.date and not is_date_first and not is_teaser_below_date:
                groups.append(_Group())
            groups[-1].lines.append(piece)
        elif piece and piece.date and is_date_first:
            groups.append(_Group(details=piece))
        elif piece:
            groups[-1].details.add(piece)
    guesses += [
        f'the date "{group.details.date_text}" was left out: it has no headline'
        for group in groups
        if group.details.date and not group.lines
    ]
    return [group for group in groups if group.lines]


def _teasers_are_usual(groups: Sequence[Sequence[str]]) -> bool:
    with_teaser = sum(len(group) == 2 and is_sentence(group[1]) for group in groups)
    return with_teaser >= sum(len(group) == 1 for group in groups)


def _entries(group: Sequence[str], *, teasers_are_usual: bool) -> list[tuple[str, str | None]]:
    """Split the lines before a date into headlines and teasers; the date belongs to the last headline."""
    if len(group) == 2 and teasers_are_usual:
        return [(group[0], group[1])]
    entries: list[tuple[str, str | None]] = []
    for line in group:
        if entries and entries[-1][1] is None and is_sentence(line):
            entries[-1] = (entries[-1][0], line)
        else:
            entries.append((line, None))
    return entries


def _post(title: str, text: str | None, date: PageDate, details: Details | None = None) -> ParsedTeaser:
    teaser = derived_teaser(text, MAX_TEASER) if text else None
    return ParsedTeaser(
        title=title,
        teaser=teaser,
        teaser_is_cut=teaser is not None and is_cut(teaser),
        date=date,
        age_text=details.date_text if details else None,
        authors=details.authors if details else (),
    )
