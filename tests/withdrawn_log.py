"""A generated log with withdrawn payloads throughout, as a log copy must handle them."""

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

import msgspec

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import Header, NewEvent, StoredEvent
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn, withdrawal_stream
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.registry import event_codec
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN
from scripts.workloads.generated_log import GeneratedLog

LATER: Final = 300
"""The minimum number of events between the recording of a payload and its withdrawal."""


def batches_with_withdrawals(events: int, size: int, *, every: int = 97) -> Iterator[list[StoredEvent]]:
    """Yield `events` events in lists of `size`; about one in `every` has a withdrawn payload."""
    source = islice(_with_withdrawals(events, every), events)
    while batch := list(islice(source, size)):
        yield batch


def _with_withdrawals(events: int, every: int) -> Iterator[StoredEvent]:
    """Yield the generated events with withdrawals between commands, which shift the positions."""
    position, command = 0, ""
    waiting = deque[Header]()
    for event in chain.from_iterable(GeneratedLog().batches(10_000_000, 1_000)):
        if event.header.command_id != command:
            command = event.header.command_id
            while waiting and waiting[0].position + LATER < position:
                position += 1
                yield _withdrawal(waiting.popleft(), position, event.header.recorded_at)
        position += 1
        header = msgspec.structs.replace(event.header, position=position)
        withdrawn = position % every == 0 and position + 2 * LATER < events
        if withdrawn and header.type not in NEVER_WITHDRAWN:
            waiting.append(header)
            yield StoredEvent(header, None)
        else:
            yield StoredEvent(header, event.payload)


def _withdrawal(of: Header, position: int, at: int) -> StoredEvent:
    codec, fact = event_codec(), PayloadWithdrawn(header=msgspec.to_builtins(of))
    name, version = codec.name_of(fact)
    command_id = uuid8("withdrawal", of.position)
    event = NewEvent(
        event_id=uuid8(command_id, 0),
        type=name,
        schema_version=version,
        recorded_at=at,
        actor_id=OPERATOR.id,
        command_id=command_id,
        correlation_id=command_id,
        payload=codec.encode(fact, salt=position.to_bytes(32, "big"), reason="By order of a court."),
    )
    stream = withdrawal_stream(of.event_id)
    header = event.header(publication=of.publication, position=position, stream=stream, stream_version=1)
    return StoredEvent(header, event.payload)
