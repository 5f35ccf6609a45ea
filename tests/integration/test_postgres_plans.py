"""PostgreSQL reads few rows for each event, however long the log is, even if it planned while the log was short.

The server collects no statistics of the table here: statistics would replace a plan that was made too early.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

import msgspec
import pytest

from ledgerpress.adapters.postgres.connection import Server
from ledgerpress.adapters.postgres.copy_target import PostgresCopyTarget
from ledgerpress.adapters.postgres.log_registry import create_log
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, SealedPayload
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import event, everything, open_at

EVENTS: Final = 400
STREAMS: Final = 20
ROWS_PER_EVENT: Final = 40
"""Twice the rows that an append reads here, and a fifth of the rows of an append that reads the whole log once."""
PAYLOAD: Final = b'{"data":{"body":"' + b"x" * 1_600 + b'"}}'
"""The largest payload that is stored in the row itself, so that few events fill the pages that a planner always assumes."""

_numbers = count(1)


class Database:
    """A database whose tables the server does not analyze by itself."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._name = server.new_database(f"plans_{next(_numbers)}")

    def url(self, publication: str = "daily") -> str:
        return self._server.url(publication, database=self._name)

    @property
    def server(self) -> Server:
        return Server(self._server.address(database=self._name), "the server")

    async def create_tables(self) -> None:
        connection = await self.server.connect()
        await create_log(connection, self.server, "other", lambda: uuid8("publication"), complete=True)
        await connection.execute("ALTER TABLE ledgerpress.event SET (autovacuum_enabled = off)")
        await connection.close()

    def analyze(self) -> None:
        self._server.sql("ANALYZE ledgerpress.event", database=self._name)

    async def rows_read(self) -> int:
        """Return the number of rows of events and of index entries that all sessions have read; wait until they have ended."""
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        async with asyncio.timeout(20):
            while self._sql(f"SELECT count(*) {others} AND backend_type = 'client backend'") > 0:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return self._sql("""
            SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'ledgerpress.event'::regclass)
                + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'ledgerpress.event'::regclass)
        """)

    def _sql(self, query: str) -> int:
        return int(self._server.sql(query, database=self._name))


@pytest.fixture
async def database(postgres_server: PostgresServer) -> Database:
    database = Database(postgres_server)
    await database.create_tables()
    return database


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[OpenedLog]:
    log = await open_at(url)
    try:
        yield log
    finally:
        await log.aclose()


async def append(log: OpenedLog, name: str, events: int, *, at_once: int = 1) -> None:
    """Append events one by one, or up to `STREAMS` at once."""
    for first in range(0, events, at_once):
        await asyncio.gather(*map(log.append, writes(name, range(first, min(first + at_once, events)))))


def writes(name: str, numbers: Iterable[int]) -> Iterable[list[StreamWrite]]:
    for number in numbers:
        payload = SealedPayload(JSON_ENCODING, PAYLOAD, bytes(32))
        new_event = msgspec.structs.replace(event(name, number), payload=payload)
        yield [StreamWrite(f"post.{name}-{number % STREAMS}", number // STREAMS, (new_event,))]


@pytest.mark.parametrize("single_appends", [0, 1, 12])
async def test_appends_to_a_new_log(database: Database, single_appends: int) -> None:
    async with opened(database.url()) as log:
        await append(log, "single", single_appends)
        await append(log, "group", EVENTS, at_once=STREAMS)
    assert await database.rows_read() < ROWS_PER_EVENT * EVENTS


async def test_appends_after_statistics_of_a_short_log(database: Database) -> None:
    async with opened(database.url()) as log:
        await append(log, "single", 12)
        database.analyze()
        await append(log, "more", 8)
        await append(log, "group", EVENTS, at_once=STREAMS)
    assert await database.rows_read() < ROWS_PER_EVENT * EVENTS


async def test_appends_after_probes_of_an_empty_log(database: Database) -> None:
    async with opened(database.url()) as log:
        for _ in range(8):
            await log.check_writable()
        await append(log, "group", EVENTS, at_once=STREAMS)
    assert await database.rows_read() < ROWS_PER_EVENT * EVENTS


async def test_appends_after_appends_of_another_node(database: Database) -> None:
    async with opened(database.url()) as log, opened(database.url()) as other:
        await append(log, "first", 1)
        await append(other, "other", EVENTS, at_once=STREAMS)
        await append(log, "later", EVENTS, at_once=STREAMS)
    assert await database.rows_read() < ROWS_PER_EVENT * 2 * EVENTS


async def test_probes_after_appends_of_another_node(database: Database) -> None:
    async with opened(database.url()) as log, opened(database.url()) as other:
        await append(log, "first", 1)
        await append(other, "other", EVENTS, at_once=STREAMS)
        for _ in range(EVENTS):
            await log.check_writable()
    assert await database.rows_read() < ROWS_PER_EVENT * 2 * EVENTS


async def test_appends_to_a_log_that_the_statistics_of_the_server_do_not_know(database: Database) -> None:
    async with opened(database.url("weekly")) as log:
        await append(log, "weekly", EVENTS, at_once=STREAMS)
    database.analyze()
    before = await database.rows_read()
    async with opened(database.url()) as log:
        await append(log, "single", EVENTS)
    assert await database.rows_read() - before < ROWS_PER_EVENT * EVENTS


async def test_reads_of_a_log_that_has_grown(database: Database) -> None:
    async with opened(database.url()) as log, opened(database.url()) as other:
        for round_ in ("first", "second"):
            for _ in range(EVENTS // 2):
                await log.head()
                await log.read(0, 2)
                await log.read_stream("post.other-1", after=EVENTS)
            if round_ == "first":
                await append(other, "other", EVENTS, at_once=STREAMS)
    assert await database.rows_read() < ROWS_PER_EVENT * EVENTS


async def test_a_copy_whose_first_batch_is_short(database: Database, postgres_server: PostgresServer) -> None:
    source = Database(postgres_server)
    await source.create_tables()
    async with opened(source.url()) as log:
        await append(log, "source", EVENTS, at_once=STREAMS)
        events = await everything(log)
        target = await PostgresCopyTarget.open(database.server, "daily", log.publication)
    for first, last in [(0, 1), *((n, n + 19) for n in range(1, EVENTS, 19))]:
        await target.extend(events[first:last])
    await target.finish()
    await target.aclose()
    assert await database.rows_read() < ROWS_PER_EVENT * EVENTS
