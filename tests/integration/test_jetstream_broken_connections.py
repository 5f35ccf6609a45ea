"""A connection to NATS that breaks between two writes, or whose server hangs: contact is always regained.

The first tests use uvloop, as `ledgerpress serve` does: it raises `RuntimeError` when data is written to a connection
that has just broken.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from ledgerpress.adapters.jetstream import connection_and_request_reply, stream_leader_api
from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent, Unanswered
from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.health_checked_log import HealthCheckedLog
from ledgerpress.eventlog.log import NO_STREAM
from scripts.engines.nats import NatsServer, temporary_server
from tests.contract.sample_events import sample_write

SUBJECT = "nowhere"


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """A server for one test, which may kill it."""
    with temporary_server() as server:
        yield server


async def connected(server: NatsServer) -> Connection:
    url = NatsUrl.of(server.url("daily"))
    return await Connection.open(url, url.login, "test")


async def opened(server: NatsServer) -> JetStreamEventLog:
    return await JetStreamEventLog.open(
        NatsUrl.of(server.url("daily")), create_as=lambda: uuid8("publication")
    )


async def break_while_writing(server: NatsServer, connection: Connection) -> None:
    """Kill the server; return when the connection has broken, a message is being written, and nothing else runs yet."""
    transport = connection.client._transport._io_writer.transport  # type: ignore[union-attr]
    server.pause()
    # If a process ends before it has read all data, its connections are reset, not closed.
    await connection.send(SUBJECT, b"unread")
    while connection.client.pending_data_size or transport.get_write_buffer_size():  # noqa: ASYNC110 - this must be noticed at once
        await asyncio.sleep(0)
    os.kill(server.pid, signal.SIGKILL)
    while not transport.is_closing():  # noqa: ASYNC110 - this must be noticed at once
        await asyncio.sleep(0)
    await connection.send(SUBJECT, b"never written")
    await asyncio.sleep(0)


def test_a_message_to_a_connection_that_has_just_broken_may_have_been_sent(server: NatsServer) -> None:
    async def send() -> None:
        connection = await connected(server)
        await break_while_writing(server, connection)
        with pytest.raises(Unanswered, match="the connection broke"):
            await connection.send(SUBJECT, b"")
        await connection.close()

    uvloop.run(send())


def test_a_flush_of_a_connection_that_has_just_broken_fails(server: NatsServer) -> None:
    async def flush() -> None:
        connection = await connected(server)
        await break_while_writing(server, connection)
        with pytest.raises(NotSent):
            await connection.flush()
        await connection.close()

    uvloop.run(flush())


def test_a_connection_that_has_just_broken_can_be_closed(server: NatsServer) -> None:
    async def close() -> None:
        connection = await connected(server)
        await break_while_writing(server, connection)
        await connection.close()

    uvloop.run(close())


def test_a_node_regains_contact_although_its_connection_breaks_during_a_health_check(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_leader_api, "RETRY_TIMEOUT", 0.5)

    async def check() -> None:
        log = await opened(server)
        checked = HealthCheckedLog(log)
        await checked.append([sample_write("post.a", NO_STREAM)])
        await break_while_writing(server, log._stream.connection)
        assert not await checked.check()
        watching = asyncio.create_task(checked.watch())
        await asyncio.to_thread(server.restart)
        async with asyncio.timeout(30):
            while checked.health.is_lost:  # noqa: ASYNC110 - a polled condition
                await asyncio.sleep(0.05)
        assert await checked.append([sample_write("post.a", 1)]) == 2
        watching.cancel()
        await log.aclose()

    uvloop.run(check())


@asynccontextmanager
async def hanging_wire(server: NatsServer) -> AsyncIterator[tuple[asyncio.Event, str]]:
    """Run a proxy: once the event is set, the open connections hang, and later connections work."""
    hangs = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_hang: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if may_hang and hangs.is_set():
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.extend((writer, server_writer))
        may_hang = not hangs.is_set()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                forward(reader, server_writer, may_hang=may_hang),
                forward(server_reader, writer, may_hang=may_hang),
            )

    listening = await asyncio.start_server(connect, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield hangs, server.url("daily").replace(f":{server.port}?", f":{port}?")
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()


# The socket of the client that is replaced is left to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_to_a_server_that_no_longer_reads_is_replaced(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_and_request_reply, "PING_INTERVAL", 0.1)
    monkeypatch.setattr(connection_and_request_reply, "STUCK_TIMEOUT", 0.5)
    monkeypatch.setattr(connection_and_request_reply, "CLOSE_TIMEOUT", 0.2)

    async def fill() -> None:
        async with hanging_wire(server) as (hangs, address):
            url = NatsUrl.of(address)
            connection = await Connection.open(url, url.login, "test")
            client = connection.client
            hangs.set()
            # More than the socket buffers can hold: nats-py waits until this is written before it reconnects.
            with suppress(NotSent, Unanswered):
                for _ in range(32):
                    await connection.send(SUBJECT, bytes(900_000))
            async with asyncio.timeout(30):
                while connection.client is client or not await connection.wait_connected(1):
                    with suppress(NotSent, Unanswered):
                        await connection.request("$JS.API.INFO", b"", timeout=0.2)
                    await asyncio.sleep(0.05)
                await connection.request("$JS.API.INFO", b"", timeout=10)
            await connection.close()

    uvloop.run(fill())
