"""Returns the events of an append as the log returns them, decoded, without reading them."""

from collections.abc import Sequence

from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite


def appended_events(
    codec: Codec[Event], publication: str, writes: Sequence[StreamWrite], last_position: int
) -> list[Recorded[Event]]:
    """Return the events of `writes`, which end at `last_position`.

    Returns none if they cannot be known without the log: if a write has no exact expected version, or an event cannot
    be decoded.
    """
    position = last_position - sum([len(write.events) for write in writes])
    events = []
    for write in writes:
        if write.events and write.expected == ANY_VERSION:
            return []
        for version, event in enumerate(write.events, write.expected + 1):
            position += 1
            header = event.header(
                publication=publication, position=position, stream=write.stream, stream_version=version
            )
            try:
                events.append(codec.decode(StoredEvent(header, event.payload)))
            except UndecodableEvent:
                return []
    return events
