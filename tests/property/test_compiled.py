"""Compiled operations give the same response as graphql-core, byte by byte: data, errors and their order.

graphql-core reads everything from the views file, while compiled operations use reads that were remembered, also for
other viewers. Both must record the same dependencies, because the response cache relies on them.

`LEDGERPRESS_TEST_EXAMPLES=5000 scripts/test tests/property/test_compiled.py` runs more examples.
"""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from graphql import ExecutionResult, GraphQLObjectType, GraphQLSchema, execute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.context import Context
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.views.snapshot_and_cache_dependencies import CacheDependencies
from tests.cached_documents import nothing_remembered
from tests.property.argument_values import scalar_values
from tests.property.day_scenario import WHOLE_DAY
from tests.property.document_generator import Author, Pools
from tests.property.fault_injection import FAILURES, FieldFault, injected_faults
from tests.property.narrow_queries import VIEWERS
from tests.property.store_session import Session

T = TypeVar("T")

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "400"))


async def test_compiled_operations_give_the_same_response_as_graphql_core(tmp_path: Path) -> None:
    async with Session(tmp_path / "data") as session:
        await session.begin()
        for action in WHOLE_DAY:
            await session.do(action)
        compare(session)


def compare(session: Session) -> None:
    schema = graphql_schema()._schema
    pools = _pools(schema, session)
    counts: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**64), st.booleans())
    def holds(seed: int, everything: bool) -> None:
        chance = Random(seed)  # with Hypothesis's own randomness, nearly every document is minimal
        author = Author(schema, chance, pools)
        request = author.request()
        faults = _faults(chance, sorted(author.selected - {("Node", "id")}))
        viewers = [LOCAL_OPERATOR] if everything else [ANONYMOUS, chance.choice(list(VIEWERS.values()))]
        is_open = chance.random() < 0.8
        variables = (
            request.variables,
            request.variables,
            _inverted(request.variables),
            author.other_variables(request),
        )
        with injected_faults(schema, faults):
            for identity in viewers:
                _compare(schema, session, request.text, variables, faults, Viewer(identity, is_open), counts)

    holds()
    print(dict(counts))  # noqa: T201 - the cases that the examples covered
    assert counts["invalid"] < EXAMPLES / 5
    assert counts["left to graphql-core"] == 0
    assert counts["compiled"] > EXAMPLES / 2
    assert counts["with errors"] > EXAMPLES / 20
    assert counts["no data"] > 0
    assert counts["null within"] > 0
    assert set(FAILURES) <= counts.keys()


class Viewer(NamedTuple):
    """A viewer, and whether everyone may see the past of what is public today."""

    identity: Identity
    open_past: bool


def _compare(
    schema: GraphQLSchema,
    session: Session,
    text: str,
    several_variables: Sequence[dict[str, Any]],
    faults: list[FieldFault],
    viewer: Viewer,
    counts: Counter[str],
) -> None:
    try:
        operation = Documents(schema).operation(text, None)
    except RequestError:
        counts["invalid"] += 1
        return

    def run(execute_with: Callable[[Context], T]) -> tuple[T, CacheDependencies]:
        session.clock.time = now
        for fault in faults:
            fault.rewind()
        context = Context(session.store, viewer.identity, open_past=viewer.open_past)
        try:
            return execute_with(context), context.reads
        finally:
            context.close()

    now = session.clock.time
    # The second execution uses the cached plan, and so does the last, with other arguments; the third needs another one.
    for variables in several_variables:
        with nothing_remembered():
            expected, read = run(partial(_by_graphql_core, schema, operation, variables))
        compiled, remembered = run(partial(execute_compiled, operation, variables))
        if not isinstance(compiled, ExecutionResult) or not isinstance(expected, ExecutionResult):
            counts["left to graphql-core"] += 1
            return
        assert response_bytes(compiled) == response_bytes(expected), text
        assert _values(remembered) == _values(read), text
        counts["compiled"] += 1
        counts["with errors"] += bool(expected.errors)
        counts["no data"] += expected.data is None and any(error.path for error in expected.errors or ())
        counts["null within"] += expected.data is not None and bool(expected.errors)
        counts.update(fault.failure for fault in faults if fault.failed)


def _by_graphql_core(
    schema: GraphQLSchema, operation: Operation, variables: dict[str, Any], context: Context
) -> ExecutionResult | Awaitable[ExecutionResult]:
    return execute(schema, operation.document, context_value=context, variable_values=variables)


def _values(reads: CacheDependencies) -> list[object]:
    return [getattr(reads, name) for name in CacheDependencies.__slots__]


def _inverted(variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables with every Boolean inverted."""
    return {name: not value if isinstance(value, bool) else value for name, value in variables.items()}


def response_bytes(result: ExecutionResult) -> str:
    """Return everything that clients and logging see of a result, with the order of keys and errors."""
    errors = [
        (
            error.formatted,
            error.path,
            [(location.line, location.column) for location in error.locations or ()],
            _cause(error),
        )
        for error in result.errors or ()
    ]
    return json.dumps([result.data, errors], default=repr)


def _cause(error: Any) -> str:
    original = error.original_error
    return f"{type(original).__name__}: {original}"


def _faults(chance: Random, fields: list[tuple[str, str]]) -> list[FieldFault]:
    chosen = chance.sample(fields, min(len(fields), chance.choice((0, 0, 1, 1, 2, 4))))
    return [
        FieldFault(*field, failure=chance.choice(list(FAILURES)), every=chance.choice((1, 2, 3)))
        for field in chosen
    ]


def _pools(schema: GraphQLSchema, session: Session) -> Pools:
    """Return values for arguments, and all fields of queries that are not asynchronous."""
    fields = {
        (type_.name, name)
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        and not type_.name.startswith("__")
        and type_.name != "Mutation"
        for name, field in type_.fields.items()
        if "strawberry-definition" in field.extensions
        and not field.extensions["strawberry-definition"].is_async
    }
    return Pools(scalar_values(session), frozenset(fields | {("Node", "id")}))
