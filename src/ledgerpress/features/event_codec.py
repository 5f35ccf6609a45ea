"""The codec of every event of the catalogue."""

from ledgerpress.eventlog.codec import Codec, EventType
from ledgerpress.eventlog.event import Event, withdrawn
from ledgerpress.features.event_catalogue import EVENT_TYPES, UPCASTERS


def event_codec() -> Codec[Event]:
    """Return the codec that reads every event ever stored, and writes the newest versions."""
    return Codec([EventType(*entry) for entry in EVENT_TYPES], UPCASTERS, withdrawn)
