"""Stores with a copied history, or with a part of it, and queries to them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.graphql.context import Store as ContextStore
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from tests.property.expected_responses import QUESTIONS, Json
from tests.property.long_scenario import StandingClock
from tests.written_log import write_copy


@asynccontextmanager
async def store_of(data: Path, events: Sequence[StoredEvent], clock: StandingClock) -> AsyncIterator[Store]:
    """Open a store whose log contains `events`."""
    await asyncio.to_thread(data.mkdir)
    await write_copy(data / LOG_FILE, events[0].header.publication, [events])
    async with open_store(data, create=False, clock=clock, batch_size=5_000) as store:
        yield store


@contextmanager
def copying(source: Path, to: Path) -> Iterator[sqlite3.Connection]:
    """Open the log in `to` for writing, with the log in `source` attached as `source`."""
    with closing(sqlite3.connect(to / LOG_FILE, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("ATTACH ? AS source", (str(source / LOG_FILE),))
        yield db


async def copy_events(store: Store, logs: sqlite3.Connection, position: int) -> None:
    """Copy the events up to `position` unchanged, and let the views of `store` catch up."""
    logs.execute(
        f"INSERT INTO main.event ({event_reads_and_group_append.COLUMNS}) SELECT {event_reads_and_group_append.COLUMNS} FROM source.event "
        "WHERE position > ? AND position <= ? ORDER BY position",
        (await store.log.head(), position),
    )
    await store.views.catch_up()
    assert {point.position for point in store.checkpoints.values()} == {position}


async def query_data(
    engine: Executor,
    store: ContextStore,
    variables: Json,
    *,
    document: str = QUESTIONS,
    identity: Identity = LOCAL_OPERATOR,
    open_past: bool = False,
) -> Json:
    response = await engine.execute_document(
        store, document, variables=variables, identity=identity, open_past=open_past
    )
    assert "errors" not in response.body, response.body["errors"]
    data: Json = response.body["data"]
    return data
