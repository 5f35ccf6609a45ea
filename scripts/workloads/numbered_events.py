"""Create events of commands with one event each, whose ids and salts depend only on a number."""

from ledgerpress.eventlog.clock_randomness_ids import uuid7, uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.actors.model import OPERATOR


def numbered_event(codec: Codec[Event], fact: Event, number: int, recorded_at: int) -> NewEvent:
    """Return the event of command `number`, recorded at `recorded_at` (microseconds since 1970)."""
    command_id = uuid7(recorded_at, uuid8("command", number).encode())
    name, version = codec.name_of(fact)
    return NewEvent(
        event_id=uuid8(command_id, 0),
        type=name,
        schema_version=version,
        recorded_at=recorded_at,
        actor_id=OPERATOR.id,
        command_id=command_id,
        correlation_id=command_id,
        payload=codec.encode(fact, salt=number.to_bytes(32, "big")),
    )
