"""Compiled operations on a small schema: rare cases of the specification, and operations left to graphql-core."""

import asyncio
import functools
import sys
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute,
)

from ledgerpress.graphql.compiled import query_compiler as plans
from ledgerpress.graphql.compiled.compiled_executor import execute_compiled
from ledgerpress.graphql.documents import MAX_PLANS, Documents, Operation

SCHEMA = """
    interface Named { name: String }
    interface Sized implements Named { name: String size: Int! }
    type Ship implements Named & Sized { name: String size: Int! captain: Person! crew: [Person!]! mates: [Person] }
    type Person implements Named { name: String kind: Kind boss: Person! lucky: [[Int!]] odd: [[Int]!]! }
    union Thing = Ship | Person
    enum Kind { SAILOR COOK }
    scalar Moment
    type Query {
        ship: Ship
        ships(first: Int = 2, where: Where): [Ship]
        things: [Thing]
        named: Named
        sized: [Sized!]
        moment: Moment
        names: [String!]
        numbers: [Int]
        yes: Boolean!
        path: String
    }
    type Mutation { nothing: Int }
    input Where { size: Int = 3 tags: [String!] }
"""


def person(name: Any, **more: Any) -> dict[str, Any]:
    return {"__typename": "Person", "name": name, "kind": "COOK", **more}


def broken(_info: GraphQLResolveInfo[Any]) -> Any:
    raise ValueError("out of order")


ADA = person("Ada", lucky=[[1, 2], None, [3, None, 4], []], odd=[[None, 1], [2]])
BEN = person("Ben", boss=ADA, kind="CAPTAIN", lucky=["12", [2**40, 5]], odd=[[1], None])
SHIP = {
    "__typename": "Ship",
    "name": "Gull",
    "size": 3,
    "captain": ADA,
    "crew": [ADA, BEN],
    "mates": [BEN, None],
}
ROOT: dict[str, Any] = {
    "ship": SHIP,
    "ships": [SHIP, None, {**SHIP, "captain": None}, {**SHIP, "crew": [ADA, None, BEN]}],
    "things": [SHIP, ADA, person(broken), None],
    "named": BEN,
    "sized": [SHIP, SHIP],
    "moment": 5,
    "names": ["a", "b"],
    "numbers": [1, "2", "x", None, 2**40, True],
    "yes": True,
    "path": lambda info: "/".join(map(str, info.path.as_list())),
}


@pytest.fixture
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA)


def execute_both(
    schema: GraphQLSchema, text: str, root: Any = None, variables: Mapping[str, Any] | None = None
) -> ExecutionResult:
    """Execute a query with graphql-core and, twice, with a compiled plan. Return the result if they agree."""
    root = ROOT if root is None else root
    operation = operation_of(schema, text)
    expected = execute(schema, operation.document, root, {}, dict(variables or {}))
    assert isinstance(expected, ExecutionResult)
    for _ in range(2):
        result = execute_compiled(operation, variables, {}, root)
        assert isinstance(result, ExecutionResult)
        assert result.formatted == expected.formatted
        assert str(result.data) == str(expected.data)  # including the order of the keys
        assert [error.locations for error in result.errors or ()] == [
            error.locations for error in expected.errors or ()
        ]
    return expected


def operation_of(schema: GraphQLSchema, text: str) -> Operation:
    return Documents(schema).operation(text, None)


@pytest.mark.parametrize(
    "text",
    [
        "{ ship { name captain { name } name size captain { kind n: name } } }",
        """{ ...A ship { captain { name } } ...B } fragment A on Query { ship { size ...C } }
        fragment B on Query { ship { name ...C } yes } fragment C on Ship { captain { kind } }""",
        "{ ship { captain { lucky odd } crew { lucky } } }",
        "{ ship { crew { name odd } } }",
        "{ ship { mates { odd lucky name } name } }",
        "{ ship { mates { boss { boss { name } } } } }",
        "{ ships { name captain { name } } }",
        "{ ships(first: 1, where: {size: null}) { crew { name } } }",
        "{ things { __typename ... on Named { name } ... on Sized { size } ... on Person { kind } ... { t: __typename } } }",
        "{ named { name ... on Person { kind boss { name } } ... on Sized { size } } }",
        "{ sized { name ... on Ship { captain { name } } } }",
        "{ numbers names moment yes path p: path }",
    ],
)
def test_a_response_equals_that_of_graphql_core_in_order_of_keys_and_errors(
    schema: GraphQLSchema, text: str
) -> None:
    execute_both(schema, text)


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ({"yes": None, "names": ["a"]}, "{ names yes }"),
        ({"yes": broken, "names": broken}, "{ names yes }"),
        ({"yes": ValueError("returned"), "names": [ValueError("in a list")]}, "{ names yes }"),
        ({"names": "text"}, "{ names }"),
        ({"names": 7, "numbers": {"a": 1}}, "{ names numbers }"),
        ({"names": iter(["a", "b"]), "numbers": (1, 2)}, "{ numbers }"),
        ({"named": {"__typename": "Ghost"}}, "{ named { name } }"),
        ({"named": {"__typename": "Kind"}}, "{ named { name } }"),
        ({"named": {"__typename": "Query"}}, "{ named { name } }"),
        ({"named": {"name": "nobody"}}, "{ named { name } }"),
        ({"named": 5, "things": [5, ADA]}, "{ named { name } things { __typename } }"),
        ({"moment": []}, "{ moment }"),
        ({"ship": broken, "ships": [broken, SHIP]}, "{ ship { name } ships { name } }"),
        ({"yes": GraphQLError("no", extensions={"code": "NO"})}, "{ yes }"),
    ],
)
def test_errors_equal_those_of_graphql_core(schema: GraphQLSchema, root: dict[str, Any], text: str) -> None:
    execute_both(schema, text, root)


def test_an_error_in_a_non_null_field_nulls_the_nearest_nullable_parent(
    schema: GraphQLSchema,
) -> None:
    result = execute_both(schema, "{ ships { name crew { name boss { name } } } yes }")
    assert result.data == {"ships": [None, None, None, None], "yes": True}
    assert [error.path for error in result.errors or ()] == [
        ["ships", 0, "crew", 0, "boss"],
        ["ships", 2, "crew", 0, "boss"],
        ["ships", 3, "crew", 0, "boss"],
    ]


def test_the_items_of_a_failing_generator_are_discarded(schema: GraphQLSchema) -> None:
    def numbers(_info: GraphQLResolveInfo[Any]) -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    result = execute_both(schema, "{ numbers yes }", {"numbers": numbers, "yes": True})
    assert result.data == {"numbers": None, "yes": True}


def test_is_type_of_is_called(schema: GraphQLSchema) -> None:
    ship = schema.type_map["Ship"]
    assert isinstance(ship, GraphQLObjectType)
    ship.is_type_of = lambda value, info: value.get("size") == 3 and info.field_name != "named"
    execute_both(schema, "{ ship { name } ships { name } things { __typename } named { name } }")
    execute_both(schema, "{ ship { name } named { name } }", {"ship": {"size": 4}, "named": {"size": 3}})


@pytest.mark.parametrize(
    "variables", [{}, {"a": True}, {"a": False, "b": True}, {"b": None}, {"a": "no"}, {"a": None}]
)
def test_conditions_are_evaluated_for_each_request(schema: GraphQLSchema, variables: dict[str, Any]) -> None:
    text = """query ($a: Boolean!, $b: Boolean = false, $n: Int) {
        yes @include(if: $a)
        ship @skip(if: $b) { name @skip(if: $a) ...F @include(if: $b) }
        ships(first: $n) { name @include(if: $b) size }
    } fragment F on Ship { size @skip(if: $a) }"""
    execute_both(schema, text, variables=variables)
    execute_both(schema, text, variables={"a": True, **variables, "n": 1})


def test_plans_for_conditions_are_bounded_and_contain_no_other_data_of_requests(
    schema: GraphQLSchema,
) -> None:
    names = [f"v{number}" for number in range(6)]
    declared = " ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: names @skip(if: ${name})" for name in names)
    operation = operation_of(schema, f"query ({declared} $n: Int) {{ {fields} ships(first: $n) {{ name }} }}")
    for number in range(64):
        values: dict[str, Any] = {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        result = execute_compiled(operation, {**values, "n": 1}, {}, ROOT)
        assert isinstance(result, ExecutionResult)
        assert set(result.data or ()) == {name for name in names if not values[name]} | {"ships"}
    assert len(operation.plans.by_values) == MAX_PLANS
    for plan in operation.plans.by_values.values():
        assert plan is not None
        assert set(plan._conditions.coerced) == set(names)


@pytest.mark.parametrize(
    "text",
    ["{ __schema { types { name } } }", '{ a: __type(name: "Ship") { name } }'],
)
def test_introspection_is_left_to_graphql_core(schema: GraphQLSchema, text: str) -> None:
    operation = operation_of(schema, text)
    assert execute_compiled(operation, None, {}, ROOT) is None
    assert execute_compiled(operation, None, {}, ROOT) is None


def test_an_asynchronous_operation_is_left_to_graphql_core(schema: GraphQLSchema) -> None:
    async def later(_info: GraphQLResolveInfo[Any]) -> Any:
        return True

    for names, yes in ((["a"], later), ([asyncio.sleep(0)], True)):
        operation = operation_of(schema, "{ names yes }")
        assert execute_compiled(operation, None, {}, {"names": ["a"], "yes": True}) is not None
        assert execute_compiled(operation, None, {}, {"names": names, "yes": yes}) is None
        assert execute_compiled(operation, None, {}, {"names": ["a"], "yes": True}) is None


def test_a_document_that_expands_to_too_many_fields_is_left_to_graphql_core(
    schema: GraphQLSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MAX_FIELDS", 30)
    ada: dict[str, Any] = person("Ada")
    ada["boss"] = ada
    fragments = " ".join(
        f"fragment F{n} on Person {{ a: boss {{ name ...F{n + 1} }} b: boss {{ name ...F{n + 1} }} }}"
        for n in range(5)
    )
    text = f"{{ ship {{ captain {{ ...F0 }} }} }} {fragments} fragment F5 on Person {{ name }}"
    operation = operation_of(schema, text)
    assert execute_compiled(operation, None, {}, {"ship": {"captain": ada}}) is None
    # Selections below null are not compiled.
    assert execute_compiled(operation_of(schema, text), None, {}, {"ship": None}) is not None


def test_a_request_stops_within_a_list_after_its_deadline(schema: GraphQLSchema) -> None:
    operation = operation_of(schema, "{ yes ships { name } }")
    late, early = (
        SimpleNamespace(deadline=time.monotonic() - 1),
        SimpleNamespace(deadline=time.monotonic() + 60),
    )
    result = execute_compiled(operation, None, late, ROOT)
    assert isinstance(result, ExecutionResult)
    assert result.data is None
    assert result.errors is not None
    assert [error.extensions for error in result.errors] == [{"code": "TIMEOUT"}]
    in_time = execute_compiled(operation, None, early, ROOT)
    assert isinstance(in_time, ExecutionResult)
    assert in_time.errors is None


@strawberry.input
class Where:
    size: int = 3
    tags: list[str] | None = None


@strawberry.type
class Boat:
    name: str
    secret: str

    @strawberry.field
    def about(self, info: strawberry.Info, where: Where, times: int = 2) -> str:
        where.size += 1
        return f"{self.name} {info.context['who']} {info.path.as_list()} {where} {times}"

    @strawberry.field
    def parents(root: strawberry.Parent["Boat"]) -> list[str]:  # noqa: N805
        return [root.name]


@strawberry.type
class BoatQuery:
    @strawberry.field
    def boats(self) -> list[Boat]:
        return [Boat(name="Gull", secret="gold"), Boat(name="Tern", secret="salt")]


BOATS = (
    "query ($size: Int!) { boats { name secret parents"
    ' a: about(where: {size: $size, tags: ["x"]}) b: about(where: {}, times: 1) } }'
)


def test_strawberry_resolvers_get_the_same_arguments_as_from_strawberry() -> None:
    schema = strawberry.Schema(BoatQuery)._schema
    operation = operation_of(schema, BOATS)
    for size in (1, 5):
        result = execute_compiled(operation, {"size": size}, {"who": "me"})
        assert isinstance(result, ExecutionResult)
        assert result.errors is None
        assert result.data is not None
        assert result.data["boats"] == [
            {
                "name": name,
                "secret": secret,
                "parents": [name],
                # The resolver changes its argument, but the next call gets the original values.
                "a": f"{name} me ['boats', {place}, 'a'] Where(size={size + 1}, tags=['x']) 2",
                "b": f"{name} me ['boats', {place}, 'b'] Where(size=4, tags=None) 1",
            }
            for place, (name, secret) in enumerate((("Gull", "gold"), ("Tern", "salt")))
        ]


def test_a_plan_contains_no_values_of_variables() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def length(self, text: str, of: str = "all") -> int:
            return len(text + of)

    schema = strawberry.Schema(Query)._schema
    operation = operation_of(
        schema, 'query ($text: String!) { a: length(text: $text) b: length(text: $text, of: "b") }'
    )
    texts = ["private " * number for number in (3, 4, 5)]
    references = list(map(sys.getrefcount, texts))
    for number in range(len(texts)):
        result = execute_compiled(operation, {"text": texts[number]}, {})
        assert isinstance(result, ExecutionResult)
        assert result.data == {"a": len(texts[number]) + 3, "b": len(texts[number]) + 1}
    assert list(map(sys.getrefcount, texts)) == references


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_resolver_that_wraps_the_strawberry_resolver_is_always_called(is_marked: bool) -> None:
    schema = strawberry.Schema(BoatQuery)._schema
    boat = schema.type_map["Boat"]
    assert isinstance(boat, GraphQLObjectType)
    guarded = boat.fields["secret"]
    inner = guarded.resolve
    assert inner is not None

    @functools.wraps(inner)
    def guard(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        if source.name == "Tern":
            raise GraphQLError(f"{info.field_name} is not for you")
        return inner(source, info, **arguments)

    guarded.resolve = guard
    if is_marked:
        guarded.extensions = {**guarded.extensions, "ledgerpress-guarded": True}
    operation = operation_of(schema, "{ boats { name secret } }")
    result = execute_compiled(operation, None, {"who": "me"})
    assert isinstance(result, ExecutionResult)
    assert result.data is None
    assert [error.message for error in result.errors or ()] == ["secret is not for you"]
    assert result.formatted == execute(schema, operation.document, context_value={"who": "me"}).formatted  # type: ignore[union-attr]
