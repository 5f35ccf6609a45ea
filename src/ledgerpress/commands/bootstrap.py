"""The first events of a publication: the opening of its log, and the actors that every log knows."""

from contextlib import suppress
from typing import Final

from ledgerpress.commands.state_loader import LOG_STREAM, actor_stream
from ledgerpress.eventlog.clock import Clock
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import ENVELOPE_VERSION, SALT_BYTES, NewEvent
from ledgerpress.eventlog.errors import LogUnusable, WrongExpectedVersion
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid7, uuid8
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.eventlog.randomness import Randomness
from ledgerpress.features.actors.model import RESERVED, SYSTEM, ActorRegistered
from ledgerpress.features.site.model import LogOpened

NAME_KEY_BYTES: Final = 32
FIRST_EVENTS: Final = 1 + len(RESERVED)
"""How many events a log has before anything happens in it."""


async def open_publication(log: EventLog, codec: Codec[Event], clock: Clock, randomness: Randomness) -> bytes:
    """Return the publication's name key (32 bytes), opening the log first where it is empty.

    Of several processes that open one log at once, one wins; all get the same key. Raises `LogUnusable` where
    the log does not begin as a log must.
    """
    first = await log.read(0, 1)
    if not first:
        with suppress(WrongExpectedVersion):
            await log.append(_first_events(codec, clock.now(), randomness))
        first = await log.read(0, 1)
    opened = codec.decode(first[0]).event
    if not isinstance(opened, LogOpened):
        raise LogUnusable("the log does not begin with log.opened")
    return bytes.fromhex(opened.name_key)


def _first_events(codec: Codec[Event], now: int, randomness: Randomness) -> list[StreamWrite]:
    command_id = uuid7(now, randomness.bytes(10))
    opened = LogOpened(format_version=ENVELOPE_VERSION, name_key=randomness.bytes(NAME_KEY_BYTES).hex())
    facts: list[tuple[str, Event]] = [(LOG_STREAM, opened)]
    for actor in RESERVED:
        registered = ActorRegistered(actor_id=actor.id, kind=actor.kind, name=actor.name)
        facts.append((actor_stream(actor.id), registered))
    writes = []
    for index, (stream, fact) in enumerate(facts):
        name, version = codec.name_of(fact)
        event = NewEvent(
            event_id=uuid8(command_id, index),
            type=name,
            schema_version=version,
            recorded_at=now,
            actor_id=SYSTEM.id,
            command_id=command_id,
            correlation_id=command_id,
            payload=codec.encode(fact, salt=randomness.bytes(SALT_BYTES)),
        )
        writes.append(StreamWrite(stream, NO_STREAM, (event,)))
    return writes
