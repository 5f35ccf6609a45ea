"""A pure parser of blog article pages that a scraper saved as plain text.

The parser works line by line: every line that is not empty is a headline, a heading, a paragraph or a list entry. It
reports each guess as a sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from ledgerpress.features.page_import.parser.article_check import missing_from
from ledgerpress.features.page_import.parser.body_markdown import markdown
from ledgerpress.features.page_import.parser.category_line import category_names, split_categories
from ledgerpress.features.page_import.parser.dates import DateSource, PageDate, Retrieval, order_of_digits
from ledgerpress.features.page_import.parser.details_line import Details
from ledgerpress.features.page_import.parser.headline_and_site_name import Head, read_head
from ledgerpress.features.page_import.parser.line_cleaning_and_classification import (
    ends_sentence,
    is_lost_link,
    same,
    tidy_lines,
)
from ledgerpress.features.page_import.parser.page_details import take_details, without_details_above
from ledgerpress.features.page_import.parser.recent_posts import ParsedTeaser, parse_recent, split_recent

_MARKUP: Final = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)
_SEE_MORE: Final = re.compile(r"see more (?P<name>.{1,100})", re.IGNORECASE)
_CATEGORIES_NEAR_TOP: Final = 5
_CATEGORIES_NEAR_END: Final = 3


class PageUnreadable(ValueError):
    """The text cannot be imported; the message explains what is missing."""


class NotAnArticlePage(PageUnreadable):
    """The text does not look like an article page. It can be imported with force."""


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """The page's article. If the page contains neither a date nor an age, its date is that of the retrieval."""

    title: str
    body_markdown: str
    categories: tuple[str, ...]
    authors: tuple[str, ...]
    date: PageDate

    @property
    def published_at(self) -> datetime:
        return self.date.at


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


def parse_page(
    text: str,
    retrieved_at: datetime,
    *,
    zone: tzinfo = UTC,
    day_first: bool | None = None,
    force: bool = False,
) -> ParsedPage:
    """Parse a page that was saved at `retrieved_at`; ages on the page are relative to this time.

    `zone` is the zone of dates and times on the page that have none. If `retrieved_at` is midnight there, it is treated
    as a date without a time of day. `day_first` states whether 5/12/2024 is
    in December; by default, the other dates on the page decide. Raises `PageUnreadable` for a page without a headline
    or text, `NotAnArticlePage` for other text unless `force`, and `ValueError` for a naive `retrieved_at`.
    """
    if retrieved_at.utcoffset() is None:
        raise ValueError("the time of retrieval needs a time zone")
    if _MARKUP.match(text.removeprefix("\ufeff")):
        raise PageUnreadable("the page is HTML or XML; save it as plain text")
    lines = tidy_lines(text)
    if not lines:
        raise PageUnreadable("the page is empty")
    if day_first is None:
        day_first = order_of_digits(lines)
    retrieval = Retrieval(retrieved_at.astimezone(UTC), day_first, zone)

    main, below = split_recent(lines)
    main, below, site_name = _take_site_name(main, below)
    main, categories, guesses = _take_categories(main)
    head = _read_head(main, retrieval)
    details, above, body = take_details(head.above, head.below, retrieval)
    if not body:
        raise PageUnreadable(f'the page has no text below its headline "{head.title}"')
    missing = list(missing_from(head.title, body, title_is_certain=head.is_repeated))
    if missing and not force:
        raise NotAnArticlePage(f"not an article page; it lacks {'; and '.join(missing)}")

    recent, recent_guesses = parse_recent(below, retrieval)
    own = next((post for post in recent if _is_own(post, head.title, details.date)), None)
    date, date_guesses = _date(details, own, retrieval)
    body_markdown, body_guesses = markdown(body)
    return ParsedPage(
        site_name=site_name or head.site_name,
        article=ParsedArticle(
            title=head.title,
            body_markdown=body_markdown,
            categories=categories,
            authors=details.authors or (own.authors if own else ()),
            date=date,
        ),
        recent=tuple(post for post in recent if post is not own),
        links_without_target=tuple(line for line in body if is_lost_link(line)),
        guesses=(
            *guesses,
            *_head_guesses(head, above, site_name),
            *date_guesses,
            *body_guesses,
            *recent_guesses,
        ),
    )


def _read_head(lines: Sequence[str], retrieval: Retrieval) -> Head:
    head = read_head(lines)
    if head is None or not head.is_repeated:
        rest = without_details_above(lines, retrieval)
        below_details = read_head(rest) if rest else None
        if rest and below_details:
            return replace(below_details, above=(*lines[: len(lines) - len(rest)], *below_details.above))
    if head is None:
        raise PageUnreadable(
            "the page has no headline: its first line is missing, is a sentence, or is too long"
        )
    return head


def _is_own(post: ParsedTeaser, title: str, date: PageDate | None) -> bool:
    """Return whether an entry of the list is the article itself: with its headline, and if both have dates, its date."""
    if not same(post.title, title):
        return False
    if date is None or date.source is not DateSource.CALENDAR or post.date.is_guessed:
        return True
    return post.date.at - post.date.precision <= date.at <= post.date.at + timedelta(days=1)


def _date(
    details: Details, own: ParsedTeaser | None, retrieval: Retrieval
) -> tuple[PageDate, tuple[str, ...]]:
    """Return the date of the article, and a sentence for each guess about it."""
    guesses = []
    if own is not None:
        guesses.append(f'the recent post "{own.title}" is the article itself and was imported only once')
    date = details.date
    if (date is None or date.is_guessed) and own is not None and not own.date.is_guessed:
        return own.date, tuple(guesses)
    if date is None:
        guesses.append("the page gives no date for the article: published at the retrieval date")
    return date or PageDate(retrieval.at, source=DateSource.MISSING), (*guesses, *details.guesses)


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


def _head_guesses(head: Head, above: Sequence[str], site_name: str | None) -> tuple[str, ...]:
    left_out = tuple(f'the line "{line}" above the headline was left out' for line in above)
    if head.site_name and not site_name:
        return (*left_out, f'the site name "{head.site_name}" was read from the browser title')
    return left_out
