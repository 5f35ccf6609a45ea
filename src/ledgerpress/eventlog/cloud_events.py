"""Events as lines of JSON, in the JSON format of CloudEvents 1.0, with the complete envelope.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and formats/json-format.md. Fields without a
CloudEvents attribute are extension attributes, whose names are lower-case letters. CloudEvents integers cannot exceed
2^31-1, so our numbers are strings of digits. An attribute that does not apply is omitted.

`data` is the JSON of the payload, byte for byte. If a program reformats a line, `data` no longer matches the
commitment.

The last line of an export is an event of the type `END_TYPE`, which is not in the log: it shows that the export is
complete.
"""

import base64
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ledgerpress import rfc3339
from ledgerpress.eventlog.envelope import JSON_ENCODING, Header, SealedPayload, StoredEvent
from ledgerpress.eventlog.merkle import TreeHead

SPEC_VERSION: Final = "1.0"
SOURCE: Final = "urn:uuid:"
"""The prefix of `source`, followed by the id of the publication."""

END_TYPE: Final = "log.exported"
"""The type of the last line of an export."""

_Digits: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{1,16}$")]


class NotAnEvent(ValueError):
    """A line that `to_line` did not write."""


class _Typed(msgspec.Struct, frozen=True):
    type: str = ""


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of an event, in their order in a line. Unknown attributes are ignored."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str | UnsetType = UNSET
    position: _Digits
    streamversion: _Digits
    schemaversion: _Digits
    actorid: str
    onbehalfofactorid: str | UnsetType = UNSET
    commandid: str
    correlationid: str
    causationid: str | UnsetType = UNSET
    envelopeversion: _Digits
    payloadcommitment: str
    payloadencoding: str | UnsetType = UNSET
    salt: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET


class EndRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last line of an export: the number of its events, the position of the last one, and their Merkle root."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str | UnsetType = UNSET
    events: _Digits
    position: _Digits
    root: str

    @property
    def publication(self) -> str:
        return self.source.removeprefix(SOURCE)


def to_end_line(head: TreeHead) -> bytes:
    """Return the last line of an export of all events of `head`, without the newline."""
    return msgspec.json.encode(
        EndRecord(
            specversion=SPEC_VERSION,
            id=head.root,
            source=SOURCE + head.publication,
            type=END_TYPE,
            subject="log",
            time=UNSET if head.recorded_time is None else _rfc3339(head.recorded_time),
            events=str(head.size),
            position=str(head.size),
            root=head.root,
        )
    )


def to_line(event: StoredEvent) -> bytes:
    """Return an event as one line of JSON, without the newline. A withdrawn event has neither `data` nor `salt`."""
    header, payload = event.header, event.payload
    attributes = CloudEvent(
        specversion=SPEC_VERSION,
        id=header.event_id,
        source=SOURCE + header.publication,
        type=header.type,
        subject=header.stream,
        time=_rfc3339(header.recorded_at),
        position=str(header.position),
        streamversion=str(header.stream_version),
        schemaversion=str(header.schema_version),
        actorid=header.actor_id,
        onbehalfofactorid=_optional(header.on_behalf_of_actor_id),
        commandid=header.command_id,
        correlationid=header.correlation_id,
        causationid=_optional(header.causation_id),
        envelopeversion=str(header.v),
        payloadcommitment=header.payload_commitment,
    )
    if payload is not None:
        plain = _is_plain_json(payload)
        attributes = msgspec.structs.replace(
            attributes,
            datacontenttype="application/json" if plain else "application/octet-stream",
            payloadencoding=payload.encoding,
            salt=base64.b64encode(payload.salt).decode(),
            data=msgspec.Raw(payload.plaintext) if plain else UNSET,
            data_base64=UNSET if plain else base64.b64encode(payload.plaintext).decode(),
        )
    return msgspec.json.encode(attributes)


def from_line(line: bytes) -> StoredEvent | EndRecord:
    """Return the event of a line that `to_line` wrote, or the content of one that `to_end_line` wrote.

    The function does not check whether the log would accept the event. Raises `NotAnEvent` for any other line.
    """
    expected: type[CloudEvent | EndRecord] = CloudEvent
    try:
        if msgspec.json.decode(line, type=_Typed).type == END_TYPE:
            expected = EndRecord
            return msgspec.json.decode(line, type=EndRecord)
        attributes = msgspec.json.decode(line, type=CloudEvent)
        if attributes.specversion != SPEC_VERSION or not attributes.source.startswith(SOURCE):
            raise NotAnEvent(
                f"its specversion is not {SPEC_VERSION}, or its source does not start with {SOURCE}"
            )
        return StoredEvent(_header(attributes), _payload(attributes))
    except NotAnEvent:
        raise
    except (ValueError, OverflowError, RecursionError) as error:
        raise NotAnEvent(f"it is not an event of an export: {_problem(line, expected)}") from error


def _problem(line: bytes, expected: type[CloudEvent | EndRecord]) -> str:
    """Return why a line does not have the attributes of an event or of an end record."""
    try:
        attributes = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return "it is not a JSON object"
    except (ValueError, RecursionError):
        return "it is not JSON in UTF-8"
    fields = msgspec.structs.fields(expected)
    if missing := [field.name for field in fields if field.required and field.name not in attributes]:
        return f"it has no {', '.join(missing)}"
    for field in fields:
        if value := attributes.get(field.name):
            try:
                msgspec.json.decode(value, type=field.type)
            except ValueError:
                return f"its {field.name} is invalid"
    return "one of its values is invalid"


def _header(attributes: CloudEvent) -> Header:
    return Header(
        int(attributes.envelopeversion),
        attributes.source.removeprefix(SOURCE),
        int(attributes.position),
        attributes.id,
        attributes.subject,
        int(attributes.streamversion),
        attributes.type,
        int(attributes.schemaversion),
        _microseconds(attributes.time),
        attributes.actorid,
        attributes.onbehalfofactorid or None,
        attributes.commandid,
        attributes.correlationid,
        attributes.causationid or None,
        attributes.payloadcommitment,
    )


def _payload(attributes: CloudEvent) -> SealedPayload | None:
    encoding, salt = attributes.payloadencoding, attributes.salt
    data, data_base64 = attributes.data, attributes.data_base64
    if encoding is UNSET and salt is UNSET and data is UNSET and data_base64 is UNSET:
        return None
    if encoding is UNSET or salt is UNSET or (data is UNSET) == (data_base64 is UNSET):
        raise NotAnEvent("it needs payloadencoding, salt, and either data or data_base64; or none of these")
    plaintext = bytes(data) if data is not UNSET else _from_base64("data_base64", str(data_base64))
    return SealedPayload(encoding, plaintext, _from_base64("salt", salt))


def _from_base64(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise NotAnEvent(f"its {name} is not base64") from error


def _is_plain_json(payload: SealedPayload) -> bool:
    """Return whether JSON preserves the bytes of the payload."""
    if payload.encoding != JSON_ENCODING or b"\n" in payload.plaintext:
        return False
    try:
        payload.plaintext.decode()
        return bytes(msgspec.json.decode(payload.plaintext, type=msgspec.Raw)) == payload.plaintext
    except ValueError:
        return False


def _optional(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def _rfc3339(time: int) -> str:
    """Return a time as text of constant length, so that equal events give equal lines."""
    return f"{rfc3339.to_datetime(time).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _microseconds(time: str) -> int:
    try:
        return rfc3339.parse(time)
    except rfc3339.InvalidTime as error:
        raise NotAnEvent(f"the time {time!r} is invalid: {error}") from None
