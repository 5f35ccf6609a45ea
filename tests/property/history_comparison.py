"""Compare the index of changes with a plain list of all recorded events."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.categories.model import CategoryDeleted, CategoryMerged, CategoryUnmerged
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.change_queries import MEMBERSHIP, ChangeQuery
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Newsroom

History: TypeAlias = Sequence[Recorded[Event]]
Predicate: TypeAlias = Callable[[Recorded[Event]], bool]


def assert_history_agrees(snapshot: Snapshot, history: History, *, page: int) -> None:
    """Fail unless the changes as of the snapshot equal `history`, by every filter. Both end at the same position."""
    for query, matches in [*_plain(history), *_of_categories(history)]:
        expected = [change.position for change in history if matches(change)]
        assert changes.count(snapshot, query) == len(expected), query
        assert _paged(snapshot, query, page, newest_first=False) == expected, query
        assert _paged(snapshot, query, page, newest_first=True) == expected[::-1], query
    for change in history[-20:]:
        row, header = changes.by_position(snapshot, change.position), change.header
        assert row
        assert (row.version, row.type, row.actor_id) == (
            header.stream_version,
            header.type,
            header.actor_id,
        )
        assert (row.recorded_at, row.on_behalf_of_id) == (
            header.recorded_at,
            header.on_behalf_of_actor_id,
        )
    assert changes.by_position(snapshot, snapshot.position + 1) is None


def _plain(history: History) -> Iterator[tuple[ChangeQuery, Predicate]]:
    yield ChangeQuery(), lambda change: True
    middle = len(history) // 2
    yield ChangeQuery(low=middle, high=middle + 7), lambda change: middle <= change.position <= middle + 7
    actors = {change.header.actor_id for change in history}
    merges = _merges_of_posts(history)
    for stream in {
        change.header.stream for change in history if change.header.stream.startswith(("post.", "author."))
    }:

        def is_of(change: Recorded[Event], stream: str = stream) -> bool:
            return change.header.stream == stream or change.position in merges[stream]

        yield ChangeQuery(subject=stream), is_of
        for types in (["category.merged"], ["category.unmerged", "post.edited"]):
            yield (
                ChangeQuery(subject=stream, types=types),
                lambda change, is_of=is_of, types=types: is_of(change) and change.header.type in types,  # type: ignore[misc]
            )
    for types in (["post.edited"], ["post.edited", "post.restored", "slug.claimed"], ["actor.renamed"], []):
        yield ChangeQuery(types=types), lambda change, types=types: change.header.type in types  # type: ignore[misc]
        for actor in actors:
            yield (
                ChangeQuery(types=types, actor_id=actor),
                lambda change, types=types, actor=actor: (  # type: ignore[misc]
                    change.header.type in types and change.header.actor_id == actor
                ),
            )
    for actor in actors:
        yield ChangeQuery(actor_id=actor), lambda change, actor=actor: change.header.actor_id == actor  # type: ignore[misc]


def _merges_of_posts(history: History) -> dict[str, set[int]]:
    """Return the positions at which a merge, or its undoing, changed to which category a category of a post leads."""
    room, merges = Newsroom(), defaultdict[str, set[int]](set)
    for change in history:
        before = {category_id: _merge_target(room, category_id) for category_id in room.categories}
        room.apply(change)
        if isinstance(change.event, CategoryMerged | CategoryUnmerged):
            for post in room.posts.values():
                if any(
                    category_id in before and before[category_id] != _merge_target(room, category_id)
                    for category_id in post.categories
                ):
                    merges[f"post.{post.id}"].add(change.position)
    return merges


def _of_categories(history: History) -> Iterator[tuple[ChangeQuery, Predicate]]:
    room, own, merges = Newsroom(), defaultdict[str, set[int]](set), _merges_of_posts(history)
    for change in history:
        before = {category_id: copy(category) for category_id, category in room.categories.items()}
        room.apply(change)
        for category_id, category in room.categories.items():
            if category != before.get(category_id):
                own[category_id].add(change.position)
        if isinstance(change.event, CategoryDeleted):
            own[change.event.category_id].add(change.position)
    for category_id in room.categories:
        target = _merge_target(room, category_id)
        ids = {other for other in room.categories if _merge_target(room, other) == target}
        positions = set().union(*(own[member_id] for member_id in ids))

        def is_own(change: Recorded[Event], positions: set[int] = positions) -> bool:
            return change.position in positions

        def is_member(change: Recorded[Event], ids: set[str] = ids) -> bool:
            return change.header.type in MEMBERSHIP and getattr(change.event, "category_id", None) in ids

        yield ChangeQuery(category_id=category_id, members=False), is_own
        yield (
            ChangeQuery(category_id=category_id),
            lambda change, a=is_own, b=is_member: a(change) or b(change),  # type: ignore[misc]
        )
        for post_id in list(room.posts)[:3]:
            stream = f"post.{post_id}"
            yield (
                ChangeQuery(category_id=category_id, subject=stream),
                lambda change, a=is_own, b=is_member, stream=stream: (  # type: ignore[misc]
                    (b(change) and change.header.stream == stream)
                    or (a(change) and change.position in merges[stream])
                ),
            )


def _merge_target(room: Newsroom, category_id: str) -> str:
    """Return the id of the category into which `category_id` was merged, or itself, deleted or not."""
    while merged_into := room.categories[category_id].merged_into:
        category_id = merged_into
    return category_id


def _paged(snapshot: Snapshot, query: ChangeQuery, page: int, *, newest_first: bool) -> list[int]:
    """Read all positions page by page."""
    positions: list[int] = []
    while True:
        low, high = query.low, query.high
        if positions:
            low, high = (
                (low, min(high, positions[-1] - 1)) if newest_first else (max(low, positions[-1] + 1), high)
            )
        rest = ChangeQuery(
            subject=query.subject, types=query.types, actor_id=query.actor_id, category_id=query.category_id,
            members=query.members, low=low, high=high,
        )  # fmt: skip
        part = changes.positions(snapshot, rest, limit=page, newest_first=newest_first)
        positions += part
        if len(part) < page:
            return positions
