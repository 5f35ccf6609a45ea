"""Compare the index of changes with a plain list of everything that was recorded."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.categories.model import CategoryDeleted
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.change_queries import MEMBERSHIP, ChangeQuery
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Newsroom

History: TypeAlias = Sequence[Recorded[Event]]
Holds: TypeAlias = Callable[[Recorded[Event]], bool]


def assert_history_agrees(snapshot: Snapshot, history: History, *, page: int) -> None:
    """Fail unless the changes, as of the snapshot and by every filter, are those of `history`, which ends there."""
    for which, holds in [*_plain(history), *_of_categories(history)]:
        expected = [one.position for one in history if holds(one)]
        assert changes.count(snapshot, which) == len(expected), which
        assert _turned(snapshot, which, page, newest_first=False) == expected, which
        assert _turned(snapshot, which, page, newest_first=True) == expected[::-1], which
    for one in history[-20:]:
        found, header = changes.by_position(snapshot, one.position), one.header
        assert found
        assert (found.version, found.type, found.actor_id) == (
            header.stream_version,
            header.type,
            header.actor_id,
        )
        assert (found.recorded_at, found.on_behalf_of_id) == (
            header.recorded_at,
            header.on_behalf_of_actor_id,
        )
    assert changes.by_position(snapshot, snapshot.position + 1) is None


def _plain(history: History) -> Iterator[tuple[ChangeQuery, Holds]]:
    yield ChangeQuery(), lambda one: True
    middle = len(history) // 2
    yield ChangeQuery(low=middle, high=middle + 7), lambda one: middle <= one.position <= middle + 7
    actors = {one.header.actor_id for one in history}
    for stream in {
        one.header.stream for one in history if one.header.stream.startswith(("post.", "author."))
    }:
        yield ChangeQuery(subject=stream), lambda one, stream=stream: one.header.stream == stream  # type: ignore[misc]
    for types in (["post.edited"], ["post.edited", "post.restored", "slug.claimed"], ["actor.renamed"], []):
        yield ChangeQuery(types=types), lambda one, types=types: one.header.type in types  # type: ignore[misc]
        for actor in actors:
            yield (
                ChangeQuery(types=types, actor_id=actor),
                lambda one, types=types, actor=actor: (  # type: ignore[misc]
                    one.header.type in types and one.header.actor_id == actor
                ),
            )
    for actor in actors:
        yield ChangeQuery(actor_id=actor), lambda one, actor=actor: one.header.actor_id == actor  # type: ignore[misc]


def _of_categories(history: History) -> Iterator[tuple[ChangeQuery, Holds]]:
    room, own = Newsroom(), defaultdict[str, set[int]](set)
    for one in history:
        before = {category_id: copy(category) for category_id, category in room.categories.items()}
        room.apply(one)
        for category_id, category in room.categories.items():
            if category != before.get(category_id):
                own[category_id].add(one.position)
        if isinstance(one.event, CategoryDeleted):
            own[one.event.category_id].add(one.position)
    for category_id in room.categories:
        stands = _stands(room, category_id)
        ids = {one for one in room.categories if _stands(room, one) == stands}
        positions = set().union(*(own[one] for one in ids))

        def is_own(one: Recorded[Event], positions: set[int] = positions) -> bool:
            return one.position in positions

        def is_member(one: Recorded[Event], ids: set[str] = ids) -> bool:
            return one.header.type in MEMBERSHIP and getattr(one.event, "category_id", None) in ids

        yield ChangeQuery(category_id=category_id, members=False), is_own
        yield ChangeQuery(category_id=category_id), lambda one, a=is_own, b=is_member: a(one) or b(one)  # type: ignore[misc]
        for post_id in list(room.posts)[:3]:
            stream = f"post.{post_id}"
            yield (
                ChangeQuery(category_id=category_id, subject=stream),
                lambda one, b=is_member, stream=stream: b(one) and one.header.stream == stream,  # type: ignore[misc]
            )


def _stands(room: Newsroom, category_id: str) -> str:
    """Return the id of the category that an id stands for, deleted or not."""
    while merged_into := room.categories[category_id].merged_into:
        category_id = merged_into
    return category_id


def _turned(snapshot: Snapshot, which: ChangeQuery, page: int, *, newest_first: bool) -> list[int]:
    """Read page after page."""
    found: list[int] = []
    while True:
        low, high = which.low, which.high
        if found:
            low, high = (low, min(high, found[-1] - 1)) if newest_first else (max(low, found[-1] + 1), high)
        rest = ChangeQuery(
            subject=which.subject, types=which.types, actor_id=which.actor_id, category_id=which.category_id,
            members=which.members, low=low, high=high,
        )  # fmt: skip
        part = changes.positions(snapshot, rest, limit=page, newest_first=newest_first)
        found += part
        if len(part) < page:
            return found
