"""Queries do not wait for all commands that arrived before them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.command_pacing import GROUP
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from tests.fixed_sources import StandingClock
from tests.property.store_session import Session

CREATE = "mutation ($title: String!) { postCreate(input: {title: $title}) { userErrors { code } } }"
QUERY = "{ posts(first: 1) { totalCount } }"


async def test_a_query_is_answered_before_the_mutations_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session(tmp_path / "data", clock=StandingClock()) as session:
        await session.begin()
        executor, store = Executor(graphql_schema()), session.store
        begun, execute = list[object](), store.commands._execute

        async def counted(command: Any, *arguments: Any, **options: Any) -> Any:
            begun.append(command)
            return await execute(command, *arguments, **options)

        monkeypatch.setattr(store.commands, "_execute", counted)
        mutations = [
            asyncio.create_task(
                executor.execute_document(store, CREATE, variables={"title": f"Tide {number}"})
            )
            for number in range(4 * GROUP)
        ]
        await asyncio.create_task(executor.execute_document(store, QUERY))
        assert len(begun) <= GROUP
        results = await asyncio.gather(*mutations)
        assert all(result.body["data"]["postCreate"]["userErrors"] == [] for result in results)
        assert len(begun) == 4 * GROUP


async def test_rejected_mutations_do_not_delay_others(tmp_path: Path) -> None:
    async with Session(tmp_path / "data", clock=StandingClock()) as session:
        await session.begin()
        executor, store = Executor(graphql_schema()), session.store
        ended = list[str]()

        async def create(identity: Identity, title: str) -> None:
            await executor.execute_document(store, CREATE, variables={"title": title}, identity=identity)
            ended.append(title)

        async with asyncio.TaskGroup() as group:
            for _ in range(4 * GROUP):
                group.create_task(create(ANONYMOUS, "not permitted"))
            group.create_task(create(LOCAL_OPERATOR, "permitted"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert ended == ["not permitted"] * (4 * GROUP)
