"""Whatever payloads are withdrawn: no projection pauses, no text is left, and views and deciders tell the same story."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any, Final, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledgerpress.application.event_codec import event_codec
from ledgerpress.application.streams import TAXONOMY_STREAM
from ledgerpress.domain import authors, categories, posts
from ledgerpress.domain.event import Event
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.readmodels import articles, people
from ledgerpress.readmodels import categories as category_views
from ledgerpress.readmodels import posts as post_views
from ledgerpress.readmodels.listing_keys import EVERY_ARTICLE
from ledgerpress.readmodels.listings import list_keys
from ledgerpress.readmodels.temporal import Snapshot
from tests.property.altered_logs import AlteredLog
from tests.property.session import Session
from tests.property.view_rows import Rows, rebuilt
from tests.property.whole_day import WHOLE_DAY

PERSONAL: Final = ("Ada Brook", "Tide mill", "tide-mill", "One line.", "Night desk", "रात", "What is new.", "Sport", "sport")
"""Text of the whole day: after everything is withdrawn, none of it is left."""


class Told(NamedTuple):
    """A log with withdrawn payloads, as it is read, and the views of it."""

    history: list[Recorded[Event]]
    rows: Rows


def test_views_and_deciders_agree_whatever_is_withdrawn() -> None:
    async def in_one_log(check: Callable[[EventLog, int, Path], Any]) -> None:
        async with Session(folder / "data") as session:
            await session.begin()
            for action in WHOLE_DAY:
                await session.do(action)
            await asyncio.to_thread(check, session.store.log, len(session.history), folder)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(in_one_log(_check_with_hypothesis(asyncio.new_event_loop)))


def _check_with_hypothesis(_: object) -> Callable[[EventLog, int, Path], None]:
    raise NotImplementedError
