"""Compiled mutations run the same commands and give the same response as graphql-core, byte by byte.

A recorder takes the place of the command handler, so that each document can be executed several times.

`LEDGERPRESS_TEST_EXAMPLES=5000 scripts/test tests/property/test_compiled_mutations.py` runs more examples.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from graphql import ExecutionResult, GraphQLObjectType, GraphQLSchema, OperationType, execute

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.command_request_and_context import CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import PermissionDenied, Role
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.context import Context
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.server.store import Store
from tests.identities import identity
from tests.newsroom_model import Newsroom
from tests.property.argument_values import scalar_values
from tests.property.day_scenario import WHOLE_DAY
from tests.property.document_generator import Author, Pools
from tests.property.store_session import Session
from tests.property.test_compiled import response_bytes

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "400"))
ASYNCHRONOUS: Final = 0.3
"""The part of the documents that may select fields that have to be awaited."""


class Recorder:
    """Records commands instead of executing them. The same commands have the same results, chosen by `seed`."""

    def __init__(self, seed: int, room: Newsroom) -> None:
        self._chance = Random(seed)
        self._subjects = {"Post": [*room.posts], "Category": [*room.categories], "Author": [*room.authors]}
        self.commands: list[str] = []

    def clear_cache(self) -> None:
        """Do nothing: there is no cache."""

    async def handle_together(self, commands: Sequence[tuple[object, object]]) -> list[CommandResult]:
        return [await self.handle(command, request) for command, request in commands]

    async def wait_for_views(self, position: int) -> bool:
        return position == 7

    async def handle(self, command: object, request: object, *, wait_for_views: bool = True) -> CommandResult:
        self.commands.append(f"{command} {request}")
        if self._chance.random() < 0.5:
            await asyncio.sleep(0)
        match self._chance.random():
            case draw if draw < 0.1:
                raise Rejection(ErrorCode.VERSION_CONFLICT, "too late", field=("title",), current_version=7)
            case draw if draw < 0.15:
                raise PermissionDenied(None)
            case draw if draw < 0.2:
                raise LogUnavailable("away")
            case draw if draw < 0.25:
                raise RuntimeError("out of order")
        name = next((kind for kind in self._subjects if kind in type(command).__name__), "Author")
        subject = self._chance.choice(self._subjects[name])
        return CommandResult(subject, 7, self._chance.random() < 0.3, self._chance.random() < 0.1)


async def test_compiled_mutations_equal_those_of_graphql_core(tmp_path: Path) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        counts: Counter[str] = Counter()
        schema = graphql_schema()._schema
        scalars = scalar_values(session)
        fields = {waits: Pools(scalars, _fields(schema, waits=waits)) for waits in (False, True)}
        for seed in range(EXAMPLES):
            chance = Random(seed)
            author = Author(schema, chance, fields[chance.random() < ASYNCHRONOUS])
            request = author.request(OperationType.MUTATION)
            user = chance.choice((LOCAL_OPERATOR, LOCAL_OPERATOR, identity(Role.AUTHOR, "a"), ANONYMOUS))
            try:
                operation = Documents(schema).operation(request.text, None)
            except RequestError:
                counts["invalid"] += 1
                continue
            await _compare(session, operation, request.variables, user, seed, counts)
    print(dict(counts))  # noqa: T201 - the cases that the examples covered
    assert counts["invalid"] < EXAMPLES / 5
    assert counts["compiled"] > EXAMPLES
    assert counts["left to graphql-core"] < EXAMPLES / 10
    for case in ("commands", "with errors", "with user errors", "with an object", "invalid variables"):
        assert counts[case] > EXAMPLES / 50, case
    assert counts["several commands"] > EXAMPLES / 50


async def _compare(
    session: Session,
    operation: Operation,
    variables: dict[str, Any],
    user: Identity,
    seed: int,
    counts: Counter[str],
) -> None:
    now = session.clock.time

    async def run(*, compiled: bool) -> tuple[str, list[str]] | None:
        session.clock.time, session.randomness._draws = now, count()
        recorder = Recorder(seed, session.room)
        handler: Any = recorder
        store: Store = replace(session.store, new_command_handler=lambda: handler, caches=[])
        context = Context(store, user, open_past=True)
        try:
            result = _execute(operation, variables, context, compiled=compiled)
            if result is None:
                return None
            response = response_bytes(result if isinstance(result, ExecutionResult) else await result)
            return response, recorder.commands
        finally:
            context.close()

    expected = await run(compiled=False)
    for _ in range(2):  # the second execution uses the cached plan
        executed = await run(compiled=True)
        if executed is None:
            counts["left to graphql-core"] += 1
            return
        assert executed == expected, operation.text
        response, commands = executed
        counts["compiled"] += 1
        counts["commands"] += bool(commands)
        counts["several commands"] += len(commands) > 1
        counts["with errors"] += not response.endswith(", []]")
        counts["with user errors"] += '"userErrors": [{' in response
        counts["with an object"] += '"post": {' in response or '"category": {' in response
        counts["invalid variables"] += "has invalid value" in response


def _execute(
    operation: Operation, variables: dict[str, Any], context: Context, *, compiled: bool
) -> ExecutionResult | Awaitable[ExecutionResult] | None:
    if compiled:
        return execute_compiled(operation, variables, context)
    return execute(operation.schema, operation.document, context_value=context, variable_values=variables)


def _fields(schema: GraphQLSchema, *, waits: bool) -> frozenset[tuple[str, str]]:
    """Return the fields of mutations and of all objects; with `waits`, also those that have to be awaited."""
    return frozenset(
        (type_.name, name)
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
        if waits or type_.name == "Mutation" or not field.extensions["strawberry-definition"].is_async
    ) | {("Node", "id")}
