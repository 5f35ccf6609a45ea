"""The property test can fail: it detects views that miss any single event."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import all_projectors
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.altered_projectors import Altered
from tests.newsroom_model import Newsroom
from tests.property.day_scenario import WHOLE_DAY
from tests.property.read_model_comparison import assert_agree
from tests.property.store_session import Session
from tests.property.view_rows import rebuilt

NEWSROOM_PROJECTIONS = {"categories", "listings", "people", "posts", "tokens"}
"""Projections of the newsroom's contents. The others apply every event."""
NOT_APPLIED = {"log.opened", "slug.claimed", "slug.released"}
"""Events that none of these applies: slugs are in the events of their owners."""
NOT_IN_MODEL = {
    *("actor.registered", "actor.renamed", "token.created", "token.revoked"),
    *("site.described", "page.created", "page.edited", "page.published", "page.unpublished", "menu.arranged"),
}
"""Events that the newsroom in plain Python does not apply. `test_site_pages.py` has a model of pages and the menu."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the hundreds of faults of these tests."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


def without_event(sound: Projector, position: int) -> Projector:
    """Return a projector that drops the event at `position`."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        if recorded.position != position:
            writing.apply(recorded)

    return Altered(sound, apply)


async def test_views_that_miss_one_event_have_other_rows_and_disagree_with_the_model(
    tmp_path: Path,
) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        log, path = session.store.log, tmp_path / "views.sqlite"
        sound = await rebuilt(log, path, batch_size=500)
        dropped = set()
        for recorded in session.history:
            name, position = recorded.header.type, recorded.position
            path.unlink()
            projectors = [
                without_event(projector, position) if projector.name in NEWSROOM_PROJECTIONS else projector
                for projector in all_projectors()
            ]
            rows = await rebuilt(log, path, batch_size=500, projectors=projectors)
            if name in NOT_APPLIED:
                assert rows == sound, name
                continue
            assert rows != sound, name
            if name not in NOT_IN_MODEL:
                with pytest.raises(AssertionError):
                    _compare(path, session, position)
            dropped.add(name)
        assert dropped | NOT_APPLIED == {recorded.header.type for recorded in session.history}


def _compare(path: Path, session: Session, position: int) -> None:
    room = Newsroom(session.history[:position])
    with closing(sqlite3.connect(path)) as db:
        assert_agree(Snapshot(db, position), room, known=session.room)


async def test_views_that_miss_the_last_event_of_a_command_have_other_commands_and_moments(
    tmp_path: Path,
) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        log, path = session.store.log, tmp_path / "views.sqlite"
        sound = await rebuilt(log, path, batch_size=500)
        last_of_commands = {recorded.header.command_id: recorded.position for recorded in session.history}
        moments = {row[-1] for row in sound["moment"]}
        for position in {*last_of_commands.values(), *moments}:
            path.unlink()
            projectors = [without_event(projector, position) for projector in all_projectors()]
            rows = await rebuilt(log, path, batch_size=500, projectors=projectors)
            assert rows["command"] != sound["command"] or position not in last_of_commands.values()
            assert rows["moment"] != sound["moment"] or position not in moments
