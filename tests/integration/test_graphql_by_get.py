"""GraphQL by GET: queries in the address, never for pages of foreign sites, kept by caches, and asked for again."""

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

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of whom nobody knows who it is."""
    data = tmp_path_factory.mktemp("http") / "store"
    async with client(data, settings=HttpSettings(), door=FixedIdentity(ANONYMOUS)) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client that may do everything."""
    async with client(tmp_path_factory.mktemp("http") / "store", settings=HttpSettings()) as one:
        yield one


async def test_a_query_with_variables(door: Client) -> None:
    params = {
        "query": "query A($slug: String!) { article(slug: $slug) { title } } query B { __typename }",
        "variables": json.dumps({"slug": "ferry"}),
        "operationName": "A",
        "extensions": "",
        "unknown": "x",
    }
    answer = await door.http.get("/graphql", params=params, headers=HEADERS)
    assert (answer.status_code, answer.json()) == (200, {"data": {"article": None}})
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


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
async def test_a_bad_address_is_refused(door: Client, query_string: str, status: int) -> None:
    answer = await door.http.get(f"/graphql?{query_string}", headers=HEADERS)
    assert answer.status_code == status, answer.text
    assert ("errors" in answer.json()) is (status != 200)


async def test_a_mutation_by_get_gets_405_and_does_nothing(editors: Client) -> None:
    mutation = 'mutation { postCreate(input: { title: "By GET" }) { position } }'
    before = await editors.store.log.head()
    for params in (
        {"query": mutation},
        {"query": f"query A {{ __typename }} {mutation.replace('mutation', 'mutation B')}", "operationName": "B"},
    ):  # fmt: skip
        answer = await editors.http.get("/graphql", params=params, headers=HEADERS)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert await editors.store.log.head() == before


async def test_head_is_answered_as_get_without_the_body(door: Client) -> None:
    got = await door.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
    head = await door.http.head("/graphql", params={"query": SITE}, headers=HEADERS)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert head.headers["content-length"] == str(len(got.content))


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
async def test_a_request_that_no_foreign_page_can_send_is_answered(
    door: Client, headers: dict[str, str]
) -> None:
    assert (await door.http.get("/graphql", params={"query": SITE}, headers=headers)).status_code == 200


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
async def test_a_request_that_a_foreign_page_could_have_sent_is_refused(
    door: Client, headers: dict[str, str]
) -> None:
    answer = await door.http.get("/graphql", params={"query": SITE}, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "PREFLIGHT_REQUIRED"
    assert "site" not in answer.text


async def test_an_answer_is_known_again_until_something_changes_it(editors: Client) -> None:
    async def ask(if_none_match: str = "", accept: str = GRAPHQL) -> tuple[int, str, bytes, str]:
        headers = {**HEADERS, "Accept": accept} | ({"If-None-Match": if_none_match} if if_none_match else {})
        answer = await editors.http.get("/graphql", params={"query": SITE}, headers=headers)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Accept, Authorization, LedgerPress-Min-Position"
        return (
            answer.status_code,
            answer.headers["etag"],
            answer.content,
            answer.headers["ledgerpress-position"],
        )

    _, etag, body, position = await ask()
    for known in (etag, f"W/{etag}", f'"other", {etag}', f' W/"a,b" ,W/{etag}', "*"):
        assert await ask(known) == (304, etag, b"", position)
    for unknown in ('"other"', etag.strip('"'), f'"{etag[2:]}', "nonsense"):
        assert await ask(unknown) == (200, etag, body, position)
    assert (await ask(etag, accept="application/json"))[0] == 200

    await editors.write("Does not change the site")
    status, _, _, later = await ask(etag)
    assert (status, int(later) > int(position)) == (304, True)

    await editors.do("siteName", name="The Courier")
    status, other, body, _ = await ask(etag)
    assert (status, json.loads(body)) == (200, {"data": {"site": {"name": "The Courier"}}})
    assert other != etag


async def test_only_what_anyone_gets_may_be_kept_for_all(door: Client) -> None:
    for headers, expected in (
        ({}, "public, no-cache"),
        ({"Authorization": "Bearer something"}, "private, no-cache"),
    ):
        answer = await door.http.get("/graphql", params={"query": SITE}, headers=HEADERS | headers)
        assert answer.headers["cache-control"] == expected


async def test_an_answer_with_errors_is_not_kept(door: Client) -> None:
    params = {"query": '{ site { name } node(id: "nonsense") { id } }'}
    answer = await door.http.get("/graphql", params=params, headers=HEADERS)
    assert (answer.status_code, answer.headers["cache-control"]) == (294, "no-store")
    assert "etag" not in answer.headers


async def test_an_operator_may_let_caches_keep_anonymous_answers(tmp_path: Path) -> None:
    settings = HttpSettings(public_max_age=60)
    async with client(tmp_path / "store", settings=settings, door=FixedIdentity(ANONYMOUS)) as door:
        answer = await door.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
        assert answer.headers["cache-control"] == "public, max-age=60"
    async with client(tmp_path / "store", settings=settings) as editors:
        answer = await editors.http.get("/graphql", params={"query": SITE}, headers=HEADERS)
        assert answer.headers["cache-control"] == "private, no-cache"
