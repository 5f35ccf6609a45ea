"""Skipped events: the rows of a projection without them, and how every process learns of a skip."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import ProjectionSkipped, projection_stream
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.eventlog.merkle import Frontier
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.integrity.merkle_tree_projection import TreeIncomplete, root
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.features.site.commands import NameSite
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.files.verification_by_rebuild import check_views
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from ledgerpress.views.projection.runner import ProjectionRunner
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.altered_projectors import Altered
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.failing_projectors import running, sparkled, store_in, tables_of, with_failing
from tests.property.store_session import Session
from tests.property.view_rows import rebuilt, rows_of, views_in_use

NAMES = [projector.name for projector in all_projectors()]
FAILS_AT = 41
REQUIRED_EVENTS = {
    "categories": "category.created",
    "listings": "post.published",
    "people": "author.registered",
    "posts": "post.published",
    "tokens": "token.created",
}
"""For some projections, an event type that changes their rows. For all others, any event does."""


@pytest.fixture(autouse=True)
def suppress_logging(caplog: pytest.LogCaptureFixture) -> None:
    """Suppress log lines about the failures that these tests cause."""
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")


def at(*positions: int) -> Callable[[Recorded[Event]], bool]:
    """Return a predicate for the events at these positions."""
    return lambda recorded: recorded.position in positions


def ignoring(sound: Projector, positions: set[int]) -> Projector:
    """Return a projector that ignores the events at some positions."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        if recorded.position not in positions:
            writing.apply(recorded)

    return Altered(sound, apply)


def with_ignoring(name: str, positions: set[int]) -> list[Projector]:
    """Return all projectors, one of which ignores the events at some positions."""
    return [
        ignoring(projector, positions) if projector.name == name else projector
        for projector in all_projectors()
    ]


async def skip(log: EventLog, name: str, position: int) -> int:
    """Record a skip in the log and do nothing else, as another process might."""
    fact = ProjectionSkipped(projection=name, position=position)
    command_id = uuid8("skip", name, str(position))
    event = NewEvent(
        event_id=uuid8(command_id, 0),
        type="projection.skipped",
        schema_version=1,
        recorded_at=1,
        actor_id=OPERATOR.id,
        command_id=command_id,
        correlation_id=command_id,
        payload=event_codec().encode(fact, salt=b"s" * 32, reason="Ticket 12."),
    )
    stream = projection_stream(name)
    version = len(await log.read_stream(stream))
    return await log.append([StreamWrite(stream, version, (event,))])


async def required_position(log: EventLog, name: str) -> int:
    """Return the position of an event that changes the rows of a projection."""
    headers = [stored.header for stored in await log.read(0, 100)]
    return next(
        header.position for header in headers if header.type == REQUIRED_EVENTS.get(name, header.type)
    )


async def skip_all(runner: ProjectionRunner, log: EventLog, name: str) -> set[int]:
    """Catch up, skip each event at which the projection fails, and return the positions of these events."""
    skipped = set()
    await runner.catch_up()
    while (failed_at := runner.checkpoints[name].failed_at) is not None:
        skipped.add(failed_at)
        await skip(log, name, failed_at)
        await runner.catch_up()
    return skipped


@pytest.mark.parametrize("batch_size", [1, 7, 500])
@pytest.mark.parametrize("name", NAMES)
async def test_a_skip_leaves_the_rows_as_if_the_event_did_not_exist_and_so_does_a_rebuild(
    session: Session, tmp_path: Path, name: str, batch_size: int
) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    fails_at = await required_position(log, name)
    broken = with_failing(name, at(fails_at))
    async with running(log, path, projectors=broken, batch_size=batch_size) as runner:
        await runner.catch_up()
        assert runner.checkpoints[name].failed_at == fails_at
    async with running(log, path, projectors=broken, batch_size=batch_size) as runner:
        skipped = await skip_all(runner, log, name)
        assert fails_at in skipped
    await session.store.commands.handle(NameSite(name="The day after"))
    async with running(log, path, projectors=broken, batch_size=batch_size) as runner:
        await runner.catch_up()
        head = await log.head()
        assert {(checkpoint.position, checkpoint.error) for checkpoint in runner.checkpoints.values()} == {
            (head, None)
        }

    rows = rows_of(path)
    assert tables_of(name, rows) != tables_of(name, rows_of(session.store.views.path))
    for number, other_size in enumerate((3, 500)):
        rebuilt_path = tmp_path / f"again-{number}.sqlite"
        assert await rebuilt(log, rebuilt_path, batch_size=other_size, projectors=broken) == rows
    without_it = with_ignoring(name, skipped)
    assert await rebuilt(log, tmp_path / "other.sqlite", batch_size=7, projectors=without_it) == rows
    checked = await check_views(path, log, event_codec(), broken)
    assert checked
    assert (checked.failure, checked.differing, checked.position) == (None, [], head)


async def test_a_fixed_projector_applies_skipped_events_when_the_views_are_rebuilt(
    session: Session, tmp_path: Path
) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    async with running(log, path, projectors=with_failing("changes", at(FAILS_AT))) as runner:
        await skip_all(runner, log, "changes")
    sound = await rebuilt(log, tmp_path / "sound.sqlite", batch_size=7)
    assert tables_of("changes", sound) == tables_of("changes", rows_of(session.store.views.path))
    assert tables_of("changes", sound) != tables_of("changes", rows_of(path))
    checked = await check_views(path, log, event_codec(), all_projectors())
    assert checked
    assert checked.differing


async def test_a_skip_is_logged_with_the_class_of_the_error(
    session: Session, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ledgerpress.views.projection")
    log = session.store.log
    await skip(log, "posts", FAILS_AT)
    async with running(
        log, tmp_path / "views.sqlite", projectors=with_failing("posts", at(FAILS_AT))
    ) as runner:
        await runner.catch_up()
    assert f"projection posts skips position {FAILS_AT}: ValueError: this cannot be" in caplog.messages


async def test_a_skip_of_another_event_or_of_another_projection_changes_nothing(
    session: Session, tmp_path: Path
) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    for name, position in (("posts", FAILS_AT - 1), ("posts", FAILS_AT + 1), ("people", FAILS_AT)):
        await skip(log, name, position)
    async with running(log, path, projectors=with_failing("posts", at(FAILS_AT))) as runner:
        await runner.catch_up()
        assert [name for name, checkpoint in runner.checkpoints.items() if checkpoint.is_paused] == ["posts"]
        assert runner.checkpoints["posts"].failed_at == FAILS_AT
    sound = await rebuilt(log, tmp_path / "sound.sqlite", batch_size=7)
    assert tables_of("people", rows_of(path)) == tables_of("people", sound)


async def test_several_events_are_skipped_one_after_another(session: Session, tmp_path: Path) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    broken = with_failing("moments", at(1, 2, FAILS_AT, FAILS_AT + 1, await log.head()))
    async with running(log, path, projectors=broken, batch_size=7) as runner:
        assert len(await skip_all(runner, log, "moments")) == 5
    assert await rebuilt(log, tmp_path / "again.sqlite", batch_size=500, projectors=broken) == rows_of(path)


async def test_a_running_process_continues_when_another_process_records_the_skip(tmp_path: Path) -> None:
    data = tmp_path / "data"
    broken = with_failing("people", lambda recorded: recorded.header.type == "site.named")
    async with store_in(data, projectors=broken) as store:
        await store.commands.handle(NameSite(name="The Tide"))
        failed_at = store.checkpoints["people"].failed_at
        assert failed_at
        other = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
        try:
            recorded = await skip(other, "people", failed_at)
        finally:
            await other.aclose()
        await until(lambda: store.checkpoints["people"].position == recorded)
        with store.snapshot() as snapshot:
            assert snapshot.position == recorded


async def test_a_running_process_continues_when_another_process_resumes_its_projection(
    tmp_path: Path,
) -> None:
    data, fixed = tmp_path / "data", list[bool]()
    broken = with_failing("people", lambda recorded: recorded.header.type == "site.named" and not fixed)
    async with store_in(data, projectors=broken) as store:
        head = (await store.commands.handle(NameSite(name="The Tide"))).position
        assert store.checkpoints["people"].failed_at == head
        fixed.append(True)
        other = sqlite3.connect(views_in_use(data), isolation_level=None)
        other.execute("UPDATE projection SET error = NULL")
        other.close()
        assert not await store.views.wait_for(head, 0)
        await until(lambda: store.checkpoints["people"].position == head)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("batch_size", [1, 7, 500])
async def test_each_projection_skips_an_undecodable_event_separately(
    session: Session, tmp_path: Path, batch_size: int
) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    unknown = await log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
    await session.store.commands.handle(NameSite(name="The Tide"))
    async with running(log, path, batch_size=batch_size) as runner:
        await runner.catch_up()
        assert {checkpoint.failed_at for checkpoint in runner.checkpoints.values()} == {unknown}
        for remaining, name in reversed(list(enumerate(NAMES))):
            assert runner.checkpoints[name].failed_at == unknown
            recorded = await skip(log, name, unknown)
            await runner.start(resume=False)
            await runner.catch_up()
            assert runner.checkpoints[name].position == recorded
            assert sum(checkpoint.is_paused for checkpoint in runner.checkpoints.values()) == remaining
        head = await log.head()
        assert {checkpoint.position for checkpoint in runner.checkpoints.values()} == {head}
    rows = rows_of(path)
    assert rows == await rebuilt(log, tmp_path / "again.sqlite", batch_size=3)
    assert {row[2] for row in rows["projection"]} == {head}


async def test_a_running_process_whose_projections_are_all_paused_notices_a_skip(tmp_path: Path) -> None:
    async with store_in(tmp_path / "data") as store:
        await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
        await until(lambda: all(checkpoint.is_paused for checkpoint in store.checkpoints.values()))
        unknown = store.checkpoints["posts"].failed_at
        assert unknown
        outcome = await store.commands.handle(
            SkipEvent(projection="posts", position=unknown), CommandRequest(reason="Ticket 12.")
        )
        await until(lambda: store.checkpoints["posts"].position == outcome.position)
        assert sum(checkpoint.is_paused for checkpoint in store.checkpoints.values()) == len(NAMES) - 1
        for name in NAMES:
            outcome = await store.commands.handle(SkipEvent(projection=name, position=unknown))
        await until(
            lambda: {checkpoint.position for checkpoint in store.checkpoints.values()} == {outcome.position}
        )


@pytest.mark.parametrize("unknown", [False, True])
async def test_views_rebuilt_for_a_withdrawal_skip_the_same_events(
    session: Session, tmp_path: Path, unknown: bool
) -> None:
    log, path, codec = session.store.log, tmp_path / "views.sqlite", event_codec()
    broken = with_failing("posts", at(FAILS_AT))
    async with running(log, path, projectors=broken, batch_size=7) as runner:
        if unknown:
            failed_at = await log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
            for name in NAMES:
                await skip(log, name, failed_at)
        await skip_all(runner, log, "posts")
        withdrawn = next(
            stored.position for stored in await log.read(0, 100) if stored.header.type == "post.created"
        )
        request = CommandRequest(reason="Order of the court.")
        await withdraw_payload(log, codec, SetClock(), SeededBytes("withdrawal"), withdrawn, request)
        await runner.catch_up()
        head = await log.head()
        assert {(checkpoint.position, checkpoint.error) for checkpoint in runner.checkpoints.values()} == {
            (head, None)
        }
    again = await rebuilt(log, tmp_path / "again.sqlite", batch_size=500, projectors=broken)
    assert rows_of(path) == again


async def test_a_tree_with_a_skipped_leaf_has_no_root_from_that_position_on(
    session: Session, tmp_path: Path
) -> None:
    log, path = session.store.log, tmp_path / "views.sqlite"
    async with running(log, path, projectors=with_failing("integrity", at(FAILS_AT))) as runner:
        assert await skip_all(runner, log, "integrity") == {FAILS_AT}
    tree, head = Frontier(), await log.head()
    db = sqlite3.connect(path)
    try:
        for stored in await log.read(0, head):
            tree.append(stored.header.leaf_hash())
            snapshot = Snapshot(db, stored.position)
            if stored.position < FAILS_AT:
                assert root(snapshot) == tree.root()
            else:
                with pytest.raises(TreeIncomplete):
                    root(snapshot)
    finally:
        db.close()


async def test_a_skip_is_recorded_once(tmp_path: Path) -> None:
    async with store_in(tmp_path / "data") as store:
        for position, recorded in ((2, 1), (2, 1), (3, 2)):
            await store.commands.handle(SkipEvent(projection="posts", position=position))
            assert len(await store.log.read_stream("projection.posts")) == recorded


async def test_a_skip_cannot_be_withdrawn_because_rebuilds_depend_on_it(tmp_path: Path) -> None:
    async with store_in(tmp_path / "data") as store:
        skipped = await store.commands.handle(SkipEvent(projection="posts", position=2))
        with pytest.raises(Rejection, match="a rebuild depends on it"):
            await withdraw_payload(
                store.log,
                event_codec(),
                SetClock(),
                SeededBytes("withdrawal"),
                skipped.position,
                CommandRequest(reason="Order of the court."),
            )
