"""The response to any bytes is a GraphQL response, and never a server error."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import open_store

Response = tuple[int, bytes]
SendRequest = Callable[[str, bytes, bytes, bytes], Response]

REQUESTS = (
    b'{"query":"{ site { name } }","variables":{"a":[1,2.5e3,null,true,"\\u00e9\xc3\xa9"]},"operationName":null}',
    b'{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"},"minPosition":1}}',
    b'{"documentId":"sha256:ab","variables":{},"x":{"y":[]}}',
    b'query={__typename}&variables={"a":1}&extensions={}&documentId=x&operationName=A',
)
PIECES = (
    b"NaN", b"-Infinity", b"1e999", b"9" * 5_000, b"\xef\xbb\xbf", b"\\ud800", b"\\udc00\\ud800", b"[" * 100, b'{"a":' * 3_000,
    b"\x00", b'"', b"null", b"%00", b"%ff", b"%e2%80%ae", b"\xe2\x80\xae", b"\xf4\x90\x80\x80", b"#", b'"""', b"query=",
)  # fmt: skip
ACCEPTS = (
    b"*/*",
    b"application/graphql-response+json",
    b"application/json;q=0.1",
    b'";,;',
    b"a/b;q=1.0000",
    b"",
)


@pytest.fixture(scope="module")
def send_request(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SendRequest]:
    """Sends a request to an application with production settings."""
    with asyncio.Runner() as runner:
        opened = open_store(tmp_path_factory.mktemp("malformed") / "store")
        store = runner.run(opened.__aenter__())
        unlimited = HttpSettings(anonymous_requests_per_second=0.0)
        app = make_app(store, graphql_schema(), authenticator=FixedIdentity(ANONYMOUS), settings=unlimited)

        async def response(method: str, query_string: bytes, body: bytes, accept: bytes) -> Response:
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            async def send(message: Any) -> None:
                sent.append(message)

            headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"accept", accept)]
            scope = {"type": "http", "method": method, "path": "/graphql", "query_string": query_string, "headers": headers}  # fmt: skip
            await app(scope, receive, send)
            start, *rest = sent
            return start["status"], b"".join(message["body"] for message in rest)

        try:
            yield lambda *arguments: runner.run(response(*arguments))
        finally:
            runner.run(opened.__aexit__(None, None, None))


@st.composite
def malformed(draw: st.DrawFn) -> bytes:
    """Draw a request with bytes removed, inserted, repeated or replaced."""
    request = bytearray(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(request)))
        end = at + draw(st.integers(0, 20))
        request[at:end] = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=4), st.just(bytes(request[at:end] * 2)))
        )
    return bytes(request)


@given(malformed() | st.binary(max_size=200), st.sampled_from(ACCEPTS), st.sampled_from(["POST", "GET"]))
@example(b'{"query":"{ site { name } }","extensions":{"minPosition":' + b"9" * 5_000 + b"}}", b"*/*", "POST")
@example(b'{"query":"\\ud83d"}', b"*/*", "POST")
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_request_causes_a_server_error(
    send_request: SendRequest, sent: bytes, accept: bytes, method: str
) -> None:
    status, body = send_request(method, sent, sent, accept)
    assert status < 500, body
    response = json.loads(body)
    assert ("data" in response) is (status < 300)
    assert status < 300 or response["errors"]
