"""The first events of a publication: `log.opened`, and the first events of its features."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, uuid7, uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import ENVELOPE_VERSION, SALT_BYTES
from ledgerpress.eventlog.errors import LogUnusable, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import LOG_STREAM, LogOpened
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite

NAME_KEY_BYTES: Final = 32


async def open_publication(
    log: EventLog,
    codec: Codec[Event],
    clock: Clock,
    randomness: Randomness,
    first_events: Iterable[tuple[str, Event]],
) -> bytes:
    """Return the publication's name key (32 bytes), and open the log first if it is empty.

    `first_events` are pairs of a stream and an event, which are appended to an empty log. If several processes open
    one log at once, one succeeds, and all return the same key. Raises `LogUnusable` if the log does not begin with
    `log.opened`.
    """
    first = await log.read(0, 1)
    if not first:
        with suppress(WrongExpectedVersion):
            await log.append(_writes(codec, clock.now(), randomness, first_events))
        first = await log.read(0, 1)
    opened = codec.decode(first[0]).event
    if not isinstance(opened, LogOpened):
        raise LogUnusable("the log does not begin with log.opened")
    return bytes.fromhex(opened.name_key)


def _writes(
    codec: Codec[Event], now: int, randomness: Randomness, first_events: Iterable[tuple[str, Event]]
) -> list[StreamWrite]:
    command_id = uuid7(now, randomness.bytes(10))
    opened = LogOpened(format_version=ENVELOPE_VERSION, name_key=randomness.bytes(NAME_KEY_BYTES).hex())
    writes = []
    for index, (stream, event) in enumerate([(LOG_STREAM, opened), *first_events]):
        event_id, salt = uuid8(command_id, index), randomness.bytes(SALT_BYTES)
        new = codec.system_event(event, event_id=event_id, command_id=command_id, now=now, salt=salt)
        writes.append(StreamWrite(stream, NO_STREAM, (new,)))
    return writes
