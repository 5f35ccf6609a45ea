"""For any commands, batches and interruptions, the views are the same, and they are right.

`LEDGERPRESS_TEST_EXAMPLES=1000 scripts/test tests/property` runs more examples. A failure prints how to repeat it.
"""

import asyncio
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.categories.model import (
    CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
    CATEGORY_NOT_MERGED,
    UNMERGE_CONFLICT,
    CategoryRef,
)
from ledgerpress.features.posts.create_edit_categorize_commands import CategorizePost, CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost, UnpublishPost
from ledgerpress.features.posts.model import (
    NOTHING_TO_REVERT,
    POST_ARCHIVED,
    POST_NOT_PUBLISHED,
    PUBLISHED_AT_IN_FUTURE,
    REVERT_CONFLICT,
)
from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.features.slugs.model import SLUG_MALFORMED, SLUG_TAKEN
from ledgerpress.views.files.active_views import ActiveViews
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Newsroom
from tests.property.command_generator import KINDS, NOW
from tests.property.day_scenario import WHOLE_DAY
from tests.property.history_comparison import assert_history_agrees
from tests.property.read_model_comparison import assert_agree
from tests.property.store_session import Action, Session, actions
from tests.property.view_rows import rebuilt, rows_of, views_in_use

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "24"))
NOT_COMMANDED: Final = {
    "payload.withdrawn",
    "projection.skipped",
    "lease.taken",
    "clock.confirmed",
    "clock.corrected",
}
"""Events that none of these commands records: an operator or a node records them."""
REJECTIONS: Final = {
    ErrorCode.VERSION_CONFLICT, SLUG_TAKEN, SLUG_MALFORMED, ErrorCode.NOT_FOUND, ErrorCode.BLANK,
    ErrorCode.TOO_LONG, ErrorCode.IDEMPOTENCY_KEY_REUSED, POST_ARCHIVED, POST_NOT_PUBLISHED,
    CATEGORY_CYCLE, CATEGORY_NOT_EMPTY, CATEGORY_NOT_MERGED, UNMERGE_CONFLICT, REVERT_CONFLICT, NOTHING_TO_REVERT,
    PUBLISHED_AT_IN_FUTURE,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the hundreds of faults of these tests."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


def test_views_have_the_same_rows_however_they_are_built_and_agree_with_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: Counter[str] = Counter()
    handed_over: dict[int, Recorded[Event]] = {}
    hand_over = ActiveViews.hand_over

    def noting(views: ActiveViews, events: Callable[[], Sequence[Recorded[Event]]]) -> None:
        recorded = events()
        handed_over.update((event.position, event) for event in recorded)
        counts["handed over"] += len(recorded)
        hand_over(views, lambda: recorded)

    monkeypatch.setattr(ActiveViews, "hand_over", noting)

    @settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @example(WHOLE_DAY, False, [0.2, 0.4, 0.6, 0.8], 2)
    @given(actions, st.booleans(), st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 5))
    def holds(chosen: list[Action], empty: bool, moments: list[float], page: int) -> None:
        handed_over.clear()
        asyncio.run(_holds(chosen, empty, moments, page, counts, handed_over))

    holds()
    assert {kind.__name__ for kind in KINDS} <= counts.keys()
    assert {name for name, *_ in EVENT_TYPES} - counts.keys() == NOT_COMMANDED
    assert {"handed over", "replayed", "nothing to do", "failed to open", *REJECTIONS} <= counts.keys()


async def _holds(
    chosen: list[Action],
    empty: bool,
    moments: list[float],
    page: int,
    counts: Counter[str],
    handed_over: Mapping[int, Recorded[Event]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Session(Path(folder) / "data", counts=counts) as session:
            if not empty:
                await session.begin()
            for action in chosen:
                await session.do(action)
            await _assert_sound(session, Path(folder), moments, page)
            decoded = {event.position: event for event in session.history}
            assert handed_over == {position: decoded[position] for position in handed_over}


async def _assert_sound(session: Session, folder: Path, moments: list[float], page: int) -> None:
    head = await session.store.log.head()
    assert {point.position for point in session.store.checkpoints.values()} == {head}
    rows = rows_of(views_in_use(session.data))
    for batch_size in (1, 10_000):
        path = folder / f"rebuilt-{batch_size}.sqlite"
        assert await rebuilt(session.store.log, path, batch_size=batch_size) == rows
    with session.store.snapshot() as snapshot:
        assert snapshot.position == head
        assert_agree(snapshot, session.room, known=session.room, page=page)
        assert_history_agrees(snapshot, session.history, page=page)
        positions = sorted({round(moment * head) for moment in moments})
        for position in positions:
            room = Newsroom(session.history[:position])
            past = Snapshot(snapshot.db, position)
            assert_agree(past, room, known=session.room, page=page)
        past = Snapshot(snapshot.db, positions[-1])
        assert_history_agrees(past, session.history[: positions[-1]], page=page + 3)


async def test_the_views_of_a_whole_day_agree_with_the_model_as_of_every_position(tmp_path: Path) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        room = Newsroom()
        with session.store.snapshot() as snapshot:
            for recorded in session.history:
                room.apply(recorded)
                assert_agree(Snapshot(snapshot.db, recorded.position), room, known=session.room)


async def test_listings_of_many_pages_agree_with_the_model(tmp_path: Path) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        handle, town = session.store.commands.handle, CategoryRef(slug="town")
        post_ids = []
        for number in range(250):
            date = NOW - (number * 7_919 % 250) * 60_000_000
            post = CreatePost(title=f"Tide {number}", publish=True, published_at=date, categories=(town,))
            post_ids.append((await handle(post)).subject_id)
        for number, post_id in enumerate(post_ids):
            if number % 4:
                await handle(UnpublishPost(post_id=post_id))
        for number, post_id in enumerate(post_ids[:200]):
            if number % 3 == 0:
                await handle(EditPost(post_id=post_id, title=f"Tide {number} again"))
                await handle(PublishPost(post_id=post_id, published_at=NOW - number * 1_000_000))
                await handle(CategorizePost(post_id=post_id, category=CategoryRef(slug="sport")))
        await session.read_new_events()
        moments = [0.02, 0.2, 0.42, 0.5, 0.61, 0.7, 0.83, 0.95]
        await _assert_sound(session, tmp_path, moments, page=37)
