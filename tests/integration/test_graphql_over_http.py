"""The GraphQL-over-HTTP specification, edition of September 2026, with the settings of production."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from ledgerpress.http import graphql_endpoint
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.requests import graphql_request
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from tests.conformance.serving import serving
from tests.integration.graphql_client import Client, client

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
BOTH = f"{GRAPHQL}, {JSON};q=0.9"
SITE = "{ site { name } }"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("workers")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory, workers: int) -> AsyncIterator[Client]:
    async with client(tmp_path_factory.mktemp("http") / "store", settings=HttpSettings()) as api:
        yield api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def developer(tmp_path_factory: pytest.TempPathFactory, workers: int) -> AsyncIterator[Client]:
    async with client(tmp_path_factory.mktemp("http") / "store") as api:
        yield api


async def post(
    api: Client, body: bytes | dict[str, Any], *, accept: str | None = GRAPHQL, kind: str | None = JSON, **headers: str
) -> httpx2.Response:  # fmt: skip
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named_headers = {
        name: value for name, value in {"Content-Type": kind, "Accept": accept}.items() if value is not None
    }
    request = api.http.build_request("POST", "/graphql", content=content)
    for name in ("accept", "content-type"):
        request.headers.pop(name, None)
    request.headers.update(named_headers | {name.replace("_", "-"): value for name, value in headers.items()})
    return await api.http.send(request)


def code(response: httpx2.Response) -> str:
    """Check what every rejection contains, and return the code of its only error."""
    assert int(response.headers["ledgerpress-position"]) >= 1
    assert response.headers["cache-control"] == "no-store"
    (error,) = response.json()["errors"]
    assert error["message"]
    assert "data" not in response.json()
    return str(error["extensions"]["code"])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (GRAPHQL, GRAPHQL),
        (JSON, JSON),
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (BOTH, GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON}, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL.upper()}", GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f'{GRAPHQL}; charset="UTF-8"', GRAPHQL),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0.5, */*", GRAPHQL),
        (f"{JSON};q=0, {GRAPHQL};q=0.001", GRAPHQL),
        (f'text/html;x=", {GRAPHQL}", {JSON}', JSON),
        (f"multipart/mixed;deferSpec=20220824, {GRAPHQL}, {JSON}", GRAPHQL),
        ("text/html, */*;q=0.1", JSON),
    ],
)
async def test_the_media_type_is_the_one_that_the_client_prefers(
    api: Client, accept: str | None, expected: str
) -> None:
    response = await post(api, {"query": SITE}, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert "Accept" in response.headers["vary"]
    assert response.json() == {"data": {"site": {"name": None}}}


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        f"{JSON};q=0",
        f"{GRAPHQL};q=0, {JSON};q=0.0",
        f"{JSON};charset=iso-8859-1",
        f"{GRAPHQL};profile=x",
        f"{JSON};q=7",
        "nonsense",
        f"{'a/b,' * 2_000}{JSON}",
    ],
)
async def test_a_client_that_accepts_neither_gets_406(api: Client, accept: str) -> None:
    response = await post(api, {"query": SITE}, accept=accept)
    assert (response.status_code, code(response)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    "kind",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", GRAPHQL,
     "application/json; charset=utf-16", "application/json; charset=iso-8859-1", "text/plain; application/json",
     "application/jsonp", "application/json, text/plain"],
)  # fmt: skip
async def test_a_body_that_is_not_json_in_utf_8_gets_415(api: Client, kind: str | None) -> None:
    response = await post(api, {"query": SITE}, kind=kind)
    assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON;charset=UTF-8", 'application/json; charset="utf-8"'])  # fmt: skip
async def test_the_content_type_is_parsed_as_http_defines_it(api: Client, kind: str) -> None:
    assert (await post(api, {"query": SITE}, kind=kind)).status_code == 200


async def test_a_body_in_a_content_encoding_is_not_decoded(api: Client) -> None:
    response = await post(api, {"query": SITE}, content_encoding="gzip")
    assert (response.status_code, code(response)) == (415, "UNSUPPORTED_CONTENT_ENCODING")
    assert response.headers["accept-encoding"] == "identity"
    assert (await post(api, {"query": SITE}, content_encoding="identity")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b'"x"', b"[]", b"true", b'[{"query": "{ __typename }"}]', b"{", b'{"query": "{', b"\xff",
     b'\xef\xbb\xbf{"query": "{ __typename }"}', b'{"query": "\xff"}',
     b'{"query": "{ __typename }", "variables": {"a": NaN}}', b'{"query": "{ __typename }", "variables": {"a": -Infinity}}',
     b'{"query": "{ __typename }", "x": NaN}', b'{"query": "{ __typename }", "x": "\xff"}', b'{"query": "{ __typename }"} {}',
     b'{"query": "{ __typename }", "query": "{ site { name } }"}', b'{"query": "{ a }", "qu\\u0065ry": "{ b }"}',
     b'{"query": "{ __typename }", "x": 1, "x": 1}',
     b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}",
     b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100_000 + b"}}", b"[" * 100_000, b'{"a":' * 100_000,
     b'{"query": "{ __typename }", "x": ' + b"[" * 100_000 + b"}", b'\xfe\xff\x00{\x00}', b'{"query": "a\x00"}'],
)  # fmt: skip
async def test_a_body_that_is_not_one_json_object_gets_400(
    api: Client, developer: Client, body: bytes
) -> None:
    for target in (api, developer):
        for accept in (GRAPHQL, JSON):
            response = await post(target, body, accept=accept)
            assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


async def test_a_batch_is_rejected_with_the_reason(api: Client) -> None:
    response = await post(api, b'[{"query": "{ __typename }"}, {"query": "{ __typename }"}]')
    assert "batches" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b", "\x85", "\U000e0041"]
)
async def test_a_document_with_hidden_characters_gets_400(api: Client, hidden: str) -> None:
    for request in (
        {"query": f"{{ site {{ name }} }} # {hidden} \n"},
        {"query": SITE, "operationName": f"a{hidden}"},
        {"query": f'{{ article(slug: "{hidden}") {{ title }} }}'},
    ):
        response = await post(api, request)
        assert (response.status_code, code(response)) == (400, "HIDDEN_CHARACTER")
        assert f"U+{ord(hidden):04X}" in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("text", ["👩‍🚀", "می‌خواهم", "\u200fשלום", "tab\there"])
async def test_ordinary_text_and_any_variable_are_accepted(api: Client, text: str) -> None:
    query = "query ($slug: String!) { article(slug: $slug) { title } }"
    assert (await post(api, {"query": query, "variables": {"slug": f"{text}\u202e"}})).status_code == 200
    assert (await post(api, {"query": f'{{ article(slug: "{text}") {{ title }} }}'})).status_code == 200


@pytest.mark.parametrize(
    ("request_", "accept", "expected"),
    [
        ({"query": "{"}, GRAPHQL, 400),
        ({"query": "{ nowhere }"}, GRAPHQL, 422),
        ({"query": "query A { __typename } query B { __typename }"}, GRAPHQL, 422),
        ({"query": "query A { __typename }", "operationName": "B"}, GRAPHQL, 422),
        ({"query": "query ($slug: String!) { article(slug: $slug) { title } }"}, GRAPHQL, 422),
        ({"query": "{"}, JSON, 400),
        ({"query": "{ nowhere }"}, JSON, 422),
        ({}, GRAPHQL, 422),
        ({"query": None}, GRAPHQL, 422),
        ({"query": 7}, JSON, 422),
        ({"query": SITE, "variables": [7]}, GRAPHQL, 422),
        ({"query": SITE, "variables": "{}"}, GRAPHQL, 422),
        ({"query": SITE, "operationName": 7}, GRAPHQL, 422),
        ({"query": SITE, "extensions": []}, GRAPHQL, 422),
        ({"query": SITE, "documentId": 7}, GRAPHQL, 422),
    ],
)  # fmt: skip
async def test_a_request_that_is_not_executed_has_an_error_status(
    api: Client, request_: dict[str, Any], accept: str, expected: int
) -> None:
    response = await post(api, request_, accept=accept)
    assert response.status_code == expected
    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert response.json()["errors"]
    assert "data" not in response.json()


async def test_in_development_application_json_gets_200_for_every_well_formed_request(
    developer: Client,
) -> None:
    for query in ("{", "{ nowhere }"):
        old, new = [await post(developer, {"query": query}, accept=accept) for accept in (JSON, GRAPHQL)]
        assert (old.status_code, new.status_code) == (200, 400)
        assert old.headers["content-type"] == f"{JSON}; charset=utf-8"
    ill_formed = await post(developer, {"query": 7}, accept=JSON)
    assert (ill_formed.status_code, ill_formed.headers["content-type"]) == (400, f"{JSON}; charset=utf-8")


@pytest.mark.parametrize("request_", [
    {"query": SITE, "variables": None, "operationName": None, "extensions": None},
    {"query": SITE, "extensions": {"some": "value"}, "unknown": [1, {"a": None}], "another": "}"},
    {"query": "query A { site { name } } query B { nothing: __typename }", "operationName": "A"},
])  # fmt: skip
async def test_optional_members_may_be_null_and_unknown_members_are_ignored(
    api: Client, request_: dict[str, Any]
) -> None:
    response = await post(api, request_)
    assert (response.status_code, response.json()) == (200, {"data": {"site": {"name": None}}})


async def test_a_response_with_data_and_errors_is_a_partial_success(api: Client) -> None:
    partly = {"query": '{ site { name } node(id: "nonsense") { id } }'}
    assert [(await post(api, partly, accept=accept)).status_code for accept in (GRAPHQL, JSON)] == [294, 200]
    response = (await post(api, partly)).json()
    assert response["data"]["site"] == {"name": None}
    assert response["errors"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "QUERY", "TRACE"])
async def test_other_methods_get_405(api: Client, method: str) -> None:
    response = await api.http.request(method, "/graphql", headers={"Accept": GRAPHQL})
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_options_returns_the_allowed_methods(api: Client) -> None:
    response = await api.http.options("/graphql")
    assert (response.status_code, response.headers["allow"], response.content) == (
        204,
        "GET, HEAD, POST, OPTIONS",
        b"",
    )


async def test_a_body_with_a_too_large_content_length_is_not_read(tmp_path: Path) -> None:
    read: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b""

    async with client(tmp_path / "store", settings=HttpSettings(max_body_bytes=1_000)) as api:
        headers = {"Content-Type": JSON, "Content-Length": "1001"}
        response = await api.http.post("/graphql", content=body(), headers=headers)
        assert (response.status_code, code(response)) == (413, "REQUEST_TOO_LARGE")
        assert not read


async def test_a_body_of_unknown_size_is_read_up_to_the_limit(tmp_path: Path) -> None:
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(1_000):
            sent.append(number)
            yield b" " * 100

    async with client(tmp_path / "store", settings=HttpSettings(max_body_bytes=1_000)) as api:
        response = await api.http.post("/graphql", content=body(), headers={"Content-Type": JSON})
        assert (response.status_code, code(response)) == (413, "REQUEST_TOO_LARGE")
        assert len(sent) < 20
        exact = json.dumps({"query": SITE}).encode().ljust(1_000)
        assert (await post(api, exact)).status_code == 200
        assert (await post(api, exact + b" ")).status_code == 413


async def test_a_repeated_content_type_header_gets_400(api: Client) -> None:
    twice = [("Content-Type", JSON), ("Content-Type", "text/plain"), ("Accept", GRAPHQL)]
    response = await api.http.post("/graphql", content=b"{}", headers=twice)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


async def test_a_client_may_send_two_accept_headers(api: Client) -> None:
    headers = [("Content-Type", JSON), ("Accept", "text/html"), ("Accept", GRAPHQL)]
    response = await api.http.post("/graphql", content=json.dumps({"query": SITE}), headers=headers)
    assert response.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


async def test_every_response_has_a_position(api: Client) -> None:
    for path in ("/", "/graphql", "/nowhere", "/health/live", "/static/site.css", "/static/none"):
        response = await api.http.get(path)
        assert response.headers["ledgerpress-position"] == str(await api.store.log.head()), path


async def test_a_body_may_arrive_late_and_in_pieces(tmp_path: Path) -> None:
    content = json.dumps({"query": SITE}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    async with serving(tmp_path / "store", HttpSettings(body_seconds=30.0)) as url:
        host, port = url.removeprefix("http://").split(":")
        for pieces in ((head.encode(), content), (head.encode(), content[:5], content[5:])):
            reader, writer = await asyncio.open_connection(host, int(port))
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)
            response = await reader.readuntil(b"}}}")
            assert response.startswith(b"HTTP/1.1 200 OK")
            writer.close()


async def test_a_client_that_disconnects_during_its_request_causes_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path / "store", HttpSettings(max_concurrent_requests=1)) as url:
        host, port = url.removeprefix("http://").split(":")
        for sent in (b"", b'{"query":'):
            _, writer = await asyncio.open_connection(host, int(port))
            head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 100\r\n\r\n"
            writer.write(head.encode() + sent)
            await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
            async with httpx2.AsyncClient() as http:
                response = await http.post(f"{url}/graphql", json={"query": SITE})
            assert response.status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.one_worker
async def test_mutations_do_not_replace_the_parsed_queries_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def from_json(body: bytes, **settings: Any) -> GraphQLRequest:
        parsed.append(body)
        return original(body, **settings)

    original = graphql_request.from_json
    monkeypatch.setattr(graphql_endpoint, "from_json", from_json)
    monkeypatch.setattr(graphql_endpoint, "_MAX_PARSED", 1)
    async with client(tmp_path / "store") as api:
        for name in ("Harbour", "Hill"):
            # The header excludes the fast path, which does not parse requests.
            response = await post(api, {"query": SITE}, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
            assert response.status_code == 200
            await api.do("siteName", name=name)
    assert len(parsed) == 3, "the query was parsed once, and each mutation"
