"""The history as of a snapshot: changes by subject, type, actor, category, time and position, in order of position.

Every combination of filters is answered from indexes that list positions in order, so that a page costs the same
however long the log is, and however rare what is asked for.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledgerpress.features.categories import queries as categories
from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.views import cache_dependencies
from ledgerpress.views.snapshot import OPEN, Snapshot

MEMBERSHIP: Final = ("post.categorized", "post.uncategorized")
"""The events by which a post enters or leaves a category."""
_ENTERED: Final = """
    AND EXISTS (
        SELECT 1 FROM change_in_category AS entered
        WHERE entered.category = ? AND entered.type = ? AND entered.position = change.position
    )"""
_EVERY_TYPE: Final = tuple(name for name, _, _ in EVENT_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQuery:
    """Which changes are wanted; what is `None` does not matter.

    `subject` names what was changed, such as `post.<id>`. `category_id` asks for the changes of a category, and of
    those that it took over; with `members`, also for the posts that entered or left it. `low` and `high` are
    positions, both included.
    """

    subject: str | None = None
    types: Sequence[str] | None = None
    actor_id: str | None = None
    category_id: str | None = None
    members: bool = True
    low: int = 1
    high: int = OPEN


@dataclass(frozen=True, slots=True)
class Change:
    """One recorded event. `recorded_at` is in microseconds since 1970, UTC; `version` is that of its stream.

    `withdrawn` is the position at which its payload was withdrawn, if it was.
    """

    position: int
    subject: str
    version: int
    type: str
    actor_id: str
    on_behalf_of_id: str | None
    recorded_at: int
    withdrawn: int | None


class _IndexRange(NamedTuple):
    """A part of the answer that an index gives in order: its table, its condition, and the values for that.

    Runs share no position. `place` is the column as the range is put to it.
    """

    table: str
    where: str
    values: tuple[object, ...]
    place: str = "position"


def by_position(snapshot: Snapshot, position: int) -> Change | None:
    """Return the change at a position."""
    row = (
        snapshot.about()
        .execute(
            "SELECT position, subject.name, version, type.name, actor.name, represented.name, recorded_at, withdrawn"
            " FROM change JOIN change_key AS subject ON subject.k = subject"
            " JOIN change_key AS type ON type.k = type JOIN change_key AS actor ON actor.k = actor"
            " LEFT JOIN change_key AS represented ON represented.k = on_behalf_of"
            " WHERE position = ? AND position <= ?",
            (position, snapshot.position),
        )
        .fetchone()
    )
    if row is None:
        snapshot.depends_on_position()
        return None
    return Change(*row)


def positions(snapshot: Snapshot, which: ChangeQuery, *, limit: int, newest_first: bool) -> list[int]:
    """Return the first `limit` positions of the changes that are wanted."""
    order = "DESC" if newest_first else "ASC"
    found: list[int] = []
    db = _about(snapshot, which)
    for run in _runs(snapshot, which):
        rows = db.execute(
            f"SELECT position FROM {run.table} WHERE {run.where} AND {run.place} BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY {run.place} {order} LIMIT ?",
            (*run.values, which.low, min(which.high, snapshot.position), limit),
        )
        found += [position for (position,) in rows]
    return sorted(found, reverse=newest_first)[:limit]


def count(snapshot: Snapshot, which: ChangeQuery) -> int:
    """Return how many changes are wanted; it looks at each of them, unless nothing but positions is asked for."""
    high = min(which.high, snapshot.position)
    db = _about(snapshot, which)
    if which == ChangeQuery(low=which.low, high=which.high):
        return max(0, high - max(which.low, 1) + 1)
    found = 0
    for run in _runs(snapshot, which):
        (many,) = db.execute(
            f"SELECT count(*) FROM {run.table} WHERE {run.where} AND {run.place} BETWEEN ? AND ?",  # noqa: S608
            (*run.values, which.low, high),
        ).fetchone()
        found += many
    return found


def _about(snapshot: Snapshot, which: ChangeQuery) -> sqlite3.Connection:
    """Return the connection, and note what the answer depends on: what brings its names into the index does, too."""
    kind, _, subject_id = (which.subject or "").partition(".")
    if kind == "post":
        return snapshot.about(cache_dependencies.post(subject_id))
    if kind == "author":
        return snapshot.about(cache_dependencies.author(subject_id))
    if kind == "actor":
        return snapshot.about(cache_dependencies.actor(subject_id))
    if kind == "category" or (which.category_id is not None and not which.members):
        return snapshot.about(cache_dependencies.TAXONOMY)
    return snapshot.db


def _runs(snapshot: Snapshot, which: ChangeQuery) -> Iterator[_IndexRange]:
    """Yield runs that together hold every change that is wanted, none twice."""
    actor = types = subject = None
    if which.types is not None:
        types = _keys(snapshot, dict.fromkeys(which.types))
    if which.actor_id is not None and (actor := _key(snapshot, which.actor_id)) is None:
        return
    if which.subject is not None and (subject := _key(snapshot, which.subject)) is None:
        return
    if which.category_id is not None:
        yield from _of_category(snapshot, which, types, actor, subject)
    elif subject is not None:
        where, values = _rest(types, actor, None)
        yield _IndexRange("change", f"subject = ?{where}", (subject, *values))
    elif actor is not None:
        for type_ in _keys(snapshot, _EVERY_TYPE) if types is None else types:
            yield _IndexRange("change", "actor = ? AND type = ?", (actor, type_))
    elif types is not None:
        for type_ in types:
            yield _IndexRange("change", "type = ?", (type_,))
    else:
        yield _IndexRange("change", "true", ())


def _of_category(
    snapshot: Snapshot,
    which: ChangeQuery,
    types: Sequence[int] | None,
    actor: int | None,
    subject: int | None,
) -> Iterator[_IndexRange]:
    """Yield the changes of a category itself, which are few, and the runs of posts that entered or left it."""
    standing = categories.standing_for(snapshot, which.category_id or "")
    seqs = [seq for seq, _ in standing]
    where, values = _rest(types, actor, subject)
    own = f"position IN (SELECT from_pos FROM category_state WHERE seq IN ({_marks(seqs)})){where}"  # noqa: S608
    yield _IndexRange("change", own, (*seqs, *values), place="+position")
    if not which.members:
        return
    membership = [k for k in _keys(snapshot, MEMBERSHIP) if types is None or k in types]
    for category in _keys(snapshot, [f"category.{category_id}" for _, category_id in standing]):
        for type_ in membership:
            if subject is not None:
                where, values = _rest(None, actor, None)
                yield _IndexRange(
                    "change", f"subject = ?{where}{_ENTERED}", (subject, *values, category, type_)
                )
            elif actor is None:
                yield _IndexRange("change_in_category", "category = ? AND type = ?", (category, type_))
            else:
                by_actor = "category = ? AND actor = ? AND type = ?"
                yield _IndexRange("change_in_category", by_actor, (category, actor, type_))


def _rest(
    types: Sequence[int] | None, actor: int | None, subject: int | None
) -> tuple[str, tuple[object, ...]]:
    """Return conditions for which no index is to be chosen, and their values."""
    where, values = "", list[object]()
    if types is not None:
        where += f" AND +type IN ({_marks(types)})"
        values += types
    if actor is not None:
        where += " AND +actor = ?"
        values.append(actor)
    if subject is not None:
        where += " AND +subject = ?"
        values.append(subject)
    return where, tuple(values)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _key(snapshot: Snapshot, name: str) -> int | None:
    row = snapshot.about().execute("SELECT k FROM change_key WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def _keys(snapshot: Snapshot, names: Iterable[str]) -> list[int]:
    return [k for name in names if (k := _key(snapshot, name)) is not None]
