"""Projectors that fail, an event of an unknown type, and runners that a test drives."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import NewEvent, SealedPayload
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from ledgerpress.views.projection.runner import ProjectionRunner
from tests.altered_projectors import Altered
from tests.fixed_sources import SeededBytes, SetClock
from tests.property.view_rows import Rows

OPENINGS = count()


def failing(sound: Projector, cannot: Callable[[Recorded[Event]], bool]) -> Projector:
    """A projector that cannot take in one event."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        writing.apply(recorded)
        if cannot(recorded):
            raise ValueError("this cannot be")

    return Altered(sound, apply)


def with_failing(name: str, cannot: Callable[[Recorded[Event]], bool]) -> list[Projector]:
    """Every projector, of which one fails."""
    return [failing(one, cannot) if one.name == name else one for one in all_projectors()]


@asynccontextmanager
async def running(
    log: EventLog,
    path: Path,
    *,
    projectors: list[Projector] | None = None,
    batch_size: int = 500,
    codec: Codec[Event] | None = None,
) -> AsyncIterator[ProjectionRunner]:
    """Open, or make, views at `path`, with a runner that is driven by hand."""
    projectors = list(all_projectors()) if projectors is None else projectors
    views = await ViewsFile.open(path, projectors)
    try:
        runner = ProjectionRunner(log, codec or event_codec(), views, projectors, batch_size=batch_size)
        await runner.start()
        yield runner
    finally:
        await views.aclose()


def tables_of(name: str, rows: Rows) -> Rows:
    """The rows of one projection's tables."""
    (projector,) = [one for one in all_projectors() if one.name == name]
    return {table: found for table, found in rows.items() if f"TABLE {table} (" in projector.schema}


def sparkled() -> NewEvent:
    """An event that only a later version of the program knows."""
    event_id = uuid8("sparkled")
    return NewEvent(
        event_id=event_id,
        type="post.sparkled",
        schema_version=1,
        recorded_at=1,
        actor_id=OPERATOR.id,
        command_id=event_id,
        correlation_id=event_id,
        payload=SealedPayload("json", SPARKLED, b"s" * 32),
    )


SPARKLED = (
    b'{"data":{"postId":"sparks"},"reason":null,"idempotencyKey":null,"traceId":null,"fingerprint":null}'
)


@asynccontextmanager
async def store_in(data: Path, projectors: list[Projector] | None = None) -> AsyncIterator[Store]:
    """Open a store whose chance differs from opening to opening, as it does in life."""
    chance = SeededBytes(f"opening {next(OPENINGS)}")
    async with open_store(data, clock=SetClock(), randomness=chance, projectors=projectors) as store:
        yield store
