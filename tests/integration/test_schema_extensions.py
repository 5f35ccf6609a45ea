"""Strawberry schema extensions take effect, without compiled execution and caching, or are rejected with a reason."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import strawberry
from graphql import DirectiveNode, ExecutionResult, GraphQLError, GraphQLResolveInfo, ValidationRule
from starlette.applications import Starlette
from strawberry.directive import DirectiveLocation, DirectiveValue
from strawberry.extensions import (
    AddValidationRules,
    DisableIntrospection,
    DisableValidation,
    MaskErrors,
    MaxAliasesLimiter,
    MaxTokensLimiter,
    ParserCache,
    QueryDepthLimiter,
    SchemaExtension,
    ValidationCache,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.graphql import OperationType

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.registry import FEATURES
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.results import ResultKind
from ledgerpress.graphql.schema_error import SchemaError
from ledgerpress.graphql.schema_extensions import ExtensionFactory
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.embedded_app import create_app
from ledgerpress.server.store import Store, open_store
from tests.integration.embedded_host import served
from tests.integration.sse_client import opened

CREATE = 'mutation { postCreate(input: {title: "The mill", slug: "mill", publish: true}) { post { slug } position } }'


class Recorder(SchemaExtension):
    """Records which hooks run, and puts every title in capitals."""

    calls: list[str]

    def on_operation(self) -> Iterator[None]:
        self.calls.append("operation")
        yield
        result = self.execution_context.result
        assert isinstance(result, ExecutionResult)
        self.calls.append("result" if result.data else "error")

    async def on_parse(self) -> AsyncIterator[None]:
        self.calls.append("parse")
        yield
        assert self.execution_context.graphql_document is not None

    def on_validate(self) -> Iterator[None]:
        self.calls.append("validate")
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        self.calls.append("execute")
        yield

    def on_stream_result(self, result: object) -> Iterator[None]:
        self.calls.append("stream result")
        yield

    def resolve(
        self, _next: Callable[..., Any], root: Any, info: GraphQLResolveInfo[Any], *args: Any, **kwargs: Any
    ) -> Any:
        value = _next(root, info, *args, **kwargs)
        return value.upper() if info.field_name == "title" else value

    def get_results(self) -> dict[str, Any]:
        return {"recorder": len(self.calls)}


def recorder() -> tuple[list[str], ExtensionFactory]:
    """Return a list, and a factory of extensions that record their calls in it."""
    calls: list[str] = []
    return calls, type("NotingRecorder", (Recorder,), {"calls": calls})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data") as store:
        yield store


def application(store: Store, *extensions: ExtensionFactory) -> Starlette:
    return make_app(
        store,
        FEATURES.graphql_schema(extensions),
        authenticator=FixedIdentity(LOCAL_OPERATOR),
        settings=HttpSettings(requests_per_second=0),
        limits=Limits(tell_cost=False),
    )


@asynccontextmanager
async def client(store: Store, *extensions: ExtensionFactory) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=application(store, *extensions))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


async def post(http: httpx2.AsyncClient, query: str) -> dict[str, Any]:
    body: dict[str, Any] = (await http.post("/graphql", json={"query": query})).json()
    return body


async def test_a_depth_limit_applies_to_queries_mutations_and_subscriptions(store: Store) -> None:
    async with client(store, lambda: QueryDepthLimiter(max_depth=2)) as http:
        assert "errors" not in await post(http, CREATE)
        assert "errors" not in await post(http, '{ article(slug: "mill") { title } }')
        deep = await http.post(
            "/graphql", json={"query": '{ article(slug: "mill") { categories { ancestors { name } } } }'}
        )
        assert deep.status_code == 422
        assert "exceeds maximum operation depth of 2" in deep.json()["errors"][0]["message"]
        assert "data" not in deep.json()

        mutation = 'mutation { postCreate(input: {title: "No"}) { post { categories { name } } } }'
        assert "depth" in (await post(http, mutation))["errors"][0]["message"]
        posts = await post(http, "{ posts { totalCount } }")
        assert posts["data"]["posts"]["totalCount"] == 1

        subscription = (
            'subscription { articleChanged(slug: "mill") { article { categories { ancestors { name } } } } }'
        )
        async with opened(http, "POST", "/graphql", subscription) as stream:
            events = await stream.rest()
        assert "depth" in str([event.text for event in events])


async def test_all_hooks_of_a_custom_extension_run_around_each_operation(store: Store) -> None:
    calls, extension = recorder()
    around = ["operation", "parse", "validate", "execute", "result"]
    async with client(store, extension) as http:
        assert (await post(http, CREATE))["extensions"] == {"recorder": 5}
        assert calls == around

        for _ in range(3):  # nothing is cached
            calls.clear()
            body = await post(http, '{ article(slug: "mill") { title } }')
            assert body == {"data": {"article": {"title": "THE MILL"}}, "extensions": {"recorder": 5}}
            assert calls == around


async def test_the_hooks_run_for_each_event_of_a_subscription(store: Store) -> None:
    calls, extension = recorder()
    async with served(application(store, extension)) as host:
        subscription = "subscription { changes(fromPosition: 0) { position } }"
        async with opened(host.http, "POST", "/graphql", subscription) as stream:
            first, second = (await stream.next()).data, (await stream.next()).data
    assert (first["data"], second["data"]) == ({"changes": {"position": 1}}, {"changes": {"position": 2}})
    assert first["extensions"]["position"] == 1
    assert first["extensions"]["recorder"] > 0
    step = ["operation", "parse", "validate", "execute", "stream result", "result"]
    end = len(calls) - calls[::-1].index("result")  # the next step may have begun
    assert calls[end - len(step) : end] == step
    assert calls.count("stream result") >= 2


class OldHook(MaskErrors):
    def on_request_start(self) -> None: ...


SHARED = QueryDepthLimiter(max_depth=2)


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        (QueryDepthLimiter(max_depth=2), r"is an instance, .* lambda: QueryDepthLimiter"),
        (DisableValidation, "cannot take effect: every document is validated"),
        (ParserCache, "cannot take effect: each document is parsed once and cached already"),
        (lambda: ValidationCache(maxsize=5), "cannot take effect: each document is validated once"),
        (SchemaExtension, "cannot take effect: it has none of the hooks on_execute"),
        (OldHook, "cannot take effect: on_request_start is not a hook of this version of Strawberry"),
        (lambda: SHARED, "always returns the same instance"),
        (dict, "is not a schema extension"),
        ("QueryDepthLimiter", "is not a schema extension"),
    ],
)
async def test_an_extension_that_cannot_take_effect_is_rejected_with_the_reason(
    extension: Any, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=reason):
        FEATURES.graphql_schema([extension])
    with pytest.raises(SchemaError, match=reason):
        create_app(tmp_path, environment={}, schema_extensions=[extension])


class LoudSchema(strawberry.Schema):
    def process_errors(self, errors: object, execution_context: object = None) -> None: ...


@pytest.mark.filterwarnings("ignore:Passing an extension instance")
@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (lambda: strawberry.Schema(Word, extensions=[MaskErrors()]), "is an instance"),  # type: ignore[list-item]
        (lambda: LoudSchema(Word), "LoudSchema.process_errors cannot take effect: LedgerPress logs errors"),
        (
            lambda: strawberry.Schema(Word, config=StrawberryConfig(batching_config={"max_operations": 2})),
            "batching_config in the configuration of a schema cannot take effect",
        ),
        (
            lambda: strawberry.Schema(Word, config=StrawberryConfig(disable_field_suggestions=True)),
            "disable_field_suggestions .* limits.suggestions",
        ),
        (
            lambda: strawberry.Schema(
                Word, config=StrawberryConfig(enable_experimental_incremental_execution=True)
            ),
            "enable_experimental_incremental_execution",
        ),
    ],
)
async def test_a_schema_that_other_code_built_is_checked_too(
    schema: Callable[[], strawberry.Schema], reason: str
) -> None:
    with pytest.raises(SchemaError, match=reason):
        Executor(schema())


async def test_startup_logs_once_what_extensions_turn_off(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def about_extensions() -> list[str]:
        return [record.message for record in caplog.records if "schema has extensions" in record.message]

    with caplog.at_level(logging.WARNING):
        async with client(store) as http:
            await post(http, "{ __typename }")
        assert about_extensions() == []
        async with client(store, MaskErrors, lambda: QueryDepthLimiter(max_depth=9)) as http:
            for _ in range(3):
                await post(http, "{ __typename }")
    (message,) = about_extensions()
    assert "(MaskErrors, QueryDepthLimiter)" in message
    assert "queries are not compiled, and responses are not cached" in message


async def test_a_token_limit_applies(store: Store) -> None:
    async with client(store, lambda: MaxTokensLimiter(max_token_count=6)) as http:
        assert "errors" not in await post(http, "{ site { name } }")
        longer = await http.post("/graphql", json={"query": "{ site { name position } viewer { role } }"})
        assert longer.status_code == 400  # the document is not even parsed
        assert "data" not in longer.json()


class Forbidding(SchemaExtension):
    def on_operation(self) -> Iterator[None]:
        if self.execution_context.query:
            raise GraphQLError("The site is closed.", extensions={"code": "CLOSED"})
        yield


async def test_an_error_of_a_hook_is_a_request_error(store: Store) -> None:
    before = await store.log.head()
    async with client(store, Forbidding) as http:
        response = await http.post("/graphql", json={"query": CREATE})
        assert response.status_code == 422
        assert response.json() == {
            "errors": [{"message": "The site is closed.", "extensions": {"code": "CLOSED"}}]
        }
    assert await store.log.head() == before


class Failing(SchemaExtension):
    def on_execute(self) -> Iterator[None]:
        if self.execution_context.query:
            raise ZeroDivisionError("secret")
        yield


async def test_a_failure_of_a_hook_reveals_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async with client(store, Failing) as http:
        response = await http.post("/graphql", json={"query": "{ __typename }"})
        assert response.status_code == 500
        assert "secret" not in response.text
    assert "secret" in caplog.text


async def test_the_time_limit_applies_with_extensions(store: Store) -> None:
    _, extension = recorder()
    executor = Executor(FEATURES.graphql_schema([extension]), limits=Limits(seconds=0.0))
    result = await executor.execute_document(store, "{ site { name } }")
    assert result.kind is ResultKind.TIMEOUT
    assert result.body["errors"][0]["extensions"]["code"] == "TIMEOUT"


async def test_permissions_are_checked_before_an_extension_sees_a_value(store: Store) -> None:
    _, extension = recorder()
    executor = Executor(FEATURES.graphql_schema([extension]), limits=Limits())
    await executor.execute_document(store, 'mutation { postCreate(input: {title: "Draft"}) { position } }')
    result = await executor.execute_document(store, "{ posts { nodes { title } } }", identity=ANONYMOUS)
    assert result.body["data"] == {"posts": None}


@strawberry.type
class Word:
    @strawberry.field
    def word(self) -> str:
        return "abc"

    @strawberry.field
    def other(self) -> "Word":
        return Word()

    @strawberry.field
    def echo(self, text: str | None) -> str | None:
        return text

    @strawberry.field
    def fails(self) -> str:
        raise ValueError("secret")


@strawberry.directive(locations=[DirectiveLocation.FIELD])
def reversed_text(value: DirectiveValue[str]) -> str:
    return value[::-1]


class ShoutingExecutor(StrawberryGraphQLCoreExecutionContext):
    def complete_value(self, *args: Any, **kwargs: Any) -> Any:
        value = super().complete_value(*args, **kwargs)
        return value.upper() if isinstance(value, str) else value


async def test_an_execution_context_class_takes_effect(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Executor(strawberry.Schema(query=Word, execution_context_class=ShoutingExecutor))
    for _ in range(2):
        assert (await executor.execute_document(store, "{ word }")).body["data"] == {"word": "ABC"}
    executor.log_effect_of_extensions()
    assert "(ShoutingExecutor)" in caplog.text


class SchemaWithAnExtension(strawberry.Schema):
    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        return [*super().get_extensions(sync), QueryDepthLimiter(max_depth=0)]


async def test_extensions_that_only_a_method_of_the_schema_adds_take_effect(store: Store) -> None:
    executor = Executor(SchemaWithAnExtension(query=Word))
    result = await executor.execute_document(store, "{ word other { word } }")
    assert "depth" in result.body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("extension", "document", "expected"),
    [
        (DisableIntrospection, "{ __schema { types { name } } }", "introspection"),
        (lambda: MaxAliasesLimiter(max_alias_count=1), "{ a: word b: word }", "aliases"),
        (lambda: AddValidationRules([NoDirectivesRule]), "{ word @skip(if: false) }", "no directives here"),
        (lambda: MaskErrors(error_message="masked"), "{ fails }", "masked"),
    ],
)
async def test_extensions_of_strawberry_take_effect(
    extension: ExtensionFactory, document: str, expected: str, store: Store
) -> None:
    assert expected not in str(
        (await Executor(strawberry.Schema(Word)).execute_document(store, document)).body
    )
    executor = Executor(strawberry.Schema(Word, extensions=[extension]))
    assert expected in (await executor.execute_document(store, document)).body["errors"][0]["message"]


class NoDirectivesRule(ValidationRule):
    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        self.report_error(GraphQLError("no directives here", node))


class Rewriting(SchemaExtension):
    """Replaces the document, the variables or the allowed operations before parsing."""

    def on_operation(self) -> Iterator[None]:
        execution = self.execution_context
        if execution.query == "{ word }":
            execution.query = "{ other { word } }"
        if execution.query == "mutation { other }":
            execution.query = "{ word }"
        if execution.query == "{ fails }":
            execution.allowed_operations = [OperationType.MUTATION]
        execution.variables = {"letters": "xyz"}
        yield


@strawberry.type
class Mutations:
    @strawberry.mutation
    def other(self) -> str:
        return "done"


async def test_changes_that_an_extension_makes_are_executed(store: Store) -> None:
    executor = Executor(strawberry.Schema(Word, mutation=Mutations, extensions=[Rewriting]))

    async def body(document: str) -> Any:
        return (await executor.execute_document(store, document)).body

    assert (await body("{ word }"))["data"] == {"other": {"word": "abc"}}
    assert (await body("query ($letters: String) { echo(text: $letters) }"))["data"] == {"echo": "xyz"}
    assert (await body("{ fails }"))["errors"][0][
        "message"
    ] == "Operations of the type query are not allowed."
    # A query in the place of a mutation, or the other way around, would evade the checks of HTTP methods.
    assert (await body("mutation { other }"))["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


async def test_operation_directives_of_a_schema_take_effect(store: Store) -> None:
    executor = Executor(strawberry.Schema(query=Word, directives=[reversed_text]))
    result = await executor.execute_document(store, "{ word @reversedText }")
    assert result.body.get("data") == {"word": "cba"}, result.body
