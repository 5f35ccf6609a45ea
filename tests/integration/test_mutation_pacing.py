"""Queries do not wait for all mutations that arrived before them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.mutation_pacing import GROUP
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
        begun, handle = list[object](), store.commands.handle

        async def counted(command: Any, *arguments: Any, **options: Any) -> Any:
            begun.append(command)
            return await handle(command, *arguments, **options)

        monkeypatch.setattr(store.commands, "handle", counted)
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
