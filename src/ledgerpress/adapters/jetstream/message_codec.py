"""Encodes an event as a message: a msgpack array in a fixed order, which any msgpack reader can decode.

The position is the message's sequence, and the stream is in the subject. The rest of the header is in the body, since
the writer knows it in advance. The first element is the version of this encoding.
"""

from typing import Final

import msgspec

from ledgerpress.eventlog.envelope import (
    ENVELOPE_VERSION,
    Header,
    NewEvent,
    SealedPayload,
    StoredEvent,
    attributes_of,
)
from ledgerpress.eventlog.errors import EventLogError

ENCODING_VERSION: Final = 1

WITHDRAWAL: Final = "payload.withdrawn"
"""The type of an event that withdraws the payload of another event."""

_encode: Final = msgspec.msgpack.Encoder().encode


class Body(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The body of a message. `plaintext` and `salt` are `None` in a copy of a withdrawn event."""

    encoding_version: int
    v: int
    more: int
    """The number of messages of the same command that follow."""
    stream_version: int
    event_id: str
    type: str
    schema_version: int
    recorded_at: int
    actor_id: str
    on_behalf_of_actor_id: str | None
    command_id: str
    correlation_id: str
    causation_id: str | None
    payload_commitment: str
    encoding: str
    plaintext: bytes | None
    salt: bytes | None
    withdraws: Header | None = None
    """The header of the event that this event withdraws."""


class _WithdrawalData(msgspec.Struct, frozen=True):
    header: Header


class _WithdrawalPayload(msgspec.Struct, frozen=True):
    data: _WithdrawalData


_decode: Final = msgspec.msgpack.Decoder(Body).decode
_decode_withdrawal: Final = msgspec.json.Decoder(_WithdrawalPayload).decode


def body_of(event: NewEvent, stream_version: int, more: int, withdraws: Header | None) -> bytes:
    """Return the body of a new event."""
    payload = event.payload
    return _encode(
        Body(
            ENCODING_VERSION,
            ENVELOPE_VERSION,
            more,
            stream_version,
            *attributes_of(event),
            payload.commitment(),
            payload.encoding,
            payload.plaintext,
            payload.salt,
            withdraws,
        )
    )


def body_of_stored(event: StoredEvent) -> bytes:
    """Return the body of an event that is copied from another log. A withdrawn event has only its header."""
    header = event.header
    return _encode(
        Body(
            ENCODING_VERSION,
            header.v,
            0,
            header.stream_version,
            *attributes_of(header),
            header.payload_commitment,
            *event.payload_parts,
            _withdrawn_by(event),
        )
    )


def withdrawn_from(event: StoredEvent) -> str:
    """Return the stream of the event that `event` withdraws; an empty text if there is none or it cannot be read."""
    header = _withdrawn_by(event)
    return "" if header is None else header.stream


def _withdrawn_by(event: StoredEvent) -> Header | None:
    """Return the header of the event that `event` withdraws, from the payload of `event`."""
    if event.header.type != WITHDRAWAL or event.payload is None:
        return None
    try:
        return _decode_withdrawal(event.payload.plaintext).data.header
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def read_body(position: int, data: bytes) -> Body:
    """Decode the body of a message. Raises `EventLogError` if it is not an event or is from a newer version."""
    try:
        body = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EventLogError(f"position {position} is not an event of LedgerPress: {error}") from error
    if body.encoding_version != ENCODING_VERSION:
        raise EventLogError(f"position {position} was written by a newer LedgerPress: upgrade this one")
    return body


def header_of(body: Body, publication: str, position: int, stream: str) -> Header:
    """Return the header of the event in the message at `position`."""
    attributes = attributes_of(body)
    return Header(
        body.v,
        publication,
        position,
        attributes[0],
        stream,
        body.stream_version,
        *attributes[1:],
        body.payload_commitment,
    )


def payload_of(body: Body) -> SealedPayload | None:
    """Return the payload; `None` if the event was withdrawn before it was copied."""
    if body.plaintext is None or body.salt is None:
        return None
    return SealedPayload(body.encoding, body.plaintext, body.salt)
