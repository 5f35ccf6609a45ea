"""Verify one stored event from its bytes, without other events.

The leaf, the hash and the commitment are computed from the specification with the standard library. The code that
writes events is not used, since it would confirm its own errors.
"""

import hashlib
import hmac
import json
from typing import Final

import msgspec

from ledgerpress.eventlog.envelope import (
    ATTRIBUTES,
    ENVELOPE_VERSION,
    MAX_INTEGER,
    MAX_PAYLOAD_BYTES,
    SALT_BYTES,
    Header,
    NewEvent,
    SealedPayload,
    StoredEvent,
    check_stream_name,
)
from ledgerpress.eventlog.errors import EventLogError, InvalidEnvelope

_PLACEHOLDER: Final = SealedPayload("json", b"", bytes(SALT_BYTES))


class EventInvalid(EventLogError):
    """An event was changed after it was recorded, or was never valid."""


def verified_leaf_hash(header: Header, publication: str) -> bytes:
    """Return SHA-256(0x00 ‖ leaf). The leaf is the header's canonical JSON (RFC 8785; RFC 9162, section 2.1.1).

    Raises `EventInvalid` for an invalid header.
    """
    fields = msgspec.structs.asdict(header)
    numbers = (header.position, header.stream_version, header.schema_version, header.recorded_at)
    if not all(type(number) is int and 0 <= number <= MAX_INTEGER for number in numbers):
        raise EventInvalid("a number in the header is not an integer or is out of range")
    if header.v != ENVELOPE_VERSION:
        raise EventInvalid(f"the envelope has the unknown version {header.v}")
    if header.publication != publication:
        raise EventInvalid(f"it belongs to another publication, {header.publication}")
    try:
        check_stream_name(header.stream)
        NewEvent(**{name: fields[name] for name in ATTRIBUTES}, payload=_PLACEHOLDER).check()
    except (InvalidEnvelope, TypeError) as error:
        raise EventInvalid(f"the header is invalid: {error}") from error
    named = {_NAMES[name]: value for name, value in fields.items()}
    # For ASCII strings and integers, RFC 8785 only requires sorted keys and no white space.
    leaf = json.dumps(named, sort_keys=True, separators=(",", ":")).encode("ascii")
    if leaf != header.leaf():
        raise EventInvalid("its leaf is not canonical")
    return hashlib.sha256(b"\x00" + leaf).digest()


def verify_payload(event: StoredEvent) -> None:
    """Raise `EventInvalid` unless the payload exists and matches the header's commitment."""
    payload = event.payload
    if payload is None or payload.salt is None:
        raise EventInvalid("its payload is missing")
    if len(payload.salt) != SALT_BYTES or len(payload.plaintext) > MAX_PAYLOAD_BYTES:
        raise EventInvalid("its payload or its salt is too long or too short")
    message = payload.encoding.encode() + b"\x00" + payload.plaintext
    commitment = hmac.new(payload.salt, message, hashlib.sha256).hexdigest()
    if commitment != event.header.payload_commitment:
        raise EventInvalid("its payload does not match the commitment in its header")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_NAMES: Final = {name: _camel(name) for name in Header.__struct_fields__}
"""The names of the header's fields in the leaf."""
