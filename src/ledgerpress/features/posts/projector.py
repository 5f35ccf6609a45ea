"""Posts and articles as of any position: content, states, categories, slugs.

The `seq` of a post is the position at which it was created. The key of a content or body row is the position at which
it was recorded, so a change of only the status or a category copies no content.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET

from ledgerpress.commands.content_field_declarations_and_revert import Values
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.posts import model
from ledgerpress.views.projection.projector_interface_and_composition import Effect, Erasure, write_all
from ledgerpress.views.temporal_and_step_rows import OPEN, TemporalRows, TemporalTable


class ContentRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The content of a post or an article. `body` is the position at which the text of the body was recorded."""

    slug: str
    title: str
    teaser: str | None
    body: int
    author_ids: tuple[str, ...]


_ContentValues: TypeAlias = tuple[Any, ...]
"""The values of `_STORED`: those of `COLUMNS`, and the inherited fields."""
_NAMES: Final = tuple(field.name for field in model.CONTENT)
_SLUG: Final = _NAMES.index("slug")
"""The index of the slug in `COLUMNS`."""
_BODY: Final = _NAMES.index("body")
_AUTHOR_IDS: Final = _NAMES.index("author_ids")
_content_of: Final = attrgetter(*_NAMES)
COLUMNS: Final = ", ".join(f"content.{name}" for name in _NAMES)
_STORED: Final = (*_NAMES, "inherited")
_INSERT_CONTENT: Final = (
    f"INSERT INTO content (position, {', '.join(_STORED)}) VALUES (?{', ?' * len(_STORED)})"  # noqa: S608
)
_SELECT_CONTENT: Final = f"SELECT {', '.join(_STORED)} FROM content WHERE position = ?"  # noqa: S608
_author_ids: Final = msgspec.json.Decoder(tuple[str, ...])
_encode: Final = msgspec.json.Encoder().encode
_inherited: Final = msgspec.json.Decoder(dict[str, int])


def values_of_row(row: Iterable[Any]) -> Values:
    """Return the fields of a `ContentRow` from the values of `COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    values["author_ids"] = _author_ids.decode(values["author_ids"])
    return values


def _row_after(
    old: _ContentValues,
    event: model.PostCreated | model.ContentChanged,
    position: int,
    withdrawn: Withdrawn | None,
) -> _ContentValues:
    """Return the stored values after an event at `position`. Values that it does not contain stay.

    `withdrawn` is the event as decoded, if its text was withdrawn. Then the values from before take the place of the text
    that was erased, and are inherited.
    """
    row = [*_content_of(event)]
    if row[_BODY] is not UNSET:
        row[_BODY] = position
    if row[_AUTHOR_IDS] is not UNSET:
        row[_AUTHOR_IDS] = _encode(row[_AUTHOR_IDS]).decode()
    inherited = None
    if (old and old[-1] is not None) or withdrawn is not None:
        inherited = _inherited_after(old, event, withdrawn)
    if old:
        row = [before if value is UNSET else value for value, before in zip(row, old[:-1], strict=True)]
    return (*row, inherited)


def _inherited_after(
    old: _ContentValues, event: model.PostCreated | model.ContentChanged, withdrawn: Withdrawn | None
) -> str | None:
    inherited = _inherited.decode(old[-1]) if old and old[-1] is not None else {}
    inherited = {name: until for name, until in inherited.items() if getattr(event, name) is UNSET}
    if withdrawn is not None and withdrawn.withdrawn_at is not None:
        erased = model.PROSE if withdrawn.remaining is None else withdrawn.erased
        inherited |= {name: withdrawn.withdrawn_at for name in erased if name in model.PROSE}
    return _encode(inherited).decode() if inherited else None


_State: TypeAlias = tuple[int, int, model.Lifecycle, int | None]
"""The `seq` of a post, the position of its content, its lifecycle, and the event that dated it (`dating_position`)."""

_INSERT_STATE: Final = "INSERT INTO post_state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT_STATE: Final = f"""
    SELECT post.seq, post_state.content, status, revision, live_revision, published_at, dated_by, {COLUMNS}, inherited
    FROM post JOIN post_state USING (seq) LEFT JOIN content ON content.position = post_state.content
    WHERE id = ? ORDER BY from_pos DESC LIMIT 1
"""  # noqa: S608
_ARTICLES: Final = TemporalTable(
    "article", "seq, from_pos, to_pos, content, published_at, dated_by, republished_at", key="seq"
)
_SLUGS: Final = TemporalTable("post_slug", "slug, from_pos, seq, to_pos, public_from", key="slug, seq")
_CATEGORIES: Final = TemporalTable(
    "post_category", "seq, category_id, from_pos, to_pos", key="seq, category_id"
)
_CONTENT: Final = 3
"""The index in a row of `article`."""
_PUBLIC_FROM: Final = 4
"""The index in a row of `post_slug`."""


_TYPES: Final = frozenset(event.type for event in model.EVENTS)
_CONTENT_OF: Final = (
    "SELECT content FROM post_state WHERE seq = ?1 UNION SELECT content FROM article WHERE seq = ?1"
)
_DELETE_POST: Final = (
    f"DELETE FROM body WHERE position IN (SELECT body FROM content WHERE position IN ({_CONTENT_OF}))",  # noqa: S608
    f"DELETE FROM content WHERE position IN ({_CONTENT_OF})",  # noqa: S608
    *(
        f"DELETE FROM {table} WHERE seq = ?1"  # noqa: S608
        for table in ("post", "post_state", "article", "post_slug", "post_category")
    ),
)


class _Posts:
    """The posts of one transaction, and their buffered rows."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._states: dict[str, _State] = {}
        self._contents: dict[int, _ContentValues] = {}
        self._articles = TemporalRows(db, _ARTICLES)
        self._slugs = TemporalRows(db, _SLUGS)
        self._categories = TemporalRows(db, _CATEGORIES)
        self._post_rows: list[tuple[object, ...]] = []
        self._body_rows: list[tuple[object, ...]] = []
        self._content_rows: list[tuple[object, ...]] = []
        self._state_rows: list[tuple[object, ...]] = []

    def apply(self, recorded: Recorded[Event]) -> None:
        event = recorded.event
        if isinstance(event, model.PostChange):
            post_id = event.post_id
            state = self._states.get(post_id) or self._state(post_id)
            if state:
                self._changed(recorded, event, post_id, state)
        elif isinstance(event, model.PostCreated):
            self._created(recorded, event)
        elif isinstance(event, Withdrawn) and event.type.startswith("post."):
            self._withdrawn(recorded, event)
        elif (stream := recorded.header.stream).startswith("post."):
            # An event of a feature above changes only the version of the post.
            post_id = stream.removeprefix("post.")
            if state := self._state(post_id):
                self._put_state(post_id, recorded, state)

    def flush(self) -> None:
        db = self._db
        write_all(db, "INSERT INTO post VALUES (?, ?, ?)", self._post_rows)
        write_all(db, "INSERT INTO body VALUES (?, ?)", self._body_rows)
        write_all(db, _INSERT_CONTENT, self._content_rows)
        write_all(db, _INSERT_STATE, self._state_rows)
        self._articles.flush()
        self._slugs.flush()
        self._categories.flush()

    def _created(
        self, recorded: Recorded[Event], event: model.PostCreated, withdrawn: Withdrawn | None = None
    ) -> None:
        header = recorded.header
        at = header.position
        self._articles.begin(at)
        self._categories.begin(at)
        self._post_rows.append((at, event.post_id, header.recorded_at))
        self._body_rows.append((at, event.body))
        self._put_content(at, _row_after((), event, at, withdrawn))
        self._put_state(event.post_id, recorded, (at, at, model.DRAFT, None))
        self._slugs.put([event.slug, at, at, OPEN, None])

    def _changed(
        self,
        recorded: Recorded[Event],
        event: Event,
        post_id: str,
        state: _State,
        withdrawn: Withdrawn | None = None,
    ) -> None:
        at = recorded.header.position
        seq, content, lifecycle, dated_by = state
        match event:
            case model.ContentChanged():
                self._edit(seq, at, content, event, withdrawn)
                content = at
            case model.PostPublished():
                dated_by = model.dating_position(lifecycle, dated_by, event, recorded)
                self._publish(recorded, state, event, dated_by)
            case model.PostCategorized():
                if self._categories.find(seq, event.category_id) is None:
                    self._categories.put([seq, event.category_id, at, OPEN])
            case model.PostUncategorized():
                self._categories.close(at, seq, event.category_id)
            case model.PostUnpublished():
                self._articles.close(at, seq)
            case model.PostArchived(slug_released=slug_released):
                self._articles.close(at, seq)
                if slug_released:
                    self._close_slug(self._content(content)[_SLUG], seq, at)
            case model.PostUnarchived():
                self._open_slug(self._content(content)[_SLUG], seq, at)
        self._put_state(post_id, recorded, (seq, content, model.advance(lifecycle, event), dated_by))

    def _withdrawn(self, recorded: Recorded[Event], withdrawn: Withdrawn) -> None:
        state = self._state(withdrawn.subject_id)
        event = model.known_event(withdrawn, state and state[2])
        if state is None and isinstance(event, model.PostCreated):
            self._created(recorded, event, withdrawn)
        elif state and not isinstance(event, model.PostCreated):
            self._changed(recorded, event, withdrawn.subject_id, state, withdrawn)

    def _edit(
        self, seq: int, at: int, content: int, event: model.ContentChanged, withdrawn: Withdrawn | None
    ) -> None:
        old, slug = self._content(content), event.slug
        old_slug = old[_SLUG]
        if event.body is not UNSET:
            self._body_rows.append((at, event.body))
        if slug is not UNSET and slug != old_slug:
            self._close_slug(old_slug, seq, at)
            self._open_slug(slug, seq, at)
        self._put_content(at, _row_after(old, event, at, withdrawn))

    def _publish(
        self, recorded: Recorded[Event], state: _State, event: model.PostPublished, dated_by: int | None
    ) -> None:
        at, now = recorded.header.position, recorded.header.recorded_at
        seq, content, lifecycle, _ = state
        republished_at = None if lifecycle.live_revision is None else now
        content = self._public_content(content, at, self._articles.find(seq))
        self._articles.close(at, seq)
        self._articles.put([seq, at, OPEN, content, event.published_at, dated_by, republished_at])
        row = self._slugs.find(self._content(content)[_SLUG], seq)
        if row is not None and row[_PUBLIC_FROM] is None:
            row[_PUBLIC_FROM] = at
            self._slugs.put(row)

    def _public_content(self, content: int, at: int, article: Sequence[Any] | None) -> int:
        """Return the content that a publication at `at` shows: without text that was erased and never public.

        If text of it was withdrawn after the publication, the text of the former `article` takes its place, because what
        the post inherited may be a draft. What is published after a withdrawal is what an editor has seen.
        """
        row = self._content(content)
        if row[-1] is None:
            return content
        hidden = {name for name, until in _inherited.decode(row[-1]).items() if until > at}
        if not hidden:
            return content
        values = dict(zip(_STORED, row, strict=True)) | {"inherited": None}
        if article is not None:
            former = dict(zip(_STORED, self._content(article[_CONTENT]), strict=True))
        else:
            former = model.EMPTY | {"body": at}
            if "body" in hidden:
                self._body_rows.append((at, model.EMPTY["body"]))
        self._put_content(at, tuple((values | {name: former[name] for name in hidden}).values()))
        return at

    def _close_slug(self, slug: str, seq: int, at: int) -> None:
        """Release a slug of a post, unless an article has had it."""
        row = self._slugs.find(slug, seq)
        if row is not None and row[_PUBLIC_FROM] is None:
            self._slugs.close(at, slug, seq)

    def _open_slug(self, slug: str, seq: int, at: int) -> None:
        if self._slugs.find(slug, seq) is None:
            self._slugs.put([slug, at, seq, OPEN, None])

    def _state(self, post_id: str) -> _State | None:
        state = self._states.get(post_id)
        if state is None:
            row = self._db.execute(_SELECT_STATE, (post_id,)).fetchone()
            if row is None:
                return None
            seq, content, status, revision, live_revision, published_at, dated_by, *values = row
            lifecycle = model.Lifecycle(model.PostStatus(status), revision, live_revision, published_at)
            state = seq, content, lifecycle, dated_by
            self._contents.setdefault(content, tuple(values))
        return state

    def _put_state(self, post_id: str, recorded: Recorded[Event], state: _State) -> None:
        self._states[post_id] = state
        seq, content, lifecycle, dated_by = state
        status, revision, live_revision, published_at = lifecycle
        header = recorded.header
        at, version = header.position, header.stream_version
        row = (seq, at, version, status, content, revision, live_revision, published_at, dated_by)
        self._state_rows.append(row)

    def _content(self, position: int) -> _ContentValues:
        content: _ContentValues | None = self._contents.get(position)
        return content or self._db.execute(_SELECT_CONTENT, (position,)).fetchone()

    def _put_content(self, position: int, content: _ContentValues) -> None:
        self._contents[position] = content
        self._content_rows.append((position, *content))


class PostsProjector:
    """Writes a state row per event of a post, and rows with a range of positions for articles, slugs and categories."""

    name: Final = "posts"
    version: Final = 3
    schema: Final = """
        CREATE TABLE post (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE body (position INTEGER PRIMARY KEY, markdown TEXT NOT NULL) STRICT;
        CREATE TABLE content (
            position INTEGER PRIMARY KEY, slug TEXT NOT NULL, title TEXT NOT NULL, teaser TEXT,
            body INTEGER NOT NULL,              -- the position of the body
            author_ids TEXT NOT NULL,           -- a JSON array, in the order of the by-line
            inherited TEXT                      -- the fields whose own text was withdrawn, with the position of that
        ) STRICT;
        CREATE TABLE post_state (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL,
            version INTEGER NOT NULL, status TEXT NOT NULL,
            content INTEGER NOT NULL, revision INTEGER NOT NULL,
            live_revision INTEGER, published_at INTEGER,
            dated_by INTEGER,                   -- the event whose recorded time is published_at; NULL if it was given
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE article (
            seq INTEGER NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            content INTEGER NOT NULL, published_at INTEGER NOT NULL, dated_by INTEGER,
            republished_at INTEGER,             -- the recorded time of from_pos; NULL for a first publication
            PRIMARY KEY (seq, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE post_slug (
            slug TEXT NOT NULL, from_pos INTEGER NOT NULL, seq INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            public_from INTEGER,                -- the position at which an article first had it
            PRIMARY KEY (slug, from_pos)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE post_category (
            seq INTEGER NOT NULL, category_id TEXT NOT NULL, from_pos INTEGER NOT NULL, to_pos INTEGER NOT NULL,
            PRIMARY KEY (seq, category_id, from_pos)
        ) STRICT, WITHOUT ROWID;
    """
    indexes: Final = "CREATE INDEX post_slug_of ON post_slug (seq, public_from);"

    begin: Final = _Posts

    def erase(self, erasure: Erasure, db: sqlite3.Connection) -> Effect:
        """Delete the rows of the post. They depend only on its stream, so its other rows are the same after a replay."""
        if not (erasure.is_in("post") and erasure.has_text and erasure.event_type in _TYPES):
            return Effect.NONE
        post_id = erasure.event.header.stream.removeprefix("post.")
        row = db.execute("SELECT seq FROM post WHERE id = ?", (post_id,)).fetchone()
        for statement in _DELETE_POST if row else ():
            db.execute(statement, row)
        return Effect.REPLAY
