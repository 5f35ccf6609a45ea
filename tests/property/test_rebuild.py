"""Rebuilt views have the same rows as views that followed the log, however often the rebuild is interrupted."""

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

pytestmark = pytest.mark.usefixtures("any_silence")

NAMES: Final = [projector.name for projector in all_projectors()]
SECRETS: Final = [f"the heron nests behind number {number}" for number in range(4)]
REASON: Final = "Order 7/24 of the district court."

some_names = st.just(()) | st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
batches = st.sampled_from((1, 3, 7, 20, 10_000))


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hide the log lines about the hundreds of faults of these tests."""
    caplog.set_level(logging.CRITICAL, "ledgerpress")


class Interrupted(Exception):
    """The process was stopped."""


def at_batch(number: int, then: Callable[[], None]) -> Callable[[int, int], None]:
    """Return a progress callback that calls `then` once, after `number` batches."""
    left = [number]

    def progress(_done: int, _total: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            then()

    return progress


def interrupt() -> None:
    raise Interrupted


async def rebuild_interrupted(
    data: Path, names: Collection[str], batch: int, after: int, *, check: bool
) -> bool:
    """Begin or resume a rebuild, and interrupt it after some batches; return whether it was interrupted."""
    try:
        await rebuild(data, names, check=check, batch_size=batch, progress=at_batch(after, interrupt))
    except Interrupted:
        return True
    return False


async def assert_rows_match_log(data: Path, log: Path, path: Path) -> None:
    """Fail unless the views in use have the same rows as views built from the log one event at a time."""
    opened_log = await SqliteEventLog.open(log, create_as=None)
    try:
        assert rows_of(views_in_use(data)) == await rebuilt(opened_log, path, batch_size=1)
    finally:
        await opened_log.aclose()


async def wait_until_current(store: Store, data: Path) -> None:
    """Wait until the open store has switched to the current views."""
    async with asyncio.timeout(10):
        while store.views.path != views_in_use(data):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Interruption:
    """A rebuild that begins or resumes and is interrupted; then commands run."""

    batch: int
    after: int
    check: bool
    meanwhile: tuple[Action, ...]


cuts = st.lists(
    st.builds(
        Interruption,
        batches,
        st.integers(1, 12),
        st.booleans(),
        st.lists(actions, max_size=1).map(lambda a: tuple(a[0][:5]) if a else ()),
    ),
    max_size=4,
)


@settings(max_examples=EXAMPLES // 4, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@example(WHOLE_DAY, (), [Interruption(20, number, False, ()) for number in (1, 1, 2)], 3)
@example(WHOLE_DAY[:40], ("posts", "commands"), [Interruption(7, 2, True, tuple(WHOLE_DAY[40:]))], 10_000)
@given(actions, some_names, cuts, batches)
def test_an_interrupted_and_resumed_rebuild_has_the_same_rows_as_views_that_followed_the_log(
    actions_: list[Action], names: tuple[str, ...], interruptions: list[Interruption], batch: int
) -> None:
    async def holds(folder: Path) -> None:
        data = folder / "data"
        async with Session(data) as session:
            await session.begin()
            for action in actions_:
                await session.do(action)
            for interruption in interruptions:
                await rebuild_interrupted(
                    data, names, interruption.batch, interruption.after, check=interruption.check
                )
                for action in interruption.meanwhile:
                    await session.do(action)
            followed = views_in_use(data)
            # A rebuild that was not interrupted has switched; after an injected disk fault, views retry later.
            await wait_until_current(session.store, data)
            assert await session.store.views.wait_for(await session.store.log.head(), 10)
            before = rows_of(followed)
            comparison = await rebuild(data, names, batch_size=batch)
            assert isinstance(comparison, ViewsComparison)
            assert (comparison.before, comparison.tables, comparison.paused) == (followed.name, [], {})
            assert comparison.position == await session.store.log.head()
            assert rows_of(views_in_use(data)) == before
            assert views_in_use(data) != followed
            await assert_rows_match_log(data, data / LOG_FILE, folder / "rebuilt.sqlite")
            await wait_until_current(session.store, data)

    with TemporaryDirectory() as folder:
        asyncio.run(holds(Path(folder)))


@dataclass(frozen=True)
class Rebuild:
    """A rebuild; at one batch it is interrupted, or a payload is withdrawn."""

    names: tuple[str, ...]
    batch: int
    check: bool = False
    at: int = 1
    withdraws: int | None = None
    """The secret that is withdrawn at that batch; if `None`, the rebuild is interrupted."""
    in_log_only: bool = False


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal of a payload; with `in_log_only`, the process is killed before it changes the views."""

    secret: int
    in_log_only: bool


@dataclass(frozen=True)
class NewPost:
    """A new post."""


Step: TypeAlias = Rebuild | Withdrawal | NewPost

secrets = st.integers(0, len(SECRETS) - 1)
steps = st.lists(
    st.builds(
        Rebuild, some_names, batches, st.booleans(), st.integers(1, 8), st.none() | secrets, st.booleans()
    )
    | st.builds(Withdrawal, secrets, st.booleans())
    | st.just(NewPost()),
    min_size=1,
    max_size=6,
)


async def create_store_with_secrets(data: Path) -> list[int]:
    """Create a store with the scenario of a day and secrets in between; return the positions of the secrets."""
    secret_positions: list[int] = []
    async with Session(data) as session:
        await session.begin()
        for number, action in enumerate(WHOLE_DAY):
            if number % 20 == 10 and len(secret_positions) < len(SECRETS):
                post = CreatePost(title=f"Heron {number}", body=SECRETS[len(secret_positions)])
                result = await session.store.commands.handle(post)
                secret_positions.append(result.position)
                await session.store.commands.handle(EditPost(post_id=result.subject_id, body="Nothing."))
            await session.do(action)
        positions = []
        for position in secret_positions:
            batch = await session.store.log.read(position - 3, 3)
            positions += [recorded.position for recorded in batch if recorded.header.type == "post.created"]
        return positions


async def in_log_only(data: Path, position: int) -> None:
    """Withdraw from the log only, as a process that is killed before it changes the views."""
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        randomness = SeededBytes(f"withdrawal of {position}")
        await withdraw_payload(
            log, event_codec(), SetClock(), randomness, position, CommandRequest(reason=REASON)
        )
    finally:
        await log.aclose()


def withdraw_in_thread(data: Path, position: int, *, log_only: bool) -> None:
    """Withdraw in a thread with its own event loop, while the event loop of the caller waits."""
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


def files_with(data: Path, text: str) -> list[str]:
    """Return the files in the directory that contain `text`."""
    return [file.name for file in sorted(data.iterdir()) if text.encode() in file.read_bytes()]


def test_no_withdrawn_text_returns_with_rebuilt_views(tmp_path: Path) -> None:
    positions = asyncio.run(create_store_with_secrets(tmp_path / "data"))
    assert len(positions) == len(SECRETS)

    @settings(max_examples=EXAMPLES // 4, deadline=None, print_blob=True)
    @example([Rebuild(("people",), 3), Withdrawal(0, True), Rebuild(("people",), 10_000, at=99)])
    @example([Withdrawal(1, True), Rebuild(("people",), 7, at=9, withdraws=2)])
    @example([Rebuild((), 20, at=4, withdraws=1), Rebuild(("posts",), 10_000, withdraws=3)])
    @example([Rebuild((), 20, True, 99), Withdrawal(0, False), Rebuild((), 10_000, False, 99)])
    @given(steps)
    def holds(chosen: list[Step]) -> None:
        with TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            shutil.copytree(tmp_path / "data", data)
            asyncio.run(_holds(data, positions, chosen))

    holds()


async def _holds(data: Path, positions: list[int], chosen: list[Step]) -> None:
    withdrawn: set[int] = set()
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("herons")) as store:
        for number, step in enumerate(chosen):
            match step:
                case Rebuild():
                    withdrawn |= await _rebuild(data, positions, step)
                case Withdrawal(secret=secret, in_log_only=log_only):
                    work = in_log_only if log_only else withdraw_all
                    await work(data, positions[secret])
                    withdrawn.add(secret)
                    assert log_only or files_with(data, SECRETS[secret]) == []
                case NewPost():
                    await store.commands.handle(CreatePost(title=f"Fog {number}"))
        for secret in sorted(withdrawn):
            await withdraw_all(data, positions[secret])
        await wait_until_current(store, data)
        assert await store.views.wait_for(await store.log.head(), 10)
        assert [secret for secret in withdrawn if files_with(data, SECRETS[secret])] == []
        assert [secret for secret in range(len(SECRETS)) if files_with(data, SECRETS[secret])] == [
            secret for secret in range(len(SECRETS)) if secret not in withdrawn
        ]
        await assert_rows_match_log(data, data / LOG_FILE, data.parent / "rebuilt.sqlite")


async def _rebuild(data: Path, positions: list[int], step: Rebuild) -> set[int]:
    withdrawn: set[int] = set()

    def then() -> None:
        if step.withdraws is None:
            raise Interrupted
        withdraw_in_thread(data, positions[step.withdraws], log_only=step.in_log_only)
        withdrawn.add(step.withdraws)
        assert step.in_log_only or files_with(data, SECRETS[step.withdraws]) == []

    with suppress(Interrupted):
        await rebuild(
            data, step.names, check=step.check, batch_size=step.batch, progress=at_batch(step.at, then)
        )
    return withdrawn


async def test_an_old_withdrawal_does_not_prevent_a_rebuild_from_copying_rows(tmp_path: Path) -> None:
    """The views were created before the withdrawal and applied both events at once: they never contained the text."""
    data, early = tmp_path / "data", tmp_path / "early"
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("begun")):
        pass
    shutil.copytree(data, early)
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("herons")) as store:
        result = await store.commands.handle(CreatePost(title="Heron", body=SECRETS[0]))
    await in_log_only(data, result.position - 1)
    for file in data.glob("views*"):
        file.unlink()
    for file in early.glob("views*"):
        shutil.copy(file, data)
    comparison = await rebuild(data, ["people"], batch_size=3)
    assert comparison
    assert comparison.tables == []
    assert files_with(data, SECRETS[0]) == []
    await assert_rows_match_log(data, data / LOG_FILE, tmp_path / "rebuilt.sqlite")
