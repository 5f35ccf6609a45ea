"""Views made anew are the same rows as those that followed along: whatever cuts the making short, and how often."""

import asyncio
import logging
import shutil
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator.withdraw import withdraw, withdraw_payload
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress.views.files.rebuild_compare_and_switch import ViewsComparison
from tests.fixed_sources import SeededBytes, SetClock
from tests.property.day_scenario import WHOLE_DAY
from tests.property.store_session import Action, Session, actions
from tests.property.test_views import EXAMPLES
from tests.property.view_rows import rebuilt, rows_of, views_in_use

NAMES: Final = [projector.name for projector in all_projectors()]
SECRETS: Final = [f"the heron nests behind number {number}" for number in range(4)]
REASON: Final = "Order 7/24 of the district court."

some_names = st.just(()) | st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
batches = st.sampled_from((1, 3, 7, 20, 10_000))


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let the runner not tell of the faults that are made here by the hundred."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


class Interrupted(Exception):
    """The process was stopped."""


def at_batch(number: int, then: Callable[[], None]) -> Callable[[int, int], None]:
    """Do something once, when that many batches have been written."""
    left = [number]

    def progress(_done: int, _total: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            then()

    return progress


def interrupt() -> None:
    raise Interrupted


async def interrupted(data: Path, names: Collection[str], batch: int, after: int, *, check: bool) -> bool:
    """Begin to make views, or go on with it, and stop after some batches; return whether it came to that."""
    try:
        await rebuild(data, names, check=check, batch_size=batch, progress=at_batch(after, interrupt))
    except Interrupted:
        return True
    return False


async def assert_right(data: Path, log: Path, anew: Path) -> None:
    """Fail unless the views in use have the rows that the log gives to views that are made one event at a time."""
    opened = await SqliteEventLog.open(log, create_as=None)
    try:
        assert rows_of(views_in_use(data)) == await rebuilt(opened, anew, batch_size=1)
    finally:
        await opened.aclose()


async def in_use(store: Store, data: Path) -> None:
    """Wait until the open store answers from the views that are in use."""
    async with asyncio.timeout(10):
        while store.views.path != views_in_use(data):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Cut:
    """Views are begun, or gone on with, and the making is cut short; then commands come in."""

    batch: int
    after: int
    check: bool
    meanwhile: tuple[Action, ...]


cuts = st.lists(
    st.builds(
        Cut,
        batches,
        st.integers(1, 12),
        st.booleans(),
        st.lists(actions, max_size=1).map(lambda a: tuple(a[0][:5]) if a else ()),
    ),
    max_size=4,
)


@settings(max_examples=EXAMPLES // 4, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@example(WHOLE_DAY, (), [Cut(20, number, False, ()) for number in (1, 1, 2)], 3)
@example(WHOLE_DAY[:40], ("posts", "commands"), [Cut(7, 2, True, tuple(WHOLE_DAY[40:]))], 10_000)
@given(actions, some_names, cuts, batches)
def test_a_rebuild_cut_short_anywhere_and_resumed_gives_the_same_rows_as_having_followed_along(
    wanted: list[Action], names: tuple[str, ...], stops: list[Cut], batch: int
) -> None:
    async def holds(folder: Path) -> None:
        data = folder / "data"
        async with Session(data) as session:
            await session.begin()
            for action in wanted:
                await session.do(action)
            for stop in stops:
                await interrupted(data, names, stop.batch, stop.after, check=stop.check)
                for action in stop.meanwhile:
                    await session.do(action)
            followed = views_in_use(data)
            # A making that was not cut short has switched; and after a fault of the machine views try again later.
            await in_use(session.store, data)
            assert await session.store.views.wait_for(await session.store.log.head(), 10)
            before = rows_of(followed)
            compared = await rebuild(data, names, batch_size=batch)
            assert isinstance(compared, ViewsComparison)
            assert (compared.before, compared.tables, compared.paused) == (followed.name, [], {})
            assert compared.position == await session.store.log.head()
            assert rows_of(views_in_use(data)) == before
            assert views_in_use(data) != followed
            await assert_right(data, data / LOG_FILE, folder / "anew.sqlite")
            await in_use(session.store, data)

    with TemporaryDirectory() as folder:
        asyncio.run(holds(Path(folder)))


@dataclass(frozen=True)
class Making:
    """Views are made anew; at a batch it is cut short, or a payload is withdrawn."""

    names: tuple[str, ...]
    batch: int
    check: bool = False
    at: int = 1
    withdraws: int | None = None
    """The secret that is withdrawn then; where it is `None`, the making is cut short."""
    in_log_only: bool = False


@dataclass(frozen=True)
class Withdrawing:
    """A payload is withdrawn; perhaps the process is killed when only the log knows."""

    secret: int
    in_log_only: bool


@dataclass(frozen=True)
class Writing:
    """Somebody goes on writing."""


Step: TypeAlias = Making | Withdrawing | Writing

secrets = st.integers(0, len(SECRETS) - 1)
steps = st.lists(
    st.builds(
        Making, some_names, batches, st.booleans(), st.integers(1, 8), st.none() | secrets, st.booleans()
    )
    | st.builds(Withdrawing, secrets, st.booleans())
    | st.just(Writing()),
    min_size=1,
    max_size=6,
)


async def with_secrets(data: Path) -> list[int]:
    """Make a store of a whole day, with secrets written all along; return the positions at which they were."""
    found: list[int] = []
    async with Session(data) as session:
        await session.begin()
        for number, action in enumerate(WHOLE_DAY):
            if number % 20 == 10 and len(found) < len(SECRETS):
                post = CreatePost(title=f"Heron {number}", body=SECRETS[len(found)])
                made = await session.store.commands.handle(post)
                found.append(made.position)
                await session.store.commands.handle(EditPost(post_id=made.subject_id, body="Nothing."))
            await session.do(action)
        positions = []
        for position in found:
            batch = await session.store.log.read(position - 3, 3)
            positions += [one.position for one in batch if one.header.type == "post.created"]
        return positions


async def in_log_only(data: Path, position: int) -> None:
    """Withdraw from the log as a process does that is killed before it comes to the views."""
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        randomness = SeededBytes(f"withdrawal of {position}")
        await withdraw_payload(
            log, event_codec(), SetClock(), randomness, position, CommandRequest(reason=REASON)
        )
    finally:
        await log.aclose()


def beside(data: Path, position: int, *, log_only: bool) -> None:
    """Withdraw in a thread with an event loop of its own, and wait for it: to the event loop here, in one moment."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(in_log_only(data, position) if log_only else withdraw_all(data, position))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


async def withdraw_all(data: Path, position: int) -> None:
    await withdraw(data, position, REASON)


def holding(data: Path, text: str) -> list[str]:
    """The files in the directory that hold `text`."""
    return [file.name for file in sorted(data.iterdir()) if text.encode() in file.read_bytes()]


def test_nothing_of_a_withdrawn_text_comes_back_with_views_made_anew(tmp_path: Path) -> None:
    positions = asyncio.run(with_secrets(tmp_path / "data"))
    assert len(positions) == len(SECRETS)

    @settings(max_examples=EXAMPLES // 4, deadline=None, print_blob=True)
    @example([Making(("people",), 3), Withdrawing(0, True), Making(("people",), 10_000, at=99)])
    @example([Withdrawing(1, True), Making(("people",), 7, at=9, withdraws=2)])
    @example([Making((), 20, at=4, withdraws=1), Making(("posts",), 10_000, withdraws=3)])
    @example([Making((), 20, True, 99), Withdrawing(0, False), Making((), 10_000, False, 99)])
    @given(steps)
    def holds(taken: list[Step]) -> None:
        with TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            shutil.copytree(tmp_path / "data", data)
            asyncio.run(_holds(data, positions, taken))

    holds()


async def _holds(data: Path, positions: list[int], taken: list[Step]) -> None:
    gone: set[int] = set()
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("herons")) as store:
        for number, step in enumerate(taken):
            match step:
                case Making():
                    gone |= await _make(data, positions, step)
                case Withdrawing(secret=secret, in_log_only=log_only):
                    work = in_log_only if log_only else withdraw_all
                    await work(data, positions[secret])
                    gone.add(secret)
                    assert log_only or holding(data, SECRETS[secret]) == []
                case Writing():
                    await store.commands.handle(CreatePost(title=f"Fog {number}"))
        for secret in sorted(gone):
            await withdraw_all(data, positions[secret])
        await in_use(store, data)
        assert await store.views.wait_for(await store.log.head(), 10)
        assert [secret for secret in gone if holding(data, SECRETS[secret])] == []
        assert [secret for secret in range(len(SECRETS)) if holding(data, SECRETS[secret])] == [
            secret for secret in range(len(SECRETS)) if secret not in gone
        ]
        await assert_right(data, data / LOG_FILE, data.parent / "anew.sqlite")


async def _make(data: Path, positions: list[int], step: Making) -> set[int]:
    gone: set[int] = set()

    def then() -> None:
        if step.withdraws is None:
            raise Interrupted
        beside(data, positions[step.withdraws], log_only=step.in_log_only)
        gone.add(step.withdraws)
        assert step.in_log_only or holding(data, SECRETS[step.withdraws]) == []

    with suppress(Interrupted):
        await rebuild(
            data, step.names, check=step.check, batch_size=step.batch, progress=at_batch(step.at, then)
        )
    return gone


async def test_a_withdrawal_long_past_does_not_keep_a_rebuild_from_taking_rows_over(tmp_path: Path) -> None:
    """The views were begun before it, and came to both events at once: they never held the text."""
    data, early = tmp_path / "data", tmp_path / "early"
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("begun")):
        pass
    shutil.copytree(data, early)
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("herons")) as store:
        made = await store.commands.handle(CreatePost(title="Heron", body=SECRETS[0]))
    await in_log_only(data, made.position - 1)
    for file in data.glob("views*"):
        file.unlink()
    for file in early.glob("views*"):
        shutil.copy(file, data)
    compared = await rebuild(data, ["people"], batch_size=3)
    assert compared
    assert compared.tables == []
    assert holding(data, SECRETS[0]) == []
    await assert_right(data, data / LOG_FILE, tmp_path / "anew.sqlite")
