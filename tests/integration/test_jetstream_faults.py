"""Appends, reads and waits while the NATS server is unreachable, or when a response is lost."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from ledgerpress.adapters.jetstream import appender, connection_and_request_reply
from ledgerpress.adapters.jetstream import stream_leader_api as leader
from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.publisher import Acknowledgement, Answer, Conflict, Message
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import AppendUnresolved, LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, OpenedLog, StreamWrite
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsServer, temporary_cluster, temporary_server
from tests.contract.sample_events import everything, places, sample_event, sample_write


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """A server for one test, which may stop it."""
    with temporary_server() as server:
        yield server


async def opened(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


class Wire:
    """A proxy between a log and the server that can drop the response of the server and break the connection."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._drops_responses = False
        self._writers: list[asyncio.StreamWriter] = []
        self.open = asyncio.Event()
        self.lost = asyncio.Event()

    def drop_responses(self) -> None:
        """Drop the next data from the server, except a PONG, and break the connection then."""
        self._drops_responses = True
        self.lost.clear()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._drops_responses = False
        self.open.set()
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writers += [writer, server_writer]
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(
                self._forward_requests(reader, server_writer), self._forward_responses(server_reader, writer)
            )
        for stream in (writer, server_writer):
            stream.close()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _forward_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _forward_responses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if self._drops_responses and data != b"PONG\r\n":
                self.open.clear()
                self.lost.set()
                break
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def wire_to(server: NatsServer) -> AsyncIterator[tuple[Wire, str]]:
    wire = Wire(server)
    listening = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield wire, server.url(f"wire{port}").replace(f":{server.port}?", f":{port}?")
    finally:
        listening.close()
        await wire.close()


# --- lost responses -------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
async def test_an_append_whose_response_is_lost_is_recorded_once(
    nats_server: NatsServer, events: int
) -> None:
    async with wire_to(nats_server) as (wire, url):
        log = await opened(url)
        await log.append([sample_write("post.a", NO_STREAM)])
        for number in range(5):
            wire.drop_responses()
            position = await log.append([sample_write("post.a", 1 + number * events, events)])
            assert wire.lost.is_set()
            assert position == 1 + (number + 1) * events
        assert len(await everything(log)) == 1 + 5 * events
        await log.aclose()


async def test_a_lost_response_hides_no_conflict(nats_server: NatsServer) -> None:
    async with wire_to(nats_server) as (wire, url):
        log = await opened(url)
        await log.append([sample_write("post.a", NO_STREAM, events=2)])
        wire.drop_responses()
        with pytest.raises(WrongExpectedVersion) as conflict:
            await log.append([sample_write("post.b", NO_STREAM), sample_write("post.a", 1)])
        assert wire.lost.is_set()
        assert (conflict.value.stream, conflict.value.actual) == ("post.a", 2)
        assert await log.head() == 2
        await log.aclose()


class Deposed:
    """A leader that has been deposed: it rejects an append that its successor records, and still serves reads."""

    def __init__(self, log: OpenedLog, monkeypatch: pytest.MonkeyPatch) -> None:
        assert isinstance(log, JetStreamEventLog)
        self._publisher, self._leader = log._appender._publisher, log._stream.leader
        self._publish, self._next_of = self._publisher.publish, self._leader.next_of
        self._patch = monkeypatch
        self.forgets = 0
        """The number of reads that will miss an existing message."""
        self.after_recording: Callable[[], Awaitable[None]] = self._do_nothing
        """Called after the successor has recorded the append, and before the append is rejected."""
        monkeypatch.setattr(log._appender, "_may_be_deposed", True)
        monkeypatch.setattr(self._leader, "next_of", self._forgetful_next_of)

    def reject_next(self) -> None:
        """Reject the next append."""
        self._patch.setattr(self._publisher, "publish", self._reject)

    async def _do_nothing(self) -> None:
        pass

    async def _reject(self, messages: Sequence[Message]) -> Answer:
        self._patch.setattr(self._publisher, "publish", self._publish)
        assert isinstance(await self._publish(messages), Acknowledgement)
        await self.after_recording()
        return Conflict()

    async def _forgetful_next_of(self, subject: str, after: int) -> object:
        if self.forgets:
            self.forgets -= 1
            return None
        return await self._next_of(subject, after)


@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
@pytest.mark.parametrize("forgets", [0, 1, 7])
async def test_an_append_that_one_leader_rejects_and_another_records_is_recorded_once(
    nats_server: NatsServer, events: int, forgets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(nats_server.url(f"deposed{events}-{forgets}"))
    await log.append([sample_write("post.a", NO_STREAM)])
    leader = Deposed(log, monkeypatch)
    for number in range(3):
        leader.reject_next()
        leader.forgets = forgets
        position = await log.append([sample_write("post.a", 1 + number * events, events)])
        assert position == 1 + (number + 1) * events
    assert await places(log) == [("post.a", version) for version in range(1, 2 + 3 * events)]
    await log.aclose()


async def test_an_append_succeeds_although_it_is_withdrawn_before_the_response(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = nats_server.url("withdrawnsoon")
    log, other = await opened(url), await opened(url)
    await log.append([sample_write("post.a", NO_STREAM)])
    write = sample_write("post.a", 1)
    record = StreamWrite(
        f"withdrawal.{write.events[0].event_id}", NO_STREAM, (sample_event(event_type="payload.withdrawn"),)
    )

    async def withdraw() -> None:
        assert await other.withdraw(2, [record]) == 3
        assert await other.append([sample_write("post.a", 2)]) == 4

    leader = Deposed(log, monkeypatch)
    leader.after_recording, leader.forgets = withdraw, 2
    leader.reject_next()
    assert await log.append([write]) == 2
    for node in (log, other):
        await node.aclose()


async def test_a_conflict_is_final_if_no_leader_can_have_been_deposed(jetstream_url: str) -> None:
    log, other = await opened(jetstream_url), await opened(jetstream_url)
    assert isinstance(log, JetStreamEventLog)
    await log.append([sample_write("post.a", NO_STREAM), sample_write("lease.a", NO_STREAM)])
    for number in range(3):
        await other.append([sample_write("post.a", 1 + number)])
        with pytest.raises(WrongExpectedVersion):
            await log.append([sample_write(f"post.b{number}", NO_STREAM), sample_write("post.a", 1 + number)])
    assert log.counts["resolved"] == 0
    for node in (log, other):
        await node.aclose()


async def test_many_appends_survive_many_lost_connections(nats_server: NatsServer) -> None:
    async with wire_to(nats_server) as (wire, url):
        log = await opened(url)
        done = False

        async def client(name: str) -> int:
            version = 0
            while not done:
                await log.append(
                    [
                        sample_write(f"post.{name}", version, 1 + version % 3),
                        sample_write("journal", ANY_VERSION),
                    ]
                    if version % 2
                    else [sample_write(f"post.{name}", version, 1 + version % 3)]
                )
                version += 1 + version % 3
            return version

        clients = [asyncio.ensure_future(client(str(number))) for number in range(8)]
        for _ in range(6):
            await asyncio.wait_for(wire.open.wait(), 10)
            await asyncio.sleep(0.1)
            wire.drop_responses()
            await asyncio.wait_for(wire.lost.wait(), 10)
        done = True
        versions = await asyncio.gather(*clients)
        for number, version in enumerate(versions):
            recorded = await log.read_stream(f"post.{number}")
            assert [event.header.stream_version for event in recorded] == list(range(1, version + 1))
        events = await everything(log)
        assert len({event.header.event_id for event in events}) == len(events)
        await log.aclose()


async def test_an_append_with_a_guard_succeeds_while_others_write(jetstream_url: str) -> None:
    log, busy = await opened(jetstream_url), await opened(jetstream_url)
    await log.append([sample_write("lease.a", NO_STREAM)])
    done = False

    async def client(name: str) -> int:
        version = 0
        while not done:
            await busy.append([sample_write(f"post.{name}", version)])
            version += 1
        return version

    clients = [asyncio.ensure_future(client(str(number))) for number in range(8)]
    for number in range(20):
        await log.append([sample_write("post.fenced", number), StreamWrite("lease.a", 1, ())])
    await busy.append([sample_write("lease.a", 1)])
    with pytest.raises(WrongExpectedVersion) as fenced:
        await log.append([sample_write("post.fenced", 20), StreamWrite("lease.a", 1, ())])
    assert (fenced.value.stream, fenced.value.actual) == ("lease.a", 2)
    done = True
    assert min(await asyncio.gather(*clients)) > 0
    assert len(await log.read_stream("post.fenced")) == 20
    await log.aclose()
    await busy.aclose()


# --- the server is unreachable --------------------------------------------------------------------


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appender, "RETRY_TIMEOUT", 1.0)
    monkeypatch.setattr(leader, "REQUEST_TIMEOUT", 0.3)
    monkeypatch.setattr("ledgerpress.adapters.jetstream.publisher.REQUEST_TIMEOUT", 0.3)
    monkeypatch.setattr(leader, "RETRY_TIMEOUT", 0.5)


@pytest.mark.usefixtures("short_timeouts")
async def test_operations_fail_while_the_server_is_unreachable_and_work_afterwards(
    server: NatsServer,
) -> None:
    log = await opened(server.url("daily"))
    await log.append([sample_write("post.a", NO_STREAM)])
    waiting = asyncio.ensure_future(log.wait_beyond(1, 30))
    await asyncio.sleep(0.05)
    server.kill()
    for call in (
        log.head(),
        log.append([sample_write("post.a", 1)]),
        log.read(0, 10),
        log.read_stream("post.a"),
        log.leases.read("schedules"),
    ):
        with pytest.raises(LogUnavailable) as error:
            await asyncio.wait_for(call, 10)
        assert type(error.value) is LogUnavailable
    with pytest.raises(LogUnavailable):
        await asyncio.wait_for(waiting, 10)
    server.start()
    async with asyncio.timeout(10):
        while True:
            with suppress(LogUnavailable):
                if await log.append([sample_write("post.a", 1)]) == 2:
                    break
    assert await places(log) == [("post.a", 1), ("post.a", 2)]
    assert not await log.wait_beyond(2, 0.01)
    await log.aclose()


@pytest.mark.usefixtures("short_timeouts")
async def test_an_append_to_a_silent_server_is_unresolved_and_recorded_once(
    server: NatsServer,
) -> None:
    log = await opened(server.url("daily"))
    await log.append([sample_write("post.a", NO_STREAM)])
    write = sample_write("post.a", 1)
    server.pause()
    try:
        with pytest.raises(AppendUnresolved):
            await asyncio.wait_for(log.append([write]), 10)
    finally:
        server.resume()
    async with asyncio.timeout(20):
        while await log.head() < 2:
            with suppress(LogUnavailable, WrongExpectedVersion):
                await log.append([write])
    with pytest.raises(WrongExpectedVersion):
        await log.append([write])
    events = await everything(log)
    assert [event.header.event_id for event in events[1:]] == [write.events[0].event_id]
    await log.aclose()


# After a connection attempt to a silent server, nats-py leaves the socket to the garbage collector, which closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_append_to_a_hanging_leader_waits_for_the_next_leader_and_is_recorded_once() -> None:
    with temporary_cluster() as cluster:
        logs = [await opened(cluster.url("daily")) for _ in range(6)]
        for number, log in enumerate(logs):
            await log.append([sample_write(f"post.{number}", NO_STREAM)])
        leading = await asyncio.to_thread(cluster.leader, "LEDGERPRESS_daily")
        assert leading is not None
        leading.pause()
        try:
            writes = [sample_write(f"post.{number}", 1, 1 + number % 2) for number in range(len(logs))]
            await asyncio.gather(*(log.append([write]) for log, write in zip(logs, writes, strict=True)))
        finally:
            leading.resume()
        for number, (log, write) in enumerate(zip(logs, writes, strict=True)):
            recorded = await log.read_stream(f"post.{number}", 1)
            assert [event.header.event_id for event in recorded] == [event.event_id for event in write.events]
            await log.aclose()


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(server: NatsServer) -> None:
    log = await opened(server.url("daily"))
    acknowledged: dict[int, str] = {}
    done = False

    async def client(name: str) -> None:
        number = 0
        while not done:
            events = tuple(sample_event() for _ in range(1 + number % 3))
            try:
                last = await log.append([StreamWrite(f"post.{name}.{number}", NO_STREAM, events)])
                for index, event in enumerate(reversed(events)):
                    acknowledged[last - index] = event.event_id
            except LogUnavailable:
                pass
            number += 1

    clients = [asyncio.ensure_future(client(str(number))) for number in range(8)]
    for _ in range(4):
        await asyncio.sleep(0.4)
        server.kill()
        server.start()
    await asyncio.sleep(0.4)
    done = True
    await asyncio.wait_for(asyncio.gather(*clients), 60)
    events = await everything(log)
    ids = [event.header.event_id for event in events]
    assert len(acknowledged) > 50
    assert {position: ids[position - 1] for position in acknowledged} == acknowledged
    assert len(set(ids)) == len(ids)
    check_complete(events)
    await log.aclose()


def check_complete(events: list[StoredEvent]) -> None:
    """Fail unless each command is recorded completely. The number in its stream name determines its event count."""
    versions: dict[str, int] = {}
    for event in events:
        versions[event.header.stream] = event.header.stream_version
    for stream, count in versions.items():
        assert count == 1 + int(stream.rpartition(".")[2]) % 3, stream


async def test_a_client_that_silently_stops_reconnecting_is_replaced(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error, such as a truncated response, makes nats-py stop reconnecting without a notice."""
    monkeypatch.setattr(connection_and_request_reply, "STUCK_TIMEOUT", 0.5)
    log = await opened(server.url("daily"))
    assert isinstance(log, JetStreamEventLog)
    await log.append([sample_write("post.a", NO_STREAM)])
    client = log._stream.connection.client

    async def truncated() -> None:
        raise ValueError("Expecting property name enclosed in double quotes")

    monkeypatch.setattr(client, "_process_connect_init", truncated)
    server.restart()
    async with asyncio.timeout(20):
        while True:
            with suppress(LogUnavailable):
                await log.append([sample_write("post.a", 1)])
                break
            await asyncio.sleep(0.05)
    assert log._stream.connection.client is not client
    assert log.counts["reconnects"] == 1
    assert await places(log) == [("post.a", 1), ("post.a", 2)]
    await log.aclose()


# This test also collects the garbage of earlier tests.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_cancelled_request_logs_no_error(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await opened(nats_server.url("calledoff"))
    assert isinstance(log, JetStreamEventLog)

    async def stuck(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(log._stream.connection.client, "publish", stuck)
    request = asyncio.ensure_future(log.head())
    await asyncio.sleep(0)
    log._stream.connection.fail_pending("the stream has a new leader")
    request.cancel()
    await asyncio.wait([request])
    del request
    gc.collect()
    await asyncio.sleep(0)
    assert "the stream has a new leader" not in caplog.text
    await log.aclose()
