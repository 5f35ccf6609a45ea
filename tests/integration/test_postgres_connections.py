"""Connections to PostgreSQL break at critical moments: an append is recorded once, or reported as unresolved."""

import asyncio
import gc
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from ledgerpress.adapters.postgres import connection, notifications
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.errors import AppendUnresolved, DuplicateEvent, LogUnavailable
from ledgerpress.eventlog.log import EventLog, StreamWrite
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, command, event, everything, open_at
from tests.integration.postgres_proxy import Loss, Proxy

SLOW_COMMIT = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(78);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON ledgerpress.event DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.stream = 'post.slow') EXECUTE FUNCTION hold();
"""


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[Proxy]:
    async with Proxy.before(postgres_server.port) as proxy:
        yield proxy


@pytest.fixture
async def log(proxy: Proxy, postgres_url: str) -> AsyncIterator[EventLog]:
    """The log of a node behind the proxy."""
    log = await open_at(proxy.through(postgres_url))
    yield log
    await log.aclose()


@pytest.fixture
async def other(postgres_url: str, log: EventLog) -> AsyncIterator[EventLog]:
    """The log of a node with a direct connection."""
    other = await open_at(postgres_url)
    yield other
    await other.aclose()


@pytest.mark.parametrize("loss", ["question", "answer", "connection after the question"])
async def test_an_append_without_a_response_is_recorded_once(
    log: EventLog, other: EventLog, proxy: Proxy, loss: Loss
) -> None:
    book = Book()
    await book.append(log, "first")
    proxy.lose = loss
    await asyncio.gather(*(book.append(log, f"n{number}") for number in range(10)))
    assert proxy.has_lost
    await book.append(log, "last")
    assert len(book.positions) == 12
    book.check(await everything(other))
    assert await log.head() == 36


async def test_a_connection_that_breaks_twice_is_restored(
    log: EventLog, other: EventLog, proxy: Proxy
) -> None:
    book = Book()
    await book.append(log, "first")
    proxy.lose, proxy.cut_at = "answer", b"log_head WHERE name"
    await asyncio.gather(*(book.append(log, f"n{number}") for number in range(10)))
    assert proxy.has_lost
    assert len(book.positions) == 11
    book.check(await everything(other))


async def test_a_commit_in_progress_is_waited_for(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("slow")
    url = postgres_server.url("daily", database=database)
    holder = await asyncpg.connect(postgres_server.address(database=database))
    async with Proxy.before(postgres_server.port) as proxy:
        log, other = await open_at(proxy.through(url)), await open_at(url)
        await holder.execute(SLOW_COMMIT)
        await holder.execute("SELECT pg_advisory_lock(78)")
        proxy.lose = "connection after the question"
        slow, later = Book(), Book()
        appending = asyncio.create_task(slow.append(log, "slow"))
        await asyncio.sleep(0.5)
        assert proxy.has_lost
        waiting = asyncio.create_task(later.append(other, "later"))
        await asyncio.sleep(0.5)
        assert not appending.done()
        assert not waiting.done()
        await holder.execute("SELECT pg_advisory_unlock(78)")
        await asyncio.gather(appending, waiting)
        assert (slow.positions, later.positions) == ({"slow": 3}, {"later": 6})
        slow.check((await everything(log))[:3])
        await holder.close()
        await log.aclose()
        await other.aclose()


async def test_the_same_event_of_another_node_is_not_mistaken_for_ours(
    log: EventLog, other: EventLog, proxy: Proxy
) -> None:
    async def record_the_same() -> None:
        await other.append([StreamWrite("post.theirs", 0, (with_salt(1),))])

    proxy.lose, proxy.then = "question", record_the_same
    with pytest.raises(DuplicateEvent):
        await log.append([StreamWrite("post.ours", 0, (with_salt(2),))])
    assert [stored.header.stream for stored in await everything(log)] == ["post.theirs"]


def with_salt(number: int) -> NewEvent:
    new_event = event("same")
    return msgspec.structs.replace(
        new_event, payload=msgspec.structs.replace(new_event.payload, salt=number.to_bytes(32, "big"))
    )


async def test_an_append_with_an_unknown_result_is_reported_as_unresolved(
    log: EventLog, other: EventLog, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 1.0)

    async def reject_connections() -> None:
        proxy.rejects_connections = True

    proxy.lose, proxy.then = "answer", reject_connections
    with pytest.raises(AppendUnresolved, match="it is unknown whether"):
        await log.append(command("first"))
    # Later appends were not sent, so it is known that they were not recorded.
    with pytest.raises(LogUnavailable) as refusal:
        await log.append(command("second"))
    assert type(refusal.value) is LogUnavailable
    proxy.rejects_connections = False
    assert await log.append(command("third")) == 6
    assert [stored.header.stream for stored in await everything(other)] == [
        *("post.first", "post.first", "journal"),
        *("post.third", "post.third", "journal"),
    ]


@pytest.mark.parametrize("was_unreachable", [False, True])
async def test_a_missing_response_is_resolved_even_after_the_command_timeout(
    log: EventLog, other: EventLog, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, was_unreachable: bool
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.4)
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT", 0.8)
    await log.append(command("first"))
    if was_unreachable:
        monkeypatch.setattr(proxy, "rejects_connections", True)
        proxy.cut_at = b"BEGIN"
        with pytest.raises(LogUnavailable):
            await log.append(command("away"))
        proxy.rejects_connections = False
    proxy.lose = "nothing but the answer"
    assert await log.append(command("second")) == 6
    assert proxy.has_lost
    assert len(await everything(other)) == 6


async def test_a_commit_that_always_fails_is_not_repeated_without_end(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.4)
    database = postgres_server.new_database("undone")
    log = await open_at(postgres_server.url("daily", database=database))
    failing_commit = SLOW_COMMIT.replace("PERFORM pg_advisory_xact_lock(78)", "RAISE EXCEPTION 'not today'")
    postgres_server.sql(failing_commit, database=database)
    async with asyncio.timeout(10):
        with pytest.raises(LogUnavailable, match=r"nothing was recorded") as refusal:
            await log.append(command("slow"))
    assert type(refusal.value) is LogUnavailable
    assert await log.append(command("other")) == 3
    await log.aclose()


async def test_appends_fail_if_the_server_hangs(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.5)
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT", 0.5)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.5)
    async with Proxy.before(postgres_server.port) as proxy:
        log = await open_at(proxy.through(postgres_url))
        await log.append(command("first"))
        proxy.stall_at_commit = True
        async with asyncio.timeout(10):
            with pytest.raises(AppendUnresolved):
                await log.append(command("second"))
            for attempt in (log.append(command("third")), log.read(0, 10), log.head()):
                with pytest.raises(LogUnavailable):
                    await attempt
            proxy.go_on()
            position = await log.append(command("fourth"))
        streams = {stored.header.stream for stored in await everything(log)}
        assert {"post.first", "post.fourth"} <= streams
        assert "post.third" not in streams
        assert position == await log.head()
        await log.aclose()


async def test_a_node_that_stalls_during_an_append_does_not_block_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer
) -> None:
    monkeypatch.setitem(connection._SETTINGS, "idle_in_transaction_session_timeout", "1s")
    async with Proxy.before(postgres_server.port) as proxy:
        stopped, other = await open_at(proxy.through(postgres_url)), await open_at(postgres_url)
        proxy.stall_at_commit = True
        append = asyncio.create_task(stopped.append(command("held")))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(6):
            assert await other.append(command("other")) == 3
        assert not append.done()
        proxy.go_on()
        assert await append == 6
        await stopped.aclose()
        await other.aclose()


async def test_waiting_clients_learn_of_appends_even_if_notifications_are_lost(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    log, other = await open_at(postgres_url), await open_at(postgres_url)
    from_listeners = """
    FROM pg_stat_activity WHERE (query LIKE '%LISTEN%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()
    """
    waiting = asyncio.create_task(log.wait_beyond(0, 30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    terminated = postgres_server.sql(f"SELECT count(pg_terminate_backend(pid)) {from_listeners}")
    assert int(terminated) >= 2
    await other.append(command("first"))
    assert await asyncio.wait_for(waiting, 5)
    async with asyncio.timeout(10):
        while int(postgres_server.sql(f"SELECT count(*) {from_listeners}")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await log.aclose()
    await other.aclose()


async def test_a_notification_wakes_waiting_clients_before_the_next_poll(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.postgres.event_log.POLL_INTERVAL", 3_600.0)
    log, other = await open_at(postgres_url), await open_at(postgres_url)
    for number in range(5):
        waiting = asyncio.create_task(log.wait_beyond(3 * number, 3_600))
        await asyncio.sleep(0.2)
        await other.append(command(f"n{number}"))
        assert await asyncio.wait_for(waiting, 10)
    await log.aclose()
    await other.aclose()


async def test_cancelled_reads_break_no_connection_and_log_nothing(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    log, book = await open_at(postgres_url), Book()
    for number in range(20):
        await book.append(log, f"n{number}")
    for wait in range(60):
        reads = [asyncio.ensure_future(log.read(0, 100)) for _ in range(5)]
        await asyncio.sleep(wait / 4_000)
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
    book.check(await everything(log))
    assert log.counts["reconnects"] == 0
    await log.aclose()
    gc.collect()
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("fault", ["silence", "bytes that are no message"])
async def test_notifications_are_received_again_after_a_fault_of_the_connection(
    proxy: Proxy, postgres_url: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "KEEPALIVE_INTERVAL", 0.2)
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT", 0.5)
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.2)
    received: asyncio.Queue[int] = asyncio.Queue()
    url, location = postgres_url.partition("?")[0], LogLocation(1, "daily", "", complete=True)
    listener = notifications.HeadNotifications(
        connection.Server(proxy.through(url), ""), location, received.put_nowait
    )
    sender = notifications.HeadNotifications(connection.Server(url, ""), location, lambda _: None)

    async def wait_for_notification(head: int) -> None:
        async with asyncio.timeout(10):
            while received.empty():
                sender.notify(head := head + 1)
                await asyncio.sleep(0.05)
        while not received.empty():
            received.get_nowait()

    await wait_for_notification(0)
    connections = proxy.connections
    if fault == "silence":
        proxy.forget_all()
    else:
        proxy.send_to_nodes(b"\x01\0\0\0\4")
    async with asyncio.timeout(20):
        while proxy.connections == connections:  # noqa: ASYNC110 - a polled condition
            await asyncio.sleep(0.05)
    await wait_for_notification(1_000)
    await listener.close()
    await sender.close()
