"""Import a parsed page into the store, with the same commands that editors use.

An import only adds. It creates what is missing, and completes a post that only imports have changed: with a body, a
teaser, or a known date instead of a guessed one. Whatever an editor has changed stays as it is. So the same page imported
again records nothing.
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


async def import_page(
    store: OpenStore, page: ParsedPage, *, retrieved_at: datetime, dry_run: bool = False
) -> ImportReport:
    """Import a page and report what was done; with `dry_run`, what would be done.

    `retrieved_at` is the aware time that the page was parsed with. Raises `Rejection`, before anything is recorded,
    for a retrieval in the future and for text beyond the limits.
    """
    _check(page, retrieved_at, now=store.clock.now())
    correlation_id = uuid8(store.log.publication, IMPORTER.id, post_key(page.article.title, 1))
    session = ImportSession(store, correlation_id, dry_run=dry_run)
    posts = _PostImport(session, ImportedPosts(store))

    entries = [await session.site(page.site_name)] if page.site_name else []
    # Of posts with equal times, the one created last is listed first.
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
        """Create the post, complete it, or leave it; try again if it changes meanwhile."""
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            key, found = await self._imported.find(page.title, page.teaser, others=self._keys)
            try:
                entries = await (self._create(page, key) if found is None else self._update(page, found))
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

    async def _update(self, page: PagePost, found: ImportedPost) -> Sequence[ReportEntry]:
        """Decide what becomes of a post that is there."""
        if not found.is_untouched:
            return (page.entry(found, Action.KEPT, "it was changed here since it was imported"),)
        if completion(found, page):
            return *await self._complete(page, found), page.entry(found, Action.COMPLETED)
        if page.body in {"", found.post.content.body}:
            return (page.entry(found, Action.UNCHANGED),)
        return (page.entry(found, Action.KEPT, "its text on the page is not the one that was imported"),)

    async def _complete(self, page: PagePost, found: ImportedPost) -> Sequence[ReportEntry]:
        """Add what the post lacks, the text last: after an interruption before that, everything is done again."""
        missing, post_id = completion(found, page), found.post.id
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
        found = await self._imported.load(post_id)
        if not found.is_untouched:
            raise Rejection(ErrorCode.VERSION_CONFLICT, "The post was changed meanwhile.")
        await self._session.handle(command, reason=reason, expected_version=found.version)

    async def _categories(self, page: PagePost) -> tuple[Sequence[ReportEntry], tuple[CategoryRef, ...]]:
        entries = [await self._session.category(name) for name in page.categories]
        return entries, tuple(CategoryRef(id=entry.id) for entry in entries if entry.id is not None)


def _check(page: ParsedPage, retrieved_at: datetime, *, now: int) -> None:
    """Raise `Rejection` for what a later command would reject, so that no import stops half-way."""
    posts = [from_article(page.article), *map(from_teaser, page.recent)]
    if max(microseconds(retrieved_at), *(post.published_at for post in posts)) > now:
        message = f"{retrieved_at.isoformat()} lies in the future; a page was retrieved in the past."
        raise Rejection(PUBLISHED_AT_IN_FUTURE, message, field=("retrievedAt",))
    if page.site_name:
        text_rules.line(page.site_name, field="siteName", limit=text_rules.MAX_NAME)
    for name in page.article.categories:
        text_rules.line(name, field="category", limit=text_rules.MAX_NAME)
    for post in posts:
        text_rules.line(post.title, field="title", limit=text_rules.MAX_TITLE)
        text_rules.optional_text(post.teaser, field="teaser", limit=text_rules.MAX_TEASER)
        text_rules.body(post.body)
