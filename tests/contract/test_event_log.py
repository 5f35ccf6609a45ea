"""What every adapter of the log promises."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
import rfc8785

from ledgerpress.eventlog.envelope import (
    JSON_ENCODING,
    MAX_PAYLOAD_BYTES,
    NewEvent,
    SealedPayload,
    StoredEvent,
)
from ledgerpress.eventlog.errors import (
    DuplicateEvent,
    EventLogError,
    InvalidEnvelope,
    LogClosed,
    PayloadTooLarge,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, EventLog, StreamWrite
from ledgerpress.eventlog.subscription import catch_up, check_gapless
from tests.contract.conftest import Logs
from tests.contract.samples import ACTOR, sample_event, sample_write


async def everything(log: EventLog) -> list[StoredEvent]:
    """All events, read in small steps."""
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 97):
        events += batch
    check_gapless(events, 0)
    return events


async def places(log: EventLog) -> list[tuple[str, int]]:
    return [(event.header.stream, event.header.stream_version) for event in await everything(log)]


# --- appending ------------------------------------------------------------------------------------


async def test_a_new_log_is_empty(log: EventLog) -> None:
    assert await log.head() == 0
    assert await log.read(0, 10) == []
    assert await log.read_stream("post.a") == []


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
async def test_another_version_than_expected_is_a_conflict(log: EventLog, expected: int) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    with pytest.raises(WrongExpectedVersion) as conflict:
        await log.append([sample_write("post.a", expected)])
    assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("post.a", expected, 2)
    assert await log.head() == 2


async def test_a_conflict_on_one_stream_keeps_the_others_unwritten(log: EventLog) -> None:
    await log.append([sample_write("slug.taken", NO_STREAM)])
    with pytest.raises(WrongExpectedVersion):
        await log.append([sample_write("post.a", NO_STREAM), sample_write("slug.taken", NO_STREAM)])
    assert await places(log) == [("slug.taken", 1)]


async def test_any_version_continues_the_stream_whatever_it_is(log: EventLog) -> None:
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


async def test_a_repeated_append_is_a_conflict_of_versions(log: EventLog) -> None:
    writes = [sample_write("post.a", NO_STREAM)]
    await log.append(writes)
    with pytest.raises(WrongExpectedVersion):
        await log.append(writes)


def changed(**changes: object) -> NewEvent:
    return msgspec.structs.replace(sample_event(), **changes)


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param([], id="nothing"),
        pytest.param([StreamWrite("post.a", NO_STREAM, ())], id="no event"),
        pytest.param([sample_write("post.a", NO_STREAM), sample_write("post.a", 1)], id="a stream twice"),
        pytest.param([sample_write("post.a", ANY_VERSION)], id="no exact version"),
        pytest.param([sample_write("post.a", -2)], id="no version"),
        pytest.param([sample_write("Post.A", NO_STREAM)], id="stream name"),
        pytest.param([sample_write("post.ü", NO_STREAM)], id="stream name that is not ASCII"),
        pytest.param([StreamWrite("post.a", 0, (changed(event_id="1"),))], id="event id"),
        pytest.param([StreamWrite("post.a", 0, (changed(actor_id=ACTOR.upper()),))], id="upper case id"),
        pytest.param([StreamWrite("post.a", 0, (changed(causation_id=""),))], id="causation id"),
        pytest.param([StreamWrite("post.a", 0, (changed(type="PostEdited"),))], id="type"),
        pytest.param([StreamWrite("post.a", 0, (changed(schema_version=0),))], id="schema version"),
        pytest.param([StreamWrite("post.a", 0, (changed(recorded_at=2**53),))], id="recorded at"),
        pytest.param(
            [StreamWrite("post.a", 0, (changed(payload=SealedPayload("json", b"{}", b"salt")),))], id="salt"
        ),
    ],
)
async def test_an_invalid_envelope_is_refused(log: EventLog, writes: Sequence[StreamWrite]) -> None:
    with pytest.raises(InvalidEnvelope):
        await log.append(writes)
    assert await log.head() == 0


async def test_a_payload_may_have_768_kib_and_no_more(log: EventLog) -> None:
    largest = b"x" * MAX_PAYLOAD_BYTES
    assert MAX_PAYLOAD_BYTES == 786_432
    await log.append([StreamWrite("post.a", NO_STREAM, (sample_event(plaintext=largest),))])
    with pytest.raises(PayloadTooLarge) as refusal:
        await log.append([StreamWrite("post.a", 1, (sample_event(plaintext=largest + b"x"),))])
    assert (refusal.value.size, refusal.value.limit) == (MAX_PAYLOAD_BYTES + 1, MAX_PAYLOAD_BYTES)
    (event,) = await everything(log)
    assert event.payload is not None
    assert event.payload.plaintext == largest


async def test_large_payloads_are_read_to_the_end(log: EventLog) -> None:
    for number in range(30):
        event = sample_event(plaintext=bytes([number]) * MAX_PAYLOAD_BYTES)
        await log.append([StreamWrite("post.a", number, (event,))])
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 1_000):
        assert sum(len(event.payload.plaintext) for event in batch if event.payload) < 20 * 2**20
        events += batch
    check_gapless(events, 0)
    assert len(events) == 30


# --- what is kept ---------------------------------------------------------------------------------


async def test_everything_is_kept_as_given(log: EventLog) -> None:
    plaintext = '{"data":{"title":"Žluťoučký kůň 🐎 \\u0000 e\u0301"}}'.encode()
    payload = SealedPayload(JSON_ENCODING, plaintext, bytes(range(32)))
    given = NewEvent(
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
    await log.append([StreamWrite("post.a", NO_STREAM, (given,))])
    (stored,) = await log.read(1, 10)
    assert stored.payload == payload
    assert stored.header == given.header(
        publication=log.publication, position=2, stream="post.a", stream_version=1
    )
    assert stored.header.payload_commitment == payload.commitment()


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
    for after, limit, found in [
        (0, 2, [1, 2]),
        (2, 2, [3, 4]),
        (4, 2, [5]),
        (5, 2, []),
        (9, 2, []),
        (0, 0, []),
    ]:
        assert [event.position for event in await log.read(after, limit)] == found


async def test_reading_a_stream(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM, events=2), sample_write("post.ab", NO_STREAM)])
    await log.append([sample_write("post.a", 2)])
    assert [event.position for event in await log.read_stream("post.a")] == [1, 2, 4]
    assert [event.header.stream_version for event in await log.read_stream("post.a", after=1)] == [2, 3]
    assert await log.read_stream("post.a", after=3) == []
    assert await log.read_stream("post") == []


async def test_an_answered_append_is_visible_everywhere(logs: Logs) -> None:
    one, other = await logs.open(), await logs.open()
    for number in range(20):
        position = await one.append([sample_write("post.a", number)])
        assert await other.head() == position == await one.head()
        assert [event.position for event in await other.read(number, 5)] == [position]


# --- many at once ---------------------------------------------------------------------------------


async def test_of_many_with_one_expected_version_one_prevails(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    outcomes = await asyncio.gather(
        *(log.append([sample_write("post.a", 1)]) for _ in range(64)), return_exceptions=True
    )
    conflicts = [outcome for outcome in outcomes if isinstance(outcome, WrongExpectedVersion)]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [2]
    assert len(conflicts) == 63
    assert {conflict.actual for conflict in conflicts} == {2}
    assert await places(log) == [("post.a", 1), ("post.a", 2)]


async def test_a_failing_append_fails_alone(log: EventLog) -> None:
    await log.append(
        [sample_write("post.a", NO_STREAM), StreamWrite("post.b", NO_STREAM, (sample_event("twin"),))]
    )
    outcomes = await asyncio.gather(
        log.append([sample_write("post.c", NO_STREAM, events=2)]),
        log.append([sample_write("post.d", NO_STREAM), sample_write("post.a", 7)]),
        log.append([sample_write("post.e", NO_STREAM), StreamWrite("post.a", 1, (sample_event("twin"),))]),
        log.append([sample_write("post.a", 1)]),
        log.append([sample_write("post.f", 0), sample_write("post.a", 1)]),
        log.append([sample_write("post.a", 2)]),
        return_exceptions=True,
    )
    kinds = [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes]
    assert kinds == [4, WrongExpectedVersion, DuplicateEvent, 5, WrongExpectedVersion, 6]
    assert (await places(log))[2:] == [("post.c", 1), ("post.c", 2), ("post.a", 2), ("post.a", 3)]


async def test_the_same_new_event_at_once_is_recorded_once(log: EventLog) -> None:
    outcomes = await asyncio.gather(
        *(log.append([StreamWrite(f"post.{name}", NO_STREAM, (sample_event("twin"),))]) for name in "abc"),
        return_exceptions=True,
    )
    assert sorted(type(outcome) is DuplicateEvent for outcome in outcomes) == [False, True, True]
    assert await log.head() == 1


async def test_many_appends_at_once_leave_no_gap(logs: Logs) -> None:
    several = [await logs.open() for _ in range(3)]

    async def client(log: EventLog, name: str) -> list[int]:
        return [
            await log.append([sample_write(f"post.{name}", number, events=2)]) for number in range(0, 20, 2)
        ]

    answers = await asyncio.gather(*(client(several[n % 3], str(n)) for n in range(60)))
    events = await everything(several[0])
    assert len(events) == 60 * 20
    assert sorted(position for answer in answers for position in answer) == [
        event.position for event in events if event.header.stream_version % 2 == 0
    ]
    for n in range(60):
        versions = [event.header.stream_version for event in await several[1].read_stream(f"post.{n}")]
        assert versions == list(range(1, 21))


async def test_a_cancelled_append_harms_no_other(log: EventLog) -> None:
    appends = [asyncio.ensure_future(log.append([sample_write(f"post.{n}", NO_STREAM)])) for n in range(20)]
    await asyncio.sleep(0)
    for append in appends[::2]:
        append.cancel()
    outcomes = await asyncio.gather(*appends, return_exceptions=True)
    assert all(isinstance(outcome, int) for outcome in outcomes[1::2])
    recorded = {stream for stream, _ in await places(log)}
    assert {f"post.{n}" for n in range(1, 20, 2)} <= recorded
    assert await log.append([sample_write("taxonomy", NO_STREAM)]) == len(recorded) + 1


# --- waiting --------------------------------------------------------------------------------------


async def test_waiting_ends_in_time(log: EventLog) -> None:
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.wait_beyond(0, 0)
    assert not await log.wait_beyond(1, 0)
    assert not await log.wait_beyond(1, 0.05)


@pytest.mark.parametrize("same", [True, False], ids=["own append", "append of another"])
async def test_an_append_wakes_those_who_wait_for_it(logs: Logs, same: bool) -> None:
    log = await logs.open()
    writer = log if same else await logs.open()
    waiting = [asyncio.ensure_future(log.wait_beyond(position, 30)) for position in (0, 0, 1, 2)]
    await asyncio.sleep(0.05)
    assert not any(one.done() for one in waiting)
    await writer.append([sample_write("post.a", NO_STREAM, events=2)])
    assert await asyncio.wait_for(asyncio.gather(*waiting[:3]), 5) == [True] * 3
    assert not waiting[3].done()
    await writer.append([sample_write("post.a", 2)])
    assert await asyncio.wait_for(waiting[3], 5)


async def test_an_own_append_wakes_at_once(log: EventLog) -> None:
    delays = []
    for number in range(20):
        waiting = asyncio.ensure_future(log.wait_beyond(number, 30))
        await asyncio.sleep(0.005)
        await log.append([sample_write("post.a", number)])
        start = time.perf_counter()
        await waiting
        delays.append(time.perf_counter() - start)
    assert sorted(delays)[10] < 0.005


async def test_whoever_stops_waiting_is_forgotten(log: EventLog) -> None:
    waiting = asyncio.ensure_future(log.wait_beyond(0, 30))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not await log.wait_beyond(0, 0.01)
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.wait_beyond(0, 0.01)


async def test_catching_up_sees_each_event_once_while_appends_go_on(logs: Logs) -> None:
    log, other = await logs.open(), await logs.open()
    await log.append([sample_write("post.before", NO_STREAM, events=50)])

    async def follow() -> list[StoredEvent]:
        seen: list[StoredEvent] = []
        async for batch in catch_up(log, 0, batch_size=7):
            seen += batch
            if len(seen) >= 450:
                break
        return seen

    async def write(log: EventLog, name: str) -> None:
        for number in range(50):
            await log.append([sample_write(f"post.{name}", number)])

    following = asyncio.ensure_future(follow())
    await asyncio.gather(
        *(write(one, f"{name}{n}") for one, name in ((log, "a"), (other, "b")) for n in range(4))
    )
    seen = await asyncio.wait_for(following, 20)
    assert [event.position for event in seen] == list(range(1, 451))
    assert seen == await everything(log)


# --- opening and closing --------------------------------------------------------------------------


async def test_a_log_opened_again_goes_on_where_it_was(logs: Logs) -> None:
    log = await logs.open()
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    before = await everything(log)
    await logs.close(log)
    again = await logs.open()
    assert again.publication == log.publication
    assert await everything(again) == before
    with pytest.raises(WrongExpectedVersion):
        await again.append([sample_write("post.a", NO_STREAM)])
    assert await again.append([sample_write("post.a", 3)]) == 4


async def test_all_who_open_a_new_log_at_once_get_one_publication(logs: Logs) -> None:
    opened = await asyncio.gather(*(logs.open() for _ in range(8)))
    (publication,) = {log.publication for log in opened}
    assert str(UUID(publication)) == publication
    await asyncio.gather(*(log.append([sample_write(f"post.{n}", 0)]) for n, log in enumerate(opened)))
    assert {event.header.publication for event in await everything(opened[0])} == {publication}
    assert await opened[1].head() == 8


async def test_closing_finishes_what_was_accepted(logs: Logs) -> None:
    log = await logs.open()
    appends = [asyncio.ensure_future(log.append([sample_write(f"post.{n}", 0)])) for n in range(10)]
    await asyncio.sleep(0)
    await logs.close(log)
    assert sorted(await asyncio.gather(*appends)) == list(range(1, 11))
    assert await (await logs.open()).head() == 10


@pytest.mark.parametrize("moment", [0, 0.000_1, 0.001, 0.05])
async def test_closing_wakes_those_who_wait(logs: Logs, moment: float) -> None:
    log = await logs.open()
    waiting = [asyncio.ensure_future(log.wait_beyond(100, 30)) for _ in range(3)]
    await asyncio.sleep(moment)
    await logs.close(log)
    for outcome in await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5):
        assert type(outcome) is LogClosed


async def test_a_closed_log_says_so(logs: Logs) -> None:
    log = await logs.open()
    await logs.close(log)
    await logs.close(log)
    calls = [
        log.append([sample_write("post.a", NO_STREAM)]),
        log.head(),
        log.read(0, 1),
        log.read_stream("post.a"),
        log.wait_beyond(0, 0.1),
    ]
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert type(outcome) is LogClosed
        assert isinstance(outcome, EventLogError)
