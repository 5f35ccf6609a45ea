"""Projectors that fail, an event of an unknown type, and projection runners that a test steps by hand."""

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
    """Return `sound` changed so that it raises `ValueError` at the events for which `cannot` is true."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        writing.apply(recorded)
        if cannot(recorded):
            raise ValueError("this cannot be")

    return Altered(sound, apply)


def with_failing(name: str, cannot: Callable[[Recorded[Event]], bool]) -> list[Projector]:
    """Return all projectors; the one called `name` fails at the events for which `cannot` is true."""
    return [
        failing(projector, cannot) if projector.name == name else projector for projector in all_projectors()
    ]


@asynccontextmanager
async def running(
    log: EventLog,
    path: Path,
    *,
    projectors: list[Projector] | None = None,
    batch_size: int = 500,
    codec: Codec[Event] | None = None,
) -> AsyncIterator[ProjectionRunner]:
    """Open or create views at `path`; yield a runner that the test steps by hand."""
    projectors = list(all_projectors()) if projectors is None else projectors
    views = await ViewsFile.open(path, projectors)
    try:
        runner = ProjectionRunner(log, codec or event_codec(), views, projectors, batch_size=batch_size)
        await runner.start()
        yield runner
    finally:
        await views.aclose()


def tables_of(name: str, rows: Rows) -> Rows:
    """Return the rows of the tables of one projection."""
    (projector,) = [candidate for candidate in all_projectors() if candidate.name == name]
    return {table: table_rows for table, table_rows in rows.items() if f"TABLE {table} (" in projector.schema}


def sparkled() -> NewEvent:
    """Return an event that only a later version of the program knows."""
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
    """Open a store whose randomness differs each time it is opened, as in production."""
    randomness = SeededBytes(f"opening {next(OPENINGS)}")
    async with open_store(data, clock=SetClock(), randomness=randomness, projectors=projectors) as store:
        yield store
