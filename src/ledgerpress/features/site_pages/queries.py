"""Site pages as of a snapshot, as readers and as editors see them, and what their events invalidate."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from ledgerpress.features.site_pages.model import EVENTS, PageStatus
from ledgerpress.features.slugs.model import normalized
from ledgerpress.views.feature_declarations import (
    DependencyRule,
    FieldValue,
    FieldValues,
    HiddenRule,
    RecentEvent,
    Subject,
    plain,
)
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot, Topic

PUBLIC_PAGES: Final = Topic("public pages", 0)
"""The topic of what readers see of all site pages. A site has few."""
DRAFTS: Final = Topic("drafts of pages", 0, internal=True)
"""The topic of all drafts of site pages."""

_PUBLIC: Final = f"""
    SELECT site_page.seq, site_page.id, public.slug, public.title, public.body,
        {corrected_sql("public.recorded_at", "public.from_pos", "?2")}
    FROM {{source}} JOIN public_page AS public USING (seq)
    WHERE {{condition}} AND public.from_pos <= ?2 AND public.to_pos > ?2
"""  # noqa: S608
_PUBLIC_BY_SEQ: Final = _PUBLIC.format(source="site_page", condition="site_page.seq = ?1")
_PUBLIC_BY_ID: Final = _PUBLIC.format(source="site_page", condition="site_page.id = ?1")
_PUBLIC_BY_SLUG: Final = _PUBLIC.format(
    source="page_slug JOIN site_page USING (seq)",
    condition="page_slug.slug = ?1 AND page_slug.from_pos <= ?2 AND page_slug.to_pos > ?2 AND public_from <= ?2",
)
_PUBLIC_AFTER: Final = (
    _PUBLIC.format(source="site_page", condition="site_page.seq > ?1") + " ORDER BY site_page.seq"
)
_DRAFT: Final = f"""
    SELECT site_page.seq, site_page.id, {corrected_sql("site_page.created_at", "site_page.seq", "?2")},
        version, status, has_unpublished_changes, slug, title, body
    FROM site_page JOIN site_page_draft AS draft USING (seq)
    WHERE {{condition}} AND draft.from_pos = (
        SELECT max(from_pos) FROM site_page_draft WHERE seq = site_page.seq AND from_pos <= ?2
    )
"""  # noqa: S608
_DRAFT_BY_ID: Final = _DRAFT.format(condition="site_page.id = ?1")
_DRAFTS_AFTER: Final = _DRAFT.format(condition="site_page.seq > ?1") + " ORDER BY site_page.seq LIMIT ?3"
_DRAFT_BY_SLUG: Final = _DRAFT.format(
    condition="site_page.seq = ("
    "SELECT seq FROM page_slug WHERE slug = ?1 AND from_pos <= ?2 AND to_pos > ?2 ORDER BY from_pos LIMIT 1)"
)
_HAS_PUBLIC_CHANGE: Final = """
    SELECT EXISTS (
        SELECT 1 FROM public_page WHERE from_pos > ?1 OR (to_pos > ?1 AND to_pos < 9007199254740991)
    )
"""


class PublicPage(msgspec.Struct, frozen=True, gc=False):
    """A page as last published. `body` is the position of its text, `None` if that was erased.

    `updated_at` is when it was published last, in microseconds since 1970, UTC.
    """

    seq: int
    id: str
    slug: str
    title: str
    body: int | None
    updated_at: int


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A page as its editors see it. `created_at` is in microseconds since 1970, UTC."""

    seq: int
    id: str
    created_at: int
    version: int
    status: PageStatus
    has_unpublished_changes: bool
    slug: str
    title: str
    body: int


def public_by_seq(snapshot: Snapshot, seq: int) -> PublicPage | None:
    """Return the page created at position `seq`, if it is public."""
    return _public_page(snapshot, _PUBLIC_BY_SEQ, seq)


def public_by_id(snapshot: Snapshot, page_id: str) -> PublicPage | None:
    """Return the page with an id, if it is public."""
    return _public_page(snapshot, _PUBLIC_BY_ID, page_id)


def public_by_slug(snapshot: Snapshot, slug: str) -> PublicPage | None:
    """Return the public page that a current or former slug leads to. A slug that was never public leads to none."""
    return _public_page(snapshot, _PUBLIC_BY_SLUG, normalized(slug))


def public_pages(snapshot: Snapshot, after: int = NO_POSITION, limit: int | None = None) -> list[PublicPage]:
    """Return up to `limit` public pages created after position `after`, in the order of creation."""
    rows = snapshot.about(PUBLIC_PAGES).execute(_PUBLIC_AFTER, (after, snapshot.position))
    pages = [PublicPage(*row) for row in rows]
    if snapshot.only is not None:
        seqs = snapshot.only.among([page.seq for page in pages])
        pages = [page for page in pages if page.seq in seqs]
    return pages[:limit]


def count_public_pages(snapshot: Snapshot) -> int:
    return len(public_pages(snapshot))


def page_href(slug: str) -> str:
    """Return the path of a page."""
    return f"/pages/{quote(slug)}"


def draft_by_id(snapshot: Snapshot, page_id: str) -> Draft | None:
    """Return a page as its editors see it. Callers that show it must check permissions."""
    return _draft(snapshot, _DRAFT_BY_ID, page_id)


def draft_by_slug(snapshot: Snapshot, slug: str) -> Draft | None:
    """Return the page that a current or former slug leads to, public or not. Callers must check permissions."""
    return _draft(snapshot, _DRAFT_BY_SLUG, normalized(slug))


def drafts_after(snapshot: Snapshot, seq: int, limit: int) -> list[Draft]:
    """Return up to `limit` pages created after position `seq`, in the order of creation. Callers must check permissions."""
    rows = snapshot.about(DRAFTS).execute(_DRAFTS_AFTER, (seq, snapshot.position, limit))
    return [_draft_of(row) for row in rows]


def count_drafts(snapshot: Snapshot) -> int:
    query = "SELECT count(*) FROM site_page WHERE seq <= ?"
    (count,) = snapshot.about(DRAFTS).execute(query, (snapshot.position,)).fetchone()
    return int(count)


def markdown(snapshot: Snapshot, position: int | None) -> str:
    """Return the text of a body by its position; empty if it was erased. It never changes, unless it is withdrawn."""
    row = (
        snapshot.about().execute("SELECT markdown FROM page_text WHERE position = ?", (position,)).fetchone()
    )
    return str(row[0]) if row else ""


def _public_page(snapshot: Snapshot, query: str, key: int | str) -> PublicPage | None:
    row = snapshot.about(PUBLIC_PAGES).execute(query, (key, snapshot.position)).fetchone()
    if snapshot.only is not None and not snapshot.only.among([row[0] if row else NO_POSITION]):
        return None
    return PublicPage(*row) if row else None


def _draft(snapshot: Snapshot, query: str, key: str) -> Draft | None:
    row = snapshot.about(DRAFTS).execute(query, (key, snapshot.position)).fetchone()
    return _draft_of(row) if row else None


def _draft_of(row: Sequence[Any]) -> Draft:
    seq, id_, created_at, version, status, has_changes, *content = row
    return Draft(seq, id_, created_at, version, PageStatus(status), bool(has_changes), *content)


_TYPES: Final = frozenset(event.name for event in EVENTS)


def _invalidated(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> set[Topic]:
    """Return the topics of the events; that of readers only if a row that readers see has changed."""
    if not any(event.type in _TYPES for event in events):
        return set()
    (is_public,) = snapshot.about().execute(_HAS_PUBLIC_CHANGE, (after,)).fetchone()
    return {DRAFTS, PUBLIC_PAGES} if is_public else {DRAFTS}


DEPENDENCIES: Final = DependencyRule(_TYPES, _invalidated)


def _public(db: sqlite3.Connection, seqs: Sequence[int], position: int) -> list[int]:
    query = "SELECT seq FROM json_each(?1) CROSS JOIN public_page ON seq = value WHERE from_pos <= ?2 AND to_pos > ?2"
    return [seq for (seq,) in db.execute(query, (json.dumps(seqs), position))]


def _no_longer_listed(_: sqlite3.Connection, __: int) -> Sequence[int]:
    """Return nothing: no listing contains site pages, so no count has to subtract them."""
    return ()


HIDDEN: Final = HiddenRule(public=_public, no_longer_public=_no_longer_listed)
"""Readers of the past do not see pages that are not public today."""


def _values(snapshot: Snapshot, page_id: str) -> FieldValues:
    draft = draft_by_id(snapshot, page_id)
    if draft is None:
        return {}
    return {
        "slug": plain(draft.slug),
        "title": plain(draft.title),
        "body": FieldValue(draft.body, lambda: markdown(snapshot, draft.body)),
        "status": plain(draft.status.value),
    }


SUBJECT: Final = Subject(kind="page", values=_values)
