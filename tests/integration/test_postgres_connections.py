"""The connection to PostgreSQL breaks where it hurts: an append is recorded once, or it is said that nobody knows."""

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
    """The log of a node with a better connection."""
    other = await open_at(postgres_url)
    yield other
    await other.aclose()


@pytest.mark.parametrize("loss", ["question", "answer", "connection after the question"])
async def test_an_append_without_an_answer_is_recorded_once(
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


async def test_a_connection_that_breaks_again_at_once_is_made_once_more(
    log: EventLog, other: EventLog, proxy: Proxy
) -> None:
    book = Book()
    await book.append(log, "first")
    proxy.lose, proxy.cut_at = "answer", b"log_head WHERE name"
    await asyncio.gather(*(book.append(log, f"n{number}") for number in range(10)))
    assert proxy.has_lost
    assert len(book.positions) == 11
    book.check(await everything(other))


async def test_one_that_is_still_being_committed_is_waited_for(postgres_server: PostgresServer) -> None:
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


async def test_what_another_node_recorded_meanwhile_is_not_taken_for_ours(
    log: EventLog, other: EventLog, proxy: Proxy
) -> None:
    async def record_the_same() -> None:
        await other.append([StreamWrite("post.theirs", 0, (with_salt(1),))])

    proxy.lose, proxy.then = "question", record_the_same
    with pytest.raises(DuplicateEvent):
        await log.append([StreamWrite("post.ours", 0, (with_salt(2),))])
    assert [one.header.stream for one in await everything(log)] == ["post.theirs"]


def with_salt(number: int) -> NewEvent:
    one = event("same")
    return msgspec.structs.replace(
        one, payload=msgspec.structs.replace(one.payload, salt=number.to_bytes(32, "big"))
    )


async def test_what_cannot_be_found_out_is_said(
    log: EventLog, other: EventLog, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 1.0)

    async def go_away() -> None:
        proxy.rejects_connections = True

    proxy.lose, proxy.then = "answer", go_away
    with pytest.raises(AppendUnresolved, match="it is unknown whether"):
        await log.append(command("first"))
    # The next ones have not been sent: it is known that they are not recorded.
    with pytest.raises(LogUnavailable) as refusal:
        await log.append(command("second"))
    assert type(refusal.value) is LogUnavailable
    proxy.rejects_connections = False
    assert await log.append(command("third")) == 6
    assert [one.header.stream for one in await everything(other)] == [
        *("post.first", "post.first", "journal"),
        *("post.third", "post.third", "journal"),
    ]


@pytest.mark.parametrize("was_away", [False, True])
async def test_an_answer_that_never_comes_is_looked_for_however_long_it_was_waited_for(
    log: EventLog, other: EventLog, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, was_away: bool
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.4)
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT", 0.8)
    await log.append(command("first"))
    if was_away:
        monkeypatch.setattr(proxy, "refuses", True)
        proxy.cut_at = b"BEGIN"
        with pytest.raises(LogUnavailable):
            await log.append(command("away"))
        proxy.rejects_connections = False
    proxy.lose = "nothing but the answer"
    assert await log.append(command("second")) == 6
    assert proxy.has_lost
    assert len(await everything(other)) == 6


async def test_a_commit_that_is_never_carried_out_is_not_repeated_for_ever(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.4)
    database = postgres_server.new_database("undone")
    log = await open_at(postgres_server.url("daily", database=database))
    undo = SLOW_COMMIT.replace("PERFORM pg_advisory_xact_lock(78)", "RAISE EXCEPTION 'not today'")
    postgres_server.sql(undo, database=database)
    async with asyncio.timeout(10):
        with pytest.raises(LogUnavailable, match=r"nothing was recorded") as refusal:
            await log.append(command("slow"))
    assert type(refusal.value) is LogUnavailable
    assert await log.append(command("other")) == 3
    await log.aclose()


async def test_a_server_that_hangs_is_given_up(
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
        streams = {one.header.stream for one in await everything(log)}
        assert {"post.first", "post.fourth"} <= streams
        assert "post.third" not in streams
        assert position == await log.head()
        await log.aclose()


async def test_a_node_that_stands_still_in_the_middle_of_an_append_stops_no_other(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgresServer
) -> None:
    monkeypatch.setitem(connection._SETTINGS, "idle_in_transaction_session_timeout", "1s")
    async with Proxy.before(postgres_server.port) as proxy:
        stopped, other = await open_at(proxy.through(postgres_url)), await open_at(postgres_url)
        proxy.stall_at_commit = True
        held = asyncio.create_task(stopped.append(command("held")))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(6):
            assert await other.append(command("other")) == 3
        assert not held.done()
        proxy.go_on()
        assert await held == 6
        await stopped.aclose()
        await other.aclose()


async def test_whoever_waits_learns_of_appends_also_when_signals_are_lost(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    log, other = await open_at(postgres_url), await open_at(postgres_url)
    of_listeners = """
    FROM pg_stat_activity WHERE (query LIKE '%LISTEN%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid()
    """
    waiting = asyncio.create_task(log.wait_beyond(0, 30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    ended = postgres_server.sql(f"SELECT count(pg_terminate_backend(pid)) {of_listeners}")
    assert int(ended) >= 2
    await other.append(command("first"))
    assert await asyncio.wait_for(waiting, 5)
    async with asyncio.timeout(10):
        while int(postgres_server.sql(f"SELECT count(*) {of_listeners}")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await log.aclose()
    await other.aclose()


async def test_a_signal_wakes_before_the_next_look(
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


async def test_reads_that_are_called_off_cost_no_connection_and_say_nothing(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    log, book = await open_at(postgres_url), Book()
    for number in range(20):
        await book.append(log, f"n{number}")
    for wait in range(60):
        reading = [asyncio.ensure_future(log.read(0, 100)) for _ in range(5)]
        await asyncio.sleep(wait / 4_000)
        for one in reading:
            one.cancel()
        await asyncio.wait(reading)
    book.check(await everything(log))
    assert log.counts["reconnects"] == 0
    await log.aclose()
    gc.collect()
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


async def test_signals_are_heard_again_after_the_connection_died_without_a_word(
    proxy: Proxy, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "KEEPALIVE_INTERVAL", 0.2)
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT", 0.5)
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT", 0.2)
    heard: asyncio.Queue[int] = asyncio.Queue()
    url, place = postgres_url.partition("?")[0], LogLocation(1, "daily", "", complete=True)
    listening = notifications.HeadNotifications(
        connection.Server(proxy.through(url), ""), place, heard.put_nowait
    )
    telling = notifications.HeadNotifications(connection.Server(url, ""), place, lambda _: None)

    async def until_heard(head: int) -> None:
        async with asyncio.timeout(10):
            while heard.empty():
                telling.notify(head := head + 1)
                await asyncio.sleep(0.05)
        while not heard.empty():
            heard.get_nowait()

    await until_heard(0)
    await asyncio.sleep(0.5)
    proxy.forget_all()
    await until_heard(1_000)
    await listening.close()
    await telling.close()
