"""Sample events to fill a log with, the same in every run, and functions that read a log."""

from itertools import count

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload, StoredEvent
from ledgerpress.eventlog.log import EventLog, StreamWrite, check_gapless

PUBLICATION = uuid8("sample", "publication")
ACTOR = uuid8("sample", "actor")
_numbers = count(1)


def sample_event(
    name: str | int | None = None, *, plaintext: bytes = b'{"data":{}}', event_type: str = "post.edited"
) -> NewEvent:
    """Return an event. The same `name` always gives the same event id; without a name, the id is new."""
    number = next(_numbers)
    command = uuid8("sample", "command", number)
    return NewEvent(
        event_id=uuid8("sample", "event", number if name is None else f"name {name}"),
        type=event_type,
        schema_version=1,
        recorded_at=1_734_000_000_000_000 + number,
        actor_id=ACTOR,
        command_id=command,
        correlation_id=command,
        payload=SealedPayload(JSON_ENCODING, plaintext, number.to_bytes(32, "big")),
    )


def sample_write(stream: str, expected: int, events: int = 1) -> StreamWrite:
    """Return a write of new events."""
    return StreamWrite(stream, expected, tuple(sample_event() for _ in range(events)))


async def everything(log: EventLog) -> list[StoredEvent]:
    """Return all events, read in small batches."""
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 97):
        events += batch
    check_gapless(events, 0)
    return events


async def places(log: EventLog) -> list[tuple[str, int]]:
    """Return the stream and the stream version of each event."""
    return [(event.header.stream, event.header.stream_version) for event in await everything(log)]
