"""Record a scenario in a log, and replay that log to a store event by event."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.log import EventLog
from ledgerpress.server.log_factory import existing_log
from ledgerpress.server.store import store_on_log
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.fixed_clock_and_randomness import SeededRandomness, StandingClock, SteppingClock
from ledgerpress.testing.log_prefix import LogPrefix
from ledgerpress.testing.store_client import StoreClient, client_of, open_client

VIEWS_TIMEOUT: Final = 20.0
"""Seconds within which projections must reach an event."""
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded scenario. `values` are its return values; `run_commands` are the classes of its commands."""

    definition: Definition
    data: Path
    log: str
    events: Sequence[StoredEvent]
    values: Mapping[str, Any]
    run_commands: frozenset[type]

    @property
    def first_position(self) -> int:
        """The position at which replays start: that of the last event with which every new log begins."""
        return 1 + len(self.definition.feature_set.first_events)

    def type_at(self, position: int) -> str:
        return self.events[position - 1].header.type

    def time_at(self, position: int) -> int:
        """Return the greatest recorded time up to a position, in microseconds since 1970, UTC."""
        return max(event.header.recorded_at for event in self.events[:position])

    def copy_with(self, events: Sequence[StoredEvent]) -> "Recording":
        return Recording(self.definition, self.data, self.log, events, self.values, self.run_commands)


@dataclass(frozen=True, slots=True)
class LiveRecording:
    """A recorded scenario whose store is still open. The clock of the store is stopped."""

    recording: Recording
    client: StoreClient


@asynccontextmanager
async def recorded(definition: Definition, directory: Path, log: str) -> AsyncIterator[LiveRecording]:
    """Run the scenario on a new store in `directory`, with its log at the URL `log`. Raises `ContractViolation`."""
    _ = definition.schema
    data = directory / "recorded"
    clock = SteppingClock()
    opening = open_client(
        definition.feature_set,
        data,
        log=log,
        clock=clock,
        randomness=SeededRandomness(f"{directory} {log}"),
    )
    async with opening as client:
        values = await definition.scenario(client)
        clock.stop()
        events = await read_all(client.store.log)
        recording = Recording(definition, data, log, events, values or {}, frozenset(client.run_commands))
        await wait_for(client, recording, len(events))
        yield LiveRecording(recording, client)


async def record(definition: Definition, directory: Path, log: str) -> Recording:
    """Run the scenario, close its store, and return the recording. Raises `ContractViolation`."""
    async with recorded(definition, directory, log) as live:
        return live.recording


@dataclass(frozen=True, slots=True)
class Replay:
    """A store whose log contains the first events of a recording. Its clock shows the time of the last of them."""

    recording: Recording
    client: StoreClient
    prefix: LogPrefix
    clock: StandingClock

    async def advance(self, position: int) -> None:
        """Extend the log of the store to `position`. Raises `ContractViolation` if a projection fails."""
        self.clock.time = self.recording.time_at(position)
        await self.prefix.advance(position)
        await wait_for(self.client, self.recording, position)


@asynccontextmanager
async def replayed(recording: Recording, directory: Path, position: int) -> AsyncIterator[Replay]:
    """Open a store in a new directory. Its log is the recorded log up to `position`."""
    await asyncio.to_thread(directory.mkdir, parents=True)
    clock = StandingClock(recording.time_at(position))
    async with existing_log(recording.data, recording.log) as log:
        prefix = LogPrefix(log, position)
        opening = store_on_log(
            prefix,
            directory,
            features=recording.definition.feature_set,
            clock=clock,
            randomness=SeededRandomness(str(directory)),
        )
        async with opening as store, client_of(store, recording.definition.schema) as client:
            replay = Replay(recording, client, prefix, clock)
            await replay.advance(position)
            yield replay


async def read_all(log: EventLog) -> list[StoredEvent]:
    """Return all events of a log."""
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), _BATCH):
        events += batch
    return events


async def wait_for(client: StoreClient, recording: Recording, position: int) -> None:
    """Wait until every projection has reached `position`. Raises `ContractViolation` if one fails."""
    reached = await client.store.views.wait_for(position, VIEWS_TIMEOUT)
    for name, point in client.store.checkpoints.items():
        if point.failed_at is not None:
            failed_at = point.failed_at
            raise recording.definition.violation(
                f"the projection {name} fails: {point.error}",
                position=failed_at,
                event=recording.type_at(failed_at) if failed_at <= len(recording.events) else None,
                todo="let the projector accept every event that can be recorded. The traceback is in the "
                "logging above.",
            )
    assert reached, f"the views have not reached position {position} in {VIEWS_TIMEOUT:g} s"
