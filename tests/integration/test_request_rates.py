"""Authentication, request rates, and the limit of concurrent requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from starlette.types import Message, Scope

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity, Identity, Unauthenticated
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.limits import client_address
from ledgerpress.server.store import open_store
from tests.identities import identity
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

HEADERS = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
REQUEST = json.dumps({"query": "{ __typename }"}).encode()
THREE = HttpSettings(requests_per_second=0.01, anonymous_requests_per_second=0.01, burst_seconds=300.0)


class NamedTokens:
    """Accepts `Bearer NAME` as a token with that name, and rejects `Bearer bad`."""

    async def identify(self, authorization: str | None) -> Identity:
        if authorization is None:
            return ANONYMOUS
        if authorization == "Bearer bad":
            raise Unauthenticated('The token is not "known" here.\n')
        return identity(Role.EDITOR, "actor", token_id=authorization.removeprefix("Bearer "))


async def ask(api: Client, token: str | None = None) -> httpx2.Response:
    headers = HEADERS if token is None else HEADERS | {"Authorization": f"Bearer {token}"}
    return await api.http.post("/graphql", content=REQUEST, headers=headers)


def code(response: httpx2.Response) -> tuple[int, str]:
    (error,) = response.json()["errors"]
    assert int(response.headers["ledgerpress-position"]) >= 1
    return response.status_code, error["extensions"]["code"]


async def test_invalid_credentials_are_challenged(tmp_path: Path) -> None:
    async with client(tmp_path / "store", authenticator=NamedTokens()) as api:
        response = await ask(api, "bad")
        assert code(response) == (401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"] == (
            'Bearer realm="LedgerPress", error="invalid_token", '
            "error_description=\"The token is not 'known' here.'\""
        )


async def test_the_request_rate_of_a_token_is_limited(tmp_path: Path) -> None:
    async with client(tmp_path / "store", settings=THREE, authenticator=NamedTokens()) as api:
        for left in (2, 1, 0):
            response = await ask(api, "one")
            assert response.status_code == 200
            assert response.headers["ratelimit-policy"] == '"requests";q=3;w=300'
            assert response.headers["ratelimit"].startswith(f'"requests";r={left};t=')
        rejection = await ask(api, "one")
        assert code(rejection) == (429, "RATE_LIMITED")
        assert 1 <= int(rejection.headers["retry-after"]) <= 100
        assert rejection.headers["ratelimit"].startswith('"requests";r=0;t=')
        assert (await ask(api, "another")).status_code == 200
        anonymous = await ask(api)
        assert anonymous.status_code == 200
        assert "ratelimit" not in anonymous.headers  # the response may be cached for other clients


async def test_invalid_credentials_count_for_the_address(tmp_path: Path) -> None:
    async with client(tmp_path / "store", settings=THREE, authenticator=NamedTokens()) as api:
        assert [(await ask(api, "bad")).status_code for _ in range(4)] == [401, 401, 401, 429]
        assert (await ask(api)).status_code == 429
        assert (await ask(api, "one")).status_code == 200


async def test_anonymous_clients_are_identified_by_address(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store") as store:
        app = make_app(store, graphql_schema(), authenticator=NamedTokens(), settings=THREE)

        async def ask_from(address: str) -> int:
            transport = httpx2.ASGITransport(app=app, client=(address, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
                return (await http.post("/graphql", content=REQUEST, headers=HEADERS)).status_code

        assert [await ask_from("192.0.2.1") for _ in range(4)] == [200, 200, 200, 429]
        assert await ask_from("192.0.2.2") == 200
        assert [await ask_from(f"2001:db8::{number}") for number in range(4)] == [200, 200, 200, 429]
        assert await ask_from("2001:db8:0:1::1") == 200


def test_clients_are_identified_by_ipv4_address_or_ipv6_prefix() -> None:
    assert client_address(("192.0.2.1", 80)) == "192.0.2.1"
    assert client_address(("::ffff:192.0.2.1", 80)) == "192.0.2.1"
    assert client_address(("2001:db8:1:2:3:4:5:6", 80)) == "2001:db8:1:2::/64"
    assert client_address(("fe80::1%eth0", 80)) == "fe80::/64"
    assert client_address(None) == "unknown"


@pytest.mark.one_worker
async def test_too_many_concurrent_requests_are_rejected(tmp_path: Path) -> None:
    finish = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield REQUEST[:5]
        await finish.wait()
        yield REQUEST[5:]

    async with client(tmp_path / "store", settings=HttpSettings(max_concurrent_requests=2)) as api:
        slow_requests = [
            asyncio.create_task(api.http.post("/graphql", content=slow(), headers=HEADERS)) for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        busy = await ask(api)
        assert code(busy) == (503, "TOO_BUSY")
        assert busy.headers["retry-after"] == "1"
        assert (await api.http.get("/")).status_code == 503
        assert (await api.http.get("/health/live")).status_code == 200
        finish.set()
        assert [result.status_code for result in await asyncio.gather(*slow_requests)] == [200, 200]
        assert (await ask(api)).status_code == 200


async def test_a_slot_is_released_however_a_request_ends(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"{"
        raise ConnectionError

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    settings = HttpSettings(max_concurrent_requests=1, body_seconds=0.05)
    async with client(tmp_path / "store", settings=settings) as api:
        for _ in range(3):
            assert (await ask(api)).status_code == 200
            assert (await api.http.post("/graphql", content=b"{", headers=HEADERS)).status_code == 400
            late = await api.http.post("/graphql", content=stalled(), headers=HEADERS)
            assert code(late) == (408, "REQUEST_TIMEOUT")
            failed = await api.http.post("/graphql", content=broken(), headers=HEADERS)
            assert code(failed) == (500, "INTERNAL_SERVER_ERROR")
            assert "ConnectionError" not in failed.text


async def test_an_event_stream_occupies_no_slot(tmp_path: Path) -> None:
    settings = HttpSettings(max_concurrent_requests=1)
    body = json.dumps({"query": "subscription { recentPosts(first: 1) { totalCount } }"}).encode()
    async with open_store(tmp_path / "store") as store:
        app = make_app(store, graphql_schema(), authenticator=FixedIdentity(ANONYMOUS), settings=settings)
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test")
        disconnected, opened = asyncio.Event(), asyncio.Event()
        requests = iter([{"type": "http.request", "body": body}])

        async def receive() -> Message:
            if (request := next(requests, None)) is not None:
                return request
            await disconnected.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                opened.set()

        stream = asyncio.create_task(app(stream_scope(), receive, send))
        await asyncio.wait_for(opened.wait(), 10)
        assert [
            (await http.post("/graphql", content=REQUEST, headers=HEADERS)).status_code for _ in range(2)
        ] == [200, 200]
        assert not stream.done()
        disconnected.set()
        await asyncio.wait_for(stream, 10)
        assert (await http.post("/graphql", content=REQUEST, headers=HEADERS)).status_code == 200


def stream_scope() -> Scope:
    headers = {"host": "test", "content-type": "application/json", "accept": "text/event-stream"}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
