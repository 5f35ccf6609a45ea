"""Whatever is asked, compiled operations answer as graphql-core does, to the byte: data, errors and their order.

`LEDGERPRESS_TEST_EXAMPLES=5000 scripts/test tests/property/test_compiled.py` looks longer.
"""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

from graphql import ExecutionResult, GraphQLObjectType, GraphQLSchema, execute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.context import Context
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.relay import global_ids
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import encode_cursor
from tests.property.day_scenario import WHOLE_DAY
from tests.property.document_generator import Author, Pools, Request
from tests.property.fault_injection import WAYS, Saboteur, sabotaged
from tests.property.store_session import Session

T = TypeVar("T")

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "400"))


async def test_a_compiled_operation_answers_as_graphql_core_does(tmp_path: Path) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        compare(session)


def compare(session: Session) -> None:
    schema = graphql_schema()._schema
    pools = _pools(schema, session)
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**64), st.booleans())
    def holds(seed: int, everything: bool) -> None:
        chance = Random(seed)  # hypothesis's own chance makes nearly every document the smallest
        author = Author(schema, chance, pools)
        request = author.request()
        saboteurs = _saboteurs(chance, sorted(author.asked - {("Node", "id")}))
        identity = LOCAL_OPERATOR if everything else ANONYMOUS
        with sabotaged(schema, saboteurs):
            _compare(schema, session, request, saboteurs, identity, seen)

    holds()
    print(dict(seen))  # noqa: T201 - what the examples came to
    assert seen["invalid"] < EXAMPLES / 5
    assert seen["left to graphql-core"] == 0
    assert seen["compiled"] > EXAMPLES / 2
    assert seen["with errors"] > EXAMPLES / 20
    assert seen["no data"] > 0
    assert seen["null within"] > 0
    assert set(WAYS) <= seen.keys()


def _compare(
    schema: GraphQLSchema,
    session: Session,
    request: Request,
    saboteurs: list[Saboteur],
    identity: Identity,
    seen: Counter[str],
) -> None:
    try:
        operation = Documents(schema).operation(request.text, None)
    except RequestError:
        seen["invalid"] += 1
        return

    def run(how: Callable[[Context], T]) -> T:
        session.clock.time = now
        for one in saboteurs:
            one.rewind()
        context = Context(session.store, identity, open_past=True)
        try:
            return how(context)
        finally:
            context.close()

    now = session.clock.time
    # The second time, the plan is there, or has to be another.
    for variables in (request.variables, request.variables, _turned(request.variables)):
        expected = run(partial(_by_graphql_core, schema, operation, variables))
        compiled = run(partial(execute_compiled, operation, variables))
        if compiled is None or not isinstance(expected, ExecutionResult):
            seen["left to graphql-core"] += 1
            return
        assert _bytes(compiled) == _bytes(expected), request.text
        seen["compiled"] += 1
        seen["with errors"] += bool(expected.errors)
        seen["no data"] += expected.data is None and any(error.path for error in expected.errors or ())
        seen["null within"] += expected.data is not None and bool(expected.errors)
        seen.update(one.way for one in saboteurs if one.failed)


def _by_graphql_core(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: Context
) -> ExecutionResult | Awaitable[ExecutionResult]:
    return execute(schema, operation.document, context_value=context, variable_values=variables)


def _turned(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables with every condition the other way round."""
    return {name: not value if isinstance(value, bool) else value for name, value in variables.items()}


def _bytes(result: ExecutionResult) -> str:
    errors = [
        (
            error.formatted,
            error.path,
            [(one.line, one.column) for one in error.locations or ()],
            _cause(error),
        )
        for error in result.errors or ()
    ]
    return json.dumps([result.data, errors], default=repr)


def _cause(error: Any) -> str:
    original = error.original_error
    return f"{type(original).__name__}: {original}"


def _saboteurs(chance: Random, fields: list[tuple[str, str]]) -> list[Saboteur]:
    chosen = chance.sample(fields, min(len(fields), chance.choice((0, 0, 1, 1, 2, 4))))
    return [Saboteur(*one, way=chance.choice(list(WAYS)), every=chance.choice((1, 2, 3))) for one in chosen]


def _pools(schema: GraphQLSchema, session: Session) -> Pools:
    """Return what may be asked for: every field of every query, but those that are awaited."""
    room = session.room
    with session.store.snapshot() as snapshot:
        head = snapshot.position
    posts = list(room.posts.values())
    known = [
        *(global_ids.encode(kind, post.id) for kind in ("Post", "Article") for post in posts),
        *(global_ids.encode("Category", one) for one in room.categories),
        *(global_ids.encode("Author", one) for one in room.authors),
    ]
    cursors = [encode_cursor(ListingKey(one.created_at, one.seq)) for one in posts]
    slugs = [*(one.slug for one in posts), *(one.slug for one in room.categories.values())]
    scalars: dict[str, list[Any]] = {
        "ID": [*known, "bad", global_ids.encode("Post", "0" * 8)],
        "String": [*slugs * 5, *cursors, "post.edited", "nowhere"],
        "Int": [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 5, 5, 100, 101, -1],
        "Boolean": [True, False],
        "Position": [0, 1, head // 3, head // 2, head * 2 // 3, head - 1, head, head + 1],
        "DateTime": ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00+01:00", "2024-06-01T00:00:00Z"],
    }
    fields = {
        (type_.name, name)
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        and not type_.name.startswith("__")
        and type_.name != "Mutation"
        for name, one in type_.fields.items()
        if "strawberry-definition" in one.extensions and not one.extensions["strawberry-definition"].is_async
    }
    return Pools(scalars, frozenset(fields | {("Node", "id")}))
