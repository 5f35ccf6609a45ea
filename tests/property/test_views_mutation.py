"""The property test can fail: views that miss one event are found out, whichever event it is."""

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

OF_THE_NEWSROOM = {"categories", "listings", "people", "posts", "tokens"}
"""Projections of what happens in the newsroom. The others take note of every event, whatever it is."""
OF_NO_CONCERN = {"log.opened", "slug.claimed", "slug.released"}
"""Events that none of these takes note of: slugs are in the events of their owners."""
UNSEEN = {"actor.registered", "actor.renamed", "token.created", "token.revoked"}
"""Events of which the newsroom in plain Python knows nothing."""


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let the runner not tell of the faults that are made here by the hundred."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


def forgetful(sound: Projector, position: int) -> Projector:
    """A projector that drops one event."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        if recorded.position != position:
            writing.apply(recorded)

    return Altered(sound, apply)


async def test_views_that_miss_one_event_have_other_rows_and_disagree_with_the_newsroom(
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
                forgetful(projector, position) if projector.name in OF_THE_NEWSROOM else projector
                for projector in all_projectors()
            ]
            rows = await rebuilt(log, path, batch_size=500, projectors=projectors)
            if name in OF_NO_CONCERN:
                assert rows == sound, name
                continue
            assert rows != sound, name
            if name not in UNSEEN:
                with pytest.raises(AssertionError):
                    _compare(path, session, position)
            dropped.add(name)
        assert dropped | OF_NO_CONCERN == {recorded.header.type for recorded in session.history}


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
        moments = {position for _, position in sound["moment"]}
        for position in {*last_of_commands.values(), *moments}:
            path.unlink()
            projectors = [forgetful(projector, position) for projector in all_projectors()]
            rows = await rebuilt(log, path, batch_size=500, projectors=projectors)
            assert rows["command"] != sound["command"] or position not in last_of_commands.values()
            assert rows["moment"] != sound["moment"] or position not in moments
