"""Authors as of a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledgerpress.views.declarations import DependencyRule, FieldValues, Reference, Subject, plain
from ledgerpress.views.snapshot import Snapshot, Topic

AUTHORS: Final = Topic("authors", 0)
"""Which authors there are."""


def author_topic(author_id: str) -> Topic:
    """Return the topic of an author."""
    return Topic("author", author_id)


DEPENDENCIES: Final = DependencyRule.by_type(
    {"author.registered": [AUTHORS], "author.renamed": []}, subject=author_topic
)


@dataclass(frozen=True, slots=True)
class Author:
    """An author; `seq` is the position of the registration."""

    seq: int
    id: str
    name: str
    version: int


def author(snapshot: Snapshot, author_id: str) -> Author | None:
    """Return an author by id."""
    row = (
        snapshot.about(author_topic(author_id))
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
    return [known for author_id in author_ids if (known := author(snapshot, author_id))]


def authors_after(snapshot: Snapshot, seq: int, limit: int) -> list[Author]:
    """Return up to `limit` authors registered after the position `seq`, in the order of registration."""
    rows = snapshot.about(AUTHORS).execute(
        "SELECT id FROM author WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (seq, snapshot.position, limit),
    )
    return authors(snapshot, [author_id for (author_id,) in rows.fetchall()])


def count_authors(snapshot: Snapshot) -> int:
    """Return how many authors are registered."""
    (count,) = (
        snapshot.about(AUTHORS)
        .execute("SELECT count(*) FROM author WHERE seq <= ?", (snapshot.position,))
        .fetchone()
    )
    return int(count)


def reference(snapshot: Snapshot, author_id: str) -> Reference:
    """Return a reference to an author."""
    known = author(snapshot, author_id)
    return Reference("Author", author_id, known.name if known else "")


def _values(snapshot: Snapshot, author_id: str) -> FieldValues:
    known = author(snapshot, author_id)
    return {"name": plain(known.name)} if known else {}


SUBJECT: Final = Subject(kind="author", values=_values)
