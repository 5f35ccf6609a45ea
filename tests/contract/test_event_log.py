"""The contract of every log adapter: appending and reading."""

from collections.abc import Sequence

import msgspec
import pytest
import rfc8785

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import (
    JSON_ENCODING,
    MAX_PAYLOAD_BYTES,
    NewEvent,
    SealedPayload,
    StoredEvent,
)
from ledgerpress.eventlog.errors import DuplicateEvent, InvalidEnvelope, PayloadTooLarge, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, EventLog, OpenedLog, StreamWrite, check_gapless
from tests.contract.sample_events import ACTOR, everything, places, sample_event, sample_write
from tests.engines.log_locations import LogPlace as Logs

# --- appending ------------------------------------------------------------------------------------


async def test_a_new_log_is_empty(log: EventLog) -> None:
    assert await log.head() == 0
    assert await log.read(0, 10) == []
    assert await log.read_stream("post.a") == []


async def test_a_probe_of_writes_records_nothing(log: OpenedLog, logs: Logs) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    for _ in range(2):
        await log.check_writable()
    assert await log.head() == 1
    assert await log.append([sample_write("post.a", 1)]) == 2
    assert await log.append([sample_write("probe", NO_STREAM)]) == 3
    other = await logs.open()
    assert [event.header.position for event in await everything(other)] == [1, 2, 3]


async def test_a_log_reports_its_current_publication(log: OpenedLog, logs: Logs) -> None:
    assert await log.current_publication() == log.publication
    assert await (await logs.open()).current_publication() == log.publication


async def test_append_returns_the_position_of_the_last_event(log: EventLog) -> None:
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    assert await log.append([sample_write("post.a", 1, events=3)]) == 4
    assert await log.head() == 4


async def test_one_append_writes_several_streams_in_order(log: EventLog) -> None:
    last = await log.append(
        [
            sample_write("post.a", NO_STREAM, events=2),
            sample_write("slug.b", NO_STREAM),
            sample_write("c", ANY_VERSION),
        ]
    )
    assert last == 4
    assert await places(log) == [("post.a", 1), ("post.a", 2), ("slug.b", 1), ("c", 1)]


@pytest.mark.parametrize("expected", [NO_STREAM, 1, 3])
async def test_an_append_with_a_wrong_expected_version_fails(log: EventLog, expected: int) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    with pytest.raises(WrongExpectedVersion) as conflict:
        await log.append([sample_write("post.a", expected)])
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("post.a", expected, 2)
    assert await log.head() == 2


async def test_a_conflict_on_one_stream_prevents_writes_to_all_streams(log: EventLog) -> None:
    await log.append([sample_write("slug.taken", NO_STREAM)])
    with pytest.raises(WrongExpectedVersion):
        await log.append([sample_write("post.a", NO_STREAM), sample_write("slug.taken", NO_STREAM)])
    assert await places(log) == [("slug.taken", 1)]


async def test_a_write_without_events_guards_its_stream(log: EventLog) -> None:
    await log.append([sample_write("lease.a", NO_STREAM, events=2)])
    await log.append([sample_write("post.a", NO_STREAM), StreamWrite("lease.a", 2, ())])
    await log.append([sample_write("post.a", 1, events=2), StreamWrite("lease.b", NO_STREAM, ())])
    for stale in (0, 1, 3):
        with pytest.raises(WrongExpectedVersion) as conflict:
            await log.append([sample_write("post.a", 3), StreamWrite("lease.a", stale, ())])
        assert (conflict.value.stream, conflict.value.actual) == ("lease.a", 2)
    assert await places(log) == [("lease.a", 1), ("lease.a", 2), ("post.a", 1), ("post.a", 2), ("post.a", 3)]


async def test_the_events_of_several_writes_of_a_stream_are_recorded_in_order(log: EventLog) -> None:
    def commands(a: int, b: int) -> list[StreamWrite]:
        return [
            sample_write("post.a", a),
            sample_write("post.b", b, events=2),
            sample_write("post.a", a + 1, events=2),
            sample_write("slug.c", b),
            sample_write("post.a", a + 3),
            sample_write("post.b", b + 2),
        ]

    assert await log.append(commands(NO_STREAM, NO_STREAM)) == 8
    order = ["post.a", "post.b", "post.b", "post.a", "post.a", "slug.c", "post.a", "post.b"]
    assert [stream for stream, _ in await places(log)] == order
    for stream, count in (("post.a", 4), ("post.b", 3), ("slug.c", 1)):
        versions = [event.header.stream_version for event in await log.read_stream(stream)]
        assert versions == list(range(1, count + 1))
    with pytest.raises(WrongExpectedVersion) as conflict:
        await log.append(commands(NO_STREAM, 3))
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("post.a", 0, 4)
    assert await log.append([sample_write("post.a", 4), sample_write("post.a", 5)]) == 10


async def test_an_append_has_as_many_events_as_the_log_allows(log: OpenedLog) -> None:
    count = log.max_events or 1_500
    writes = [sample_write(f"post.p{number % 7}", number // 7) for number in range(count)]
    assert await log.append(writes) == count
    assert await places(log) == [(f"post.p{number % 7}", number // 7 + 1) for number in range(count)]
    if log.max_events is not None:
        with pytest.raises(InvalidEnvelope):
            await log.append([sample_write("post.q", NO_STREAM, events=count + 1)])
        assert await log.head() == count


async def test_any_version_appends_to_a_stream_of_any_version(log: EventLog) -> None:
    for expected in (NO_STREAM, 1, 2):
        await log.append([sample_write("post.a", expected), sample_write("journal", ANY_VERSION)])
    assert [event.header.stream_version for event in await log.read_stream("journal")] == [1, 2, 3]


async def test_an_event_id_is_recorded_once(log: EventLog) -> None:
    await log.append([StreamWrite("post.a", NO_STREAM, (sample_event("twin"),))])
    with pytest.raises(DuplicateEvent) as duplicate:
        await log.append([StreamWrite("post.b", NO_STREAM, (sample_event(), sample_event("twin")))])
    assert duplicate.value.event_id == sample_event("twin").event_id
    with pytest.raises(DuplicateEvent):
        await log.append([StreamWrite("post.b", NO_STREAM, (sample_event("own"), sample_event("own")))])
    assert await places(log) == [("post.a", 1)]


async def test_a_repeated_append_is_a_version_conflict(log: EventLog) -> None:
    writes = [sample_write("post.a", NO_STREAM)]
    await log.append(writes)
    with pytest.raises(WrongExpectedVersion):
        await log.append(writes)


def changed(**changes: object) -> NewEvent:
    return msgspec.structs.replace(sample_event(), **changes)


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param([], id="no writes"),
        pytest.param([StreamWrite("post.a", NO_STREAM, ())], id="no events"),
        pytest.param(
            [sample_write("post.a", NO_STREAM), sample_write("post.a", NO_STREAM)],
            id="same stream and version twice",
        ),
        pytest.param([sample_write("post.a", ANY_VERSION)], id="no exact version"),
        pytest.param(
            [sample_write("post.a", NO_STREAM), StreamWrite("post.b", ANY_VERSION, ())],
            id="guard without a version",
        ),
        pytest.param([sample_write("post.a", -2)], id="negative version"),
        pytest.param([sample_write("Post.A", NO_STREAM)], id="stream name"),
        pytest.param([sample_write("post.ü", NO_STREAM)], id="stream name that is not ASCII"),
        pytest.param([StreamWrite("post.a", 0, (changed(event_id="1"),))], id="event id"),
        pytest.param([StreamWrite("post.a", 0, (changed(actor_id=ACTOR.upper()),))], id="upper case id"),
        pytest.param([StreamWrite("post.a", 0, (changed(causation_id=""),))], id="causation id"),
        pytest.param([StreamWrite("post.a", 0, (changed(type="PostEdited"),))], id="type"),
        pytest.param([StreamWrite("x.a", 0, (changed(type="x.a_b.starred"),))], id="third-party feature"),
        pytest.param([StreamWrite("x.a", 0, (changed(type="x.a.b.starred"),))], id="third-party type"),
        pytest.param([StreamWrite("post.a", 0, (changed(schema_version=0),))], id="schema version"),
        pytest.param([StreamWrite("post.a", 0, (changed(recorded_at=2**53),))], id="recorded at"),
        pytest.param(
            [StreamWrite("post.a", 0, (changed(payload=SealedPayload("json", b"{}", b"salt")),))], id="salt"
        ),
    ],
)
async def test_an_invalid_envelope_is_rejected(log: EventLog, writes: Sequence[StreamWrite]) -> None:
    with pytest.raises(InvalidEnvelope):
        await log.append(writes)
    assert await log.head() == 0


async def test_a_payload_can_have_768_kib_but_not_more(log: EventLog) -> None:
    largest = b"x" * MAX_PAYLOAD_BYTES
    assert MAX_PAYLOAD_BYTES == 786_432
    await log.append([StreamWrite("post.a", NO_STREAM, (sample_event(plaintext=largest),))])
    with pytest.raises(PayloadTooLarge) as error:
        await log.append([StreamWrite("post.a", 1, (sample_event(plaintext=largest + b"x"),))])
    assert (error.value.size, error.value.limit) == (MAX_PAYLOAD_BYTES + 1, MAX_PAYLOAD_BYTES)
    (event,) = await everything(log)
    assert event.payload is not None
    assert event.payload.plaintext == largest


async def test_large_payloads_are_read_completely(log: EventLog) -> None:
    for number in range(30):
        event = sample_event(plaintext=bytes([number]) * MAX_PAYLOAD_BYTES)
        await log.append([StreamWrite("post.a", number, (event,))])
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 1_000):
        assert sum(len(event.payload.plaintext) for event in batch if event.payload) < 20 * 2**20
        events += batch
    check_gapless(events, 0)
    assert len(events) == 30


# --- stored events --------------------------------------------------------------------------------


async def test_events_are_stored_unchanged(log: EventLog) -> None:
    plaintext = '{"data":{"title":"Žluťoučký kůň 🐎 \\u0000 e\u0301"}}'.encode()
    payload = SealedPayload(JSON_ENCODING, plaintext, bytes(range(32)))
    new_event = NewEvent(
        event_id=uuid8("e"),
        type="post.created",
        schema_version=7,
        recorded_at=2**53 - 1,
        actor_id=uuid8("a"),
        on_behalf_of_actor_id=uuid8("b"),
        command_id=uuid8("c"),
        correlation_id=uuid8("d"),
        causation_id=uuid8("f"),
        payload=payload,
    )
    await log.append([sample_write("taxonomy", NO_STREAM)])
    await log.append([StreamWrite("post.a", NO_STREAM, (new_event,))])
    (stored,) = await log.read(1, 10)
    assert stored.payload == payload
    assert stored.header == new_event.header(
        publication=log.publication, position=2, stream="post.a", stream_version=1
    )
    assert stored.header.payload_commitment == payload.commitment()


async def test_an_event_of_a_third_party_feature_is_recorded(log: EventLog) -> None:
    await log.append([StreamWrite("x.stars2.a-b", NO_STREAM, (changed(type="x.stars2.starred"),))])
    (stored,) = await log.read_stream("x.stars2.a-b")
    assert (stored.header.type, stored.header.stream) == ("x.stars2.starred", "x.stars2.a-b")


async def test_absent_metadata_stays_absent(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    (stored,) = await everything(log)
    assert stored.header.on_behalf_of_actor_id is None
    assert stored.header.causation_id is None


async def test_the_leaf_of_a_header_is_canonical_json(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM), sample_write("taxonomy", NO_STREAM)])
    for event in await everything(log):
        header = msgspec.to_builtins(event.header)
        assert event.header.leaf() == rfc8785.dumps(header)
        assert set(header) == {
            *("v", "publication", "position", "eventId", "stream", "streamVersion", "type", "schemaVersion"),
            *("recordedAt", "actorId", "onBehalfOfActorId", "commandId", "correlationId", "causationId"),
            "payloadCommitment",
        }


# --- reading --------------------------------------------------------------------------------------


async def test_reading_by_position(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=5)])
    for after, limit, positions in [
        (0, 2, [1, 2]),
        (2, 2, [3, 4]),
        (4, 2, [5]),
        (5, 2, []),
        (9, 2, []),
        (0, 0, []),
    ]:
        assert [event.position for event in await log.read(after, limit)] == positions


async def test_reading_a_stream(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=2), sample_write("post.ab", NO_STREAM)])
    await log.append([sample_write("post.a", 2)])
    assert [event.position for event in await log.read_stream("post.a")] == [1, 2, 4]
    assert [event.header.stream_version for event in await log.read_stream("post.a", after=1)] == [2, 3]
    assert await log.read_stream("post.a", after=3) == []
    assert await log.read_stream("post") == []


async def test_an_acknowledged_append_is_visible_on_every_connection(logs: Logs) -> None:
    first, second = await logs.open(), await logs.open()
    for number in range(20):
        position = await first.append([sample_write("post.a", number)])
        assert await second.head() == position == await first.head()
        assert [event.position for event in await second.read(number, 5)] == [position]
