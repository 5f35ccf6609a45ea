"""The envelope of events: its leaf, its commitment, and its validation."""

import hashlib
import hmac
import json
from typing import Any, Final

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import (
    MAX_INTEGER,
    MAX_PAYLOAD_BYTES,
    Header,
    NewEvent,
    SealedPayload,
    StoredEvent,
    check_stream_name,
)
from ledgerpress.eventlog.errors import InvalidEnvelope, PayloadTooLarge
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite, check_writes

SALT: Final = bytes(range(32))
PAYLOAD: Final = SealedPayload("json", b'{"data":{}}', SALT)
ID: Final = uuid8("some", "id")

uuids: Final = st.integers(0, 99).map(uuid8)
numbers: Final = st.integers(1, MAX_INTEGER)
headers: Final = st.builds(
    Header,
    st.just(1),
    uuids,
    numbers,
    uuids,
    st.sampled_from(["taxonomy", f"post.{ID}", "slug.post." + "0" * 64]),
    numbers,
    st.sampled_from(["post.created", "log.opened"]),
    numbers,
    st.integers(0, MAX_INTEGER),
    uuids,
    st.none() | uuids,
    uuids,
    uuids,
    st.none() | uuids,
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


def event(**changes: Any) -> NewEvent:
    """Return a valid event, with some fields changed."""
    valid: dict[str, Any] = {
        "event_id": ID,
        "type": "post.created",
        "schema_version": 1,
        "recorded_at": 0,
        "actor_id": ID,
        "command_id": ID,
        "correlation_id": ID,
        "payload": PAYLOAD,
    }
    return NewEvent(**valid | changes)


# --- the leaf ------------------------------------------------------------------------------------


@given(headers)
def test_the_leaf_is_the_canonical_json_of_the_header(header: Header) -> None:
    leaf = header.leaf()
    fields = json.loads(leaf)
    assert rfc8785.dumps(fields) == leaf
    assert leaf.isascii()
    assert len(fields) == 15
    assert header.leaf_hash() == hashlib.sha256(b"\x00" + leaf).digest()


def test_the_exact_text_of_a_leaf() -> None:
    header = event().header(publication=ID, position=7, stream="post.x", stream_version=2)
    assert header.leaf().decode() == (
        f'{{"actorId":"{ID}","causationId":null,"commandId":"{ID}","correlationId":"{ID}","eventId":"{ID}",'
        f'"onBehalfOfActorId":null,"payloadCommitment":"{PAYLOAD.commitment()}","position":7,"publication":"{ID}",'
        '"recordedAt":0,"schemaVersion":1,"stream":"post.x","streamVersion":2,"type":"post.created","v":1}'
    )
    assert StoredEvent(header, None).position == 7


# --- the commitment ------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200))
def test_the_commitment_is_the_hmac_of_encoding_and_plaintext_with_the_salt(
    salt: bytes, plaintext: bytes
) -> None:
    expected = hmac.new(salt, b"json\x00" + plaintext, hashlib.sha256).hexdigest()
    assert SealedPayload("json", plaintext, salt).commitment() == expected


def test_another_salt_encoding_or_plaintext_gives_another_commitment() -> None:
    payloads = [
        PAYLOAD,
        SealedPayload("json", PAYLOAD.plaintext, bytes(32)),
        SealedPayload("json", PAYLOAD.plaintext + b" ", SALT),
        SealedPayload("jso", PAYLOAD.plaintext, SALT),
    ]
    assert len({payload.commitment() for payload in payloads}) == len(payloads)


# --- validation ----------------------------------------------------------------------------------


def test_a_valid_event_is_accepted() -> None:
    event(
        on_behalf_of_actor_id=ID, causation_id=ID, recorded_at=MAX_INTEGER, schema_version=MAX_INTEGER
    ).check()


@pytest.mark.parametrize(
    "field", ["event_id", "actor_id", "command_id", "correlation_id", "on_behalf_of_actor_id", "causation_id"]
)
@pytest.mark.parametrize(
    "wrong", ["", "Ada", ID.upper(), ID.replace("-", ""), f"{ID}\n", "{" + ID + "}", f"{ID[:-1]}é"]
)
def test_ids_are_uuids_in_lower_case(field: str, wrong: str) -> None:
    with pytest.raises(InvalidEnvelope, match="not a UUID in lower case"):
        event(**{field: wrong}).check()


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "PostCreated"},
        {"type": "post"},
        {"type": "post.created\n"},
        {"type": "ledgerpress.features.posts.model.PostCreated"},
        {"schema_version": 0},
        {"schema_version": MAX_INTEGER + 1},
        {"recorded_at": -1},
        {"recorded_at": MAX_INTEGER + 1},
        {"payload": SealedPayload("json", b"", SALT[:31])},
        {"payload": SealedPayload("json", b"", SALT + b"x")},
    ],
)
def test_an_invalid_event_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidEnvelope):
        event(**changes).check()


def test_a_payload_has_at_most_768_kib() -> None:
    assert MAX_PAYLOAD_BYTES == 786_432
    event(payload=SealedPayload("json", bytes(MAX_PAYLOAD_BYTES), SALT)).check()
    with pytest.raises(PayloadTooLarge) as error:
        event(payload=SealedPayload("json", bytes(MAX_PAYLOAD_BYTES + 1), SALT)).check()
    assert (error.value.size, error.value.limit) == (MAX_PAYLOAD_BYTES + 1, MAX_PAYLOAD_BYTES)


@pytest.mark.parametrize("stream", ["taxonomy", "log", f"post.{ID}", "slug.post." + "0af" * 21])
def test_valid_stream_names(stream: str) -> None:
    check_stream_name(stream)


@pytest.mark.parametrize(
    "stream", ["", "Post", "post.", ".post", "post.Ada", "post.é", "post x", "post.a\n", "1post", "post..a"]
)
def test_invalid_stream_names(stream: str) -> None:
    with pytest.raises(InvalidEnvelope):
        check_stream_name(stream)


def test_an_append_has_an_event_an_exact_version_and_consecutive_writes_of_a_stream() -> None:
    exact = StreamWrite("post.a", NO_STREAM, (event(),))
    any_version = StreamWrite("post.b", ANY_VERSION, (event(),))
    check_writes([exact])
    check_writes([any_version, exact])
    check_writes([StreamWrite("post.a", 7, (event(),))])
    check_writes([exact, StreamWrite("post.b", 7, ())])
    check_writes([exact, StreamWrite("post.b", 7, (event(),)), StreamWrite("post.a", 1, (event(),))])
    for wrong in (
        [],
        [StreamWrite("post.a", NO_STREAM, ())],
        [exact, StreamWrite("post.b", ANY_VERSION, ())],
        [exact, exact],
        [exact, StreamWrite("post.a", 2, (event(),))],
        [exact, StreamWrite("post.a", 1, ())],
        [exact, StreamWrite("post.a", ANY_VERSION, (event(),))],
        [StreamWrite("post.a", 1, ()), StreamWrite("post.a", 1, (event(),))],
        [exact, any_version, StreamWrite("post.b", 1, (event(),))],
        [any_version],
        [StreamWrite("post.a", -2, (event(),)), exact],
        [StreamWrite("post.c", -2, (event(),))],
        [StreamWrite("Post A", NO_STREAM, (event(),))],
        [StreamWrite("post.a", NO_STREAM, (event(actor_id="Ada"),))],
    ):
        with pytest.raises(InvalidEnvelope):
            check_writes(wrong)
