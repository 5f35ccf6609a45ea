"""The envelope of an event, whose bytes never change once stored: a header and a payload.

The header contains only ids that LedgerPress created, numbers and type names. Its canonical JSON (RFC 8785) is the leaf
of the Merkle tree. The payload contains everything that a person wrote. A payload can be withdrawn (legal erasure). The
header remains: it contains a commitment to the payload, which does not reveal the payload.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, Self, TypeAlias

import msgspec

from ledgerpress.eventlog.errors import InvalidEnvelope, PayloadTooLarge

ENVELOPE_VERSION: Final = 1
MAX_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader preserves (RFC 8259, section 6)."""
MAX_PAYLOAD_BYTES: Final = 768 * 1024
SALT_BYTES: Final = 32
JSON_ENCODING: Final = "json"

_is_uuid: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_is_stream: Final = re.compile(r"[a-z]+(?:\.[a-z0-9-]+)*").fullmatch
_is_type: Final = re.compile(r"[a-z]+\.[a-z]+|x\.[a-z][a-z0-9]*\.[a-z]+").fullmatch
"""`post.created`, or `x.<feature>.<name>` for an event of a third-party feature."""

_canonical = msgspec.json.Encoder(order="sorted").encode

Attributes: TypeAlias = tuple[str, str, int, int, str, str | None, str, str, str | None]
"""The values of an event's fields in `ATTRIBUTES`, in that order. They do not depend on the event's position."""
ATTRIBUTES: Final = (
    "event_id",
    "type",
    "schema_version",
    "recorded_at",
    "actor_id",
    "on_behalf_of_actor_id",
    "command_id",
    "correlation_id",
    "causation_id",
)
Row: TypeAlias = tuple[Any, ...]
"""An event as a database row: position, v, stream, stream version, attributes, commitment (bytes), payload parts."""
attributes_of: Final[Callable[[Any], Attributes]] = attrgetter(*ATTRIBUTES)
"""Returns the attributes of a `Header`, a `NewEvent` or any other object with these fields."""


class Header(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The permanent part of an event. Every field is always present; a field that does not apply is `None`.

    Times are integer microseconds since 1970, UTC. Ids are UUIDs in lower case. `position` and `stream_version` count
    from 1.
    """

    v: int
    publication: str
    position: int
    event_id: str
    stream: str
    stream_version: int
    type: str
    schema_version: int
    recorded_at: int
    actor_id: str
    on_behalf_of_actor_id: str | None
    command_id: str
    correlation_id: str
    causation_id: str | None
    payload_commitment: str

    def leaf(self) -> bytes:
        """Return the canonical JSON of the header (RFC 8785).

        Keys and strings are ASCII and numbers are integers, so it is enough to sort the keys.
        """
        return _canonical(self)

    def leaf_hash(self) -> bytes:
        """Return the hash of the leaf in the Merkle tree, SHA-256(0x00 ‖ leaf) (RFC 9162, section 2.1.1)."""
        return hashlib.sha256(b"\x00" + _canonical(self)).digest()


class SealedPayload(msgspec.Struct, frozen=True, gc=False):
    """The bytes of a payload, with the salt of its commitment."""

    encoding: str
    plaintext: bytes
    salt: bytes

    def commitment(self) -> str:
        """Return `commitment_digest` in lower-case hex."""
        return self.commitment_digest().hex()

    def commitment_digest(self) -> bytes:
        """Return HMAC-SHA-256(salt, encoding ‖ 0x00 ‖ plaintext) (RFC 2104)."""
        return hmac.digest(self.salt, self.encoding.encode("ascii") + b"\x00" + self.plaintext, "sha256")


class NewEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event to which the log has not yet assigned a position and a stream version."""

    event_id: str
    type: str
    schema_version: int
    recorded_at: int
    actor_id: str
    on_behalf_of_actor_id: str | None = None
    command_id: str
    correlation_id: str
    causation_id: str | None = None
    payload: SealedPayload

    def check(self) -> None:
        """Raise `InvalidEnvelope` or `PayloadTooLarge` if the event cannot be stored."""
        ids = (self.event_id, self.actor_id, self.command_id, self.correlation_id)
        for uuid in (*ids, self.on_behalf_of_actor_id, self.causation_id):
            if uuid is not None and not _is_uuid(uuid):
                raise InvalidEnvelope(f"{uuid!r} is not a UUID in lower case")
        if not _is_type(self.type):
            raise InvalidEnvelope(f"{self.type!r} is not the stored name of an event type")
        if not (0 < self.schema_version <= MAX_INTEGER and 0 <= self.recorded_at <= MAX_INTEGER):
            raise InvalidEnvelope("schema version and recorded-at must be between 0 and 2^53-1")
        if len(self.payload.salt) != SALT_BYTES:
            raise InvalidEnvelope(f"a salt has {SALT_BYTES} bytes, not {len(self.payload.salt)}")
        if len(self.payload.plaintext) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLarge(size=len(self.payload.plaintext), limit=MAX_PAYLOAD_BYTES)

    def header(self, *, publication: str, position: int, stream: str, stream_version: int) -> Header:
        """Return the header of the event for the given position and stream version."""
        own, commitment = attributes_of(self), self.payload.commitment()
        return Header(
            ENVELOPE_VERSION, publication, position, own[0], stream, stream_version, *own[1:], commitment
        )

    def row(self, commitment: bytes, position: int, stream: str, stream_version: int) -> Row:
        """Return the row of the event for the given position and stream version."""
        payload = msgspec.structs.astuple(self.payload)
        return (
            position,
            ENVELOPE_VERSION,
            stream,
            stream_version,
            *attributes_of(self),
            commitment,
            *payload,
        )


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as stored in the log. `payload` is `None` once it has been withdrawn.

    Then `record` is the event that records the withdrawal. It is `None` for an event that was not read from a log. Two
    events are equal if their headers and payloads are.
    """

    header: Header
    payload: SealedPayload | None
    record: "StoredEvent | None" = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredEvent):
            return NotImplemented
        return (self.header, self.payload) == (other.header, other.payload)

    def __hash__(self) -> int:
        return hash((self.header, self.payload))

    @classmethod
    def of_row(cls, row: Iterable[Any], publication: str) -> Self:
        """Return the event that a `Row` contains."""
        position, v, stream, stream_version, event_id, *others, commitment, encoding, payload, salt = row
        others.append(commitment.hex())
        header = Header(v, publication, position, event_id, stream, stream_version, *others)
        return cls(header, None if payload is None else SealedPayload(encoding, payload, salt))

    @property
    def row(self) -> Row:
        """The event as a database row."""
        header = self.header
        start = (header.position, header.v, header.stream, header.stream_version)
        commitment = bytes.fromhex(header.payload_commitment)
        return (*start, *attributes_of(header), commitment, *self.payload_parts)

    @property
    def payload_parts(self) -> tuple[str, bytes | None, bytes | None]:
        """The encoding, plaintext and salt of the payload; the default encoding and two `None` if it was withdrawn."""
        payload = self.payload
        return (JSON_ENCODING, None, None) if payload is None else msgspec.structs.astuple(payload)

    @property
    def position(self) -> int:
        return self.header.position


def is_event_type_name(name: str) -> bool:
    """Return whether `name` is a syntactically valid event type name."""
    return _is_type(name) is not None


def check_stream_name(stream: str) -> None:
    """Raise `InvalidEnvelope` unless `stream` is a valid stream name (ASCII), such as `post.<uuid>` or `taxonomy`."""
    if not _is_stream(stream):
        raise InvalidEnvelope(f"{stream!r} is not a stream name")


def plaintext(stored: StoredEvent) -> dict[str, Any] | None:
    """Return the payload as JSON, `None` if it was withdrawn."""
    if stored.payload is None or stored.payload.encoding != JSON_ENCODING:
        return None
    payload: dict[str, Any] = msgspec.json.decode(stored.payload.plaintext)
    return payload
