"""Import a parsed page into the store, with the same commands that editors use.

An import only adds. It creates missing posts and categories. It completes a post that only imports have changed: with a
body, a teaser, or a known date instead of a guessed one. Posts that an editor has changed stay as they are. Importing
the same page again records nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.page_import.idempotent_import_commands import IMPORTED, ImportSession, OpenStore
from ledgerpress.features.page_import.imported_post_lookup import (
    DATE_GUESSED,
    ImportedPost,
    ImportedPosts,
    post_key,
)
from ledgerpress.features.page_import.parser.page import ParsedArticle, ParsedPage
from ledgerpress.features.page_import.parser.recent_posts import ParsedTeaser
from ledgerpress.features.page_import.report import Action, ImportReport, Kind, ReportEntry
from ledgerpress.features.posts.create_edit_categorize_commands import CategorizePost, CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost
from ledgerpress.features.posts.model import PUBLISHED_AT_IN_FUTURE

_MAX_ATTEMPTS: Final = 3
_CHANGED_MEANWHILE: Final = {ErrorCode.VERSION_CONFLICT, ErrorCode.IDEMPOTENCY_KEY_REUSED}
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
        """The recorded reason of the post's creation."""
        return DATE_GUESSED if self.date_is_guessed else IMPORTED

    def entry(self, imported: ImportedPost, action: Action, note: str | None = None) -> ReportEntry:
        """Return the report entry for the post in the store."""
        content = imported.post.content
        title = content.title or self.title
        return ReportEntry(self.kind, title, action, content.slug, imported.post.id, note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The parts that a page adds to a post, and the recorded reason."""

    body: bool
    teaser: bool
    date: bool
    reason: str

    def __bool__(self) -> bool:
        """Return whether the page adds anything."""
        return self.body or self.teaser or self.date


def completion(imported: ImportedPost, page: PagePost) -> Completion:
    """Return the parts that `page` adds to a post that only imports have changed.

    A date on the page replaces a guessed date. The date of an article also replaces a date from a list of recent posts.
    """
    content = imported.post.content
    adds_body = bool(page.body) and not content.body
    knows_date = not page.date_is_guessed and (imported.date_is_guessed or adds_body)
    return Completion(
        body=adds_body,
        teaser=bool(page.teaser) and content.teaser is None,
        date=knows_date and page.published_at != imported.post.lifecycle.published_at,
        reason=DATE_GUESSED if imported.date_is_guessed and not knows_date else IMPORTED,
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


async def import_page(
    store: OpenStore, page: ParsedPage, *, retrieved_at: datetime, dry_run: bool = False
) -> ImportReport:
    """Import a page and return a report; with `dry_run`, record nothing and report what an import would do.

    `retrieved_at` is the aware time with which the page was parsed. Raises `Rejection`, before anything is recorded, if
    it is in the future or if a text exceeds its limit.
    """
    _check(page, retrieved_at, now=store.clock.now())
    correlation_id = uuid8(store.log.publication, IMPORTER.id, post_key(page.article.title, 1))
    session = ImportSession(store, correlation_id, dry_run=dry_run)
    posts = _PostImport(session, ImportedPosts(store))

    entries = [await session.site(page.site_name)] if page.site_name else []
    # Lists show posts with equal times in reverse order of creation, so the last recent post is created first.
    recent = [
        entry for teaser in reversed(page.recent) for entry in await posts.import_post(from_teaser(teaser))
    ]
    entries += [*await posts.import_post(from_article(page.article)), *reversed(recent)]
    done = {Action.MADE, Action.COMPLETED}
    return ImportReport(
        dry_run=dry_run,
        made=tuple(entry for entry in entries if entry.action in done),
        unchanged=tuple(entry for entry in entries if entry.action not in done),
        guessed=page.guesses,
        links_without_target=page.links_without_target,
    )


class _PostImport:
    """Imports the posts of one page, each with its categories."""

    def __init__(self, session: ImportSession, imported: ImportedPosts) -> None:
        self._session = session
        self._imported = imported
        self._keys: frozenset[str] = frozenset()

    async def import_post(self, page: PagePost) -> Sequence[ReportEntry]:
        """Create the post, complete it or leave it unchanged; retry if it changes in the meantime."""
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            key, imported = await self._imported.find(page.title, page.teaser, others=self._keys)
            try:
                entries = await (
                    self._create(page, key) if imported is None else self._update(page, imported)
                )
            except Rejection as rejection:
                if rejection.code not in _CHANGED_MEANWHILE or attempt == _MAX_ATTEMPTS:
                    raise
            else:
                self._keys |= {key}
                return entries
        raise AssertionError("unreachable")

    async def _create(self, page: PagePost, key: str) -> Sequence[ReportEntry]:
        entries, refs = await self._categories(page)
        command = CreatePost(
            title=page.title,
            body=page.body,
            teaser=page.teaser,
            categories=refs,
            publish=True,
            published_at=page.published_at,
        )
        result = await self._session.handle(command, key=key, reason=page.reason)
        if result is None:
            return *entries, ReportEntry(page.kind, page.title, Action.MADE)
        return *entries, page.entry(await self._imported.load(result.subject_id), Action.MADE)

    async def _update(self, page: PagePost, imported: ImportedPost) -> Sequence[ReportEntry]:
        """Complete an existing post, or report why it stays unchanged."""
        if not imported.is_untouched:
            return (page.entry(imported, Action.KEPT, "it was changed here after the import"),)
        if completion(imported, page):
            return *await self._complete(page, imported), page.entry(imported, Action.COMPLETED)
        if page.body in {"", imported.post.content.body}:
            return (page.entry(imported, Action.UNCHANGED),)
        return (page.entry(imported, Action.KEPT, "its text on the page differs from the imported text"),)

    async def _complete(self, page: PagePost, imported: ImportedPost) -> Sequence[ReportEntry]:
        """Add the parts that the post lacks, the text last, so that an interrupted import repeats all steps."""
        missing, post_id = completion(imported, page), imported.post.id
        entries, refs = await self._categories(page) if missing.body else ((), ())
        for ref in refs:
            await self._session.handle(CategorizePost(post_id=post_id, category=ref))
        if missing.date:
            await self._change(
                PublishPost(post_id=post_id, published_at=page.published_at), post_id, IMPORTED
            )
        if missing.body or missing.teaser:
            edit = EditPost(
                post_id=post_id,
                body=page.body if missing.body else UNSET,
                teaser=page.teaser if missing.teaser else UNSET,
                publish=True,
            )
            await self._change(edit, post_id, missing.reason)
        return entries

    async def _change(self, command: Command, post_id: str, reason: str) -> None:
        """Change a post that only imports have changed. Raises `Rejection` if an editor has changed it."""
        imported = await self._imported.load(post_id)
        if not imported.is_untouched:
            raise Rejection(ErrorCode.VERSION_CONFLICT, "The post was changed during the import.")
        await self._session.handle(command, reason=reason, expected_version=imported.version)

    async def _categories(self, page: PagePost) -> tuple[Sequence[ReportEntry], tuple[CategoryRef, ...]]:
        entries = [await self._session.category(name) for name in page.categories]
        return entries, tuple(CategoryRef(id=entry.id) for entry in entries if entry.id is not None)


def _check(page: ParsedPage, retrieved_at: datetime, *, now: int) -> None:
    """Raise `Rejection` for values that a command would reject, so that no import stops half-way."""
    posts = [from_article(page.article), *map(from_teaser, page.recent)]
    if max(microseconds(retrieved_at), *(post.published_at for post in posts)) > now:
        message = f"{retrieved_at.isoformat()} is in the future; set a time of retrieval in the past."
        raise Rejection(PUBLISHED_AT_IN_FUTURE, message, field=("retrievedAt",))
    if page.site_name:
        text_rules.line(page.site_name, field="siteName", limit=text_rules.MAX_NAME)
    for name in page.article.categories:
        text_rules.line(name, field="category", limit=text_rules.MAX_NAME)
    for post in posts:
        text_rules.line(post.title, field="title", limit=text_rules.MAX_TITLE)
        text_rules.optional_text(post.teaser, field="teaser", limit=text_rules.MAX_TEASER)
        text_rules.body(post.body)
