"""Commands that are executed together leave the same log and views as the same commands one by one, or nothing."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.categories.commands import DeleteCategory
from ledgerpress.features.registry import event_codec
from ledgerpress.server.store import Store
from tests.fixed_sources import StandingClock
from tests.property.command_generator import CommandSpec, command_specs
from tests.property.store_session import Session
from tests.property.test_views import EXAMPLES
from tests.property.view_rows import Rows, rebuilt, rows_of, views_in_use

Request: TypeAlias = tuple[Command, CommandRequest]

DIFFERENT: Final = ("command", "merkle_subtree", "projection")
"""The tables with fingerprints and salted hashes: the fingerprints of commands that are executed together differ."""


class OneByOne:
    """The commands that were executed one by one with their results, and the first one that was rejected."""

    def __init__(self) -> None:
        self.accepted: list[Request] = []
        self.results: list[CommandResult] = []
        self.heads: list[int] = []
        self.rejected: tuple[Request, Rejection] | None = None
        self.before_rejected = 0

    async def run(self, session: Session, specs: Sequence[CommandSpec]) -> None:
        for number, spec in enumerate(specs):
            command, request = session._command(spec)
            request = replace(request, idempotency_key=f"together-{number}")
            result = await session._handle(spec, command, request)
            await session.read_new_events()
            if isinstance(result, CommandResult):
                self.accepted.append((command, request))
                self.results.append(result)
                self.heads.append(await session.store.log.head())
            elif self.rejected is None:
                self.rejected = ((command, request), result)
                self.before_rejected = len(self.accepted)


async def recorded(store: Store, after: int) -> list[tuple[Any, ...]]:
    """Return everything of the events after a position that does not depend on salts and fingerprints."""
    return [
        (
            event.position, event.header.type, event.header.stream, event.header.stream_version,
            event.header.event_id, event.header.command_id, event.header.recorded_at, event.header.actor_id,
            event.event, event.reason, event.idempotency_key,
        )
        for event in event_codec().decode_all(await store.log.read(after, 10_000))
    ]  # fmt: skip


async def rejection_of(store: Store, commands: Sequence[Request]) -> Rejection | Sequence[CommandResult]:
    try:
        return await store.commands.handle_together(commands)
    except Rejection as rejection:
        return rejection


def comparable(rows: Rows) -> Rows:
    return {name: table for name, table in rows.items() if name not in DIFFERENT}


async def compare(place: Path, before: Sequence[CommandSpec], specs: Sequence[CommandSpec]) -> Counter[str]:
    """Execute `before` in one store, then `specs` one by one in it, and together in a copy of it."""
    counts: Counter[str] = Counter()
    async with Session(place / "single", StandingClock()) as single:
        await single.begin()
        for spec in before:
            await single.do(spec)
    shutil.copytree(place / "single", place / "together")
    one_by_one = OneByOne()
    async with Session(place / "single", StandingClock()) as single:
        start = len(single.history)
        await one_by_one.run(single, specs)
        expected = await recorded(single.store, start)
        expected_rows = comparable(rows_of(views_in_use(single.data)))
    async with Session(place / "together", StandingClock()) as session:
        store = session.store
        if one_by_one.rejected is not None:
            request, rejection = one_by_one.rejected
            index = one_by_one.before_rejected
            actual = await rejection_of(store, [*one_by_one.accepted[:index], request])
            assert isinstance(actual, Rejection)
            assert await store.log.head() == start
            if actual.code != ErrorCode.MUST_BE_FIRST:
                assert (actual.code, actual.message, actual.command_index) == (
                    rejection.code,
                    rejection.message,
                    index,
                )
                counts["rejected"] += 1
        if not one_by_one.accepted:
            return counts
        results = await rejection_of(store, one_by_one.accepted)
        if isinstance(results, Rejection):
            assert results.code == ErrorCode.MUST_BE_FIRST
            assert results.command_index
            assert isinstance(one_by_one.accepted[results.command_index][0], DeleteCategory)
            assert await store.log.head() == start
            counts["must be first"] += 1
            return counts
        assert await recorded(store, start) == expected
        last = start + len(expected)
        heads = [start, *one_by_one.heads]
        for result, alone, head, after in zip(
            results, one_by_one.results, heads, one_by_one.heads, strict=False
        ):
            assert (result.subject_id, result.replayed) == (alone.subject_id, False)
            assert result.position == (alone.position if head < after else last or start)
        rows = rows_of(views_in_use(session.data))
        assert comparable(rows) == expected_rows
        assert rows == await rebuilt(store.log, place / "rebuilt.db", batch_size=7)
        counts["together"] += 1
        counts["commands"] += len(results)
        counts["streams that several commands write"] += len({(row[2], row[5]) for row in expected}) - len(
            {row[2] for row in expected}
        )
        if expected:
            repeated = await store.commands.handle_together(one_by_one.accepted)
            assert [result.replayed for result in repeated] == [True] * len(results)
            assert [result.position for result in repeated] == [result.position for result in results]
            assert await store.log.head() == last
            *others, (last_command, last_request) = one_by_one.accepted
            changed = (last_command, replace(last_request, reason="another"))
            other = await rejection_of(store, [*others, changed])
            assert isinstance(other, Rejection)
            assert other.code == ErrorCode.IDEMPOTENCY_KEY_REUSED
    return counts


def test_commands_together_equal_the_same_commands_one_by_one() -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(
        st.lists(command_specs(), min_size=4, max_size=8),
        st.lists(command_specs(), min_size=12, max_size=30),
    )
    def run(before: list[CommandSpec], specs: list[CommandSpec]) -> None:
        with tempfile.TemporaryDirectory() as place:
            counts.update(asyncio.run(compare(Path(place), before, specs)))

    run()
    assert counts["together"] >= EXAMPLES / 4
    assert counts["rejected"] >= EXAMPLES / 4
    assert counts["commands"] >= EXAMPLES
    assert counts["streams that several commands write"]
