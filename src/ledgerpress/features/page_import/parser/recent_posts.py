"""The recent-posts list of a scraped page: headlines, teasers and ages, each on a line of its own.

Teasers and ages are optional.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledgerpress.commands.text_rules import MAX_TEASER, MAX_TITLE
from ledgerpress.features.page_import.parser.dates import PageDate, read_date
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    is_cut,
    is_footer,
    is_sentence,
)
from ledgerpress.features.posts.body.plain_text import derived_teaser
from ledgerpress.grapheme_clusters import shortened

_HEADING: Final = re.compile(r"(?:recent|latest) (?:posts|articles|stories)\s*:?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedTeaser:
    """A post of which the page contains only a headline and optionally a teaser.

    `teaser_is_cut` means that the teaser ends in "…". `age_text` is the line with the age or date ("5 days ago");
    without it, `published_at` (UTC) is the time of retrieval.
    """

    title: str
    teaser: str | None
    teaser_is_cut: bool
    published_at: datetime
    age_text: str | None


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
    lines: Sequence[str], retrieved_at: datetime
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
    groups = list(_groups(post_lines, retrieved_at))
    teasers_are_usual = _teasers_are_usual([group for group, _, when in groups if when])
    posts: dict[ParsedTeaser, None] = {}
    for group, age_text, when in groups:
        *others, last = _entries(group, teasers_are_usual=teasers_are_usual and when is not None)
        if when and when.guess:
            guesses.append(when.guess)
        for entry in others:
            posts[_post(*entry, None, PageDate(retrieved_at))] = None
        posts[_post(*last, age_text, when or PageDate(retrieved_at))] = None
    for post in posts:
        if len(post.title) > MAX_TITLE:
            guesses.append(
                f'the line "{shortened(post.title, 40)}" was left out: it is too long for a headline'
            )
        elif post.age_text is None:
            guesses.append(f'the recent post "{post.title}" has no date: published at the retrieval date')
    return tuple(post for post in posts if len(post.title) <= MAX_TITLE), tuple(dict.fromkeys(guesses))


def _groups(
    lines: Sequence[str], retrieved_at: datetime
) -> Iterator[tuple[list[str], str | None, PageDate | None]]:
    """Yield the lines before each line with a date, that line, and its time; finally the remaining undated lines."""
    group: list[str] = []
    for line in lines:
        when = read_date(line, retrieved_at)
        if when is None:
            group.append(line)
        elif group:
            yield group, line, when
            group = []
    if group:
        yield group, None, None


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


def _post(title: str, text: str | None, age_text: str | None, when: PageDate) -> ParsedTeaser:
    teaser = derived_teaser(text, MAX_TEASER) if text else None
    return ParsedTeaser(title, teaser, teaser is not None and is_cut(teaser), when.at, age_text)
