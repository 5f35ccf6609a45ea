"""Compiled mutations on a small schema: one root field after the other, each executed exactly once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, build_schema, execute

from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.documents import Documents, Operation

SCHEMA = """
    type Query { nothing: Int }
    type Ship { name: String! size: Int! mates: [Ship!] owner: Named }
    interface Named { name: String! }
    type Person implements Named { name: String! }
    type Mutation {
        launch(name: String = "Gull", size: Int!): Ship
        sink(name: String): Ship!
        paint(ship: Paint!): String
        count: Int
    }
    enum Colour { RED BLUE }
    input Paint { colour: Colour = RED coats: [Int!]! = [1] by: By second: Paint }
    input By @oneOf { name: String id: ID }
"""


class Yard:
    """A root value that records the calls of its resolvers. `later` decides which resolvers have to be awaited."""

    def __init__(self, later: Callable[[str], bool]) -> None:
        self.later = later
        self.calls: list[Any] = []

    def _value(self, call: Any, value: Any) -> Any:
        self.calls.append(call)
        return self._awaitable(call[0], value)

    def _awaitable(self, name: str, value: Any) -> Any:
        async def wait() -> Any:
            await asyncio.sleep(0)
            if isinstance(value, Exception):
                raise value
            return value

        return wait() if self.later(name) else value

    def launch(self, _info: Any, size: int, name: str | None = None) -> Any:
        ship = {"name": name, "size": size, "mates": lambda _: self._awaitable("mates", [{"name": "Tern"}])}
        ship["owner"] = lambda _: self._awaitable("owner", {"__typename": "Person", "name": "Ada"})
        return self._value(("launch", name, size), ship)

    def sink(self, _info: Any, name: str | None = None) -> Any:
        return self._value(("sink", name), ValueError("too deep") if name is None else {"name": name})

    def paint(self, info: Any, ship: dict[str, Any]) -> Any:
        return self._value(("paint", str(ship), str(info.path.as_list())), f"{ship}")

    def count(self, _info: Any) -> Any:
        return self._value(("count",), len(self.calls))


@pytest.fixture
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA)


def operation_of(schema: GraphQLSchema, text: str) -> Operation:
    return Documents(schema).operation(text, None)


async def result_of(result: ExecutionResult | Awaitable[ExecutionResult]) -> ExecutionResult:
    return result if isinstance(result, ExecutionResult) else await result


async def execute_both(
    schema: GraphQLSchema,
    text: str,
    variables: Mapping[str, Any] | None = None,
    later: Callable[[str], bool] = lambda _: True,
    *,
    times: int = 2,
) -> ExecutionResult:
    """Execute with graphql-core and with a compiled plan. Return the result if they agree, also about the calls."""
    operation = operation_of(schema, text)
    yard = Yard(later)
    expected = await result_of(execute(schema, operation.document, yard, {}, dict(variables or {})))
    for _ in range(times):
        compiled_yard = Yard(later)
        result = execute_compiled(operation, variables, {}, compiled_yard)
        assert result is not None
        compiled = await result_of(result)
        assert compiled.formatted == expected.formatted
        assert str(compiled.data) == str(expected.data)  # including the order of the keys
        assert [error.locations for error in compiled.errors or ()] == [
            error.locations for error in expected.errors or ()
        ]
        assert compiled_yard.calls == yard.calls
    return expected


@pytest.mark.parametrize("later", [lambda _: True, lambda _: False, lambda name: name == "launch"])
@pytest.mark.parametrize(
    "text",
    [
        "mutation { launch(size: 1) { name size } count }",
        "mutation { b: count launch(size: 1) { name __typename } __typename a: count }",
        "mutation { launch(size: 1, name: null) { size } n: launch(size: 2, name: null) { name } c: count }",
        'mutation { sink(name: "Gull") { name } count }',
        "mutation { count sink { name } a: count }",
        'mutation { sink(name: "Gull") { name size } count }',
        "mutation { ...F a: launch(size: 2) { ...S } } fragment F on Mutation { count } fragment S on Ship { name }",
        'mutation { paint(ship: {colour: BLUE, by: {name: "Ada"}, second: {coats: []}}) }',
    ],
)
async def test_a_response_and_the_calls_equal_those_of_graphql_core(
    schema: GraphQLSchema, text: str, later: Callable[[str], bool]
) -> None:
    await execute_both(schema, text, later=later)


@pytest.mark.parametrize(
    "variables",
    [
        {"size": 1},
        {"size": 1, "name": "Tern", "again": True, "ship": {"by": {"id": 7}}},
        {"size": 2.0, "name": None, "again": False},
        {"size": "2"},
        {"size": None},
        {"size": 2**31},
        {"size": True},
        {"name": "Tern"},
        {"size": 1, "again": None},
        {"size": 1, "ship": {"colour": "RED", "coats": 3, "by": None}},
        {"size": 1, "ship": {"colour": "GREEN"}},
        {"size": 1, "ship": {"colour": 1, "coats": [None]}},
        {"size": 1, "ship": {"coats": None}},
        {"size": 1, "ship": {"shape": 1}},
        {"size": 1, "ship": {"by": {"name": "Ada", "id": 1}}},
        {"size": 1, "ship": {"by": {"name": None}}},
        {"size": 1, "ship": {"by": {}}},
        {"size": 1, "ship": {"second": {"second": {"coats": (1, 2)}}}},
        {"size": 1, "ship": []},
        {"size": 1, "ship": None},
        {"size": 1, "other": 1},
    ],
)
async def test_variables_are_coerced_as_by_graphql_core(
    schema: GraphQLSchema, variables: dict[str, Any]
) -> None:
    text = """mutation ($size: Int!, $name: String, $again: Boolean! = true, $ship: Paint = {coats: 4}) {
        launch(size: $size, name: $name) { name size } paint(ship: $ship) count @include(if: $again) }"""
    await execute_both(schema, text, variables)
    # A variable within a literal.
    await execute_both(
        schema, "mutation ($by: By) { paint(ship: {by: $by, coats: [2]}) }", {"by": variables.get("ship")}
    )


@pytest.mark.parametrize(
    "below", ["mates { name }", "owner { name }", "name mates { size } size", "mates { mates { name } }"]
)
async def test_a_payload_that_has_to_be_awaited_is_completed_without_executing_the_field_again(
    schema: GraphQLSchema, below: str
) -> None:
    text = f"mutation {{ a: launch(size: 1) {{ name size {below} }} b: launch(size: 2) {{ {below} }} count }}"
    await execute_both(schema, text, times=1)
    operation = operation_of(schema, text)
    first = execute_compiled(operation, None, {}, Yard(lambda name: name != "count"))
    assert first is not None
    await result_of(first)
    assert execute_compiled(operation, None, {}, Yard(lambda _: True)) is None


async def test_an_awaitable_attribute_of_a_payload_is_awaited_once(schema: GraphQLSchema) -> None:
    async def name() -> str:
        return "Gull"

    operation = operation_of(schema, "mutation { launch(size: 1) { size name } }")
    result = execute_compiled(operation, None, {}, {"launch": lambda _info, **_: {"name": name(), "size": 1}})
    assert result is not None
    assert (await result_of(result)).formatted == {"data": {"launch": {"size": 1, "name": "Gull"}}}


async def test_errors_before_graphql_core_completes_a_payload_are_not_repeated(schema: GraphQLSchema) -> None:
    def mates(_info: Any) -> Any:
        async def wait() -> Any:
            return [{"name": "Tern"}]

        return wait()

    def owner(_info: Any) -> Any:
        raise GraphQLError("nobody")

    root = {"launch": lambda _info, **_: {"name": "Gull", "owner": owner, "mates": mates}}
    text = "mutation { launch(size: 1) { owner { name } mates { name } } again: launch(size: 1) { size } }"
    operation = operation_of(schema, text)
    expected = await result_of(execute(schema, operation.document, root))
    result = execute_compiled(operation, None, {}, root)
    assert result is not None
    assert (await result_of(result)).formatted == expected.formatted
    assert [error.message for error in expected.errors or ()] == [
        "nobody",
        "Cannot return null for non-nullable field Ship.size.",
    ]


async def test_a_cancelled_mutation_is_cancelled_and_has_no_result(schema: GraphQLSchema) -> None:
    began = asyncio.Event()

    async def launch(_info: Any, **_: Any) -> Any:
        began.set()
        await asyncio.Event().wait()

    result = execute_compiled(
        operation_of(schema, "mutation { launch(size: 1) { name } }"), None, {}, {"launch": launch}
    )
    assert isawaitable(result)
    task = asyncio.ensure_future(result)
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@strawberry.input
class Load:
    weight: int
    goods: list[str] = strawberry.field(default_factory=lambda: ["rope"])
    stacked: "list[Load] | None" = None
    note: str | None = strawberry.UNSET


@strawberry.type
class Harbour:
    name: str

    @strawberry.field
    async def flag(self) -> str:
        return "blue"


@strawberry.type
class HarbourQuery:
    name: str = "harbour"


@strawberry.type
class HarbourMutation:
    @strawberry.mutation
    def load(self, info: strawberry.Info, load: Load, times: int = 1) -> Harbour:
        return Harbour(name=f"{load} {times} {info.path.as_list()} {info.context} {info.schema is not None}")

    @strawberry.mutation
    def hook(self, load: Load) -> Harbour:
        load.goods.append("hook")
        return Harbour(name=str(load.goods))

    @strawberry.mutation
    async def unload(self, loads: list[Load] | None = None) -> Harbour | None:
        await asyncio.sleep(0)
        return None if loads is None else Harbour(name=str(loads))


@pytest.mark.parametrize(
    "text",
    [
        "mutation ($load: Load!, $loads: [Load!]) { load(load: $load) { name } unload(loads: $loads) { name } }",
        "mutation ($load: Load!) { a: load(load: $load, times: 2) { name } b: load(load: $load) { name } }",
        "mutation ($loads: [Load!]) { load(load: {weight: 1, note: null}) { name } unload(loads: $loads) { name } }",
        "mutation ($load: Load!) { load(load: $load) { flag } }",
    ],
)
@pytest.mark.parametrize(
    "load",
    [
        {"weight": 1},
        {"weight": 2, "goods": ["a"], "stacked": None, "note": "x"},
        {"weight": 2, "stacked": [{"weight": 3, "note": None}, {"weight": 4, "stacked": []}]},
        {"weight": "heavy"},
    ],
)
async def test_strawberry_resolvers_get_the_same_arguments_as_from_strawberry(
    text: str, load: dict[str, Any]
) -> None:
    schema = strawberry.Schema(HarbourQuery, HarbourMutation)._schema
    operation = operation_of(schema, text)
    variables = {
        name: value for name, value in {"load": load, "loads": [load, load]}.items() if f"${name}:" in text
    }
    context = {"who": "me"}
    expected = await result_of(
        execute(schema, operation.document, context_value=context, variable_values=variables)
    )
    result = execute_compiled(operation, variables, context)
    assert result is not None
    assert (await result_of(result)).formatted == expected.formatted


async def test_a_resolver_that_changes_its_argument_does_not_change_that_of_the_next_request() -> None:
    schema = strawberry.Schema(HarbourQuery, HarbourMutation)._schema
    for text in (
        "mutation { hook(load: {weight: 1}) { name } }",
        "mutation ($l: Load!) { hook(load: $l) { name } }",
    ):
        operation = operation_of(schema, text)
        for _ in range(2):
            result = execute_compiled(operation, {"l": {"weight": 1}}, {})
            assert result is not None
            assert (await result_of(result)).data == {"hook": {"name": "['rope', 'hook']"}}
