"""GraphQL by GET: queries in the URL, protection against other sites, caching and conditional requests."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from tests.integration.graphql_client import Client, client

GRAPHQL = "application/graphql-response+json"
HEADERS = {"Accept": GRAPHQL, "GraphQL-Require-Preflight": "1"}
SITE = "{ site { name } }"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("workers")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anonymous(tmp_path_factory: pytest.TempPathFactory, workers: int) -> AsyncIterator[Client]:
    """An anonymous client."""
    data = tmp_path_factory.mktemp("http") / "store"
    async with client(data, settings=HttpSettings(), authenticator=FixedIdentity(ANONYMOUS)) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(tmp_path_factory: pytest.TempPathFactory, workers: int) -> AsyncIterator[Client]:
    """A client with all permissions."""
    async with client(tmp_path_factory.mktemp("http") / "store", settings=HttpSettings()) as api:
        yield api


async def test_a_query_with_variables(anonymous: Client) -> None:
    params = {
        "query": "query A($slug: String!) { article(slug: $slug) { title } } query B { __typename }",
        "variables": json.dumps({"slug": "ferry"}),
        "operationName": "A",
        "extensions": "",
        "unknown": "x",
    }
    response = await anonymous.http.get("/graphql", params=params, headers=HEADERS)
    assert (response.status_code, response.json()) == (200, {"data": {"article": None}})
    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


@pytest.mark.parametrize(
    ("query_string", "status"),
    [
        ("", 422),
        ("query=", 422),
        ("query={nowhere}", 422),
        ("query={", 400),
        ("query={__typename}&query={__typename}", 400),
        ("query=%ff", 400),
        ("query={__typename}%e2%80%ae", 400),
        ("query={__typename}&variables={", 400),
        ("query={__typename}&variables=NaN", 400),
        ("query={__typename}&variables=%5B%5D", 422),
        ("query={__typename}&extensions=7", 422),
        ("query={__typename}&variables=" + "{%22a%22:" * 100 + "1" + "}" * 100, 400),
        ("&".join(f"a{number}=1" for number in range(100)), 400),
        ("query={__typename}" + "%20" * 10_000, 414),
        ("query={__typename}&variables=null", 200),
    ],
)
async def test_an_invalid_query_string_is_rejected(anonymous: Client, query_string: str, status: int) -> None:
    response = await anonymous.http.get(f"/graphql?{query_string}", headers=HEADERS)
    assert response.status_code == status, response.text
    assert ("errors" in response.json()) is (status != 200)


async def test_a_mutation_by_get_gets_405_and_does_nothing(operator: Client) -> None:
    mutation = 'mutation { postCreate(input: { title: "By GET" }) { position } }'
    before = await operator.store.log.head()
    for params in (
        {"query": mutation},
        {"query": f"query A {{ __typename }} {mutation.replace('mutation', 'mutation B')}", "operationName": "B"},
    ):  # fmt: skip
        response = await operator.http.get("/graphql", params=params, headers=HEADERS)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert await operator.store.log.head() == before


async def test_head_responds_like_get_without_the_body(anonymous: Client) -> None:
    get = await anonymous.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
    head = await anonymous.http.head("/graphql", params={"query": SITE}, headers=HEADERS)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])
    assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    "headers",
    [
        {"GraphQL-Require-Preflight": ""},
        {"Apollo-Require-Preflight": "true"},
        {"X-Apollo-Operation-Name": "A"},
        {"LedgerPress-Min-Position": "1"},
        {"Content-Type": "application/json"},
        {"Authorization": "Bearer something"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_a_request_that_other_sites_cannot_send_is_accepted(
    anonymous: Client, headers: dict[str, str]
) -> None:
    assert (await anonymous.http.get("/graphql", params={"query": SITE}, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded; x=application/json"},
        {"Authorization": "Basic YTpi"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://foreign.example"},
    ],
)
async def test_a_request_that_other_sites_could_send_is_rejected(
    anonymous: Client, headers: dict[str, str]
) -> None:
    response = await anonymous.http.get("/graphql", params={"query": SITE}, headers=headers)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "PREFLIGHT_REQUIRED"
    assert "site" not in response.text


async def test_a_response_is_not_modified_until_an_event_changes_it(operator: Client) -> None:
    async def ask(if_none_match: str = "", accept: str = GRAPHQL) -> tuple[int, str, bytes, str]:
        headers = {**HEADERS, "Accept": accept} | ({"If-None-Match": if_none_match} if if_none_match else {})
        response = await operator.http.get("/graphql", params={"query": SITE}, headers=headers)
        assert response.headers["cache-control"] == "private, no-cache"
        assert response.headers["vary"] == "Accept, Authorization, LedgerPress-Min-Position"
        return (
            response.status_code,
            response.headers["etag"],
            response.content,
            response.headers["ledgerpress-position"],
        )

    _, etag, body, position = await ask()
    for known in (etag, f"W/{etag}", f'"other", {etag}', f' W/"a,b" ,W/{etag}', "*"):
        assert await ask(known) == (304, etag, b"", position)
    for unknown in ('"other"', etag.strip('"'), f'"{etag[2:]}', "nonsense"):
        assert await ask(unknown) == (200, etag, body, position)
    assert (await ask(etag, accept="application/json"))[0] == 200

    await operator.write("Does not change the site")
    status, _, _, later = await ask(etag)
    assert (status, int(later) > int(position)) == (304, True)

    await operator.do("siteName", name="The Courier")
    status, other, body, _ = await ask(etag)
    assert (status, json.loads(body)) == (200, {"data": {"site": {"name": "The Courier"}}})
    assert other != etag


async def test_shared_caches_may_store_only_anonymous_responses(anonymous: Client) -> None:
    for headers, expected in (
        ({}, "public, no-cache"),
        ({"Authorization": "Bearer something"}, "private, no-cache"),
    ):
        response = await anonymous.http.get("/graphql", params={"query": SITE}, headers=HEADERS | headers)
        assert response.headers["cache-control"] == expected


async def test_a_response_with_errors_is_not_cached(anonymous: Client) -> None:
    params = {"query": '{ site { name } node(id: "nonsense") { id } }'}
    response = await anonymous.http.get("/graphql", params=params, headers=HEADERS)
    assert (response.status_code, response.headers["cache-control"]) == (294, "no-store")
    assert "etag" not in response.headers


async def test_operators_can_let_caches_store_anonymous_responses(tmp_path: Path) -> None:
    settings = HttpSettings(public_max_age=60)
    async with client(
        tmp_path / "store", settings=settings, authenticator=FixedIdentity(ANONYMOUS)
    ) as anonymous:
        response = await anonymous.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
        assert response.headers["cache-control"] == "public, max-age=60"
    async with client(tmp_path / "store", settings=settings) as operator:
        response = await operator.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
        assert response.headers["cache-control"] == "private, no-cache"
