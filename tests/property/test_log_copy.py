"""A copy is cut off at any of its steps, while payloads are withdrawn at the source: in the end it is the same log."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.adapters.sqlite_log.copy_target import SqliteCopyTarget
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogExists
from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.registry import event_codec
from ledgerpress.operator import log_copy
from ledgerpress.operator.log_copy import LogCopier
from ledgerpress.operator.log_verifier import LogVerifier
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.log_factory import open_copy_target, open_log
from ledgerpress.server.log_url import LogUrl
from scripts.workloads.generated_log import PUBLICATION
from tests.contract.sample_events import everything
from tests.fixed_sources import SeededBytes, SetClock
from tests.withdrawn_log import batches_with_withdrawals
from tests.written_log import write_copy

T = TypeVar("T")

EVENTS: Final = 400
BATCH: Final = 40
LATE: Final = (3, 41, 42, 200, 397, 400)
"""Positions whose payloads may be withdrawn while they are copied."""


class Cut(Exception):
    """The copy ends here, as a process does that is killed."""


@dataclass
class Watched:
    """A replica that counts what is asked of it: at some counts it is cut off, at others the source withdraws."""

    replica: CopyTarget
    withdraw: Callable[[int], Coroutine[Any, Any, None]]
    cut_at: int | None = None
    withdrawals: dict[int, list[int]] = field(default_factory=dict)
    count: int = 0

    async def _step(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            await self._count()
        except Cut:
            work.close()
            raise
        result = await work
        await self._count()
        return result

    async def _count(self) -> None:
        self.count += 1
        for position in self.withdrawals.pop(self.count, ()):
            await self.withdraw(position)
        if self.count == self.cut_at:
            raise Cut

    async def head(self) -> int:
        return await self._step(self.replica.head())

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._step(self.replica.read(after, limit))

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        await self._step(self.replica.extend(events))

    async def erase(self, position: int) -> None:
        await self._step(self.replica.erase(position))

    async def save_note(self, text: str) -> None:
        await self._step(self.replica.save_note(text))

    async def load_note(self) -> str:
        return await self._step(self.replica.load_note())

    async def finish(self) -> None:
        await self._step(self.replica.finish())

    async def aclose(self) -> None:
        await self.replica.aclose()


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "log.sqlite"
    asyncio.run(write_copy(path, PUBLICATION, batches_with_withdrawals(EVENTS, 100, every=31)))
    return path


async def run_cut(
    source: EventLog, target: LogUrl, cuts: Sequence[int], withdrawals: dict[int, list[int]]
) -> None:
    """Copy, cut off after so many steps again and again, and then to the end."""
    gone = set[int]()
    clock, randomness = SetClock(), SeededBytes()

    async def gone_at_the_source(position: int) -> None:
        if position not in gone:
            gone.add(position)
            await withdraw_payload(
                source,
                event_codec(),
                clock,
                randomness,
                position,
                CommandRequest(reason="By order of a court."),
            )

    for cut in (*cuts, None):
        try:
            replica = await open_copy_target(target, Path(), PUBLICATION)
        except LogExists:
            break
        watched = Watched(replica, gone_at_the_source, cut, withdrawals)
        try:
            await LogCopier(source, watched, event_codec(), batch_size=BATCH).run()
            await watched.finish()
        except Cut:
            continue
        finally:
            await watched.aclose()


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 80), max_size=4),
    withdrawals=st.dictionaries(
        st.integers(1, 90), st.lists(st.sampled_from(LATE), min_size=1, max_size=2), max_size=4
    ),
)
def test_a_copy_that_was_cut_off_anywhere_is_the_same_log(
    log_file: Path, cuts: list[int], withdrawals: dict[int, list[int]]
) -> None:
    asyncio.run(copied(log_file, cuts, withdrawals))


async def copied(log_file: Path, cuts: list[int], withdrawals: dict[int, list[int]]) -> None:
    with TemporaryDirectory() as folder:
        shutil.copy(log_file, Path(folder) / "log.sqlite")
        target = LogUrl.parse(f"sqlite:{folder}/copy.sqlite")
        source = await open_log(LogUrl.parse(f"sqlite:{folder}/log.sqlite"), Path(folder), create_as=None)
        try:
            await run_cut(source, target, cuts, withdrawals)
            made = await open_log(target, Path(folder), create_as=None)
            try:
                checked = await LogVerifier(made, event_codec()).run()
                assert checked.finding is None
                original = await LogVerifier(source, event_codec(), roots_at=[checked.head.size]).run()
                assert original.finding is None
                assert original.roots[checked.head.size].hex() == checked.head.root
                found, copy = await everything(source), await everything(made)
                assert copy == with_what_is_withdrawn_later(found, copy)
            finally:
                await made.aclose()
        finally:
            await source.aclose()


@pytest.mark.parametrize("looks", [1, log_copy.MAX_ROUNDS])
async def test_a_payload_that_goes_before_it_is_read_takes_its_withdrawal_along(
    log_file: Path, tmp_path: Path, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy never ends between a payload that is gone and the record of that, however few looks it has left."""
    monkeypatch.setattr(log_copy, "MAX_ROUNDS", looks)
    shutil.copy(log_file, tmp_path / "log.sqlite")
    source = await open_log(LogUrl.parse(f"sqlite:{tmp_path}/log.sqlite"), tmp_path, create_as=None)
    replica = await SqliteCopyTarget.open(tmp_path / "copy.sqlite", PUBLICATION)

    async def gone(position: int) -> None:
        await withdraw_payload(
            source, event_codec(), SetClock(), SeededBytes(), position, CommandRequest(reason="Law.")
        )

    # The first extend follows the look at the head: what it withdraws has not been read.
    steps = {5: [EVENTS - 3]}
    try:
        head = await LogCopier(
            source, Watched(replica, gone, None, steps), event_codec(), batch_size=BATCH
        ).run()
        assert not steps
        assert head.size == EVENTS + 1
        assert (await replica.read(EVENTS - 4, 1))[0].payload is None
        assert await replica.read(0, EVENTS + 1) == await everything(source)
    finally:
        await replica.aclose()
        await source.aclose()


def with_what_is_withdrawn_later(found: list[StoredEvent], copy: list[StoredEvent]) -> list[StoredEvent]:
    """Return the events of the source as they were when it had as many as the copy has."""
    records = {event.header.stream.partition(".")[2] for event in found[len(copy) :]}
    return [
        there if event.header.event_id in records else event
        for event, there in zip(found, copy, strict=False)
    ]
