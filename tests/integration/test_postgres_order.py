"""In PostgreSQL, position order is commit order, whatever holds an append back, and publications do not wait for others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from ledgerpress.adapters.postgres.server import Connection
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, Follower, command, everything, open_at

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
async def held_back(server: PostgresServer, database: str) -> AsyncIterator[Connection]:
    """Hold back every insert into the stream `post.held`, until the lock is given up or the block ends."""
    server.sql(HOLD, database=database)
    holder = await asyncpg.connect(server.address(database=database))
    try:
        await holder.execute("SELECT pg_advisory_lock(77)")
        yield holder
    finally:
        await holder.close()


async def until_it_waits(holder: Connection) -> None:
    async with asyncio.timeout(10):
        while not await holder.fetchval(WAITERS):  # noqa: ASYNC110 - the server tells nobody who waits
            await asyncio.sleep(0.01)


async def test_no_follower_misses_an_insert_that_is_held_back(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("held")
    url = postgres_server.url("daily", database=database)
    logs = [await open_at(url) for _ in range(4)]
    follower = Follower(logs[0])
    book = Book()
    try:
        await book.append(logs[1], "first")
        async with held_back(postgres_server, database) as holder:
            held = asyncio.create_task(book.append(logs[1], "held"))
            await until_it_waits(holder)
            # These have all that they need, and are sent later; some by the same node, some by others.
            later = [asyncio.create_task(book.append(logs[n % 4], f"later-{n}")) for n in range(40)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in (held, *later))
            assert await logs[2].head() == 3
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await asyncio.gather(held, *later)
        assert len(book.positions) == 42
        assert book.positions["held"] == 6
        seen = await follower.reach(42 * 3)
        book.check(seen)
        assert seen == await everything(logs[3])
    finally:
        follower.stop()
        for log in logs:
            await log.aclose()


async def test_who_goes_past_the_lock_is_refused_rather_than_seen_out_of_order(
    postgres_server: PostgresServer,
) -> None:
    database = postgres_server.new_database("past")
    log = await open_at(postgres_server.url("daily", database=database))
    other = await asyncpg.connect(postgres_server.address(database=database))
    copied = """
    INSERT INTO ledgerpress.event SELECT log, position + $1, v, gen_random_uuid(), 'post.x' || $1, 1, type, schema_version,
        recorded_at, actor_id, NULL, command_id, correlation_id, NULL, payload_commitment, encoding, payload, salt
    FROM ledgerpress.event WHERE position = 3
    """
    try:
        await log.append(command("first"))
        for distance, why in ((1, "the head of the log moves"), (2, "at the position after the last")):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=why):
                await other.execute(copied, distance)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="position of its last event"):
            await other.execute("UPDATE ledgerpress.log_head SET position = position + 1")
        assert await log.append(command("second")) == 6
    finally:
        await other.close()
        await log.aclose()


async def test_publications_append_beside_one_another(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("beside")
    logs = [await open_at(postgres_server.url(name, database=database)) for name in ("daily", "weekly")]
    book, other_book = Book(), Book()
    try:
        await book.append(logs[0], "first")
        async with held_back(postgres_server, database) as holder:
            held = asyncio.create_task(book.append(logs[0], "held"))
            await until_it_waits(holder)
            for number in range(20):
                await other_book.append(logs[1], f"weekly-{number}")
            assert not held.done()
            assert len(other_book.positions) == 20
            await holder.execute("SELECT pg_advisory_unlock(77)")
            await held
        assert book.positions == {"first": 3, "held": 6}
        other_book.check(await everything(logs[1]))
    finally:
        for log in logs:
            await log.aclose()
