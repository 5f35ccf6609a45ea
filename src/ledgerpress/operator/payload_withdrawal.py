"""Withdraws the payload of one event by law: the log keeps that it happened, and forgets what was written."""

from typing import Final

import msgspec

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.request import CommandRequest
from ledgerpress.eventlog.clock import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent, StoredEvent
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid7, uuid8
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.eventlog.log_events import PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.randomness import Randomness

NEVER_WITHDRAWN: Final = {
    "log.opened": "it holds the key of the names of streams",
    "payload.withdrawn": "it holds no text but the reason of a withdrawal, and proves that that was one",
    "projection.skipped": "it holds no text but the reason of a skip, and views that are made anew go by it",
}
"""Types of events whose payload is not withdrawn, and why."""


async def withdraw(
    log: EventLog,
    codec: Codec[Event],
    clock: Clock,
    randomness: Randomness,
    position: int,
    request: CommandRequest,
) -> int:
    """Record that the payload at `position` is withdrawn, and why, and erase it; return the position of the record.

    For one that is withdrawn already it only finishes what was cut short, and returns the head. Raises `Rejection`
    where there is no such event, where its payload must stay, and without a reason; `WithdrawalUnfinished`.
    """
    reason = request.checked_reason()
    if reason is None:
        raise Rejection(ErrorCode.BLANK, "A withdrawal needs a reason.", field=("reason",))
    found = await log.read(position - 1, 1)
    if not found or found[0].position != position:
        raise Rejection(
            ErrorCode.NOT_FOUND, f"There is no event at position {position:,}.", field=("position",)
        )
    gone = found[0]
    if why := NEVER_WITHDRAWN.get(gone.header.type):
        message = f"The payload of {gone.header.type} stays: {why}."
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("position",))
    if gone.payload is None:
        return await log.withdraw(position, [])
    record = _record(gone, codec, clock.now(), randomness, request, reason)
    try:
        return await log.withdraw(position, [record])
    except WrongExpectedVersion:
        # Somebody was faster.
        return await log.withdraw(position, [])


def _record(
    gone: StoredEvent,
    codec: Codec[Event],
    now: int,
    randomness: Randomness,
    request: CommandRequest,
    reason: str,
) -> StreamWrite:
    fact = PayloadWithdrawn(header=msgspec.to_builtins(gone.header))
    name, version = codec.name_of(fact)
    command_id = uuid7(now, randomness.bytes(10))
    event = NewEvent(
        event_id=uuid8(command_id, 0),
        type=name,
        schema_version=version,
        recorded_at=now,
        actor_id=request.actor_id,
        on_behalf_of_actor_id=request.on_behalf_of_actor_id,
        command_id=command_id,
        correlation_id=request.correlation_id or command_id,
        causation_id=request.causation_id,
        payload=codec.encode(
            fact, salt=randomness.bytes(SALT_BYTES), reason=reason, trace_id=request.trace_id
        ),
    )
    return StreamWrite(withdrawal_stream(gone.header.event_id), NO_STREAM, (event,))
