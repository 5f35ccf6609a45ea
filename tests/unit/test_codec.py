"""The codec of events: encoding, decoding, upcasters, and events that cannot be decoded."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Codec, EventType, JsonObject, Upcaster
from ledgerpress.eventlog.envelope import Header, SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, withdrawn
from ledgerpress.features.posts.model import PostCreated, PostEdited
from ledgerpress.features.registry import EVENT_TYPES, event_codec

SALT: Final = bytes(32)
ID: Final = uuid8("some", "id")
EDITED: Final = PostEdited(post_id="p", title="रात", teaser=None)

texts: Final = st.none() | st.text(st.characters(exclude_categories=["Cs"]))


class TagsSet(Event, frozen=True):
    """The third version of an event: several tags, each with a weight."""

    post_id: str
    tags: dict[str, int]


def one_tag_to_many(data: JsonObject) -> JsonObject:
    return {"postId": data["postId"], "tags": [data["tag"]]}


def tags_to_weights(data: JsonObject) -> JsonObject:
    return {**data, "tags": dict.fromkeys(data["tags"], 1)}


UPCASTERS: Final[tuple[Upcaster, ...]] = (one_tag_to_many, tags_to_weights)


def tags_codec(upcasters: tuple[Upcaster, ...] = UPCASTERS) -> Codec[Event]:
    return Codec([EventType("post.tagged", 3, TagsSet, upcasters)], withdrawn)


def stored(
    payload: SealedPayload | None, *, kind: str = "post.edited", version: int = 1, position: int = 9
) -> StoredEvent:
    header = Header(
        1, ID, position, ID, f"post.{ID}", 2, kind, version, 17, ID, None, ID, ID, None, "00" * 32
    )
    return StoredEvent(header, payload)


def plain(data: Any, **more: Any) -> SealedPayload:
    body = {"data": data, "reason": None, "idempotencyKey": None, "traceId": None, "fingerprint": None} | more
    return SealedPayload("json", json.dumps(body).encode(), SALT)


# --- encoding and decoding -----------------------------------------------------------------------


@given(texts, texts, texts, texts)
def test_a_decoded_event_equals_the_encoded_event(
    reason: str | None, key: str | None, trace_id: str | None, fingerprint: str | None
) -> None:
    codec = event_codec()
    sealed = codec.encode(
        EDITED, salt=SALT, reason=reason, idempotency_key=key, trace_id=trace_id, fingerprint=fingerprint
    )
    recorded = codec.decode(stored(sealed))
    assert recorded.event == EDITED
    assert (recorded.reason, recorded.idempotency_key, recorded.trace_id) == (reason, key, trace_id)
    assert recorded.fingerprint == fingerprint
    assert recorded.position == 9


def test_unset_fields_are_omitted_and_cleared_fields_are_null() -> None:
    sealed = event_codec().encode(EDITED, salt=SALT)
    assert sealed.plaintext.decode() == (
        '{"data":{"postId":"p","title":"रात","teaser":null},'
        '"reason":null,"idempotencyKey":null,"traceId":null,"fingerprint":null}'
    )
    assert (sealed.encoding, sealed.salt) == ("json", SALT)


def test_an_event_is_recorded_under_a_stored_name_and_not_its_class_name() -> None:
    codec = event_codec()
    created = PostCreated(post_id="p", slug="s", title="T", teaser=None, body="", author_ids=())
    assert codec.name_of(created) == ("post.created", 2)
    for name, _, type_, _ in EVENT_TYPES:
        assert type_.__name__ not in name
    assert (
        len({name for name, *_ in EVENT_TYPES})
        == len({entry.type for entry in EVENT_TYPES})
        == len(EVENT_TYPES)
    )


def test_several_events_are_decoded_in_their_order() -> None:
    sealed = event_codec().encode(EDITED, salt=SALT)
    recorded = event_codec().decode_all([stored(sealed, position=1), stored(None, position=2)])
    assert [event.position for event in recorded] == [1, 2]


# --- withdrawn events ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, *_ in EVENT_TYPES])
def test_a_withdrawn_event_has_only_its_type_stream_and_time(name: str) -> None:
    recorded = event_codec().decode(stored(None, kind=name))
    assert recorded.event == Withdrawn(type=name, stream=f"post.{ID}", recorded_at=17)
    assert isinstance(recorded.event, Withdrawn)
    assert recorded.event.subject_id == ID
    assert recorded.reason is recorded.fingerprint is recorded.idempotency_key is recorded.trace_id is None


# --- older versions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"postId": "p", "tag": "tide"}),
        (2, {"postId": "p", "tags": ["tide"]}),
        (3, {"postId": "p", "tags": {"tide": 1}}),
    ],
)
def test_data_of_every_version_is_converted_to_the_newest_version(version: int, data: JsonObject) -> None:
    recorded = tags_codec().decode(stored(plain(data, reason="Why."), kind="post.tagged", version=version))
    assert recorded.event == TagsSet(post_id="p", tags={"tide": 1})
    assert recorded.reason == "Why."
    assert recorded.header.schema_version == version


def test_each_upcaster_is_applied_once_and_in_order() -> None:
    applied = []

    def step(number: int) -> Upcaster:
        def upcast(data: JsonObject) -> JsonObject:
            applied.append(number)
            return UPCASTERS[number - 1](data)

        return upcast

    codec = tags_codec((step(1), step(2)))
    codec.decode(stored(plain({"postId": "p", "tag": "tide"}), kind="post.tagged", version=1))
    assert applied == [1, 2]
    codec.decode(stored(plain({"postId": "p", "tags": {}}), kind="post.tagged", version=3))
    assert applied == [1, 2]


def undecodable(codec: Codec[Event], event: StoredEvent) -> str:
    with pytest.raises(UndecodableEvent) as error:
        codec.decode(event)
    assert error.value.position == event.position
    assert str(error.value).startswith(
        f"position 9: {event.header.type} version {event.header.schema_version} "
    )
    return str(error.value)


def test_a_missing_and_a_failing_upcaster_are_reported() -> None:
    old = stored(plain({"postId": "p", "tag": "tide"}), kind="post.tagged", version=1)
    only_first = tags_codec((one_tag_to_many,))
    assert "has no upcaster from version 2" in undecodable(only_first, old)
    broken = stored(plain({"postId": "p"}), kind="post.tagged", version=1)
    assert "failed in the upcaster from version 1: KeyError('tag')" in undecodable(tags_codec(), broken)


# --- undecodable events --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "version"), [("post.sparkled", 1), ("post.edited", 3)])
@pytest.mark.parametrize("payload", [plain({"postId": "p"}), None])
def test_an_unknown_type_or_version_is_rejected(
    kind: str, version: int, payload: SealedPayload | None
) -> None:
    message = undecodable(event_codec(), stored(payload, kind=kind, version=version))
    assert "is unknown: a newer LedgerPress wrote it" in message


@pytest.mark.parametrize(
    "payload",
    [
        SealedPayload("json", b"", SALT),
        SealedPayload("json", b"\xff", SALT),
        SealedPayload("json", b'{"data":{"postId":"\xff"},"reason":null}', SALT),
        SealedPayload("json", b'{"data":{"postId":"p"}}', SALT),
        plain({"postId": "p"}, more=1),
        plain({"postId": "p"}, reason=1),
        plain({"postId": 1}),
        plain({"postId": "p", "titel": "T"}),
        plain({"title": "T"}),
        plain([]),
        plain(None),
    ],
)
def test_a_payload_that_does_not_match_its_schema_is_rejected(payload: SealedPayload) -> None:
    assert "cannot be read" in undecodable(event_codec(), stored(payload))


def test_an_unknown_encoding_is_rejected() -> None:
    payload = SealedPayload("cbor", b"", SALT)
    assert "has an unknown encoding 'cbor'" in undecodable(event_codec(), stored(payload))
