"""Authors as of any position: their part of the projection `people`, article listings and queries."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.authors.author_rows import PROJECTION, AuthorsProjector
from ledgerpress.features.authors.model import AuthorRegistered
from ledgerpress.features.slugs.model import normalized
from ledgerpress.views.feature_declarations import (
    DependencyRule,
    FieldValues,
    RecentEvent,
    Reference,
    Subject,
    plain,
)
from ledgerpress.views.listings.projector import (
    Entry,
    ListedItem,
    ListingChanges,
    ListingContribution,
    ListingWriter,
)
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, ItemFilter, Snapshot, Topic

PROJECTOR: Final = AuthorsProjector()


class BylinedItem(ListedItem, Protocol):
    @property
    def article_author_ids(self) -> tuple[str, ...]: ...


class _AuthorListings(ListingWriter[BylinedItem]):
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._keys: dict[str, int | None] = {}

    def entries(self, item: BylinedItem) -> Iterable[Entry]:
        date = item.public_date
        if date is None:
            return ()
        return [(k, date) for author_id in item.article_author_ids if (k := self._key(author_id)) is not None]

    def apply(self, recorded: Recorded[Event], changes: ListingChanges) -> None:
        match recorded.event:
            case AuthorRegistered(author_id=author_id):
                self._add(author_id, recorded.position)
            case Withdrawn(type="author.registered") as withdrawn:
                self._add(withdrawn.subject_id, recorded.position)
            case _:
                pass

    def _add(self, author_id: str, k: int) -> None:
        self._db.execute("INSERT INTO listed_author VALUES (?, ?)", (author_id, k))
        self._keys[author_id] = k

    def _key(self, author_id: str) -> int | None:
        try:
            return self._keys[author_id]
        except KeyError:
            row = self._db.execute("SELECT k FROM listed_author WHERE id = ?", (author_id,)).fetchone()
            k = self._keys[author_id] = int(row[0]) if row else None
            return k


LISTINGS: Final = ListingContribution(
    name="authors",
    schema="""
        CREATE TABLE listed_author (id TEXT PRIMARY KEY, k INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    """,
    events=frozenset({AuthorRegistered, Withdrawn}),
    text_of=frozenset(),
    begin=_AuthorListings,
)


AUTHORS: Final = Topic("authors", 0)
"""The topic of the list of all authors."""
PUBLIC_AUTHORS: Final = Topic("public authors", 0)
"""The topic of which authors have public articles."""


def author_topic(author_id: str) -> Topic:
    return Topic("author", author_id)


def author_slug_topic(slug: str) -> Topic:
    """Return the topic of the author that a slug leads to."""
    return Topic("author slug", slug)


_TOPICS: Final = DependencyRule.by_type(
    {"author.registered": [AUTHORS], "author.renamed": []}, subject=author_topic
)
_NEW_SLUGS: Final = "SELECT slug FROM author_slug JOIN author USING (seq) WHERE id = ?1 AND from_pos > ?2"


def _invalidated(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> Iterable[Topic]:
    yield from _TOPICS.topics(snapshot, after, events) or ()
    for author_id in {event.subject_id for event in events if event.type in _TOPICS.events}:
        for (slug,) in snapshot.about().execute(_NEW_SLUGS, (author_id, after)):
            yield author_slug_topic(slug)


DEPENDENCIES: Final = DependencyRule(_TOPICS.events, _invalidated)


class Author(msgspec.Struct, frozen=True, gc=False):
    """An author. `seq` is the position of the registration."""

    seq: int
    id: str
    name: str
    slug: str
    version: int


def author(snapshot: Snapshot, author_id: str) -> Author | None:
    return snapshot.once(("author", author_id), lambda snapshot: _author(snapshot, author_id))


def _author(snapshot: Snapshot, author_id: str) -> Author | None:
    query = (
        "SELECT seq, id, name, slug, version FROM author JOIN author_state USING (seq)"
        " WHERE id = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1"
    )
    row = snapshot.about(author_topic(author_id)).execute(query, (author_id, snapshot.position)).fetchone()
    return Author(*row) if row else None


def by_slug(snapshot: Snapshot, slug: str) -> Author | None:
    """Return the author that a current or former slug leads to."""
    slug = normalized(slug)
    row = _slug_row(snapshot, slug)
    return author(snapshot, row[0]) if row else None


def public_by_slug(snapshot: Snapshot, slug: str, public: Callable[[], ItemFilter]) -> Author | None:
    """Return the author that a slug leads to, if readers see the author, and may know that the author had the slug.

    A former slug leads to the author only if the author had it while an article was public that is public today: otherwise
    it may be a name that readers must not know. `public` returns the filter for what is public today. It is used for all
    slugs but present ones, so that response times do not reveal former slugs.
    """
    slug = normalized(slug)
    author_id, seq = _slug_row(snapshot, slug) or ("", NO_POSITION)
    record = author(snapshot, author_id)
    is_public = is_public_author(snapshot, seq)
    if record and is_public and record.slug == slug:
        return record
    rows = snapshot.about().execute(_PUBLIC_UNDER, (seq, slug, snapshot.position, _MAX_CHECKS)).fetchall()
    hidden = public().count_hidden
    was_seen = any(articles > hidden([seq], position) for position, articles in rows)
    return record if record and is_public and was_seen else None


def _slug_row(snapshot: Snapshot, slug: str) -> tuple[str, int] | None:
    query = "SELECT id, seq FROM author_slug JOIN author USING (seq) WHERE slug = ? AND from_pos <= ?"
    db = snapshot.about(author_slug_topic(slug))
    row: tuple[str, int] | None = db.execute(query, (slug, snapshot.position)).fetchone()
    return row


def name_changes(snapshot: Snapshot, seq: int) -> list[int]:
    """Return the positions at which the author registered at `seq` got another name or slug, in order."""
    query = "SELECT from_pos FROM author_state WHERE seq = ?1 AND from_pos > ?1 AND from_pos <= ?2 ORDER BY from_pos"
    rows = snapshot.db.execute(query, (seq, snapshot.position)).fetchall()
    return [position for (position,) in rows]


def owner_of_slug(snapshot: Snapshot, slug: str) -> str | None:
    """Return the id of the author that a slug leads to, as of the checkpoint of the projection."""
    row = snapshot.db.execute("SELECT id FROM author_slug JOIN author USING (seq) WHERE slug = ?", (slug,))
    return next((author_id for (author_id,) in row), None)


def last_slug(snapshot: Snapshot, author_id: str) -> str:
    """Return the slug of an author, as of the checkpoint of the projection. Raises `LookupError` if there is none."""
    query = (
        "SELECT slug FROM author_state JOIN author USING (seq) WHERE id = ? ORDER BY from_pos DESC LIMIT 1"
    )
    row = snapshot.db.execute(query, (author_id,)).fetchone()
    if row is None:
        raise LookupError(f"the projection {PROJECTION} has not applied the author {author_id}")
    return str(row[0])


def authors(snapshot: Snapshot, author_ids: Sequence[str]) -> list[Author]:
    """Return the authors with these ids, in the order of the ids. Unknown ids are left out."""
    return [record for author_id in author_ids if (record := author(snapshot, author_id))]


def authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return up to `limit` authors registered after the position `seq`, in the order of registration."""
    rows = snapshot.about(AUTHORS).execute(
        "SELECT id FROM author WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (seq, snapshot.position, limit),
    )
    return authors(snapshot, [author_id for (author_id,) in rows.fetchall()])


def count_authors(snapshot: Snapshot) -> int:
    query = "SELECT count(*) FROM author WHERE seq <= ?"
    (count,) = snapshot.about(AUTHORS).execute(query, (snapshot.position,)).fetchone()
    return int(count)


_PUBLIC: Final = """
    SELECT id, seq, n FROM (
        SELECT id, seq, (
            SELECT n FROM count_step WHERE k = seq AND pos <= ?2 ORDER BY pos DESC LIMIT 1
        ) AS n
        FROM author WHERE {condition} AND seq <= ?2
    )
    WHERE n > 0 ORDER BY seq
"""
_PUBLIC_AFTER: Final = _PUBLIC.format(condition="seq > ?1")
_PUBLIC_BY_SEQ: Final = _PUBLIC.format(condition="seq = ?1")
# How many articles the author ?1 had, at each position up to ?3 at which that changed under the slug ?2, the last first.
_PUBLIC_UNDER: Final = """
    WITH named AS MATERIALIZED (
        SELECT from_pos, coalesce((
            SELECT min(later.from_pos) FROM author_state AS later WHERE later.seq = ?1 AND later.from_pos > state.from_pos
        ), ?3 + 1) AS to_pos
        FROM author_state AS state WHERE seq = ?1 AND slug = ?2 AND from_pos <= ?3
    )
    SELECT from_pos, n FROM (
        SELECT from_pos, (SELECT n FROM count_step WHERE k = ?1 AND pos <= from_pos ORDER BY pos DESC LIMIT 1) AS n
        FROM named
        UNION ALL SELECT pos, n FROM named JOIN count_step ON k = ?1 AND pos > from_pos AND pos < to_pos AND pos <= ?3
    ) WHERE n > 0 ORDER BY from_pos DESC LIMIT ?4
"""
_MAX_CHECKS: Final = 64
"""At how many positions it is checked whether an article was public. Longer histories end with public articles."""
# The listings ?2 of authors that were empty at ?1 and are not empty at ?3, or the other way round.
_CHANGED_PUBLIC: Final = """
    SELECT 1 FROM json_each(?2) CROSS JOIN author ON author.seq = value
    WHERE coalesce((SELECT n > 0 FROM count_step WHERE k = value AND pos <= ?1 ORDER BY pos DESC LIMIT 1), 0)
        <> coalesce((SELECT n > 0 FROM count_step WHERE k = value AND pos <= ?3 ORDER BY pos DESC LIMIT 1), 0)
    LIMIT 1
"""


def public_authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return, like `authors_after`, only authors that have a public article."""
    return authors(snapshot, list(islice(_public_ids(snapshot, _PUBLIC_AFTER, seq), limit)))


def count_public_authors(snapshot: Snapshot) -> int:
    """Return the number of authors that have a public article."""
    return sum(1 for _ in _public_ids(snapshot, _PUBLIC_AFTER, NO_POSITION))


def is_public_author(snapshot: Snapshot, seq: int) -> bool:
    """Return whether the author registered at position `seq` has a public article."""
    return any(_public_ids(snapshot, _PUBLIC_BY_SEQ, seq))


def changed_public_authors(snapshot: Snapshot, after: int, ks: Sequence[int]) -> list[Topic]:
    """Return `PUBLIC_AUTHORS` if an author whose listing is among `ks` became public after a position, or ceased to be.

    It is empty otherwise.
    """
    values = (after, json.dumps(ks), snapshot.position)
    return [PUBLIC_AUTHORS for _ in snapshot.about().execute(_CHANGED_PUBLIC, values)]


def _public_ids(snapshot: Snapshot, query: str, seq: int) -> Iterator[str]:
    """Yield the ids of the authors that `query` selects and that have an article that passes the snapshot's filter."""
    rows = snapshot.about(PUBLIC_AUTHORS).execute(query, (seq, snapshot.position)).fetchall()
    for author_id, k, articles in rows:
        if snapshot.only is None or articles > snapshot.only.count_hidden([k], snapshot.position):
            yield author_id


def reference(snapshot: Snapshot, author_id: str) -> Reference:
    record = author(snapshot, author_id)
    return Reference("Author", author_id, record.name if record else "")


def _values(snapshot: Snapshot, author_id: str) -> FieldValues:
    record = author(snapshot, author_id)
    return {"name": plain(record.name), "slug": plain(record.slug)} if record else {}


SUBJECT: Final = Subject(kind="author", values=_values)
