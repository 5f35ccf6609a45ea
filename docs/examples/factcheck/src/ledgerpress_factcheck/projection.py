"""The checks in the views, as of every position, and the listing of checked articles."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ledgerpress import feature
from ledgerpress.feature import Event, RecentEvent, Recorded, Snapshot, Topic, Withdrawn
from ledgerpress_factcheck.model import CHECKED, PostChecked

CHECKS: Final = Topic("x.factcheck", "")
_MEMBERS: Final = "SELECT item FROM x_factcheck_listed WHERE from_pos <= ?"


class Check(NamedTuple):
    """A check. The verdict and the note are `None` once they were withdrawn."""

    position: int
    verdict: str | None
    note: str | None


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    match recorded.event:
        case PostChecked(post_id=post_id, verdict=verdict, note=note):
            row: tuple[object, ...] = (post_id, recorded.position, verdict, note)
        case Withdrawn(type="x.factcheck.checked") as withdrawn:
            row = (withdrawn.subject_id, recorded.position, None, None)
        case _:
            return
    db.execute("INSERT INTO x_factcheck_check VALUES (?, ?, ?, ?)", row)


PROJECTOR: Final = feature.ImmediateProjector(
    name="x.factcheck",
    version=1,
    schema="""
        CREATE TABLE x_factcheck_check (
            post_id TEXT NOT NULL, position INTEGER NOT NULL, verdict TEXT, note TEXT, PRIMARY KEY (post_id, position)
        ) STRICT, WITHOUT ROWID;
    """,
    events=frozenset({PostChecked, Withdrawn}),
    apply=_apply,
)


class _Listing(feature.ListingWriter[feature.ListedItem]):
    """The key of the listing is the position of the first check."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def entries(self, item: feature.ListedItem) -> Iterable[feature.Entry]:
        query = "SELECT 1 FROM x_factcheck_listed WHERE item = ?"
        is_checked = self._db.execute(query, (item.seq,)).fetchone() is not None
        return [(_key(self._db), item.public_date)] if is_checked and item.public_date is not None else []

    def apply(self, recorded: Recorded[Event], changes: feature.ListingChanges) -> None:
        if recorded.header.type != CHECKED:
            return
        item = changes.find(recorded.header.stream.removeprefix("x.factcheck."))
        add = "INSERT OR IGNORE INTO x_factcheck_listed VALUES (?, ?)"
        if (
            item
            and self._db.execute(add, (item.seq, recorded.position)).rowcount
            and item.public_date is not None
        ):
            changes.enter(_key(self._db), item.public_date, item)


def _key(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(min(from_pos), 0) FROM x_factcheck_listed").fetchone()[0])


def _listings_of(db: sqlite3.Connection, items: Sequence[int], position: int) -> Iterable[tuple[int, int]]:
    return [(_key(db), item) for (item,) in db.execute(_MEMBERS, (position,)) if item in items]


LISTING: Final = feature.ListingContribution(
    name="x.factcheck",
    schema="CREATE TABLE x_factcheck_listed (item INTEGER PRIMARY KEY, from_pos INTEGER NOT NULL) STRICT;",
    begin=_Listing,
    listings_of=_listings_of,
)


def checks_of(snapshot: Snapshot, post_id: str) -> list[Check]:
    """Return the checks of a post, oldest first."""
    query = "SELECT position, verdict, note FROM x_factcheck_check WHERE post_id = ? AND position <= ?"
    rows = snapshot.about(Topic("x.factcheck", post_id)).execute(query, (post_id, snapshot.position))
    return [Check(*row) for row in rows]


def listing_keys(snapshot: Snapshot) -> list[int]:
    """Return the key of the listing of checked articles, if there is one."""
    return list(filter(None, [_key(snapshot.about(CHECKS))]))


def _topics(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> Iterable[Topic]:
    checked = [event.subject_id for event in events if event.type == CHECKED]
    yield from (Topic("x.factcheck", post_id) for post_id in checked)
    yield from [CHECKS] if checked else []
    yield from feature.changed_listings(snapshot, after, list(filter(None, [_key(snapshot.about())])))


DEPENDENCIES: Final = feature.DependencyRule(frozenset({CHECKED}), _topics)
