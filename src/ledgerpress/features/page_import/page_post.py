"""A post of a page, and what an already imported post lacks of it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ledgerpress.features.page_import.import_session import IMPORTED
from ledgerpress.features.page_import.imported_post_lookup import DATE_GUESSED, ImportedPost
from ledgerpress.features.page_import.parser.page import ParsedArticle
from ledgerpress.features.page_import.parser.recent_posts import ParsedTeaser
from ledgerpress.features.page_import.report import Action, Kind, ReportEntry

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePost:
    """A post of a page. `published_at` is in microseconds since 1970, UTC."""

    kind: Kind
    title: str
    teaser: str | None = None
    body: str = ""
    categories: tuple[str, ...] = ()
    published_at: int
    date_is_guessed: bool

    @property
    def reason(self) -> str:
        """The recorded reason of its creation."""
        return DATE_GUESSED if self.date_is_guessed else IMPORTED

    def entry(self, found: ImportedPost, action: Action, note: str | None = None) -> ReportEntry:
        """Return the entry of the report for the post that was created or found."""
        content = found.post.content
        return ReportEntry(self.kind, content.title or self.title, action, content.slug, found.post.id, note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a page adds to a post that lacks it."""

    body: bool
    teaser: bool
    date: bool
    reason: str

    def __bool__(self) -> bool:
        """Return whether it adds anything."""
        return self.body or self.teaser or self.date


def completion(found: ImportedPost, page: PagePost) -> Completion:
    """Return what `page` adds to a post that only imports have changed.

    A date on the page replaces a guessed one; the date of an article replaces the one in an earlier list of posts.
    """
    content = found.post.content
    adds_body = bool(page.body) and not content.body
    knows_date = not page.date_is_guessed and (found.date_is_guessed or adds_body)
    return Completion(
        body=adds_body,
        teaser=bool(page.teaser) and content.teaser is None,
        date=knows_date and page.published_at != found.post.lifecycle.published_at,
        reason=DATE_GUESSED if found.date_is_guessed and not knows_date else IMPORTED,
    )


def from_article(article: ParsedArticle) -> PagePost:
    return PagePost(
        kind=Kind.ARTICLE,
        title=article.title,
        body=article.body_markdown,
        categories=article.categories,
        published_at=microseconds(article.published_at),
        date_is_guessed=article.published_at_guessed,
    )


def from_teaser(teaser: ParsedTeaser) -> PagePost:
    """Return an entry of the page's recent posts as a post."""
    return PagePost(
        kind=Kind.RECENT_POST,
        title=teaser.title,
        teaser=teaser.teaser,
        published_at=microseconds(teaser.published_at),
        date_is_guessed=teaser.age_text is None,
    )


def microseconds(time: datetime) -> int:
    """Return an aware time in microseconds since 1970, UTC."""
    return (time - _EPOCH) // timedelta(microseconds=1)
