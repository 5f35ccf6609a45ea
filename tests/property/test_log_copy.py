"""A copy that is interrupted at any step, while payloads are withdrawn at the source, becomes the same log."""

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
WITHDRAWABLE: Final = (3, 41, 42, 200, 397, 400)
"""Positions whose payloads may be withdrawn while they are copied."""


class Interrupted(Exception):
    """The copy is interrupted, as if its process was killed."""


@dataclass
class CountedCopyTarget:
    """A copy target that counts calls: at some counts it is interrupted, at others the source withdraws a payload."""

    copy_target: CopyTarget
    withdraw: Callable[[int], Coroutine[Any, Any, None]]
    interrupt_at: int | None = None
    withdrawals: dict[int, list[int]] = field(default_factory=dict)
    count: int = 0

    async def _step(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            await self._count()
        except Interrupted:
            work.close()
            raise
        result = await work
        await self._count()
        return result

    async def _count(self) -> None:
        self.count += 1
        for position in self.withdrawals.pop(self.count, ()):
            await self.withdraw(position)
        if self.count == self.interrupt_at:
            raise Interrupted

    async def head(self) -> int:
        return await self._step(self.copy_target.head())

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._step(self.copy_target.read(after, limit))

    async def extend(self, events: Sequence[StoredEvent]) -> None:
        await self._step(self.copy_target.extend(events))

    async def erase(self, position: int) -> None:
        await self._step(self.copy_target.erase(position))

    async def save_note(self, text: str) -> None:
        await self._step(self.copy_target.save_note(text))

    async def load_note(self) -> str:
        return await self._step(self.copy_target.load_note())

    async def finish(self) -> None:
        await self._step(self.copy_target.finish())

    async def aclose(self) -> None:
        await self.copy_target.aclose()


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "log.sqlite"
    asyncio.run(write_copy(path, PUBLICATION, batches_with_withdrawals(EVENTS, 100, every=31)))
    return path


async def copy_with_interruptions(
    source: EventLog, target: LogUrl, cuts: Sequence[int], withdrawals: dict[int, list[int]]
) -> None:
    """Copy with an interruption after each number of steps in `cuts`, then copy to the end."""
    withdrawn = set[int]()
    clock, randomness = SetClock(), SeededBytes()

    async def withdraw_at_source(position: int) -> None:
        if position not in withdrawn:
            withdrawn.add(position)
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
            copy_target = await open_copy_target(target, Path(), PUBLICATION)
        except LogExists:
            break
        counted = CountedCopyTarget(copy_target, withdraw_at_source, cut, withdrawals)
        try:
            await LogCopier(source, counted, event_codec(), batch_size=BATCH).run()
            await counted.finish()
        except Interrupted:
            continue
        finally:
            await counted.aclose()


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 80), max_size=4),
    withdrawals=st.dictionaries(
        st.integers(1, 90), st.lists(st.sampled_from(WITHDRAWABLE), min_size=1, max_size=2), max_size=4
    ),
)
def test_a_copy_that_was_interrupted_anywhere_is_the_same_log(
    log_file: Path, cuts: list[int], withdrawals: dict[int, list[int]]
) -> None:
    asyncio.run(copied(log_file, cuts, withdrawals))


async def copied(log_file: Path, cuts: list[int], withdrawals: dict[int, list[int]]) -> None:
    with TemporaryDirectory() as folder:
        shutil.copy(log_file, Path(folder) / "log.sqlite")
        target = LogUrl.parse(f"sqlite:{folder}/copy.sqlite")
        source = await open_log(LogUrl.parse(f"sqlite:{folder}/log.sqlite"), Path(folder), create_as=None)
        try:
            await copy_with_interruptions(source, target, cuts, withdrawals)
            opened_copy = await open_log(target, Path(folder), create_as=None)
            try:
                report = await LogVerifier(opened_copy, event_codec()).run()
                assert report.finding is None
                original = await LogVerifier(source, event_codec(), roots_at=[report.head.size]).run()
                assert original.finding is None
                assert original.roots[report.head.size].hex() == report.head.root
                events, copy = await everything(source), await everything(opened_copy)
                assert copy == before_later_withdrawals(events, copy)
            finally:
                await opened_copy.aclose()
        finally:
            await source.aclose()


@pytest.mark.parametrize("rounds", [1, log_copy.MAX_ROUNDS])
async def test_a_payload_that_is_withdrawn_before_it_is_read_is_copied_with_its_withdrawal(
    log_file: Path, tmp_path: Path, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy never ends between a withdrawn payload and the record of its withdrawal, even in its last round."""
    monkeypatch.setattr(log_copy, "MAX_ROUNDS", rounds)
    shutil.copy(log_file, tmp_path / "log.sqlite")
    source = await open_log(LogUrl.parse(f"sqlite:{tmp_path}/log.sqlite"), tmp_path, create_as=None)
    copy_target = await SqliteCopyTarget.open(tmp_path / "copy.sqlite", PUBLICATION)

    async def withdraw(position: int) -> None:
        await withdraw_payload(
            source, event_codec(), SetClock(), SeededBytes(), position, CommandRequest(reason="Law.")
        )

    # The first extend follows the read of the head: the payload has not been read when it is withdrawn.
    steps = {5: [EVENTS - 3]}
    try:
        head = await LogCopier(
            source, CountedCopyTarget(copy_target, withdraw, None, steps), event_codec(), batch_size=BATCH
        ).run()
        assert not steps
        assert head.size == EVENTS + 1
        assert (await copy_target.read(EVENTS - 4, 1))[0].payload is None
        assert await copy_target.read(0, EVENTS + 1) == await everything(source)
    finally:
        await copy_target.aclose()
        await source.aclose()


def before_later_withdrawals(events: list[StoredEvent], copy: list[StoredEvent]) -> list[StoredEvent]:
    """Return the events of the source as they were when it had as many events as the copy."""
    records = {event.header.stream.partition(".")[2] for event in events[len(copy) :]}
    return [
        copied if event.header.event_id in records else event
        for event, copied in zip(events, copy, strict=False)
    ]
