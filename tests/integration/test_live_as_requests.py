"""The rules for HTTP requests also apply to operations over a WebSocket or an event stream."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.tokens.commands import CreateToken
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store
from tests.fixed_sources import SeededBytes, SetClock
from tests.identities import identity
from tests.integration.several_workers import opened_store
from tests.integration.sse_client import opened
from tests.integration.test_streaming_endpoints import Tokens
from tests.integration.websocket_client import served, websocket

pytestmark = pytest.mark.usefixtures("workers")

SITE = "{ site { name } }"
PRODUCTION = HttpSettings()
UNBOUNDED = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SetClock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path / "data", clock=clock, randomness=SeededBytes()) as store:
        yield store


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


async def code(store: Store, payload: dict[str, Any], settings: HttpSettings = UNBOUNDED) -> str:
    """Return the error code with which an operation over a WebSocket ends."""
    async with (
        served(store, settings=settings) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init()
        await socket.send({"id": "1", "type": "subscribe", "payload": payload})
        message = await socket.receive()
        assert message["type"] == "error", message
        error_code: str = message["payload"][0]["extensions"]["code"]
        return error_code


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_a_page_of_a_foreign_site_cannot_open_an_event_stream(
    store: Store, http: httpx2.AsyncClient, path: str
) -> None:
    async with served(store, authenticator=FixedIdentity(ANONYMOUS), settings=PRODUCTION) as server:
        foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        async with opened(http, "GET", f"{server.url}{path}", SITE, foreign) as stream:
            assert stream.status == 403
        async with opened(
            http, "GET", f"{server.url}{path}", SITE, {"GraphQL-Require-Preflight": "1"}
        ) as stream:
            assert (stream.status, (await stream.next()).type) == (200, "next")


async def test_an_operation_can_require_a_minimum_position(store: Store, http: httpx2.AsyncClient) -> None:
    assert await code(store, {"query": SITE, "extensions": {"minPosition": 99}}) == "NO_SUCH_POSITION"
    assert await code(store, {"query": SITE, "extensions": {"minPosition": "x"}}) == "BAD_REQUEST"
    async with served(store) as server:
        headers = {"LedgerPress-Min-Position": "99"}
        async with opened(http, "POST", f"{server.url}/graphql", SITE, headers) as stream:
            event = await stream.next()
            assert event.data["errors"][0]["extensions"]["code"] == "NO_SUCH_POSITION"


async def test_content_that_is_rejected_in_requests_is_rejected_in_operations(store: Store) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    assert await code(store, {"query": SITE, "extensions": deep}) == "BAD_REQUEST"
    assert await code(store, {"query": "{ site { name } } # \u200b"}) == "HIDDEN_CHARACTER"


async def test_the_limit_of_concurrent_requests_applies_to_operations(store: Store) -> None:
    settings = HttpSettings(max_concurrent_requests=1)
    async with served(store, settings=settings) as server, websocket(server.host, server.port) as socket:
        server.subscriptions.hub.executing = 1
        await socket.init()
        await socket.subscribe(SITE)
        message = await socket.receive()
        assert message["payload"][0]["extensions"]["code"] == "TOO_BUSY"


async def test_the_length_of_an_operation_id_is_limited(store: Store) -> None:
    async with served(store) as server:
        async with websocket(server.host, server.port) as socket:
            await socket.init()
            await socket.subscribe(SITE, "x" * 255)
            assert (await socket.receive())["type"] == "next"
        async with websocket(server.host, server.port) as socket:
            await socket.init()
            await socket.subscribe(SITE, "x" * 256)
            assert (await socket.closed())[0] == 4400


async def test_a_revoked_token_cannot_start_operations_on_an_open_socket(store: Store) -> None:
    authenticator = Tokens()
    async with (
        served(store, authenticator=authenticator) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init(authorization="Bearer operator")
        assert len(await socket.results(await socket.subscribe(SITE))) == 1
        del authenticator.known["Bearer operator"]
        head = await store.log.head()
        await socket.subscribe('mutation { siteName(input: { name: "Mine" }) { position } }')
        assert (await socket.closed())[0] == 4403
    assert await store.log.head() == head


@pytest.mark.one_worker
async def test_subscribers_receive_an_age_again_when_it_changes(store: Store, clock: SetClock) -> None:
    await store.commands.handle(CreatePost(title="One", publish=True))
    query = "subscription { recentPosts { nodes { age } } }"
    async with (
        served(store, live=SubscriptionSettings(clock_seconds=3_600)) as server,
        websocket(server.host, server.port) as first,
        websocket(server.host, server.port) as second,
    ):
        await first.init()
        await second.init()
        await first.subscribe(query)
        assert (await first.next())["data"]["recentPosts"]["nodes"] == [{"age": "just now"}]
        clock.time += 60_000_000
        await second.subscribe(query)
        assert (await second.next())["data"]["recentPosts"]["nodes"] == [{"age": "1 minute ago"}]
        clock.time += 60_000_000
        assert (await first.next())["data"]["recentPosts"]["nodes"] != [{"age": "just now"}]


async def test_groups_of_subscribers_yield_to_other_tasks(store: Store) -> None:
    groups, turns = 40, 0
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        for number in range(groups):
            await socket.subscribe(f"subscription S{number} {{ recentPosts {{ totalCount }} }}")
        for _ in range(groups):
            await socket.next()

        async def take_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        others = asyncio.create_task(take_turns())
        await store.commands.handle(CreatePost(title="One", publish=True))
        await socket.next()
        before = turns
        for _ in range(groups - 1):
            await socket.next()
        others.cancel()
    assert turns - before >= groups - 1


async def test_an_internal_error_has_the_id_that_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        monkeypatch.setattr(server.subscriptions.hub, "subscribe", fail)
        await socket.subscribe("subscription { recentPosts { totalCount } }")
        (error,) = (await socket.receive())["payload"]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert error["extensions"]["errorId"] in caplog.text
    assert "secret" not in str(error)


async def test_only_permitted_roles_see_events_of_tokens(store: Store, http: httpx2.AsyncClient) -> None:
    command = CreateToken(name="Robot", role=Role.EDITOR, secret_hash="0" * 64)
    await store.commands.handle(command, CommandRequest())
    query = '{ changes(filter: { types: ["token.created"] }) { nodes { event } } }'
    for role, is_visible in ((Role.EDITOR, False), (Role.AUDITOR, True), (Role.ADMIN, True)):
        viewer = (
            LOCAL_OPERATOR if role is Role.ADMIN else identity(role, "00000000-0000-8000-8000-00000000000a")
        )
        async with served(store, authenticator=FixedIdentity(viewer)) as server:
            response = await http.post(f"{server.url}/graphql", json={"query": query})
        (node,) = response.json()["data"]["changes"]["nodes"]
        assert (node["event"]["payload"] is not None) == is_visible, role
        assert node["event"]["header"]["type"] == "token.created"
