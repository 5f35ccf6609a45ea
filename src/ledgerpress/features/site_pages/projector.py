"""Site pages as of any position: drafts, what readers see, and slugs. They are a part of the projection `people`.

The `seq` of a page is the position at which it was created. The key of a text is the position of the event that contains
it, so that its withdrawal finds it.
"""

import json
import sqlite3
from typing import Any, Final

from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.site_pages import model
from ledgerpress.features.site_pages.model import PAGES, PROSE
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.temporal_and_step_rows import OPEN, TemporalRows, TemporalTable

_LAST_DRAFT: Final = """
    SELECT seq, status, has_unpublished_changes, slug, title, body, inherited
    FROM site_page JOIN site_page_draft USING (seq) WHERE id = ? ORDER BY from_pos DESC LIMIT 1
"""
_PUBLIC: Final = TemporalTable(
    "public_page", "seq, from_pos, to_pos, recorded_at, slug, title, body", key="seq"
)
_SLUGS: Final = TemporalTable("page_slug", "slug, from_pos, seq, to_pos, public_from", key="slug, seq")
_TITLE, _BODY, _PUBLIC_FROM = 5, 6, 4
"""The indexes of columns in the rows of `public_page` and `page_slug`."""


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    event, at = recorded.event, recorded.position
    if not recorded.header.stream.startswith(f"{PAGES.prefix}."):
        return  # the withdrawal of an event in another stream
    page_id = PAGES.id_in(recorded.header.stream)
    draft = db.execute(_LAST_DRAFT, (page_id,)).fetchone()
    known = model.known_event(event, exists=draft is not None)
    if isinstance(known, model.PageCreated):
        if draft is not None:
            return
        db.execute("INSERT INTO site_page VALUES (?, ?, ?)", (at, page_id, recorded.header.recorded_at))
        db.execute("INSERT INTO page_text VALUES (?, ?)", (at, known.body))
        inherited = _inherited({}, PROSE, event)
        _put_draft(recorded, db, at, model.NEW, (known.slug, known.title, at, inherited))
        _open_slug(db, known.slug, at, at)
    elif draft is not None:
        seq, status, has_changes, *content = draft
        lifecycle = model.Lifecycle(model.PageStatus(status), bool(has_changes))
        if isinstance(known, model.PageEdited):
            content = _edit(recorded, db, seq, content, known)
        elif isinstance(known, model.PagePublished):
            _publish(recorded, db, seq, content)
        elif isinstance(known, model.PageUnpublished):
            public = TemporalRows(db, _PUBLIC)
            public.close(at, seq)
            public.flush()
        _put_draft(recorded, db, seq, model.advance(lifecycle, known), content)


def _put_draft(
    recorded: Recorded[Event], db: sqlite3.Connection, seq: int, lifecycle: model.Lifecycle, content: Any
) -> None:
    version = recorded.header.stream_version
    db.execute(
        "INSERT INTO site_page_draft VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (seq, recorded.position, version, lifecycle.status, lifecycle.has_unpublished_changes, *content),
    )


def _edit(
    recorded: Recorded[Event], db: sqlite3.Connection, seq: int, content: list[Any], event: model.PageEdited
) -> list[Any]:
    """Return the content of the draft after an edit."""
    slug, title, body, inherited = content
    if event.body is not UNSET:
        body = recorded.position
        db.execute("INSERT INTO page_text VALUES (?, ?)", (body, event.body))
    if event.slug is not UNSET and event.slug != slug:
        _close_slug(db, slug, seq, recorded.position)
        slug = event.slug
        _open_slug(db, slug, seq, recorded.position)
    changed = [name for name in PROSE if getattr(event, name) is not UNSET]
    inherited = _inherited(json.loads(inherited) if inherited else {}, changed, recorded.event)
    return [slug, title if event.title is UNSET else event.title, body, inherited]


def _inherited(inherited: dict[str, int], changed: Any, event: Event) -> str | None:
    """Return the fields whose text was erased, with the positions of the withdrawals, as JSON.

    The draft has inherited a text from before in its place, which may never have been public.
    """
    inherited = {name: until for name, until in inherited.items() if name not in changed}
    if isinstance(event, Withdrawn) and event.withdrawn_at is not None:
        erased = PROSE if event.remaining is None else event.erased
        inherited |= {name: event.withdrawn_at for name in PROSE if name in erased}
    return json.dumps(inherited) if inherited else None


def _publish(recorded: Recorded[Event], db: sqlite3.Connection, seq: int, content: list[Any]) -> None:
    """Write what readers see: the draft, without text that was erased and never public.

    If text of the draft was withdrawn after this publication, what was public before takes its place. What is published
    after a withdrawal is what an editor has seen.
    """
    at = recorded.position
    slug, title, body, inherited = content
    public = TemporalRows(db, _PUBLIC)
    former = public.find(seq)
    hidden = {name for name, until in (json.loads(inherited) if inherited else {}).items() if until > at}
    if "title" in hidden:
        title = former[_TITLE] if former else ""
    if "body" in hidden:
        body = former[_BODY] if former else None
    public.close(at, seq)
    public.put([seq, at, OPEN, recorded.header.recorded_at, slug, title, body])
    public.flush()
    slugs = TemporalRows(db, _SLUGS)
    row = slugs.find(slug, seq)
    if row is not None and row[_PUBLIC_FROM] is None:
        row[_PUBLIC_FROM] = at
        slugs.put(row)
        slugs.flush()


def _open_slug(db: sqlite3.Connection, slug: str, seq: int, at: int) -> None:
    slugs = TemporalRows(db, _SLUGS)
    if slugs.find(slug, seq) is None:
        slugs.put([slug, at, seq, OPEN, None])
        slugs.flush()


def _close_slug(db: sqlite3.Connection, slug: str, seq: int, at: int) -> None:
    """Release a slug of a page, unless readers have seen the page with it."""
    slugs = TemporalRows(db, _SLUGS)
    row = slugs.find(slug, seq)
    if row is not None and row[_PUBLIC_FROM] is None:
        slugs.close(at, slug, seq)
        slugs.flush()


_TEXTS_OF: Final = "DELETE FROM page_text WHERE position IN (SELECT body FROM site_page_draft WHERE seq = ?)"


def _delete_rows(db: sqlite3.Connection, stream: str) -> None:
    row = db.execute("SELECT seq FROM site_page WHERE id = ?", (PAGES.id_in(stream),)).fetchone()
    if row is None:
        return
    db.execute(_TEXTS_OF, row)
    for table in ("site_page", "site_page_draft", "public_page", "page_slug"):
        db.execute(f"DELETE FROM {table} WHERE seq = ?", row)  # noqa: S608


PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=1,
    schema="""
        CREATE TABLE site_page (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE page_text (position INTEGER PRIMARY KEY, markdown TEXT NOT NULL) STRICT;
        CREATE TABLE site_page_draft (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            version INTEGER NOT NULL,           -- of the stream of the page
            status TEXT NOT NULL, has_unpublished_changes INTEGER NOT NULL, slug TEXT NOT NULL, title TEXT NOT NULL,
            body INTEGER NOT NULL,              -- the position of the text
            inherited TEXT,                     -- a JSON object: erased fields, with the positions of the withdrawals
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE public_page (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
            slug TEXT NOT NULL, title TEXT NOT NULL,
            body INTEGER,                       -- the position of the text; NULL if it was erased
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE page_slug (
            slug TEXT NOT NULL, from_pos INTEGER NOT NULL, seq INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            public_from INTEGER,                -- the position at which readers could first use it
            PRIMARY KEY (slug, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX page_slug_of ON page_slug (seq);
    """,
    events=frozenset({*(event.type for event in model.EVENTS), Withdrawn}),
    apply=_apply,
    delete_rows={PAGES.prefix: _delete_rows},
)
