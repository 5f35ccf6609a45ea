"""A post of a page, with the values that an import gives it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ledgerpress.features.page_import.idempotent_import_commands import IMPORTED
from ledgerpress.features.page_import.parser.dates import DateSource, PageDate
from ledgerpress.features.page_import.parser.page import ParsedArticle
from ledgerpress.features.page_import.parser.recent_posts import ParsedTeaser
from ledgerpress.features.page_import.report import Kind

DATE_GUESSED: Final = "imported from a saved page; it gives no date, so that of its retrieval was taken"
"""The recorded reason of a publication with the date of retrieval. It MUST never change: imports compare with it."""
DATE_UNCERTAIN: Final = "imported from a saved page; its date is uncertain"
"""The recorded reason of a publication with an uncertain date. It MUST never change: imports compare with it."""

_REASONS: Final = {DateSource.MISSING: DATE_GUESSED, DateSource.UNCERTAIN: DATE_UNCERTAIN}
_KNOWN: Final = 2
_CERTAINTY: Final = {DATE_GUESSED: 0, DATE_UNCERTAIN: 1}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePost:
    """A post of a page. An entry of the page's recent posts has no body."""

    kind: Kind
    title: str
    teaser: str | None = None
    body: str = ""
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...]
    date: PageDate

    @property
    def published_at(self) -> int:
        """The date in microseconds since 1970, UTC."""
        return microseconds(self.date.at)

    @property
    def reason(self) -> str:
        """The recorded reason of the post's creation."""
        return _REASONS.get(self.date.source, IMPORTED)


def from_article(article: ParsedArticle) -> PagePost:
    return PagePost(
        kind=Kind.ARTICLE,
        title=article.title,
        body=article.body_markdown,
        categories=article.categories,
        authors=article.authors,
        date=article.date,
    )


def from_teaser(teaser: ParsedTeaser) -> PagePost:
    """Return an entry of the page's recent posts as a post."""
    return PagePost(
        kind=Kind.RECENT_POST,
        title=teaser.title,
        teaser=teaser.teaser,
        authors=teaser.authors,
        date=teaser.date,
    )


def certainty(reason: str | None) -> int:
    """Return a number that is greater the more certain a date with this recorded reason is."""
    return _CERTAINTY.get(reason or "", _KNOWN)


def is_known(reason: str | None) -> bool:
    """Return whether a date with this recorded reason was on a page."""
    return certainty(reason) == _KNOWN


def microseconds(time: datetime) -> int:
    """Return an aware time in microseconds since 1970, UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)
