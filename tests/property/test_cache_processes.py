"""While a server process runs commands, cached responses of another process are never older than the views."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Final

import pytest

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import event_codec, graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import StandingClock
from tests.integration.editor_clients import Book, Editor
from tests.integration.keep_alive_client import Client
from tests.integration.server_process import serving
from tests.integration.several_workers import pytest_generate_tests, workers
from tests.newsroom_model import Newsroom
from tests.property.narrow_queries import DOCUMENTS, Query, QueryGenerator
from tests.property.test_cache import Reader

__all__ = ["pytest_generate_tests", "workers"]

pytestmark = [pytest.mark.serial, pytest.mark.usefixtures("workers")]

COMMANDS: Final = 60
NOT_COMPARABLE: Final = {"front", "age", "nonsense"}
"""Documents whose response depends on the server's clock, or has errors."""


async def test_cached_responses_of_two_processes_are_right_while_one_runs_commands(tmp_path: Path) -> None:
    data, chance, engine = tmp_path / "data", Random(1), Executor(graphql_schema())
    async with serving(data, 1) as [server], open_store(data, clock=StandingClock()) as store:
        reader = Reader(store, CachedExecutor(engine), engine)
        writing = asyncio.create_task(write(await server.connect()))
        room, history = Newsroom(), list[Recorded[Event]]()
        query_generator, queries = QueryGenerator(chance, room, history), list[Query]()
        async with await server.connect() as client:
            while not writing.done():
                for recorded in event_codec().decode_all(await store.log.read(len(history), 10_000)):
                    history.append(recorded)
                    room.apply(recorded)
                for _ in range(8):
                    if not queries or chance.random() < 0.2:
                        queries.append(query_generator.query())
                    await reader.compare(chance.choice(queries[-30:]))
                name = chance.choice(sorted(DOCUMENTS.keys() - NOT_COMPARABLE))
                query = Query(name, "operator", query_generator.variables(name, past=False))
                await compare_with(client, store, engine, query)
        await writing
        assert len(history) > COMMANDS
        assert reader.executor.counts.hits > 100


async def write(client: Client) -> None:
    """Run commands of an editor, one after another, with short pauses."""
    editor, chance = Editor("Editor", Book(), Random(2)), Random(3)
    async with client:
        for _ in range(COMMANDS):
            await editor._carry_out(client, next(editor._orders))
            await asyncio.sleep(chance.choice((0, 0.01, 0.05)))


async def compare_with(client: Client, store: Store, engine: Executor, query: Query) -> None:
    """Fail unless the server's first and second response equal a local response at the same position."""
    body = json.dumps({"query": query.arguments["query"], "variables": query.variables}).encode()
    for _ in range(2):
        while True:
            _, headers, text = await client._ask("POST", "/graphql", body)
            fresh = await engine.execute_document(store, **query.arguments)
            if int(headers["ledgerpress-position"]) == fresh.position:
                break
        assert json.loads(text) == json.loads(json.dumps(fresh.body, default=str)), query
