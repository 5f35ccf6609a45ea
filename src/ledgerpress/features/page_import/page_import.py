"""Carries a parsed page into the store, through the same commands that editors use.

An import adds and never takes back. It makes what is not there, and completes a post that only imports have touched
with what it lacks: a body, a teaser, a date that is known rather than guessed. Whatever an editor has changed, and
whatever is there already, stays as it is. So the same page imported again records nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.declarations import Command
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.page_import.import_session import IMPORTED, ImportSession, OpenStore
from ledgerpress.features.page_import.imported_posts import ImportedPost, ImportedPosts, post_key
from ledgerpress.features.page_import.parser.page import ParsedPage
from ledgerpress.features.page_import.parser.page_posts import (
    PagePost,
    completion,
    from_article,
    from_teaser,
    microseconds,
)
from ledgerpress.features.page_import.report import Action, ImportReport, ReportEntry
from ledgerpress.features.posts.commands import CategorizePost, CreatePost, EditPost, PublishPost
from ledgerpress.features.posts.model import PUBLISHED_AT_IN_FUTURE

_ATTEMPTS: Final = 3
_CHANGED_MEANWHILE: Final = {ErrorCode.VERSION_CONFLICT, ErrorCode.IDEMPOTENCY_KEY_REUSED}


async def import_page(
    store: OpenStore, page: ParsedPage, *, retrieved_at: datetime, dry_run: bool = False
) -> ImportReport:
    """Bring a page into the store and report what was done; with `dry_run`, what would be done.

    `retrieved_at` is the aware time that the page was parsed with. Raises `Rejection`, before anything is recorded,
    for a retrieval in the future and for text beyond the limits.
    """
    _check(page, retrieved_at, now=store.clock.now())
    correlation_id = uuid8(store.log.publication, IMPORTER.id, post_key(page.article.title, 1))
    session = ImportSession(store, correlation_id, dry_run=dry_run)
    posts = _PostImport(session, ImportedPosts(store))

    entries = [await session.site(page.site_name)] if page.site_name else []
    # Of posts with equal times the one made last is listed first.
    recent = [entry for teaser in reversed(page.recent) for entry in await posts.bring(from_teaser(teaser))]
    entries += [*await posts.bring(from_article(page.article)), *reversed(recent)]
    done = {Action.MADE, Action.COMPLETED}
    return ImportReport(
        dry_run=dry_run,
        made=tuple(entry for entry in entries if entry.action in done),
        unchanged=tuple(entry for entry in entries if entry.action not in done),
        guessed=page.guesses,
        links_without_target=page.links_without_target,
    )


class _PostImport:
    """Brings the posts of one page into the store, each with the categories that it takes."""

    def __init__(self, session: ImportSession, imported: ImportedPosts) -> None:
        self._session = session
        self._imported = imported
        self._seen: frozenset[str] = frozenset()

    async def bring(self, page: PagePost) -> Sequence[ReportEntry]:
        """Make the post, complete it, or leave it. What others change meanwhile is looked at again."""
        for attempt in range(1, _ATTEMPTS + 1):
            key, found = await self._imported.find(page.title, page.teaser, others=self._seen)
            try:
                entries = await (self._make(page, key) if found is None else self._meet(page, found))
            except Rejection as refused:
                if refused.code not in _CHANGED_MEANWHILE or attempt == _ATTEMPTS:
                    raise
            else:
                self._seen |= {key}
                return entries
        raise AssertionError("unreachable")

    async def _make(self, page: PagePost, key: str) -> Sequence[ReportEntry]:
        entries, refs = await self._categories(page)
        command = CreatePost(
            title=page.title,
            body=page.body,
            teaser=page.teaser,
            categories=refs,
            publish=True,
            published_at=page.published_at,
        )
        outcome = await self._session.handle(command, key=key, reason=page.reason)
        if outcome is None:
            return *entries, ReportEntry(page.kind, page.title, Action.MADE)
        return *entries, page.entry(await self._imported.load(outcome.subject_id), Action.MADE)

    async def _meet(self, page: PagePost, found: ImportedPost) -> Sequence[ReportEntry]:
        """Decide what becomes of a post that is there."""
        if not found.is_untouched:
            return (page.entry(found, Action.KEPT, "it was changed here since it was imported"),)
        if completion(found, page):
            return *await self._complete(page, found), page.entry(found, Action.COMPLETED)
        if page.body in {"", found.post.content.body}:
            return (page.entry(found, Action.UNCHANGED),)
        return (page.entry(found, Action.KEPT, "its text on the page is not the one that was imported"),)

    async def _complete(self, page: PagePost, found: ImportedPost) -> Sequence[ReportEntry]:
        """Give the post what it lacks, the text last: broken off before that, it is all done again."""
        brings, post_id = completion(found, page), found.post.id
        entries, refs = await self._categories(page) if brings.body else ((), ())
        for ref in refs:
            await self._session.handle(CategorizePost(post_id=post_id, category=ref))
        if brings.date:
            await self._change(
                PublishPost(post_id=post_id, published_at=page.published_at), post_id, IMPORTED
            )
        if brings.body or brings.teaser:
            edit = EditPost(
                post_id=post_id,
                body=page.body if brings.body else UNSET,
                teaser=page.teaser if brings.teaser else UNSET,
                publish=True,
            )
            await self._change(edit, post_id, brings.reason)
        return entries

    async def _change(self, command: Command, post_id: str, reason: str) -> None:
        """Change a post that must be as imports left it. Raises `Rejection` where it is not, or no longer."""
        found = await self._imported.load(post_id)
        if not found.is_untouched:
            raise Rejection(ErrorCode.VERSION_CONFLICT, "The post was changed meanwhile.")
        await self._session.handle(command, reason=reason, expected_version=found.version)

    async def _categories(self, page: PagePost) -> tuple[Sequence[ReportEntry], tuple[CategoryRef, ...]]:
        entries = [await self._session.category(name) for name in page.categories]
        return entries, tuple(CategoryRef(id=entry.id) for entry in entries if entry.id is not None)


def _check(page: ParsedPage, retrieved_at: datetime, *, now: int) -> None:
    """Raise `Rejection` for what a command on the way would refuse, so that no import stops half-way."""
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
