"""While a server process takes what editors write, what another process has kept is never older than the views."""

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
from tests.newsroom_model import Newsroom
from tests.property.narrow_queries import DOCUMENTS, Question, Questioner
from tests.property.test_cache import Reader

pytestmark = pytest.mark.serial

ORDERS: Final = 60
NOT_OF_THE_SERVER: Final = {"front", "age", "nonsense"}
"""What its own clock has a part in, and what has errors."""


async def test_answers_kept_here_and_there_are_true_while_a_server_is_written_to(tmp_path: Path) -> None:
    data, chance, engine = tmp_path / "data", Random(1), Executor(graphql_schema())
    async with serving(data, 1) as [server], open_store(data, clock=StandingClock()) as store:
        reader = Reader(store, CachedExecutor(engine), engine)
        writing = asyncio.create_task(write(await server.connect()))
        room, history = Newsroom(), list[Recorded[Event]]()
        questioner, asked = Questioner(chance, room, history), list[Question]()
        async with await server.connect() as client:
            while not writing.done():
                for recorded in event_codec().decode_all(await store.log.read(len(history), 10_000)):
                    history.append(recorded)
                    room.apply(recorded)
                for _ in range(8):
                    if not asked or chance.random() < 0.2:
                        asked.append(questioner.question())
                    await reader.ask(chance.choice(asked[-30:]))
                name = chance.choice(sorted(DOCUMENTS.keys() - NOT_OF_THE_SERVER))
                there = Question(name, "operator", questioner.variables(name, past=False))
                await compare_with(client, store, engine, there)
        await writing
        assert len(history) > ORDERS
        assert reader.answers.counts.hits > 100


async def write(client: Client) -> None:
    """Carry out orders of an editor, one after another, with a breath between them."""
    editor, chance = Editor("Editor", Book(), Random(2)), Random(3)
    async with client:
        for _ in range(ORDERS):
            await editor._carry_out(client, next(editor._orders))
            await asyncio.sleep(chance.choice((0, 0.01, 0.05)))


async def compare_with(client: Client, store: Store, engine: Executor, question: Question) -> None:
    """Fail unless the server says, the first time and the second, what is read here of the same position."""
    body = json.dumps({"query": question.asked["query"], "variables": question.variables}).encode()
    for _ in range(2):
        while True:
            _, headers, told = await client._ask("POST", "/graphql", body)
            anew = await engine.execute_document(store, **question.asked)
            if int(headers["ledgerpress-position"]) == anew.position:
                break
        assert json.loads(told) == json.loads(json.dumps(anew.body, default=str)), question
