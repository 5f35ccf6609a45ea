"""Erased messages in JetStream: no byte of them remains, stream versions stay known, and gaps are detected."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import pytest

from ledgerpress.adapters.jetstream import payload_erasure, withdrawal_index
from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection
from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.publisher import EXPECTED_ON, Conflict
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


async def withdraw(log: EventLog, position: int) -> int:
    (event,) = await log.read(position - 1, 1)
    record = sample_event(event_type="payload.withdrawn")
    return await log.withdraw(
        position, [StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))]
    )


def files_with(server: NatsServer, text: bytes) -> list[str]:
    """Return the names of the server's files that contain `text`."""
    files = (file for file in sorted(server.directory.rglob("*")) if file.is_file())
    return [file.name for file in files if text in file.read_bytes()]


@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
async def test_no_byte_is_left_in_the_files_of_a_single_server(server: NatsServer, events: int) -> None:
    log = await opened(server.url("daily"))
    secret = tuple(sample_event(plaintext=b'{"data":"%s %d"}' % (SECRET, n)) for n in range(events))
    await log.append([StreamWrite("post.a", NO_STREAM, secret)])
    await log.append([sample_write("post.a", events)])
    assert files_with(server, SECRET)
    for position in range(1, events + 1):
        await withdraw(log, position)
    assert not files_with(server, SECRET)
    await log.aclose()
    server.restart()
    assert not files_with(server, SECRET)
    reopened = await opened(server.url("daily"))
    assert [event.payload is None for event in await reopened.read(0, 10)] == [True] * events + [False] * (
        events + 1
    )
    await reopened.aclose()


async def test_a_stream_whose_last_event_is_erased_continues_after_it(jetstream_url: str) -> None:
    log, other, third = [await opened(jetstream_url) for _ in range(3)]
    await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.append([sample_write("journal", NO_STREAM), sample_write("post.a", ANY_VERSION)]) == 3
    await other.append([sample_write("post.a", 2)])
    await withdraw(other, 4)
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
    await withdraw(log, 1)
    late = await opened(jetstream_url)
    for node in (log, other, late):
        with pytest.raises(WrongExpectedVersion) as conflict:
            await node.append([sample_write("slug.a", NO_STREAM)])
        assert conflict.value.actual == 1
    assert [event.payload for event in await late.read_stream("slug.a")] == [None]
    assert await late.append([sample_write("slug.a", 1)]) == 3
    for node in (log, other, late):
        await node.aclose()


async def test_no_node_reuses_a_version_while_the_last_event_is_erased(jetstream_url: str) -> None:
    """Nodes keep writing with their cached versions, while another node records the next event and erases it."""
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
        await withdraw(log, position)
        await asyncio.sleep(0.3)
        done.set()
        assert await asyncio.gather(*insisting) == [[], [], []]
    events = await log.read_stream("post.a")
    assert [event.header.stream_version for event in events] == [1, 2, 3, 4]
    for node in (log, *others):
        await node.aclose()


async def opened_at(cluster: NatsCluster, *, leader: bool) -> tuple[JetStreamEventLog, NatsServer]:
    """Return a log that is connected to the leader of its stream, or to another server, and that server."""
    while True:
        log = await opened(cluster.url("daily"))
        assert isinstance(log, JetStreamEventLog)
        leading = cluster.leader(SubjectNames("daily").stream)
        url = log._stream.connection.client.connected_url
        connected = next(server for server in cluster.servers if url is not None and server.port == url.port)
        if leading is not None and (connected is leading) is leader:
            return log, connected
        await log.aclose()


@pytest.mark.parametrize("more", [[], [sample_write("post.y", NO_STREAM)]], ids=["one event", "a batch"])
async def test_an_append_delayed_until_the_end_of_its_stream_is_erased_is_rejected(
    more: list[StreamWrite],
) -> None:
    """A server is paused with the append in its socket, while the message that its guard names is erased."""
    with temporary_cluster() as cluster:
        log, _ = await opened_at(cluster, leader=True)
        late, stopped = await opened_at(cluster, leader=False)
        for version in range(4):
            await late.append([sample_write("post.x", version)])
        stopped.pause()
        delayed = asyncio.ensure_future(late.append([sample_write("post.x", 4), *more]))
        await asyncio.sleep(0.3)
        position = await log.append([sample_write("post.x", 4)])
        assert await withdraw(log, position) == position + 1
        stopped.resume()
        with pytest.raises(WrongExpectedVersion) as conflict:
            await delayed
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
async def test_a_guard_from_before_the_erasure_never_matches_again(
    nats_server: NatsServer, events: int
) -> None:
    """An append with a guard for an earlier end of the stream is rejected, however late it arrives."""
    url = nats_server.url(f"guard{events}")
    log, late = await opened(url), await opened(url)
    assert isinstance(late, JetStreamEventLog)
    preparer, publisher = late._appender._messages, late._appender._publisher
    attempts = [
        await preparer.prepare([sample_write("post.a", NO_STREAM, events=events)], None, use_cache=False)
    ]
    for version in range(3):
        position = await log.append([sample_write("post.a", version)])
        write = sample_write("post.a", version + 1, events=events)
        attempts.append(await preparer.prepare([write], None, use_cache=False))
    # Erase the events one by one, from the last to the first.
    for position in (3, 2, 1):
        await withdraw(log, position)
        results = [await publisher.publish(attempt.messages) for attempt in attempts]
        assert results == [Conflict()] * 4
    await late.append([sample_write("post.a", 3)])
    assert [event.header.stream_version for event in await log.read_stream("post.a")] == [1, 2, 3, 4]
    await log.aclose()
    await late.aclose()


async def test_an_event_is_withdrawn_once_by_two_nodes(jetstream_url: str) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    for version in range(5):
        position = await log.append([sample_write("post.a", version)])
        outcomes = await asyncio.gather(
            withdraw(log, position), withdraw(other, position), return_exceptions=True
        )
        assert sorted(map(type, outcomes), key=str) == [int, WrongExpectedVersion]
        assert await log.withdraw(position, []) == position + 1
        await log.append([sample_write("post.b", version)])
        if version < 4:
            # The versions continue although all events are erased.
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
    await withdraw(log, 1)
    other = await opened(url)
    client = await nats.connect(f"nats://{nats_server.address}")
    response = await client.request(
        f"$JS.API.STREAM.MSG.DELETE.{SubjectNames('gap').stream}", json.dumps({"seq": 2}).encode(), timeout=5
    )
    assert json.loads(response.data)["success"]
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


async def admin_request(
    server: NatsServer, kind: str, publication: str, request: object = None
) -> dict[str, Any]:
    """Send a request to the JetStream API as an administrator, and return the response."""
    client = await nats.connect(f"nats://{server.address}")
    data = b"" if request is None else json.dumps(request).encode()
    response = await client.request(f"$JS.API.{kind}.{SubjectNames(publication).stream}", data, timeout=5)
    await client.close()
    body: dict[str, Any] = json.loads(response.data)
    assert "error" not in body, body
    return body


async def test_a_tail_that_is_missing_is_a_gap(nats_server: NatsServer) -> None:
    log = await opened(nats_server.url("tail"))
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    await log.append([sample_write("post.b", NO_STREAM)])
    await admin_request(nats_server, "STREAM.MSG.DELETE", "tail", {"seq": 3})
    assert await log.head() == 3
    for after in (0, 2):
        with pytest.raises(GapInLog, match="position 3 should come next, but the log returned nothing"):
            await asyncio.wait_for(log.read(after, 10), 10)
    assert [event.position for event in await log.read(0, 2)] == [1, 2]
    await log.aclose()
    with pytest.raises(LogUnusable, match="damaged: the event at position 3 is missing"):
        await opened(nats_server.url("tail"))


async def test_a_log_without_any_message_left_is_a_gap(nats_server: NatsServer) -> None:
    log = await opened(nats_server.url("emptied"))
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    for sequence in (1, 2):
        await admin_request(nats_server, "STREAM.MSG.DELETE", "emptied", {"seq": sequence})
    with pytest.raises(GapInLog) as gap:
        await asyncio.wait_for(log.read(0, 10), 10)
    assert gap.value.expected == 1
    await log.aclose()
    with pytest.raises(LogUnusable, match="damaged: the event at position 1 is missing"):
        await opened(nats_server.url("emptied"))


async def test_a_reopened_log_knows_many_withdrawals(jetstream_url: str) -> None:
    log = await opened(jetstream_url)
    await log.append([sample_write("post.a", NO_STREAM, events=60)])
    before = await places(log)
    for position in range(2, 60, 2):
        await withdraw(log, position)
    reopened = await opened(jetstream_url)
    for limit in (1, 7, 100):
        events = [event for after in range(0, 60, limit) for event in await reopened.read(after, limit)]
        assert [event.payload is None for event in events[:60]] == [n % 2 == 1 and n < 59 for n in range(60)]
    assert (await places(reopened))[:60] == before
    assert await everything(reopened) == await everything(log)
    await log.aclose()
    await reopened.aclose()


class Forgetful:
    """A leader that temporarily misses the last messages, because it does not know yet that it was deposed."""

    def __init__(self, log: OpenedLog) -> None:
        assert isinstance(log, JetStreamEventLog)
        self.misses_left = 0
        self._leader = log._stream.withdrawals._leader
        self._next_of = self._leader.next_of
        self._names = log._stream.names

    def begin(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Miss the records of withdrawals in the next `count` reads."""
        self.misses_left = count
        monkeypatch.setattr(self._leader, "next_of", self._forgetful_next_of)

    async def _forgetful_next_of(self, subject: str, after: int) -> object:
        if self.misses_left and subject in (self._names.withdrawals, self._names.guarded("post.a")):
            self.misses_left -= 1
            return None
        return await self._next_of(subject, after)

    def knows_of_events_up_to(self, position: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Return the event at `position` as the last one of `post.a`."""
        last_of = self._leader.last_of

        async def last_known(subject: str) -> object:
            is_of_events = subject == self._names.subject("post.a")
            return await (self._leader.at(position) if is_of_events else last_of(subject))

        monkeypatch.setattr(self._leader, "last_of", last_known)


@pytest.mark.parametrize("end", [(3,), (3, 2)], ids=["the last event", "the last two"])
async def test_a_leader_that_forgets_a_withdrawal_causes_no_duplicate_version(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch, end: tuple[int, ...]
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    for version in range(3):
        await log.append([sample_write("post.a", version)])
    for position in end:
        await withdraw(log, position)
    leader = Forgetful(other)
    leader.begin(2, monkeypatch)
    leader.knows_of_events_up_to(1, monkeypatch)
    with pytest.raises(WrongExpectedVersion) as conflict:
        await other.append([sample_write("post.a", 1)])
    assert (conflict.value.actual, leader.misses_left) == (3, 0)
    await other.append([sample_write("post.a", 3)])
    assert [event.header.stream_version for event in await log.read_stream("post.a")] == [1, 2, 3, 4]
    leader.begin(2, monkeypatch)
    assert [event.position for event in await other.read(0, 10)] == list(range(1, 5 + len(end)))
    for node in (log, other):
        await node.aclose()


async def test_a_leader_that_forgets_withdrawals_returns_the_complete_stream(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    assert isinstance(other, JetStreamEventLog)
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    await withdraw(log, 2)
    read_subject = other._reader._read_subject

    async def without_records(subject: str, last: int, count: int) -> object:
        messages = await read_subject(subject, last, count)
        return [message for message in messages if message.body.withdraws is None]

    monkeypatch.setattr(other._reader, "_read_subject", without_records)
    Forgetful(other).begin(2, monkeypatch)
    assert [event.payload is None for event in await other.read_stream("post.a")] == [False, True, False]
    for node in (log, other):
        await node.aclose()


async def test_a_remaining_payload_is_erased_although_the_leader_does_not_find_it(
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
            await withdraw(log, 1)
    assert files_with(server, SECRET)

    async def not_found(sequence: int) -> None:
        return None

    monkeypatch.setattr(log._stream.leader, "at", not_found)
    Forgetful(log).begin(2, monkeypatch)
    assert await log.withdraw(1, []) == 2
    assert not files_with(server, SECRET)
    await log.aclose()


async def test_a_leader_that_forgets_a_withdrawal_does_not_damage_the_log(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(jetstream_url)
    await log.append([sample_write("post.a", NO_STREAM, events=3)])
    await withdraw(log, 2)
    assert isinstance(log, JetStreamEventLog)
    withdrawals, misses_left, original_next_of = log._stream.names.withdrawals, 2, LeaderRequests.next_of

    async def next_of(self: LeaderRequests, subject: str, after: int) -> StoredMessage | None:
        nonlocal misses_left
        if subject == withdrawals and misses_left:
            misses_left -= 1
            return None
        return await original_next_of(self, subject, after)

    monkeypatch.setattr(LeaderRequests, "next_of", next_of)
    other = await opened(jetstream_url)
    assert misses_left == 0
    assert [event.payload is None for event in await other.read(0, 10)] == [False, True, False, False]
    for node in (log, other):
        await node.aclose()


async def test_a_search_for_withdrawals_starts_where_it_cannot_miss_any(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    assert isinstance(other, JetStreamEventLog)
    starts, original_next_of = list[int](), other._stream.leader.next_of

    async def next_of(subject: str, after: int) -> object:
        starts.append(after)
        return await original_next_of(subject, after)

    monkeypatch.setattr(other._stream.leader, "next_of", next_of)
    forgetful = Forgetful(other)
    for number in range(3):
        await log.append([sample_write(f"post.{number}", NO_STREAM)])
    await other._stream.withdrawals.refresh()
    await log.append([sample_write("post.3", NO_STREAM)])
    await withdraw(log, 2)
    forgetful.begin(1, monkeypatch)
    await other._stream.withdrawals.refresh()
    assert other._stream.withdrawals.get(2) is None
    await other._stream.withdrawals.refresh()
    assert other._stream.withdrawals.get(2) is not None
    monkeypatch.setattr(withdrawal_index, "SETTLE_TIME", 0.0)
    await log.append([sample_write("post.4", NO_STREAM)])
    for _ in range(2):
        await other._stream.withdrawals.refresh()
    starts.clear()
    await other._stream.withdrawals.refresh()
    assert starts == [6]
    for node in (log, other):
        await node.aclose()


class Requests:
    """The payloads and headers that a process sends to the NATS servers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data: list[dict[str, Any]] = []
        self.guards: list[str] = []
        send = Connection.send

        async def noted(
            connection: Connection,
            subject: str,
            data: bytes,
            headers: Mapping[str, str] | None = None,
            reply: str = "",
        ) -> None:
            if subject.startswith("$JS.API.") and data:
                self.data.append(json.loads(data))
            if headers is not None and EXPECTED_ON in headers:
                self.guards.append(headers[EXPECTED_ON])
            await send(connection, subject, data, headers, reply)

        monkeypatch.setattr(Connection, "send", noted)

    @property
    def patterns(self) -> list[str]:
        """The patterns that the server compares with all subjects of the log."""
        return [
            pattern
            for pattern in (
                *self.guards,
                *(
                    request[key]
                    for request in self.data
                    for key in ("last_by_subj", "next_by_subj", "subjects_filter")
                    if key in request
                ),
            )
            if ".*." in pattern
        ]


async def test_a_withdrawal_and_its_readers_search_no_subjects_of_other_streams(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    await log.append([sample_write("post.a", NO_STREAM)])
    await log.append([sample_write("post.a", 1)])
    requests = Requests(monkeypatch)
    record = await withdraw(log, 1)
    for node in (log, other):
        (read_record,) = await node.read(record - 1, 1)
        for event in (
            *await node.read(0, 1),
            *(await node.read(0, 2))[:1],
            *(await node.read(0, 10))[:1],
            *(await node.read_stream("post.a"))[:1],
        ):
            assert event.payload is None
            assert event.record == read_record
        assert await node.read_stream(read_record.header.stream) == [read_record]
        with pytest.raises(WrongExpectedVersion):
            await node.append([sample_write(read_record.header.stream, NO_STREAM)])
    assert requests.patterns == []
    await log.aclose()
    await other.aclose()


async def test_a_read_of_one_or_two_events_makes_the_server_count_no_messages(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each batch, the server counts the rest of the log, in a log with gaps by a search of all subjects."""
    log = await opened(jetstream_url)
    for version in range(4):
        await log.append([sample_write("post.a", version)])
    await withdraw(log, 2)
    everything_read = await log.read(0, 10)
    requests = Requests(monkeypatch)
    for limit in (1, 2):
        for after in range(6):
            assert await log.read(after, limit) == everything_read[after : after + limit]
    assert not [request for request in requests.data if "batch" in request]
    await log.aclose()


async def test_a_read_of_a_stream_makes_the_server_search_no_further_than_its_last_message(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for one more message on a pattern can load all later blocks of the log."""
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    await log.append([sample_write("post.b", NO_STREAM)])
    for version in range(3):
        await log.append([sample_write("post.a", version)])
    requests = Requests(monkeypatch)
    assert len(await other.read_stream("post.a")) == 3
    assert [request["batch"] for request in requests.data if "batch" in request] == [3]
    await withdraw(log, 3)
    (record_subject,) = [guard for guard in requests.guards if ".w." in guard]
    await log.append([sample_write("post.b", 1)])
    await other.read(0, 10)
    requests.data.clear()
    events = await other.read_stream("post.a")
    assert [event.payload is None for event in events] == [False, True, False]
    assert [request["next_by_subj"] for request in requests.data if "next_by_subj" in request] == [
        f"{record_subject.partition('.w.')[0]}.e"
    ]
    await log.aclose()
    await other.aclose()
