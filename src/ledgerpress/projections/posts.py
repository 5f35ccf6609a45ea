"""Posts and articles as of every position: content, states, categories, slugs, corrections.

A post's `seq` is the position at which it was created. Content and body rows are keyed by the position that
brought them, so that nothing is copied when only a status or a category changes.
"""

import sqlite3
from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET

from ledgerpress.domain.event import Event, Withdrawn
from ledgerpress.domain.post_events import CONTENT_EVENTS
from ledgerpress.domain.posts import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
    PostPublished,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.readmodels.temporal import OPEN

_Row: TypeAlias = tuple[int, int, str, int, int, int | None, int | None]

_POST_EVENTS = (
    PostCreated,
    ContentChanged,
    PostCategorized,
    PostUncategorized,
    PostPublished,
    PostUnpublished,
    PostArchived,
    PostUnarchived,
)


class PostsProjector:
    """Writes one state row an event of a post, and rows from-to for what an article, a slug or a category is."""

    name: Final = "posts"
    version: Final = 1
    schema: Final = """
        CREATE TABLE post (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE body (position INTEGER PRIMARY KEY, markdown TEXT NOT NULL) STRICT;
        CREATE TABLE content (
            position INTEGER PRIMARY KEY, slug TEXT NOT NULL, title TEXT NOT NULL, teaser TEXT,
            body INTEGER NOT NULL,              -- the position of the body
            author_ids TEXT NOT NULL            -- a JSON array, in the order of the by-line
        ) STRICT;
        CREATE TABLE post_state (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            version INTEGER NOT NULL, status TEXT NOT NULL,
            content INTEGER NOT NULL, revision INTEGER NOT NULL,
            live_revision INTEGER, published_at INTEGER,
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE article (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            content INTEGER NOT NULL, published_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE correction (
            seq INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, note TEXT NOT NULL,
            PRIMARY KEY (seq, position)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE post_slug (
            slug TEXT NOT NULL, from_pos INTEGER NOT NULL, seq INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            public_from INTEGER,                -- the position at which an article first had it
            PRIMARY KEY (slug, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX post_slug_of ON post_slug (seq, public_from);
        CREATE TABLE post_category (
            seq INTEGER NOT NULL, category_id TEXT NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            PRIMARY KEY (seq, category_id, from_pos)
        ) STRICT, WITHOUT ROWID;
    """
    indexes: Final = ""

    def apply(self, recorded: Recorded[Event], db: sqlite3.Connection) -> None:
        """Write what the event changes."""
        event = recorded.event
        if isinstance(event, Withdrawn) and event.type.startswith("post."):
            _withdrawn(db, recorded, event)
        elif isinstance(event, PostCreated):
            _created(db, recorded, event)
        elif isinstance(event, _POST_EVENTS):
            row = _state(db, event.post_id)
            if row:
                _changed(db, recorded, event, row)


def _created(db: sqlite3.Connection, recorded: Recorded[Event], event: PostCreated) -> None:
    at, header = recorded.position, recorded.header
    db.execute("INSERT INTO post VALUES (?, ?, ?)", (at, event.post_id, header.recorded_at))
    db.execute("INSERT INTO body VALUES (?, ?)", (at, event.body))
    db.execute(
        "INSERT INTO content VALUES (?, ?, ?, ?, ?, ?)",
        (at, event.slug, event.title, event.teaser, at, _json(event.author_ids)),
    )
    _write(db, at, (at, header.stream_version, PostStatus.DRAFT, at, 1, None, None))
    _open_slug(db, event.slug, at, at)


def _changed(db: sqlite3.Connection, recorded: Recorded[Event], event: Event, row: _Row) -> None:
    at = recorded.position
    seq, _, status, content, revision, live_revision, published_at = row
    match event:
        case ContentChanged():
            _edit(db, seq, at, content, event)
            content, revision = at, revision + 1
        case PostCategorized(category_id=category_id):
            _enter(db, seq, category_id, at)
        case PostUncategorized(category_id=category_id):
            _leave(db, seq, category_id, at)
        case PostPublished():
            _publish(db, recorded, row, event)
            status, live_revision, published_at = PostStatus.PUBLISHED, event.revision, event.published_at
        case PostUnpublished():
            _close_article(db, seq, at)
            status = PostStatus.UNPUBLISHED
        case PostArchived():
            _close_article(db, seq, at)
            status = PostStatus.ARCHIVED
        case PostUnarchived():
            status = PostStatus.DRAFT if live_revision is None else PostStatus.UNPUBLISHED
    version = recorded.header.stream_version
    _write(db, at, (seq, version, status, content, revision, live_revision, published_at))


def _withdrawn(db: sqlite3.Connection, recorded: Recorded[Event], event: Withdrawn) -> None:
    """Apply what the type alone tells, as the post's own `evolve` does."""
    post_id = event.subject_id
    row = _state(db, post_id)
    if row is None or event.type == "post.created":
        blank = PostCreated(post_id=post_id, slug=post_id, title="", teaser=None, body="", author_ids=())
        if row is None:
            _created(db, recorded, blank)
        return
    known: dict[str, Event] = {
        **dict.fromkeys(CONTENT_EVENTS, PostEdited(post_id=post_id)),
        "post.published": PostPublished(
            post_id=post_id,
            revision=row[4],
            published_at=event.recorded_at if row[6] is None else row[6],
            correction=None,
        ),
        "post.unpublished": PostUnpublished(post_id=post_id),
        "post.archived": PostArchived(post_id=post_id),
        "post.unarchived": PostUnarchived(post_id=post_id),
    }
    _changed(db, recorded, known.get(event.type, event), row)


def _state(db: sqlite3.Connection, post_id: str) -> _Row | None:
    row: _Row | None = db.execute(
        "SELECT post.seq, version, status, content, revision, live_revision, published_at"
        " FROM post JOIN post_state USING (seq) WHERE id = ? ORDER BY from_pos DESC LIMIT 1",
        (post_id,),
    ).fetchone()
    return row


def _write(db: sqlite3.Connection, at: int, row: _Row) -> None:
    seq, *rest = row
    db.execute("INSERT INTO post_state VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (seq, at, *rest))


def _edit(db: sqlite3.Connection, seq: int, at: int, content: int, event: ContentChanged) -> None:
    slug, title, teaser, body, author_ids = db.execute(
        "SELECT slug, title, teaser, body, author_ids FROM content WHERE position = ?", (content,)
    ).fetchone()
    if event.body is not UNSET:
        db.execute("INSERT INTO body VALUES (?, ?)", (at, event.body))
        body = at
    if event.slug is not UNSET and event.slug != slug:
        db.execute(
            "UPDATE post_slug SET to_pos = ? WHERE slug = ? AND seq = ? AND to_pos = ? AND public_from IS NULL",
            (at, slug, seq, OPEN),
        )
        _open_slug(db, event.slug, seq, at)
    new = (
        slug if event.slug is UNSET else event.slug,
        title if event.title is UNSET else event.title,
        teaser if event.teaser is UNSET else event.teaser,
        body,
        author_ids if event.author_ids is UNSET else _json(event.author_ids),
    )
    db.execute("INSERT INTO content VALUES (?, ?, ?, ?, ?, ?)", (at, *new))


def _publish(db: sqlite3.Connection, recorded: Recorded[Event], row: _Row, event: PostPublished) -> None:
    at, now = recorded.position, recorded.header.recorded_at
    seq, _, _, content, _, live_revision, _ = row
    updated_at = event.published_at if live_revision is None else max(now, event.published_at)
    _close_article(db, seq, at)
    db.execute(
        "INSERT INTO article VALUES (?, ?, ?, ?, ?, ?)",
        (seq, at, OPEN, content, event.published_at, updated_at),
    )
    db.execute(
        "UPDATE post_slug SET public_from = ? WHERE seq = ? AND to_pos = ? AND public_from IS NULL"
        " AND slug = (SELECT slug FROM content WHERE position = ?)",
        (at, seq, OPEN, content),
    )
    if event.correction is not None:
        db.execute("INSERT INTO correction VALUES (?, ?, ?, ?)", (seq, at, now, event.correction))


def _close_article(db: sqlite3.Connection, seq: int, at: int) -> None:
    db.execute("UPDATE article SET to_pos = ? WHERE seq = ? AND to_pos = ?", (at, seq, OPEN))


def _open_slug(db: sqlite3.Connection, slug: str, seq: int, at: int) -> None:
    held = db.execute("SELECT 1 FROM post_slug WHERE slug = ? AND to_pos = ?", (slug, OPEN)).fetchone()
    if not held:
        db.execute("INSERT INTO post_slug VALUES (?, ?, ?, ?, NULL)", (slug, at, seq, OPEN))


def _enter(db: sqlite3.Connection, seq: int, category_id: str, at: int) -> None:
    inside = db.execute(
        "SELECT 1 FROM post_category WHERE seq = ? AND category_id = ? AND to_pos = ?",
        (seq, category_id, OPEN),
    ).fetchone()
    if not inside:
        db.execute("INSERT INTO post_category VALUES (?, ?, ?, ?)", (seq, category_id, at, OPEN))


def _leave(db: sqlite3.Connection, seq: int, category_id: str, at: int) -> None:
    db.execute(
        "UPDATE post_category SET to_pos = ? WHERE seq = ? AND category_id = ? AND to_pos = ?",
        (at, seq, category_id, OPEN),
    )


def _json(author_ids: tuple[str, ...]) -> str:
    return msgspec.json.encode(author_ids).decode()
