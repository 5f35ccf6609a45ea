"""The session of one import: it handles commands as the importer, and each command takes effect once.

Every command has an idempotency key derived from its content, so an interrupted import can be run again.
"""

import hashlib
from contextlib import AbstractContextManager
from itertools import count
from typing import Final, Protocol

import msgspec

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import NO_STREAM, EventLog
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.authors import queries as authors
from ledgerpress.features.authors.commands import RegisterAuthor
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.page_import.report import Action, Kind, ReportEntry
from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.slugs import model as slugs
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

IMPORTED: Final = "imported from a saved page"


class OpenStore(Protocol):
    """The part of an open store that an import uses."""

    @property
    def log(self) -> EventLog: ...
    @property
    def codec(self) -> Codec[Event]: ...
    @property
    def commands(self) -> CommandHandler: ...
    @property
    def clock(self) -> Clock: ...
    def snapshot(self) -> AbstractContextManager[Snapshot]: ...


class ImportSession:
    """Handles the commands of one import; in a dry run, it handles none."""

    def __init__(self, store: OpenStore, correlation_id: str, *, dry_run: bool) -> None:
        """Give every event of the import the UUID `correlation_id`."""
        self._store = store
        self._correlation_id = correlation_id
        self._dry_run = dry_run

    async def handle(
        self,
        command: Command,
        *,
        key: str | None = None,
        reason: str = IMPORTED,
        expected_version: int | None = None,
    ) -> CommandResult | None:
        """Handle a command and return its result, or `None` in a dry run. Raises `Rejection`.

        Without a `key`, the idempotency key is derived from the content of the command.
        """
        if self._dry_run:
            return None
        request = CommandRequest(
            actor_id=IMPORTER.id,
            idempotency_key=key or content_key(command, expected_version),
            key_names_command=True,
            reason=reason,
            expected_version=expected_version,
            correlation_id=self._correlation_id,
        )
        return await self._store.commands.handle(command, request)

    async def site(self, name: str) -> ReportEntry:
        """Name the site if it has no name yet, and return the entry for the report."""
        if self._site_name() is None:
            try:
                await self.handle(NameSite(name=name), expected_version=NO_STREAM)
            except Rejection as rejection:
                if rejection.code is not ErrorCode.VERSION_CONFLICT:
                    raise
            else:
                return ReportEntry(Kind.SITE, name, Action.MADE)
        present = self._site_name()
        if present == name:
            return ReportEntry(Kind.SITE, name, Action.UNCHANGED)
        return ReportEntry(Kind.SITE, present or "", Action.KEPT, note=f"the page has “{name}”")

    async def category(self, name: str) -> ReportEntry:
        """Find the category with a name or create it, and return the entry for the report."""
        with self._store.snapshot() as snapshot:
            existing = _category_named(snapshot, name)
        if existing:
            note = None if existing.name == name else f"the page has “{name}”"
            return ReportEntry(
                Kind.CATEGORY, existing.name, Action.UNCHANGED, existing.slug, existing.id, note
            )
        for number in count(1):  # more than one attempt if the category of an earlier import was deleted
            result = await self.handle(CreateCategory(name=name), key=category_key(name, number))
            if result is None:
                break
            with self._store.snapshot() as snapshot:
                category = categories.by_id(snapshot, result.subject_id)
            if category or not result.replayed:
                slug = category.slug if category else None
                return ReportEntry(Kind.CATEGORY, name, Action.MADE, slug, result.subject_id)
        return ReportEntry(Kind.CATEGORY, name, Action.MADE)

    async def author(self, name: str) -> ReportEntry:
        """Find the author with a name or register it, and return the entry for the report.

        The author of an earlier import is used even if an editor has renamed it.
        """
        with self._store.snapshot() as snapshot:
            existing = _author_named(snapshot, name)
        if existing:
            note = None if existing.name == name else f"the page has “{name}”"
            return ReportEntry(Kind.AUTHOR, existing.name, Action.UNCHANGED, id=existing.id, note=note)
        result = await self.handle(RegisterAuthor(name=name), key=author_key(name))
        if result is None:
            return ReportEntry(Kind.AUTHOR, name, Action.MADE)
        action = Action.UNCHANGED if result.replayed else Action.MADE
        return ReportEntry(Kind.AUTHOR, name, action, id=result.subject_id)

    def _site_name(self) -> str | None:
        with self._store.snapshot() as snapshot:
            return site_queries.site_name(snapshot)


def _category_named(snapshot: Snapshot, name: str) -> categories.Category | None:
    """Return the category with a name, or the category that its slug refers to after a rename or merge."""
    total = categories.count_categories(snapshot)
    for category in categories.categories_after(snapshot, 0, total):
        if category.name.casefold() == name.casefold():
            return category
    for slug in filter(None, (slugs.derive(name, fallback=""), slugs.derived_formerly(name))):
        if existing := categories.by_slug(snapshot, slug):
            return existing
    return None


def _author_named(snapshot: Snapshot, name: str) -> authors.Author | None:
    everyone = authors.authors_after(snapshot, 0, authors.count_authors(snapshot))
    return next((author for author in everyone if author.name.casefold() == name.casefold()), None)


def author_key(name: str) -> str:
    """Return the idempotency key of the author with a name. It is stored, and MUST never change."""
    return f"page.author.{hashlib.sha256(name.encode()).hexdigest()}"


def category_key(name: str, number: int) -> str:
    """Return the idempotency key of the `number`-th category with a name. It is stored, and MUST never change."""
    return f"page.category.{number}.{hashlib.sha256(name.encode()).hexdigest()}"


def content_key(command: Command, expected_version: int | None) -> str:
    """Return the idempotency key of a command, from all its fields in order. It is stored, and MUST never change."""
    content = msgspec.json.encode(
        (command.fingerprint_name, command, expected_version), order="deterministic"
    )
    return f"page.change.{hashlib.sha256(content).hexdigest()}"
