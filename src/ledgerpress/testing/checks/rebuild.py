"""Check that the views depend only on the log: for any way of building them, and while a server uses them."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.retry import poll
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress.sqlite.connection import open_to_read, statements
from ledgerpress.testing.checks.projecting import MemoryViews
from ledgerpress.testing.contract_violation import ContractViolation, differences
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.probes import CLIENTS
from ledgerpress.testing.recording import LiveRecording, Recording, recorded
from ledgerpress.testing.store_client import Answer
from ledgerpress.views.files.comparison import RowDifference, compare

SWITCH_TIMEOUT: Final = 20.0
"""Seconds within which a store must use the rebuilt views."""
_PROBE_INTERVAL: Final = 0.1
"""Seconds between two rounds of probes during a rebuild and a switch, so that the probes slow neither down."""
_PURE: Final = (
    "a projector may use only the event, its header and the projector's own rows: no clock, no randomness, no "
    "tables of other features, and no state from an earlier call."
)


async def check_rebuild(definition: Definition, directory: Path, log: str) -> None:
    """A rebuild and following the log give the same rows, for any batch size, and after a batch was rolled back.

    Projectors use no clock and no source of randomness.
    """
    async with recorded(definition, directory, log) as live:
        _check_rebuild(live)


def _check_rebuild(live: LiveRecording) -> None:
    recording, definition = live.recording, live.recording.definition
    ways: dict[str, Callable[[MemoryViews, Sequence[StoredEvent]], None]] = {
        "all events at once, as in a rebuild": partial(_apply, recording, size=len(recording.events)),
        "three events at a time": partial(_apply, recording, size=3),
        "one event at a time, each again after a rollback": partial(
            _apply, recording, size=1, after_rollback=True
        ),
    }
    with closing(MemoryViews(definition.feature_set)) as followed:
        for stored in recording.events:
            _apply(recording, followed, [stored], size=1)
            if followed.forbidden:
                raise definition.violation(
                    f"a projector uses {followed.forbidden[0]}.",
                    feature=definition.feature_of_event(stored.header.type),
                    position=stored.position,
                    event=stored.header.type,
                    todo=f"{_PURE} The time of an event is recorded.header.recorded_at.",
                )
        with closing(open_to_read(live.client.store.views.path)) as served:
            if row := next(iter(_rows(served, followed.db)), None):
                raise _different_rows(
                    recording, row, "the store that recorded the scenario and a rebuild", None
                )
        for way, apply in ways.items():
            with closing(MemoryViews(definition.feature_set)) as other:
                apply(other, recording.events)
                if row := next(iter(_rows(followed.db, other.db)), None):
                    raise _different_rows(recording, row, f"one event at a time and {way}", apply)


async def check_switch(definition: Definition, directory: Path, log: str) -> None:
    """Views are rebuilt and switched under load: the rebuilt rows equal the current rows, and no response changes."""
    async with recorded(definition, directory, log) as live:
        recording, client, before = live.recording, live.client, live.client.store.views.path
        probes = [
            (probe, name, identity)
            for probe in definition.probes(recording.values)
            for name, identity in CLIENTS.items()
        ]
        expected = [await probe.ask(client, identity, cached=False) for probe, _, identity in probes]

        async def ask(state: str) -> None:
            for (probe, name, identity), answer in zip(probes, expected, strict=True):
                for cached in (True, False):
                    now = await probe.ask(client, identity, cached=cached)
                    if _lasting(now) == _lasting(answer):
                        continue
                    path, was, is_ = next(differences(answer.body, now.body), ("the response", answer, now))
                    raise definition.violation(
                        f"a response changes {state}, although nothing was recorded.",
                        probe=probe.name,
                        client=name,
                        details=[f"{path}: {was!r} became {is_!r}"],
                        todo=f"read rows by keys that are the same after a rebuild, and in an explicit order; {_PURE}",
                    )

        rows: list[RowDifference] = []
        rebuild_task = asyncio.create_task(
            rebuild(recording.data, log=log, features=definition.feature_set, report=rows.append)
        )
        try:
            while not rebuild_task.done():
                await ask("while views are rebuilt")
                await asyncio.wait([rebuild_task], timeout=_PROBE_INTERVAL)
        finally:
            await asyncio.gather(rebuild_task, return_exceptions=True)
        rebuild_task.result()
        if rows:
            raise _different_rows(recording, rows[0], "the current views and the rebuilt views", None)

        async def is_switched() -> bool | None:
            await ask("while views are switched")
            return client.store.views.path != before or None

        assert await poll(is_switched, interval=_PROBE_INTERVAL, timeout=SWITCH_TIMEOUT), (
            f"the store does not use the views that were rebuilt {SWITCH_TIMEOUT:g} s ago"
        )
        await ask("after rebuilt views are in use")


def _lasting(answer: Answer) -> tuple[object, ...]:
    return answer.status, answer.body, answer.position


def _apply(
    recording: Recording,
    views: MemoryViews,
    events: Sequence[StoredEvent],
    *,
    size: int,
    after_rollback: bool = False,
) -> None:
    """Apply events in batches of `size`. Raises `ContractViolation` if a projection fails."""
    for start in range(0, len(events), size):
        points = views.apply(events[start : start + size], after_rollback=after_rollback)
        for name, point in points.items():
            if point.failed_at is not None:
                type_ = recording.type_at(point.failed_at)
                raise recording.definition.violation(
                    f"the projection {name} fails: {point.error}",
                    feature=recording.definition.feature_of_event(type_),
                    position=point.failed_at,
                    event=type_,
                    todo="let the projector accept every event that can be recorded. The traceback is in the "
                    "logging above.",
                )


def _rows(first: sqlite3.Connection, second: sqlite3.Connection) -> list[RowDifference]:
    rows: list[RowDifference] = []
    compare(first, second, rows.append)
    return rows


def _different_rows(
    recording: Recording,
    row: RowDifference,
    ways: str,
    apply: Callable[[MemoryViews, Sequence[StoredEvent]], None] | None,
) -> ContractViolation:
    """Return the violation for a row that differs between two ways of building the views.

    With `apply`, the violation names the first event after which any row differs.
    """
    definition, position = recording.definition, None
    if apply is not None:
        position = next((end for end in _positions(recording) if _differs(recording, end, apply)), None)
    return definition.violation(
        f"a row of {row.table} differs between {ways}.",
        feature=_feature_of_table(definition, row.table),
        position=position,
        event=position and recording.type_at(position),
        details=[f"row {dict(row.key)}: {row.before} and {row.after}"],
        todo=_PURE,
    )


def _positions(recording: Recording) -> Iterator[int]:
    yield from range(1, len(recording.events) + 1)


def _differs(
    recording: Recording, end: int, apply: Callable[[MemoryViews, Sequence[StoredEvent]], None]
) -> bool:
    """Return whether views that follow the log up to the position `end` differ from views that `apply` builds."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(closing(MemoryViews(recording.definition.feature_set))) for _ in range(2)
        )
        _apply(recording, first, recording.events[:end], size=1)
        apply(second, recording.events[:end])
        return bool(_rows(first.db, second.db))


def _feature_of_table(definition: Definition, table: str) -> str:
    """Return the feature that creates a table."""
    for feature in definition.feature_set.features:
        schemas = [part.schema for part in feature.projectors] + [part.schema for part in feature.listings]
        for schema in schemas:
            with closing(sqlite3.connect(":memory:")) as db:
                for statement in statements(schema):
                    db.execute(statement)
                if db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
                    return feature.name
    return definition.names
