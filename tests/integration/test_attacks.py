"""The production profile rejects each attack, reveals no internal details, and changes nothing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.app import make_app
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.attacks import EVERY, Attack

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
JSON: Final = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
INTERNAL_DETAILS: Final = re.compile(
    r"traceback|\.py\b|site-packages|sqlite|select .* from|strawberry|graphql\.(error|type)|ledgerpress\.|"
    r"<[a-z_.]+ object|exception|did you mean",
    re.IGNORECASE,
)
"""Texts that no response may contain."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "store", clock=SetClock(), randomness=SeededBytes()) as store:
        await Executor(graphql_schema()).execute_document(
            store,
            'mutation { postCreate(input: { title: "One", publish: true }) { position } }',
            identity=LOCAL_OPERATOR,
        )
        yield store


@pytest.fixture
async def http(store: Store) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application in the production profile, where every client is the local operator."""
    app = make_app(store, graphql_schema(), authenticator=FixedIdentity(LOCAL_OPERATOR), limits=Limits())
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture(params=["engine", "http"])
async def ask(request: pytest.FixtureRequest, store: Store) -> AsyncIterator[Ask]:
    """A function that executes operations in the production profile: by the executor directly, and over HTTP."""
    async with AsyncExitStack() as stack:
        if request.param == "engine":
            executor = Executor(graphql_schema(), limits=Limits())

            async def by_executor(query: str, variables: dict[str, Any]) -> dict[str, Any]:
                return (await executor.execute_document(store, query, variables=variables)).body

            yield by_executor
            return
        app = make_app(store, graphql_schema(), authenticator=FixedIdentity(LOCAL_OPERATOR), limits=Limits())
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")
        )

        async def by_http(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            content = json.dumps({"query": query, "variables": variables})
            response = await client.post("/graphql", content=content, headers=JSON)
            assert 400 <= response.status_code < 500 or "data" in response.json()
            body: dict[str, Any] = response.json()
            return body

        yield by_http


def assert_rejected(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Fail unless nothing was executed and the response reveals no internal details; return the errors."""
    errors: list[dict[str, Any]] = body["errors"]
    assert errors
    assert "data" not in body
    assert not INTERNAL_DETAILS.search(json.dumps(body)), body
    assert len(json.dumps(body)) < 40_000, "the response must not be an amplifier"
    return errors


@pytest.mark.parametrize("attack", EVERY, ids=lambda attack: attack.name)
async def test_an_attack_is_rejected(ask: Ask, store: Store, attack: Attack) -> None:
    head = await store.log.head()
    errors = assert_rejected(await ask(attack.query, attack.variables))
    if attack.code is not None:
        assert [error["extensions"]["code"] for error in errors] == [attack.code]
        assert errors[0]["message"].endswith((".", "escape."))
    assert await store.log.head() == head, "nothing was written"


async def test_a_limit_error_contains_the_limit_and_the_actual_value(ask: Ask) -> None:
    (error,) = assert_rejected(await ask("{ site { " + "name " * 100 + "} }", {}))
    assert error["message"] == "The operation has too many repeated selections: 99; the limit is 20."
    assert error["extensions"] == {"code": "TOO_MANY_REPETITIONS", "limit": 20, "found": 99}


async def test_a_cost_error_contains_the_cost_and_the_limit(ask: Ask) -> None:
    (error,) = assert_rejected(
        await ask("{ articles(first: 100) { nodes { categories { articles { nodes { title } } } } } }", {})
    )
    assert error["extensions"]["cost"]["typeCost"] == 1 + 1 + 100 * (1 + 5 * (1 + 1 + 20))
    assert error["extensions"]["limit"] == 5_000


INJECTIONS: Final = (
    "' OR 1=1 --",
    "'; DROP TABLE posts; --",
    '" UNION SELECT name FROM sqlite_master --',
    "%' AND 1=0 UNION ALL SELECT 1",
    "$(touch /tmp/owned)",
    '{"$ne": null}',
    "../../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "<script>alert(1)</script>",
    "one\\u0000",
    "\u202eeno",
)


@pytest.mark.parametrize("text", INJECTIONS)
async def test_an_injected_string_is_treated_as_data(ask: Ask, store: Store, text: str) -> None:
    head = await store.log.head()
    query = (
        "query ($s: String!) { article(slug: $s) { title } category(slug: $s) { name } post(slug: $s) { title }"
        " articles(filter: { categorySlug: $s }) { totalCount } }"
    )
    body = await ask(query, {"s": text})
    assert body["data"] == {"article": None, "category": None, "post": None, "articles": {"totalCount": 0}}
    for query in (
        "query ($s: String!) { articles(after: $s) { totalCount } }",
        "query ($s: ID!) { node(id: $s) { id } }",
        "query ($s: String!) { changes(filter: { types: [$s] }) { totalCount } }",
        "query ($s: DateTime!) { site(asOf: { time: $s }) { name } }",
    ):
        body = await ask(query, {"s": text})
        assert body["errors"]
        assert not INTERNAL_DETAILS.search(re.sub(re.escape(json.dumps(text)[1:-1]), "", json.dumps(body))), (
            body
        )
    assert await store.log.head() == head


async def test_a_script_in_a_body_is_not_in_the_html(ask: Ask) -> None:
    query = "mutation ($i: PostCreateInput!) { postCreate(input: $i) { post { body { html } } userErrors { code } } }"
    body = await ask(
        query, {"i": {"title": "x", "body": "<script>alert(1)</script> [a](javascript:alert(1))"}}
    )
    html = body["data"]["postCreate"]["post"]["body"]["html"]
    assert "<script" not in html
    assert "href" not in html


async def test_an_internal_error_reveals_no_details(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such table: posts, in ledgerpress.features.site.projector_and_queries")

    monkeypatch.setattr("ledgerpress.features.site.projector_and_queries.site_name", broken)
    body = await ask("{ site { name } }", {})
    assert not INTERNAL_DETAILS.search(json.dumps(body))
    assert body["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


async def test_typename_is_available_without_introspection(ask: Ask) -> None:
    assert (await ask("{ __typename site { __typename } }", {}))["data"] == {
        "__typename": "Query",
        "site": {"__typename": "Site"},
    }


async def test_a_query_that_takes_too_long_ends_with_a_timeout(store: Store) -> None:
    executor = Executor(graphql_schema(), limits=Limits(seconds=0.0))
    body = (await executor.execute_document(store, "{ site { name } recentPosts { nodes { title } } }")).body
    assert [error["extensions"]["code"] for error in body["errors"]] == ["TIMEOUT"]
    assert not body.get("data")


async def test_a_query_that_waits_too_long_ends_with_a_timeout(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow_lags(*_: object) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr("ledgerpress.graphql.viewer_node_and_projection_queries.lags", slow_lags)
    executor = Executor(graphql_schema(), limits=Limits(seconds=0.05))
    async with asyncio.timeout(20):
        body = (await executor.execute_document(store, "{ projections { name } }")).body
    assert [error["extensions"]["code"] for error in body["errors"]] == ["TIMEOUT"]


async def test_a_mutation_has_no_timeout(store: Store) -> None:
    executor = Executor(graphql_schema(), limits=Limits(seconds=0.0))
    body = (
        await executor.execute_document(
            store, 'mutation { siteName(input: { name: "x" }) { site { name } } }'
        )
    ).body
    assert body["data"] == {"siteName": {"site": {"name": "x"}}}


# --- attacks that are not documents ---

QUERY: Final = {"query": "{ site { name } }"}
MUTATION: Final = 'mutation { siteName(input: { name: "owned" }) { position } }'
BODIES: Final[dict[str, bytes]] = {
    "array-based batching": json.dumps([QUERY] * 2).encode(),
    "array-based batching of one": json.dumps([QUERY]).encode(),
    "null": b"null",
    "a number": b"7",
    "a string": b'"{ site { name } }"',
    "nothing": b"",
    "invalid UTF-8": b'{"query": "{ site { name } } \xff"}',
    "UTF-16": json.dumps(QUERY).encode("utf-16"),
    "NaN": b'{"query": "{ site { name } }", "variables": {"a": NaN}}',
    "infinity": b'{"query": "{ site { name } }", "variables": {"a": -Infinity}}',
    "deep JSON": b"[" * 100_000,
    "deep JSON variables": b'{"query": "{ site { name } }", "variables": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001,
    "deep JSON extensions": b'{"query": "{ a }", "extensions": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001,
    "a query that is no string": b'{"query": {"a": 1}}',
    "variables that are no object": b'{"query": "{ site { name } }", "variables": [1]}',
    "a truncated body": b'{"query": "{ site',
    "two bodies": json.dumps(QUERY).encode() * 2,
    "a lone surrogate in the query": b'{"query": "{ site { name } } # \\ud800"}',
    "a body that is too large": b'{"query": "' + b"a" * 1_100_000 + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_a_malformed_body_is_rejected(http: httpx2.AsyncClient, name: str) -> None:
    response = await http.post("/graphql", content=BODIES[name], headers=JSON)
    assert 400 <= response.status_code < 500
    assert_rejected(response.json())


async def test_a_mutation_by_get_is_rejected(http: httpx2.AsyncClient, store: Store) -> None:
    head = await store.log.head()
    for headers in ({}, JSON, {"GraphQL-Require-Preflight": "1"}):
        response = await http.get("/graphql", params={"query": MUTATION}, headers=headers)
        assert "siteName" not in response.text.replace(MUTATION, "")
    assert await store.log.head() == head


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
async def test_a_request_that_a_foreign_page_can_forge_is_rejected(
    http: httpx2.AsyncClient, store: Store, media_type: str | None
) -> None:
    head = await store.log.head()
    headers = {"Content-Type": media_type} if media_type else {}
    response = await http.post("/graphql", content=json.dumps({"query": MUTATION}).encode(), headers=headers)
    assert response.status_code == 415
    assert await store.log.head() == head


# --- random requests ---

WORDS: Final = (
    *(
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "...",
        ":",
        "$",
        "!",
        "@",
        "=",
        "|",
        "&",
        '"',
        '"""',
        "#",
        "\n",
        ",",
        "\\",
    ),
    *(
        "query",
        "mutation",
        "fragment",
        "on",
        "site",
        "name",
        "articles",
        "nodes",
        "first",
        "asOf",
        "node",
        "id",
    ),
    *(
        "F",
        "Query",
        "Article",
        "ID",
        "1",
        "-1",
        "1e9",
        "null",
        "true",
        "__typename",
        "__schema",
        "skip",
        "include",
    ),
    *("if", "\ud800", "\0", "\u202e", "é", "\ufeff", "position", "time", "publishedAt", "9" * 30),
)
documents = st.one_of(
    st.text(),
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.sampled_from([attack.query for attack in EVERY]),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
requests = st.fixed_dictionaries(
    {"query": documents | values},
    optional={"variables": values, "operationName": values, "extensions": values, "id": values},
)
bodies = st.one_of(
    st.binary(max_size=300),
    requests.map(lambda request: json.dumps(request).encode()),
    st.tuples(requests, st.integers(0, 400), st.binary(max_size=3)).map(
        lambda cut: json.dumps(cut[0]).encode()[: cut[1]] + cut[2]
    ),
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_no_body_causes_an_internal_error(http: httpx2.AsyncClient, data: st.DataObject) -> None:
    body = data.draw(bodies)
    response = await http.post("/graphql", content=body, headers=JSON)
    assert response.status_code < 500
    answer_body = response.json()
    assert not any(
        error.get("extensions", {}).get("code") == "INTERNAL_SERVER_ERROR"
        for error in answer_body.get("errors", ())
    )
