"""Whatever is done, in whatever batches, with whatever interruptions: the views are the same, and they are right."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledgerpress.adapters.sqlite.views import views_path
from ledgerpress.domain.catalogue import EVENT_TYPES
from ledgerpress.domain.rejection import ErrorCode
from ledgerpress.projections.all import every_projector
from ledgerpress.readmodels.temporal import Snapshot
from tests.newsroom import Newsroom
from tests.property.agreement import assert_agree
from tests.property.session import Action, Session, actions
from tests.property.view_rows import rebuilt, rows_of
from tests.property.whole_day import WHOLE_DAY

import os
MAX=int(os.environ.get('MAXE','80'))
NOT_COMMANDED = {"payload.withdrawn"}
"""Events that no use case records so far."""


def test_views_are_the_same_rows_however_they_were_built_and_agree_with_a_newsroom_in_plain_python() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=MAX, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @example(WHOLE_DAY, False, [0.2, 0.4, 0.6, 0.8], 2)
    @given(actions, st.booleans(), st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(1, 5))
    def holds(wanted: list[Action], empty: bool, moments: list[float], page: int) -> None:
        asyncio.run(_holds(wanted, empty, moments, page, seen))

    holds()
    print(seen)
    assert {name for name, _, _ in EVENT_TYPES} - seen.keys() == NOT_COMMANDED
    assert {"replayed", "nothing to do", "failed to open"} <= seen.keys()
    assert {ErrorCode.VERSION_CONFLICT, ErrorCode.SLUG_TAKEN, ErrorCode.IDEMPOTENCY_KEY_REUSED} <= seen.keys()
    assert {ErrorCode.CATEGORY_CYCLE, ErrorCode.CATEGORY_NOT_EMPTY, ErrorCode.NOT_FOUND} <= seen.keys()


async def _holds(
    wanted: list[Action], empty: bool, moments: list[float], page: int, seen: Counter[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        async with Session(data, seen=seen) as session:
            if not empty:
                await session.begin()
            for action in wanted:
                await session.do(action)
            head = await session.store.log.head()
            assert {point.position for point in session.store.checkpoints.values()} == {head}
            rows = rows_of(views_path(data, every_projector()))
            for batch_size in (1, 10_000):
                path = Path(folder) / f"rebuilt-{batch_size}.sqlite"
                assert await rebuilt(session.store.log, path, batch_size=batch_size) == rows
            with session.store.snapshot() as snapshot:
                assert snapshot.position == head
                assert_agree(snapshot, session.room, known=session.room, page=page)
                for position in sorted({round(moment * head) for moment in moments}):
                    room = Newsroom(session.history[:position])
                    assert_agree(Snapshot(snapshot.db, position), room, known=session.room, page=page)
