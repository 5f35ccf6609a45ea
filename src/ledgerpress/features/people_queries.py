"""Authors, actors and the site's name as of a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerpress.views import cache_dependencies
from ledgerpress.views.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Author:
    """An author; `seq` is the position at which they were registered."""

    seq: int
    id: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, as registered; `kind` is `None` and the name empty where that was withdrawn."""

    id: str
    kind: str | None
    name: str


def actor(snapshot: Snapshot, actor_id: str) -> Actor | None:
    """Return an actor by id."""
    row = (
        snapshot.about(cache_dependencies.actor(actor_id))
        .execute(
            "SELECT actor_id, kind, name FROM actor_name WHERE actor_id = ? AND from_pos <= ?"
            " ORDER BY from_pos DESC LIMIT 1",
            (actor_id, snapshot.position),
        )
        .fetchone()
    )
    return Actor(*row) if row else None


def author(snapshot: Snapshot, author_id: str) -> Author | None:
    """Return an author by id."""
    row = (
        snapshot.about(cache_dependencies.author(author_id))
        .execute(
            "SELECT seq, id, name, version FROM author JOIN author_name ON author_id = id"
            " WHERE id = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (author_id, snapshot.position),
        )
        .fetchone()
    )
    return Author(*row) if row else None


def authors(snapshot: Snapshot, author_ids: Sequence[str]) -> list[Author]:
    """Return the authors with these ids, in that order."""
    found = (author(snapshot, author_id) for author_id in author_ids)
    return [one for one in found if one is not None]


def authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return up to `limit` authors registered after the position `seq`, in the order of registration."""
    rows = snapshot.about(cache_dependencies.AUTHORS).execute(
        "SELECT id FROM author WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (seq, snapshot.position, limit),
    )
    return authors(snapshot, [author_id for (author_id,) in rows.fetchall()])


def site_name(snapshot: Snapshot) -> str | None:
    """Return the site's name, if it has one."""
    row = (
        snapshot.about(cache_dependencies.SITE)
        .execute(
            "SELECT name FROM site_name WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (snapshot.position,),
        )
        .fetchone()
    )
    return row[0] if row else None


def site_version(snapshot: Snapshot) -> int:
    """Return how often the site has been named."""
    row = (
        snapshot.about(cache_dependencies.SITE)
        .execute(
            "SELECT version FROM site_name WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (snapshot.position,),
        )
        .fetchone()
    )
    return int(row[0]) if row else 0


def count_authors(snapshot: Snapshot) -> int:
    """Return how many authors are registered."""
    (count,) = (
        snapshot.about(cache_dependencies.AUTHORS)
        .execute("SELECT count(*) FROM author WHERE seq <= ?", (snapshot.position,))
        .fetchone()
    )
    return int(count)
