"""Queries of the history as of a snapshot: changes by subject, type, actor, category and position.

Results are in order of position. Every combination of filters uses indexes that list positions in order, so the cost of
a page depends neither on the length of the log nor on how rare the changes are.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import SKIP
from ledgerpress.eventlog.unknown_third_party_events import THIRD_PARTY
from ledgerpress.features.actors.projector_and_queries import actor_topic
from ledgerpress.features.authors.projector_and_queries import author_topic
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts.post_queries import post_topic
from ledgerpress.views.feature_declarations import RecentEvent
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from ledgerpress.views.temporal_and_step_rows import OPEN

__all__ = [
    "Change",
    "ChangeQuery",
    "by_position",
    "count",
    "positions",
]

MEMBERSHIP: Final = ("post.categorized", "post.uncategorized")
"""The events by which a post enters or leaves a category."""
_ENTERED: Final = """
    AND EXISTS (
        SELECT 1 FROM change_in_category AS entered
        WHERE entered.category = ? AND entered.type = ? AND entered.position = change.position
    )"""
# The recorded categories of a post, each followed to the category that it led to, with the positions between which it
# did. A merge while the post was in the category begins such a step, and its undoing ends it.
_MERGES_OF_POST: Final = """
    WITH RECURSIVE led_to (category, low, high) AS (
        SELECT category.seq, inside.from_pos, inside.to_pos
        FROM post JOIN post_category AS inside ON inside.seq = post.seq JOIN category ON category.id = category_id
        WHERE post.id = ?
        UNION
        SELECT edge.parent, max(edge.from_pos, led_to.low), min(edge.to_pos, led_to.high)
        FROM led_to JOIN category_edge AS edge ON edge.category = led_to.category
        WHERE edge.kind = 1 AND edge.from_pos < led_to.high AND edge.to_pos > led_to.low
    )
    SELECT edge.from_pos FROM led_to JOIN category_edge AS edge ON edge.category = led_to.category
    WHERE edge.kind = 1 AND edge.from_pos > led_to.low AND edge.from_pos < led_to.high
    UNION SELECT edge.to_pos FROM led_to JOIN category_edge AS edge ON edge.category = led_to.category
    WHERE edge.kind = 1 AND edge.to_pos > led_to.low AND edge.to_pos < led_to.high
"""
# One index lookup for each type of event that the actor has recorded.
_TYPES_OF_ACTOR: Final = """
    WITH RECURSIVE types (k) AS (
        SELECT min(type) FROM change WHERE actor = ?1
        UNION ALL SELECT (SELECT min(type) FROM change WHERE actor = ?1 AND type > k) FROM types WHERE k IS NOT NULL
    )
    SELECT k FROM types WHERE k IS NOT NULL
"""
_AT_POSITIONS: Final = f"""
    SELECT position, subject.name, version, type.name, actor.name, represented.name,
        {corrected_sql("recorded_at", "change.position", "?2")}, recorded_at, withdrawn
    FROM change JOIN change_key AS subject ON subject.k = subject
    JOIN change_key AS type ON type.k = type JOIN change_key AS actor ON actor.k = actor
    LEFT JOIN change_key AS represented ON represented.k = on_behalf_of
    WHERE position IN (SELECT value FROM json_each(?1)) AND position <= ?2
"""  # noqa: S608
_RECENT: Final = """
    SELECT type.name, subject.name FROM change
    JOIN change_key AS type ON type.k = type JOIN change_key AS subject ON subject.k = subject
    WHERE position > ? AND position <= ?
"""
_TOPICS: Final = {"post": post_topic, "author": author_topic, "actor": actor_topic}
_SKIPPED: Final = "SELECT 1 FROM change WHERE type = (SELECT k FROM change_key WHERE name = ?) LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQuery:
    """A filter for changes; a field that is `None` does not restrict them.

    `subject` names the changed object, such as `post.<id>`. The changes of a post include the merges of its categories,
    and their undoing: they change the categories of the post, but are events of the categories. `category_id` selects the changes of a category and of the
    categories merged into it; with `members`, also the changes by which posts entered or left it. `low` and `high` are
    positions, both inclusive.
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
    """One recorded event. Times are in microseconds since 1970, UTC; `version` is that of the event's stream.

    `subject` is the changed object: in the changes of a post, the subject of the merge of a category is the category.

    `recorded_at` is the recorded time as of the snapshot. `clock_time` is that in the header of the event: it differs if
    the clock was corrected. `withdrawn` is the position at which the payload was withdrawn, `None` if it was not.
    """

    position: int
    subject: str
    version: int
    type: str
    actor_id: str
    on_behalf_of_id: str | None
    recorded_at: int
    clock_time: int
    withdrawn: int | None


class _IndexRange(NamedTuple):
    """A part of the result that one index returns in order: a table, a condition, and the values of its parameters.

    No two parts share a position. `place` is the column that position limits apply to.
    """

    table: str
    where: str
    values: tuple[object, ...]
    place: str = "position"


def by_position(snapshot: Snapshot, position: int) -> Change | None:
    if changes := at(snapshot, [position]):
        return changes[0]
    snapshot.depends_on_position()
    return None


def at(snapshot: Snapshot, positions: Sequence[int]) -> list[Change]:
    """Return the changes at the positions that exist as of the snapshot, which a later event does not change."""
    values = (msgspec.json.encode(positions).decode(), snapshot.position)
    return [Change(*row) for row in snapshot.about().execute(_AT_POSITIONS, values)]


def recent_events(snapshot: Snapshot, after: int) -> list[RecentEvent] | None:
    """Return the events after a position, or `None` if a projection may have skipped an event."""
    db = snapshot.about()
    if db.execute(_SKIPPED, (SKIP,)).fetchone():
        return None
    return [RecentEvent(*row) for row in db.execute(_RECENT, (after, snapshot.position))]


def positions(snapshot: Snapshot, query: ChangeQuery, *, limit: int, newest_first: bool) -> list[int]:
    """Return the first `limit` positions of the changes that `query` selects."""
    order = "DESC" if newest_first else "ASC"
    merged: list[int] = []
    db = _about(snapshot, query)
    for part in _index_ranges(snapshot, query):
        rows = db.execute(
            f"SELECT position FROM {part.table} WHERE {part.where} AND {part.place} BETWEEN ? AND ?"  # noqa: S608
            f" ORDER BY {part.place} {order} LIMIT ?",
            (*part.values, query.low, min(query.high, snapshot.position), limit),
        )
        merged += [position for (position,) in rows]
    return sorted(merged, reverse=newest_first)[:limit]


def count(snapshot: Snapshot, query: ChangeQuery) -> int:
    """Return the number of changes that `query` selects.

    The cost grows with that number, unless `query` restricts nothing but positions.
    """
    high = min(query.high, snapshot.position)
    db = _about(snapshot, query)
    if query == ChangeQuery(low=query.low, high=query.high):
        return max(0, high - max(query.low, 1) + 1)
    total = 0
    for part in _index_ranges(snapshot, query):
        (matching,) = db.execute(
            f"SELECT count(*) FROM {part.table} WHERE {part.where} AND {part.place} BETWEEN ? AND ?",  # noqa: S608
            (*part.values, query.low, high),
        ).fetchone()
        total += matching
    return total


def unknown_events(snapshot: Snapshot, codec: Codec[Event]) -> dict[str, int]:
    """Return the number of events of each third-party type that `codec` does not know."""
    rows = snapshot.db.execute(
        "SELECT name, count(*) FROM change_key JOIN change ON type = k WHERE name GLOB ? AND position <= ?"
        " GROUP BY name ORDER BY name",
        (f"{THIRD_PARTY}*", snapshot.position),
    )
    return {type_: count for type_, count in rows.fetchall() if not codec.knows(type_)}


def _about(snapshot: Snapshot, query: ChangeQuery) -> sqlite3.Connection:
    """Return the connection, and record what the result depends on.

    The dependencies also cover the events that add a name of the query to the index.
    """
    kind, _, subject_id = (query.subject or "").partition(".")
    if topic := _TOPICS.get(kind):
        return snapshot.about(topic(subject_id), *([categories.TAXONOMY] if kind == "post" else []))
    if kind == "category" or (query.category_id is not None and not query.members):
        return snapshot.about(categories.TAXONOMY)
    return snapshot.db


def _index_ranges(snapshot: Snapshot, query: ChangeQuery) -> Iterator[_IndexRange]:
    """Yield parts that together contain each change that `query` selects exactly once."""
    actor = types = subject = None
    post_id = _post_id(query)
    if query.types is not None:
        types = _keys(snapshot, dict.fromkeys(query.types))
    if query.actor_id is not None and (actor := _key(snapshot, query.actor_id)) is None:
        return
    if query.subject is not None and (subject := _key(snapshot, query.subject)) is None:
        return
    if query.category_id is not None:
        yield from _of_category(snapshot, query, types, actor, subject)
    elif subject is not None:
        where, values = _rest(types, actor, None)
        yield _IndexRange("change", f"subject = ?{where}", (subject, *values))
        if post_id is not None:
            merges = f"position IN ({_MERGES_OF_POST}){where}"
            yield _IndexRange("change", merges, (post_id, *values), place="+position")
    elif actor is not None:
        for type_ in _types_of(snapshot, actor) if types is None else types:
            yield _IndexRange("change", "actor = ? AND type = ?", (actor, type_))
    elif types is not None:
        for type_ in types:
            yield _IndexRange("change", "type = ?", (type_,))
    else:
        yield _IndexRange("change", "true", ())


def _of_category(
    snapshot: Snapshot,
    query: ChangeQuery,
    types: Sequence[int] | None,
    actor: int | None,
    subject: int | None,
) -> Iterator[_IndexRange]:
    """Yield the changes of the category itself, which are few, and the changes by which posts entered or left it."""
    merged = categories.with_merged(snapshot, query.category_id or "")
    seqs = [seq for seq, _ in merged]
    post_id = _post_id(query)
    where, values = _rest(types, actor, subject if post_id is None else None)
    if post_id is not None:
        where, values = f"{where} AND +position IN ({_MERGES_OF_POST})", (*values, post_id)
    own = f"position IN (SELECT from_pos FROM category_state WHERE seq IN ({_marks(seqs)})){where}"  # noqa: S608
    yield _IndexRange("change", own, (*seqs, *values), place="+position")
    if not query.members:
        return
    membership = [k for k in _keys(snapshot, MEMBERSHIP) if types is None or k in types]
    for category in _keys(snapshot, [f"category.{category_id}" for _, category_id in merged]):
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


def _post_id(query: ChangeQuery) -> str | None:
    """Return the id of the post whose changes are queried, `None` if they are those of another object, or of all."""
    kind, _, subject_id = (query.subject or "").partition(".")
    return subject_id if kind == "post" else None


def _types_of(snapshot: Snapshot, actor: int) -> list[int]:
    return [k for (k,) in snapshot.about().execute(_TYPES_OF_ACTOR, (actor,))]


def _rest(
    types: Sequence[int] | None, actor: int | None, subject: int | None
) -> tuple[str, tuple[object, ...]]:
    """Return conditions for which SQLite must not choose an index, and their values."""
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
