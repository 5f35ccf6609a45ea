"""A pure parser of blog article pages that a scraper saved as plain text.

The parser works line by line: every line that is not empty is a headline, a heading, a paragraph or a list entry. It
reports each guess as a sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ledgerpress.features.page_import.parser.category_line import category_names, split_categories
from ledgerpress.features.page_import.parser.dates import PageDate, read_date
from ledgerpress.features.page_import.parser.headline_and_site_name import Head, read_head
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    ends_sentence,
    is_byline,
    is_lost_link,
    is_question_title,
    is_short_title,
    same,
    tidy_lines,
)
from ledgerpress.features.page_import.parser.recent_posts import ParsedTeaser, parse_recent, split_recent

_MARKUP: Final = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)
_SEE_MORE: Final = re.compile(r"see more (?P<name>.{1,100})", re.IGNORECASE)
_CATEGORIES_NEAR_TOP: Final = 5
_CATEGORIES_NEAR_END: Final = 3


class PageUnreadable(ValueError):
    """The text is not an article page; the message explains what is missing."""


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """The page's article. `published_at` is in UTC, and guessed if the page contains neither a date nor an age."""

    title: str
    body_markdown: str
    categories: tuple[str, ...]
    published_at: datetime
    published_at_guessed: bool


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The content of a page: its article, its recent posts in the page's order, and notes for a report.

    `links_without_target` contains whole lines, which are also in the body. `guesses` contains sentences.
    """

    site_name: str | None
    article: ParsedArticle
    recent: tuple[ParsedTeaser, ...]
    links_without_target: tuple[str, ...]
    guesses: tuple[str, ...]


def parse_page(text: str, retrieved_at: datetime) -> ParsedPage:
    """Parse a page that was saved at `retrieved_at`; ages on the page are relative to this time.

    If `retrieved_at` is midnight UTC, it is treated as a date without a time of day. Raises `PageUnreadable` for a page
    without a headline or text, and `ValueError` for a naive `retrieved_at`.
    """
    if retrieved_at.utcoffset() is None:
        raise ValueError("the time of retrieval needs a time zone")
    retrieved_at = retrieved_at.astimezone(UTC)
    if _MARKUP.match(text.removeprefix("\ufeff")):
        raise PageUnreadable("the page is HTML or XML; save it as plain text")
    lines = tidy_lines(text)
    if not lines:
        raise PageUnreadable("the page is empty")

    main, below = split_recent(lines)
    main, below, site_name = _take_site_name(main, below)
    main, categories, guesses = _take_categories(main)
    head = read_head(main)
    if head is None:
        raise PageUnreadable(
            "the page has no headline: its first line is missing, is a sentence, or is too long"
        )
    recent, recent_guesses = parse_recent(below, retrieved_at)
    when, body = _take_date(head.below, retrieved_at)
    if not body:
        raise PageUnreadable(f'the page has no text below its headline "{head.title}"')

    own = next((post for post in recent if same(post.title, head.title)), None)
    if when is None and own is not None and own.age_text is not None:
        when = PageDate(own.published_at)
    body_markdown, body_guesses = _markdown(body)
    return ParsedPage(
        site_name=site_name or head.site_name,
        article=ParsedArticle(
            title=head.title,
            body_markdown=body_markdown,
            categories=categories,
            published_at=when.at if when else retrieved_at,
            published_at_guessed=when is None,
        ),
        recent=tuple(post for post in recent if post is not own),
        links_without_target=tuple(line for line in body if is_lost_link(line)),
        guesses=(
            *guesses,
            *_head_guesses(head, site_name),
            *_date_guesses(when, own),
            *body_guesses,
            *recent_guesses,
        ),
    )


def _take_site_name(
    main: Sequence[str], below: Sequence[str]
) -> tuple[Sequence[str], Sequence[str], str | None]:
    """Remove the "See more NAME" line, the last line of the article or of the list, and return the name."""
    for lines in (main, below):
        match = _SEE_MORE.fullmatch(lines[-1]) if lines else None
        if match and not ends_sentence(lines[-1]):
            return (main[:-1], below, match["name"]) if lines is main else (main, below[:-1], match["name"])
    return main, below, None


def _take_categories(lines: Sequence[str]) -> tuple[Sequence[str], tuple[str, ...], tuple[str, ...]]:
    """Remove the category line, which is near the top or the end of the article, and return its categories."""
    for index, line in enumerate(lines):
        if _CATEGORIES_NEAR_TOP <= index < len(lines) - _CATEGORIES_NEAR_END:
            continue
        names = category_names(line)
        if names is not None:
            return [*lines[:index], *lines[index + 1 :]], *split_categories(names)
    return lines, (), ()


def _take_date(lines: Sequence[str], retrieved_at: datetime) -> tuple[PageDate | None, Sequence[str]]:
    when = read_date(lines[0], retrieved_at) if lines else None
    return (when, lines[1:]) if when else (None, lines)


def _markdown(lines: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the body as Markdown: a short title before a paragraph becomes a level 2 heading, the rest paragraphs."""
    blocks: list[str] = []
    guesses: list[str] = []
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        is_question = is_question_title(line, following)
        if is_question:
            guesses.append(f'the question "{line}" was treated as a heading')
        if is_question or (_heads(line, following) and not (index == 0 and is_byline(line))):
            blocks.append(_heading(line))
        else:
            blocks.append(_paragraph(line))
    return "\n\n".join(blocks), tuple(guesses)


def _heads(line: str, following: str) -> bool:
    return is_short_title(line) and following != "" and not is_short_title(following)


def _head_guesses(head: Head, site_name: str | None) -> tuple[str, ...]:
    above = tuple(f'the line "{line}" above the headline was left out' for line in head.above)
    if head.site_name and not site_name:
        return (*above, f'the site name "{head.site_name}" was read from the browser title')
    return above


def _date_guesses(when: PageDate | None, own: ParsedTeaser | None) -> tuple[str, ...]:
    guesses = []
    if own is not None:
        guesses.append(f'the recent post "{own.title}" is the article itself and was imported only once')
    if when is None:
        guesses.append("the page gives no date for the article: published at the retrieval date")
    elif when.guess:
        guesses.append(when.guess)
    return tuple(guesses)


# Characters that can be markup anywhere. An underscore between letters is never markup.
_ANYWHERE: Final = re.compile(r"[\\`*\[~]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# The beginning of a block: a heading, a quotation, a list, a rule. `_ANYWHERE` covers a star.
_BLOCK: Final = re.compile(r"#{1,6}(?=\s|$)|>|[-+](?=[\s-]|$)")
_NUMBERED: Final = re.compile(r"([0-9]{1,9})([.)])(?=\s|$)")
_CLOSING_HASHES: Final = re.compile(r"(?<!\S)#+$")


def _paragraph(line: str) -> str:
    """Return a line of plain text as a Markdown paragraph."""
    escaped = _inline(line)
    numbered = _NUMBERED.match(escaped)
    if numbered:
        return rf"{numbered[1]}\{numbered[2]}{escaped[numbered.end() :]}"
    return rf"\{escaped}" if _BLOCK.match(escaped) else escaped


def _heading(line: str, level: int = 2) -> str:
    """Return a line of plain text as a Markdown heading of level 1 to 6."""
    closed = _CLOSING_HASHES.sub(lambda hashes: r"\#" * len(hashes[0]), _inline(line))
    return f"{'#' * level} {closed}"


def _inline(line: str) -> str:
    return _ANYWHERE.sub(r"\\\g<0>", line)
