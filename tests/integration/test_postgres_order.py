"""In PostgreSQL, position order is commit order even if an append is delayed; publications do not wait for others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ledgerpress.adapters.postgres.connection import Connection
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, Follower, everything, open_at

HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(77);
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE INSERT ON ledgerpress.event FOR EACH ROW WHEN (NEW.stream = 'post.held')
EXECUTE FUNCTION hold();
"""
WAITERS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted"


@asynccontextmanager
async def delayed_inserts(server: PostgresServer, database: str) -> AsyncIterator[Connection]:
    """Delay every insert into the stream `post.held` until the lock is released or the block ends."""
    server.sql(HOLD, database=database)
    holder = await asyncpg.connect(server.address(database=database))
    try:
        await holder.execute("SELECT pg_advisory_lock(77)")
        yield holder
    finally:
        await holder.close()


async def wait_until_blocked(holder: Connection) -> None:
    async with asyncio.timeout(10):
        while not await holder.fetchval(WAITERS):  # noqa: ASYNC110 - the server does not report waiters
            await asyncio.sleep(0.01)


async def test_no_follower_misses_a_delayed_insert(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("held")
    url = postgres_server.url("daily", database=database)
    logs = [await open_at(url) for _ in range(4)]
    follower = Follower(logs[0])
    book = Book()
    try:
        await book.append(logs[1], "first")
        async with delayed_inserts(postgres_server, database) as holder:
            delayed_append = asyncio.create_task(book.append(logs[1], "held"))
            await wait_until_blocked(holder)
            # These appends are sent later, by the same node and by others, and nothing else delays them.
            later = [asyncio.create_task(book.append(logs[n % 4], f"later-{n}")) for n in range(40)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in (delayed_append, *later))
            assert await logs[2].head() == 3
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await asyncio.gather(delayed_append, *later)
        assert len(book.positions) == 42
        assert book.positions["held"] == 6
        events = await follower.reach(42 * 3)
        book.check(events)
        assert events == await everything(logs[3])
    finally:
        follower.stop()
        for log in logs:
            await log.aclose()


async def test_an_insert_that_bypasses_the_lock_fails_instead_of_breaking_the_order(
    postgres_server: PostgresServer,
) -> None:
    database = postgres_server.new_database("past")
    log = await open_at(postgres_server.url("daily", database=database))
    other = await asyncpg.connect(postgres_server.address(database=database))
    insert = """
    INSERT INTO ledgerpress.event SELECT log, $1, v, gen_random_uuid(), 'post.x', 1, type, schema_version,
        recorded_at, actor_id, NULL, command_id, correlation_id, NULL, payload_commitment, encoding, payload, salt
    FROM ledgerpress.event WHERE position = 3
    """
    book = Book()
    try:
        await book.append(log, "first")
        async with delayed_inserts(postgres_server, database) as holder:
            delayed_append = asyncio.create_task(book.append(log, "held"))
            await wait_until_blocked(holder)
            # The delayed append will be at positions 4 to 6.
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="after the last"):
                await other.execute(insert, 7)
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await delayed_append
        with pytest.raises(asyncpg.UniqueViolationError):
            await other.execute(insert, 6)
        await other.execute(insert, 7)
        await book.append(log, "last")
        assert book.positions == {"first": 3, "held": 6, "last": 10}
        assert len(await everything(log)) == 10
    finally:
        await other.close()
        await log.aclose()


async def test_appends_leave_no_dead_version_of_the_locked_row(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    log, book = await open_at(postgres_url), Book()
    name = postgres_url.rpartition("=")[2]
    query = f"SELECT ctid, xmin FROM ledgerpress.log_head WHERE name = '{name}'"
    before = postgres_server.sql(query)
    for number in range(10):
        await book.append(log, f"n{number}")
    assert len(book.positions) == 10
    assert postgres_server.sql(query) == before
    await log.aclose()


async def test_publications_append_independently_of_each_other(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("beside")
    logs = [await open_at(postgres_server.url(name, database=database)) for name in ("daily", "weekly")]
    book, other_book = Book(), Book()
    try:
        await book.append(logs[0], "first")
        async with delayed_inserts(postgres_server, database) as holder:
            delayed_append = asyncio.create_task(book.append(logs[0], "held"))
            await wait_until_blocked(holder)
            for number in range(20):
                await other_book.append(logs[1], f"weekly-{number}")
            assert not delayed_append.done()
            assert len(other_book.positions) == 20
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await delayed_append
        assert book.positions == {"first": 3, "held": 6}
        other_book.check(await everything(logs[1]))
    finally:
        for log in logs:
            await log.aclose()


async def test_the_default_isolation_of_a_database_has_no_effect(
    postgres_server: PostgresServer,
) -> None:
    database = postgres_server.new_database("isolated")
    isolation = "default_transaction_isolation = 'repeatable read'"
    postgres_server.sql(f"ALTER DATABASE {database} SET {isolation}", database="postgres")
    url = postgres_server.url("daily", database=database)
    logs = [await open_at(url) for _ in range(2)]
    book = Book()
    try:
        await book.append(logs[0], "first")
        async with delayed_inserts(postgres_server, database) as holder:
            delayed_append = asyncio.create_task(book.append(logs[0], "held"))
            await wait_until_blocked(holder)
            later = asyncio.create_task(book.append(logs[1], "later"))
            await asyncio.sleep(0.3)
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await asyncio.gather(delayed_append, later)
        assert book.positions == {"first": 3, "held": 6, "later": 9}
    finally:
        for log in logs:
            await log.aclose()
