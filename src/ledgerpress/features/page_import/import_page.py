"""Import a parsed page into the store, with the same commands that editors use.

An import only adds. It creates missing posts, categories and authors. It completes a post that only imports have
changed: with a body, a teaser, authors, or a more certain date. Posts that an editor has changed stay as they are. Importing
the same page again records nothing.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.page_import.idempotent_import_commands import IMPORTED, ImportSession, OpenStore
from ledgerpress.features.page_import.imported_post_lookup import ImportedPost, ImportedPosts, post_key
from ledgerpress.features.page_import.page_post import (
    PagePost,
    certainty,
    from_article,
    from_teaser,
    is_known,
    microseconds,
)
from ledgerpress.features.page_import.parser.page import ParsedPage
from ledgerpress.features.page_import.report import TEXT_DIFFERS, Action, ImportReport, ReportEntry
from ledgerpress.features.posts.create_edit_categorize_commands import CategorizePost, CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost
from ledgerpress.features.posts.model import PUBLISHED_AT_IN_FUTURE

_MAX_ATTEMPTS: Final = 3
_CHANGED_MEANWHILE: Final = {ErrorCode.VERSION_CONFLICT, ErrorCode.IDEMPOTENCY_KEY_REUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """The parts that a page adds to a post, and the recorded reason."""

    body: bool
    teaser: bool
    authors: bool
    date: bool
    reason: str

    def __bool__(self) -> bool:
        """Return whether the page adds anything."""
        return self.body or self.teaser or self.authors or self.date


def completion(imported: ImportedPost, page: PagePost) -> Completion:
    """Return the parts that `page` adds to a post that only imports have changed.

    A date on the page replaces a less certain one. The date of an article also replaces a date from a list of recent
    posts. Authors are added only together with the text, or if the page has the text of the post.
    """
    content = imported.post.content
    adds_body = bool(page.body) and not content.body
    page_certainty, imported_certainty = certainty(page.reason), certainty(imported.date_reason)
    has_better_date = page_certainty > imported_certainty or (adds_body and is_known(page.reason))
    return Completion(
        body=adds_body,
        teaser=bool(page.teaser) and content.teaser is None,
        authors=bool(page.authors) and not content.author_ids and (adds_body or content.body == page.body),
        date=has_better_date and page.published_at != imported.post.lifecycle.published_at,
        reason=(page.reason if has_better_date else imported.date_reason) or IMPORTED,
    )


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
    article = from_article(page.article)
    async with posts.reserved_for(article):
        recent = [
            entry
            for teaser in reversed(page.recent)
            for entry in await posts.import_post(from_teaser(teaser))
        ]
    entries += [*await posts.import_post(article), *reversed(recent)]
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

    @asynccontextmanager
    async def reserved_for(self, page: PagePost) -> AsyncIterator[None]:
        """Keep the imported post that `page` is, if any, from being taken for another post with the same headline."""
        key, imported = await self._imported.find(page, others=self._keys)
        reserved = frozenset({key} if imported else ())
        self._keys |= reserved
        yield
        self._keys -= reserved

    async def import_post(self, page: PagePost) -> Sequence[ReportEntry]:
        """Create the post, complete it or leave it unchanged; retry if it changes in the meantime."""
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            key, imported = await self._imported.find(page, others=self._keys)
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
        categories, refs = await self._categories(page)
        authors, author_ids = await self._authors(page)
        entries = (*categories, *authors)
        command = CreatePost(
            title=page.title,
            body=page.body,
            teaser=page.teaser,
            author_ids=author_ids,
            categories=refs,
            publish=True,
            published_at=page.published_at,
        )
        result = await self._session.handle(command, key=key, reason=page.reason)
        if result is None:
            return *entries, ReportEntry(page.kind, page.title, Action.MADE)
        return *entries, _entry(page, await self._imported.load(result.subject_id), Action.MADE)

    async def _update(self, page: PagePost, imported: ImportedPost) -> Sequence[ReportEntry]:
        """Complete an existing post, or report why it stays unchanged."""
        if not imported.is_untouched:
            return (_entry(page, imported, Action.KEPT, "it was changed here after the import"),)
        if completion(imported, page):
            return *await self._complete(page, imported), _entry(page, imported, Action.COMPLETED)
        if page.body in {"", imported.post.content.body}:
            return (_entry(page, imported, Action.UNCHANGED),)
        return (_entry(page, imported, Action.KEPT, TEXT_DIFFERS),)

    async def _complete(self, page: PagePost, imported: ImportedPost) -> Sequence[ReportEntry]:
        """Add the parts that the post lacks, the text last, so that an interrupted import repeats all steps."""
        missing, post_id = completion(imported, page), imported.post.id
        categories, refs = await self._categories(page) if missing.body else ((), ())
        authors, author_ids = await self._authors(page) if missing.authors else ((), ())
        for ref in refs:
            await self._session.handle(CategorizePost(post_id=post_id, category=ref))
        if missing.date:
            await self._change(
                PublishPost(post_id=post_id, published_at=page.published_at), post_id, page.reason
            )
        if missing.body or missing.teaser or missing.authors:
            edit = EditPost(
                post_id=post_id,
                body=page.body if missing.body else UNSET,
                teaser=page.teaser if missing.teaser else UNSET,
                author_ids=author_ids if missing.authors else UNSET,
                publish=True,
            )
            await self._change(edit, post_id, missing.reason)
        return *categories, *authors

    async def _change(self, command: Command, post_id: str, reason: str) -> None:
        """Change a post that only imports have changed. Raises `Rejection` if an editor has changed it."""
        imported = await self._imported.load(post_id)
        if not imported.is_untouched:
            raise Rejection(ErrorCode.VERSION_CONFLICT, "The post was changed during the import.")
        await self._session.handle(command, reason=reason, expected_version=imported.version)

    async def _categories(self, page: PagePost) -> tuple[Sequence[ReportEntry], tuple[CategoryRef, ...]]:
        entries = [await self._session.category(name) for name in page.categories]
        return entries, tuple(CategoryRef(id=entry.id) for entry in entries if entry.id is not None)

    async def _authors(self, page: PagePost) -> tuple[Sequence[ReportEntry], tuple[str, ...]]:
        entries = [await self._session.author(name) for name in page.authors]
        return entries, tuple(entry.id for entry in entries if entry.id is not None)


def _entry(page: PagePost, imported: ImportedPost, action: Action, note: str | None = None) -> ReportEntry:
    """Return the report entry for a post in the store."""
    content = imported.post.content
    return ReportEntry(page.kind, content.title or page.title, action, content.slug, imported.post.id, note)


def _check(page: ParsedPage, retrieved_at: datetime, *, now: int) -> None:
    """Raise `Rejection` for values that a command would reject, so that no import stops half-way."""
    posts = [from_article(page.article), *map(from_teaser, page.recent)]
    latest = max(retrieved_at, *(post.date.at for post in posts))
    if microseconds(latest) > now:
        message = f"{latest.isoformat()} is in the future; set a time of retrieval in the past."
        raise Rejection(PUBLISHED_AT_IN_FUTURE, message, field=("retrievedAt",))
    if page.site_name:
        text_rules.line(page.site_name, field="siteName", limit=text_rules.MAX_NAME)
    for name in page.article.categories:
        text_rules.line(name, field="category", limit=text_rules.MAX_NAME)
    for name in (author for post in posts for author in post.authors):
        text_rules.line(name, field="author", limit=text_rules.MAX_NAME)
    for post in posts:
        text_rules.line(post.title, field="title", limit=text_rules.MAX_TITLE)
        text_rules.optional_text(post.teaser, field="teaser", limit=text_rules.MAX_TEASER)
        text_rules.body(post.body)
