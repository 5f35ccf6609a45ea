"""Encodes events to stored bytes, and decodes stored bytes to events."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

import msgspec

from ledgerpress.eventlog.envelope import JSON_ENCODING, Header, NewEvent, SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import SYSTEM_ACTOR_ID, Event, Remainder, without_text
from ledgerpress.eventlog.unknown_third_party_events import PassOver, UnknownEvent

E = TypeVar("E")
D = TypeVar("D")
JsonObject: TypeAlias = dict[str, Any]
Upcaster: TypeAlias = Callable[[JsonObject], JsonObject]
"""A pure function from the data of one schema version to the data of the next."""


class PayloadBody(
    msgspec.Struct,
    Generic[D],
    frozen=True,
    gc=False,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """The plaintext of a payload. `fingerprint` is the fingerprint of the command, in hex."""

    data: D
    reason: str | None
    idempotency_key: str | None
    trace_id: str | None
    fingerprint: str | None


class _Record(msgspec.Struct, frozen=True, gc=False):
    """The part of the data of `payload.withdrawn`, in any version, that restores the withdrawn event without text."""

    remainder: Remainder | None = None


class _RecordBody(msgspec.Struct, frozen=True, gc=False):
    data: _Record


class EventType(NamedTuple, Generic[E]):
    """An entry of the catalogue: the stored name of an event, its newest schema version, and its class.

    The first upcaster converts version 1 to version 2, and so on.
    """

    name: str
    version: int
    type: type[E]
    upcasters: tuple[Upcaster, ...] = ()


class Recorded(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """A decoded event of the log. `reason` and the fields after it are `None` if absent or withdrawn."""

    header: Header
    event: E
    reason: str | None = None
    idempotency_key: str | None = None
    trace_id: str | None = None
    fingerprint: str | None = None

    @property
    def position(self) -> int:
        return self.header.position


class Codec(Generic[E]):
    """A codec for the events of one catalogue, which decodes every stored version of them.

    `withdrawn` returns the replacement for a withdrawn event, from its type, stream and recorded-at, from the event
    without its text, from the names of the fields whose text was erased, and from the position of the record. An event of an unknown type is decoded as an
    `UnknownEvent` if `passes_over` accepts the type.
    """

    def __init__(
        self,
        catalogue: Iterable[EventType[E]],
        withdrawn: Callable[[str, str, int, E | None, tuple[str, ...], int | None], E],
        passes_over: PassOver = lambda _type: False,
    ) -> None:
        """Create a codec. `catalogue` has one entry per event class."""
        entries = list(catalogue)
        self._names = {entry.type: (entry.name, entry.version) for entry in entries}
        self._versions = {entry.name: entry.version for entry in entries}
        self._types = {entry.name: entry.type for entry in entries}
        self._newest = {
            (entry.name, entry.version): msgspec.json.Decoder(PayloadBody[entry.type], strict=True).decode  # type: ignore[name-defined]
            for entry in entries
        }
        self._upcasters = {
            (entry.name, version): step
            for entry in entries
            for version, step in enumerate(entry.upcasters, start=1)
        }
        self._withdrawn = withdrawn
        self._passes_over = passes_over
        self._older = msgspec.json.Decoder(PayloadBody[JsonObject])
        self._records = msgspec.json.Decoder(_RecordBody)
        self._encode = msgspec.json.Encoder().encode

    def name_of(self, event: E) -> tuple[str, int]:
        """Return the stored name and the schema version with which `event` is recorded."""
        return self._names[type(event)]

    def knows(self, type: str) -> bool:
        """Return whether the catalogue contains an event type with this stored name."""
        return type in self._versions

    def class_of(self, type: str) -> type[E] | None:
        """Return the class of the events with this stored name, if the catalogue contains it."""
        return self._types.get(type)

    def remainder(self, event: E) -> Remainder | None:
        """Return what a withdrawal keeps of `event`; `None` if its class does not declare its text."""
        if type(event) not in self._names or not isinstance(event, Event):
            return None
        if (result := without_text(event)) is None:
            return None
        remaining, erased = result
        stored_names = dict(zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True))
        data = msgspec.json.decode(self._encode(remaining), type=JsonObject)
        return Remainder(self.name_of(event)[1], data, tuple(stored_names[name] for name in erased))

    def encode(
        self,
        event: E,
        *,
        salt: bytes,
        reason: str | None = None,
        idempotency_key: str | None = None,
        trace_id: str | None = None,
        fingerprint: str | None = None,
    ) -> SealedPayload:
        """Return the encoded payload of an event, sealed with `salt`."""
        body = PayloadBody(
            data=msgspec.Raw(self._encode(event)),
            reason=reason,
            idempotency_key=idempotency_key,
            trace_id=trace_id,
            fingerprint=fingerprint,
        )
        return SealedPayload(JSON_ENCODING, self._encode(body), salt)

    def as_read(self, event: E, payload: SealedPayload) -> E:
        """Return `event`, which was encoded as `payload`, as it will be read: for example, with a tuple for a list.

        Raises `ValueError` if it could not be read: the value of a field does not have the declared type.
        """
        name, version = self.name_of(event)
        try:
            read: E = self._newest[name, version](payload.plaintext).data
        except msgspec.MsgspecError as error:
            raise ValueError(f"{name} version {version} could not be read: {error}") from error
        return read

    def system_event(self, event: E, *, event_id: str, command_id: str, now: int, salt: bytes) -> NewEvent:
        """Return an event that LedgerPress records itself."""
        name, version = self.name_of(event)
        return NewEvent(
            event_id=event_id,
            type=name,
            schema_version=version,
            recorded_at=now,
            actor_id=SYSTEM_ACTOR_ID,
            command_id=command_id,
            correlation_id=command_id,
            payload=self.encode(event, salt=salt),
        )

    def decode(self, stored: StoredEvent) -> Recorded[E]:
        """Return the event of `stored`, upcast to the newest version of its schema.

        Raises `UndecodableEvent` if this program does not know the type, version, encoding or data, unless the type is
        ignored.
        """
        header, payload = stored.header, stored.payload
        decode = self._newest.get((header.type, header.schema_version))
        if decode is not None and payload is not None and payload.encoding == JSON_ENCODING:
            try:
                body = decode(payload.plaintext)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise self._undecodable(header, f"cannot be read: {error}") from error
            return Recorded(
                header, body.data, body.reason, body.idempotency_key, body.trace_id, body.fingerprint
            )
        newest = self._versions.get(header.type)
        is_passed_over = newest is None and self._passes_over(header.type)
        if not is_passed_over and (newest is None or header.schema_version > newest):
            raise self._undecodable(header, "is unknown: a newer LedgerPress wrote it", is_unknown=True)
        if payload is None:
            remaining = self._remaining(stored) if newest is not None else (None, ())
            record_position = None if stored.record is None else stored.record.header.position
            event = self._withdrawn(
                header.type, header.stream, header.recorded_at, *remaining, record_position
            )
            return Recorded(header, event)
        if newest is None:
            return self._unknown(stored)
        if payload.encoding != JSON_ENCODING:
            why = f"has an unknown encoding {payload.encoding!r}"
            raise self._undecodable(header, why, is_unknown=True)
        try:
            body = self._older.decode(payload.plaintext)
            event = self._upcast(header, body.data, header.schema_version, newest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._undecodable(header, f"cannot be read: {error}") from error
        return Recorded(header, event, body.reason, body.idempotency_key, body.trace_id, body.fingerprint)

    def _unknown(self, stored: StoredEvent) -> Recorded[E]:
        """Return the replacement for an event that is ignored, with reason and ids if its payload can be read."""
        header, payload = stored.header, stored.payload
        event = cast("E", UnknownEvent(type=header.type))
        if payload is None or payload.encoding != JSON_ENCODING:
            return Recorded(header, event)
        try:
            body = self._older.decode(payload.plaintext)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Recorded(header, event)
        return Recorded(header, event, body.reason, body.idempotency_key, body.trace_id, body.fingerprint)

    def decode_all(self, stored: Sequence[StoredEvent]) -> list[Recorded[E]]:
        return [self.decode(event) for event in stored]

    def _remaining(self, stored: StoredEvent) -> tuple[E | None, tuple[str, ...]]:
        """Return a withdrawn event without its text, and the names of its erased fields. Raises `UndecodableEvent`."""
        header, record = stored.header, stored.record
        if record is None or record.payload is None:
            return None, ()
        newest = self._versions[header.type]
        try:
            remainder = self._records.decode(record.payload.plaintext).data.remainder
            if remainder is None:
                return None, ()
            if remainder.schema_version > newest:
                why = "was withdrawn by a newer LedgerPress"
                raise self._undecodable(header, why, is_unknown=True)
            event = self._upcast(header, remainder.data, remainder.schema_version, newest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._undecodable(header, f"has an unreadable withdrawal: {error}") from error
        names = zip(self._types[header.type].__struct_encode_fields__, event.__struct_fields__, strict=True)  # type: ignore[attr-defined]
        attributes = dict(names)
        return event, tuple(attributes[name] for name in remainder.erased if name in attributes)

    def _upcast(self, header: Header, fields: JsonObject, stored: int, newest: int) -> E:
        """Return the event with the data `fields` of the schema version `stored`."""
        for version in range(stored, newest):
            step = self._upcasters.get((header.type, version))
            if step is None:
                raise self._undecodable(header, f"has no upcaster from version {version}")
            try:
                fields = step(fields)
            except Exception as error:
                raise self._undecodable(
                    header, f"failed in the upcaster from version {version}: {error!r}"
                ) from error
        return msgspec.convert(fields, self._types[header.type])

    def _undecodable(self, header: Header, why: str, *, is_unknown: bool = False) -> UndecodableEvent:
        return UndecodableEvent(
            position=header.position,
            leaf_hash=header.leaf_hash().hex(),
            type=header.type,
            schema_version=header.schema_version,
            why=why,
            is_unknown=is_unknown,
        )
