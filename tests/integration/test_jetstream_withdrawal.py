"""What an erased message leaves behind in JetStream: no byte of it, no doubt where its stream is, and no silent gap."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import pytest

from ledgerpress.adapters.jetstream import payload_erasure, withdrawal_index
from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.publisher import Conflict
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests, StoredMessage
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import (
    GapInLog,
    LogUnavailable,
    LogUnusable,
    WithdrawalUnfinished,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, EventLog, OpenedLog, StreamWrite
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsCluster, NatsServer, temporary_cluster, temporary_server
from tests.contract.sample_events import everything, places, sample_event, sample_write

SECRET = b"The heron nests behind number nine"


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with temporary_server() as server:
        yield server


async def opened(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def withdrawn(log: EventLog, position: int) -> int:
    (event,) = await log.read(position - 1, 1)
    record = sample_event(event_type="payload.withdrawn")
    return await log.withdraw(
        position, [StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))]
    )


def holding(server: NatsServer, text: bytes) -> list[str]:
    """The files of the server that hold `text`."""
    files = (file for file in sorted(server.directory.rglob("*")) if file.is_file())
    return [file.name for file in files if text in file.read_bytes()]


@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
async def test_no_byte_is_left_in_the_files_of_a_single_server(server: NatsServer, events: int) -> None:
    log = await opened(server.url("daily"))
    secret = tuple(sample_event(plaintext=b'{"data":"%s %d"}' % (SECRET, n)) for n in range(events))
    await log.append([StreamWrite("post.a", NO_STREAM, secret)])
    await log.append([sample_write("post.a", events)])
    assert holding(server, SECRET)
    for position in range(1, events + 1):
        await withdrawn(log, position)
    assert not holding(server, SECRET)
    await log.aclose()
    server.restart()
    assert not holding(server, SECRET)
    again = await opened(server.url("daily"))
    assert [event.payload is None for event in await again.read(0, 10)] == [True] * events + [False] * (
        events + 1
    )
    await again.aclose()


async def test_a_stream_whose_last_event_is_erased_goes_on_after_it(jetstream_url: str) -> None:
    log, other, third = [await opened(jetstream_url) for _ in range(3)]
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.append([sample_write("journal", NO_STREAM), sample_write("post.a", ANY_VERSION)]) == 3
    await other.append([sample_write("post.a", 2)])
    await withdrawn(other, 4)
    for stale in (1, 2, 4):
        for node in (log, other, third):
            with pytest.raises(WrongExpectedVersion) as conflict:
                await node.append([sample_write("post.a", stale)])
            assert conflict.value.actual == 3
    assert await log.append([sample_write("post.a", 3)]) == 6
    assert await other.append([sample_write("journal", 1), sample_write("post.a", ANY_VERSION)]) == 8
    versions = [event.header.stream_version for event in await third.read_stream("post.a")]
    assert versions == [1, 2, 3, 4, 5]
    for node in (log, other, third):
        await node.aclose()


async def test_a_stream_whose_only_event_is_erased_is_not_new(jetstream_url: str) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    await log.append([sample_write("slug.a", NO_STREAM)])
    await withdrawn(log, 1)
    late = await opened(jetstream_url)
    for node in (log, other, late):
        with pytest.raises(WrongExpectedVersion) as conflict:
            await node.append([sample_write("slug.a", NO_STREAM)])
        assert conflict.value.actual == 1
    assert [event.payload for event in await late.read_stream("slug.a")] == [None]
    assert await late.append([sample_write("slug.a", 1)]) == 3
    for node in (log, other, late):
        await node.aclose()


async def test_nobody_takes_a_stream_for_shorter_while_its_end_is_erased(jetstream_url: str) -> None:
    """Nodes keep on writing with what they remember, while another one records the next event and erases it."""
    log, *others = [await opened(jetstream_url) for _ in range(4)]
    position = await log.append([sample_write("post.a", NO_STREAM)])
    for _ in range(3):
        version = (await log.read_stream("post.a"))[-1].header.stream_version
        done = asyncio.Event()

        async def insist(node: OpenedLog, expected: int, done: asyncio.Event = done) -> list[int]:
            positions = []
            while not done.is_set():
                with suppress(WrongExpectedVersion):
                    positions.append(await node.append([sample_write("post.a", expected)]))
                await asyncio.sleep(0.01)
            return positions

        for node in others:
            with pytest.raises(WrongExpectedVersion):
                await node.append([sample_write("post.a", version - 1)])
        position = await log.append([sample_write("post.a", version)])
        insisting = [asyncio.ensure_future(insist(node, version)) for node in others]
        await withdrawn(log, position)
        await asyncio.sleep(0.3)
        done.set()
        assert await asyncio.gather(*insisting) == [[], [], []]
    events = await log.read_stream("post.a")
    assert [event.header.stream_version for event in events] == [1, 2, 3, 4]
    for node in (log, *others):
        await node.aclose()


async def opened_at(cluster: NatsCluster, *, leader: bool) -> tuple[JetStreamEventLog, NatsServer]:
    """A node that is connected to the leader of the log's stream, or to another server; and which one it is."""
    while True:
        log = await opened(cluster.url("daily"))
        assert isinstance(log, JetStreamEventLog)
        leading = cluster.leader(SubjectNames("daily").stream)
        url = log._stream.connection.client.connected_url
        at = next(server for server in cluster.servers if url is not None and server.port == url.port)
        if leading is not None and (at is leading) is leader:
            return log, at
        await log.aclose()


@pytest.mark.parametrize("more", [[], [sample_write("post.y", NO_STREAM)]], ids=["one event", "a batch"])
async def test_an_append_held_up_until_the_end_of_its_stream_is_erased_is_refused(
    more: list[StreamWrite],
) -> None:
    """A server stands still with the append in its socket, and the message before whose guard it was is gone."""
    with temporary_cluster() as cluster:
        log, _ = await opened_at(cluster, leader=True)
        late, stopped = await opened_at(cluster, leader=False)
        for version in range(4):
            await late.append([sample_write("post.x", version)])
        stopped.pause()
        held = asyncio.ensure_future(late.append([sample_write("post.x", 4), *more]))
        await asyncio.sleep(0.3)
        position = await log.append([sample_write("post.x", 4)])
        assert await withdrawn(log, position) == position + 1
        stopped.resume()
        with pytest.raises(WrongExpectedVersion) as conflict:
            await held
        assert conflict.value.actual == 5
        assert await log.append([sample_write("post.x", 5)]) == position + 2
        assert await places(log) == [
            *(("post.x", version) for version in range(1, 6)),
            ((await log.read(position, 1))[0].header.stream, 1),
            ("post.x", 6),
        ]
        await late.aclose()
        await log.aclose()


@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
async def test_a_guard_from_before_the_erasure_never_holds_again(
    nats_server: NatsServer, events: int
) -> None:
    """Whatever was ever sent with the guard of an earlier end of the stream is refused, however late it comes."""
    url = nats_server.url(f"guard{events}")
    log, late = await opened(url), await opened(url)
    assert isinstance(late, JetStreamEventLog)
    preparer, publisher = late._appender._messages, late._appender._publisher
    kept = [await preparer.prepare([sample_write("post.a", NO_STREAM, events=events)], None, use_cache=False)]
    for version in range(3):
        position = await log.append([sample_write("post.a", version)])
        write = sample_write("post.a", version + 1, events=events)
        kept.append(await preparer.prepare([write], None, use_cache=False))
    # The end goes back to nothing, one by one.
    for position in (3, 2, 1):
        await withdrawn(log, position)
        answers = [await publisher.publish(attempt.messages) for attempt in kept]
        assert answers == [Conflict()] * 4
    await late.append([sample_write("post.a", 3)])
    assert [event.header.stream_version for event in await log.read_stream("post.a")] == [1, 2, 3, 4]
    await log.aclose()
    await late.aclose()


async def test_an_event_is_withdrawn_once_by_two_nodes(jetstream_url: str) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    for version in range(5):
        position = await log.append([sample_write("post.a", version)])
        outcomes = await asyncio.gather(
            withdrawn(log, position), withdrawn(other, position), return_exceptions=True
        )
        assert sorted(map(type, outcomes), key=str) == [int, WrongExpectedVersion]
        assert await log.withdraw(position, []) == position + 1
        await log.append([sample_write("post.b", version)])
        if version < 4:
            # The versions go on although all are erased.
            assert (await other.read_stream("post.a"))[-1].header.stream_version == version + 1
    assert [event.payload for event in await other.read_stream("post.a")] == [None] * 5
    (record,) = await other.read(1, 1)
    assert [event.header for event in await log.read_stream(record.header.stream)] == [record.header]
    await log.aclose()
    await other.aclose()


async def test_a_message_that_is_missing_without_a_withdrawal_is_a_gap(nats_server: NatsServer) -> None:
    url = nats_server.url("gap")
    log = await opened(url)
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    await log.append([sample_write("post.b", NO_STREAM, events=3)])
    await withdrawn(log, 1)
    other = await opened(url)
    client = await nats.connect(f"nats://{nats_server.address}")
    answer = await client.request(
        f"$JS.API.STREAM.MSG.DELETE.{SubjectNames('gap').stream}", json.dumps({"seq": 2}).encode(), timeout=5
    )
    assert json.loads(answer.data)["success"]
    await client.close()
    with pytest.raises(LogUnusable, match="damaged: the event at position 2 is missing"):
        await opened(url)
    for node in (log, other):
        with pytest.raises(GapInLog) as gap:
            await node.read(0, 10)
        assert (gap.value.expected, gap.value.actual) == (2, 3)
        with pytest.raises(GapInLog):
            await node.read_stream("post.a")
        assert [event.position for event in await node.read(2, 10)] == [3, 4, 5, 6, 7]
        assert len(await node.read_stream("post.b")) == 3
        await node.aclose()


async def asked(server: NatsServer, kind: str, publication: str, request: object = None) -> dict[str, Any]:
    """What an administrator is answered who asks for something."""
    client = await nats.connect(f"nats://{server.address}")
    data = b"" if request is None else json.dumps(request).encode()
    answer = await client.request(f"$JS.API.{kind}.{SubjectNames(publication).stream}", data, timeout=5)
    await client.close()
    found: dict[str, Any] = json.loads(answer.data)
    assert "error" not in found, found
    return found


async def test_a_tail_that_is_missing_is_a_gap(nats_server: NatsServer) -> None:
    log = await opened(nats_server.url("tail"))
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    await log.append([sample_write("post.b", NO_STREAM)])
    await asked(nats_server, "STREAM.MSG.DELETE", "tail", {"seq": 3})
    assert await log.head() == 3
    for after in (0, 2):
        with pytest.raises(GapInLog, match="position 3 should come next, but the log returned nothing"):
            await asyncio.wait_for(log.read(after, 10), 10)
    assert [event.position for event in await log.read(0, 2)] == [1, 2]
    await log.aclose()
    with pytest.raises(LogUnusable, match="damaged: the event at position 3 is missing"):
        await opened(nats_server.url("tail"))


async def test_a_log_of_which_nothing_is_left_is_a_gap(nats_server: NatsServer) -> None:
    log = await opened(nats_server.url("emptied"))
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    for sequence in (1, 2):
        await asked(nats_server, "STREAM.MSG.DELETE", "emptied", {"seq": sequence})
    with pytest.raises(GapInLog) as gap:
        await asyncio.wait_for(log.read(0, 10), 10)
    assert gap.value.expected == 1
    await log.aclose()
    with pytest.raises(LogUnusable, match="damaged: the event at position 1 is missing"):
        await opened(nats_server.url("emptied"))


async def test_many_withdrawals_are_read_by_whoever_opens_the_log(jetstream_url: str) -> None:
    log = await opened(jetstream_url)
    await log.append([sample_write("post.a", NO_STREAM, events=60)])
    before = await places(log)
    for position in range(2, 60, 2):
        await withdrawn(log, position)
    again = await opened(jetstream_url)
    for limit in (1, 7, 100):
        events = [event for after in range(0, 60, limit) for event in await again.read(after, limit)]
        assert [event.payload is None for event in events[:60]] == [n % 2 == 1 and n < 59 for n in range(60)]
    assert (await places(again))[:60] == before
    assert await everything(again) == await everything(log)
    await log.aclose()
    await again.aclose()


class Forgetful:
    """A leader that does not know the last messages for a while: one that was deposed, and has not heard of it."""

    def __init__(self, log: OpenedLog) -> None:
        assert isinstance(log, JetStreamEventLog)
        self.answers = 0
        self._leader = log._stream.withdrawals._leader
        self._next_of = self._leader.next_of
        self._names = log._stream.names

    def begin(self, answers: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have it say so often that no record of a withdrawal follows."""
        self.answers = answers
        monkeypatch.setattr(self._leader, "next_of", self._asked)

    async def _asked(self, subject: str, after: int) -> object:
        if self.answers and subject in (self._names.withdrawals, self._names.guarded("post.a")):
            self.answers -= 1
            return None
        return await self._next_of(subject, after)

    def knows_of_events_up_to(self, position: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have it take that for the last event of `post.a`."""
        last_of = self._leader.last_of

        async def asked(subject: str) -> object:
            is_of_events = subject == self._names.subject("post.a")
            return await (self._leader.at(position) if is_of_events else last_of(subject))

        monkeypatch.setattr(self._leader, "last_of", asked)


@pytest.mark.parametrize("end", [(3,), (3, 2)], ids=["the last event", "the last two"])
async def test_a_leader_that_forgets_a_withdrawal_makes_no_version_come_twice(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch, end: tuple[int, ...]
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    for version in range(3):
        await log.append([sample_write("post.a", version)])
    for position in end:
        await withdrawn(log, position)
    leader = Forgetful(other)
    leader.begin(2, monkeypatch)
    leader.knows_of_events_up_to(1, monkeypatch)
    with pytest.raises(WrongExpectedVersion) as conflict:
        await other.append([sample_write("post.a", 1)])
    assert (conflict.value.actual, leader.answers) == (3, 0)
    await other.append([sample_write("post.a", 3)])
    assert [one.header.stream_version for one in await log.read_stream("post.a")] == [1, 2, 3, 4]
    leader.begin(2, monkeypatch)
    assert [one.position for one in await other.read(0, 10)] == list(range(1, 5 + len(end)))
    for node in (log, other):
        await node.aclose()


async def test_a_stream_is_read_whole_from_a_leader_that_forgets_its_withdrawals(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    assert isinstance(other, JetStreamEventLog)
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    await withdrawn(log, 2)
    found = other._reader._read_subject

    async def without_records(subject: str, last: int) -> object:
        return [one for one in await found(subject, last) if one.body.withdraws is None]

    monkeypatch.setattr(other._reader, "_read_subject", without_records)
    Forgetful(other).begin(2, monkeypatch)
    assert [one.payload is None for one in await other.read_stream("post.a")] == [False, True, False]
    for node in (log, other):
        await node.aclose()


async def test_what_was_left_is_erased_although_the_leader_did_not_find_it(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(server.url("daily"))
    assert isinstance(log, JetStreamEventLog)
    secret = sample_event(plaintext=b'{"data":"%s"}' % SECRET)
    await log.append([StreamWrite("post.a", NO_STREAM, (secret,))])

    async def unfinished(leader: LeaderRequests, sequence: int) -> None:
        if sequence == 1:
            raise LogUnavailable("the leader is gone")

    with monkeypatch.context() as patch:
        patch.setattr(payload_erasure, "erase", unfinished)
        with pytest.raises(WithdrawalUnfinished):
            await withdrawn(log, 1)
    assert holding(server, SECRET)

    async def not_found(sequence: int) -> None:
        return None

    monkeypatch.setattr(log._stream.leader, "at", not_found)
    Forgetful(log).begin(2, monkeypatch)
    assert await log.withdraw(1, []) == 2
    assert not holding(server, SECRET)
    await log.aclose()


async def test_a_leader_that_forgets_a_withdrawal_does_not_damage_the_log(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(jetstream_url)
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    await withdrawn(log, 2)
    assert isinstance(log, JetStreamEventLog)
    on_record, forgotten, ask = log._stream.names.withdrawals, 2, LeaderRequests.next_of

    async def next_of(self: LeaderRequests, subject: str, after: int) -> StoredMessage | None:
        nonlocal forgotten
        if subject == on_record and forgotten:
            forgotten -= 1
            return None
        return await ask(self, subject, after)

    monkeypatch.setattr(LeaderRequests, "next_of", next_of)
    other = await opened(jetstream_url)
    assert forgotten == 0
    assert [one.payload is None for one in await other.read(0, 10)] == [False, True, False, False]
    for node in (log, other):
        await node.aclose()


async def test_a_search_for_withdrawals_begins_where_nothing_can_be_missed(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    assert isinstance(other, JetStreamEventLog)
    asked, ask = list[int](), other._stream.leader.next_of

    async def next_of(subject: str, after: int) -> object:
        asked.append(after)
        return await ask(subject, after)

    monkeypatch.setattr(other._stream.leader, "next_of", next_of)
    forgetful = Forgetful(other)
    for number in range(3):
        await log.append([sample_write(f"post.{number}", NO_STREAM)])
    await other._stream.withdrawals.refresh()
    await log.append([sample_write("post.3", NO_STREAM)])
    await withdrawn(log, 2)
    forgetful.begin(1, monkeypatch)
    await other._stream.withdrawals.refresh()
    assert other._stream.withdrawals.get(2) is None
    await other._stream.withdrawals.refresh()
    assert other._stream.withdrawals.get(2) is not None
    monkeypatch.setattr(withdrawal_index, "SETTLE_TIME", 0.0)
    await log.append([sample_write("post.4", NO_STREAM)])
    for _ in range(2):
        await other._stream.withdrawals.refresh()
    asked.clear()
    await other._stream.withdrawals.refresh()
    assert asked == [6]
    for node in (log, other):
        await node.aclose()
