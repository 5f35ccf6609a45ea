"""What holds for a request over HTTP holds for an operation over a WebSocket or an event stream, too."""

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
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock
from tests.identities import identity
from tests.integration.sse_client import opened
from tests.integration.test_streaming_endpoints import Tokens
from tests.integration.websocket_client import served, websocket

SITE = "{ site { name } }"
PRODUCTION = HttpSettings()
UNBOUNDED = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SetClock) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data", clock=clock, randomness=SeededBytes()) as store:
        yield store


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


async def code(store: Store, payload: dict[str, Any], settings: HttpSettings = UNBOUNDED) -> str:
    """Return the code of the error that an operation over a WebSocket ends with."""
    async with (
        served(store, settings=settings) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init()
        await socket.send({"id": "1", "type": "subscribe", "payload": payload})
        message = await socket.receive()
        assert message["type"] == "error", message
        found: str = message["payload"][0]["extensions"]["code"]
        return found


@pytest.mark.parametrize("path", ["/graphql", "/graphql/stream"])
async def test_no_page_of_a_foreign_site_opens_an_event_stream(
    store: Store, http: httpx2.AsyncClient, path: str
) -> None:
    async with served(store, door=FixedIdentity(ANONYMOUS), settings=PRODUCTION) as server:
        foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
        async with opened(http, "GET", f"{server.url}{path}", SITE, foreign) as stream:
            assert stream.status == 403
        async with opened(
            http, "GET", f"{server.url}{path}", SITE, {"GraphQL-Require-Preflight": "1"}
        ) as stream:
            assert (stream.status, (await stream.next()).type) == (200, "next")


async def test_a_position_can_be_demanded(store: Store, http: httpx2.AsyncClient) -> None:
    assert await code(store, {"query": SITE, "extensions": {"minPosition": 99}}) == "NO_SUCH_POSITION"
    assert await code(store, {"query": SITE, "extensions": {"minPosition": "x"}}) == "BAD_REQUEST"
    async with served(store) as server:
        demanding = {"LedgerPress-Min-Position": "99"}
        async with opened(http, "POST", f"{server.url}/graphql", SITE, demanding) as stream:
            event = await stream.next()
            assert event.data["errors"][0]["extensions"]["code"] == "NO_SUCH_POSITION"


async def test_what_a_request_may_not_hold_an_operation_may_not(store: Store) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"deeper": deep}
    assert await code(store, {"query": SITE, "extensions": deep}) == "BAD_REQUEST"
    assert await code(store, {"query": "{ site { name } } # \u200b"}) == "HIDDEN_CHARACTER"


async def test_no_more_queries_are_under_way_than_requests_may_be(store: Store) -> None:
    none = HttpSettings(max_concurrent_requests=1)
    async with served(store, settings=none) as server, websocket(server.host, server.port) as socket:
        server.subscriptions.hub.executing = 1
        await socket.init()
        await socket.subscribe(SITE)
        message = await socket.receive()
        assert message["payload"][0]["extensions"]["code"] == "TOO_BUSY"


async def test_an_id_is_bounded(store: Store) -> None:
    async with served(store) as server:
        async with websocket(server.host, server.port) as socket:
            await socket.init()
            await socket.subscribe(SITE, "x" * 255)
            assert (await socket.receive())["type"] == "next"
        async with websocket(server.host, server.port) as socket:
            await socket.init()
            await socket.subscribe(SITE, "x" * 256)
            assert (await socket.closed())[0] == 4400


async def test_a_revoked_token_begins_nothing_more_on_an_open_socket(store: Store) -> None:
    door = Tokens()
    async with served(store, door=door) as server, websocket(server.host, server.port) as socket:
        await socket.init(authorization="Bearer operator")
        assert len(await socket.results(await socket.subscribe(SITE))) == 1
        del door.known["Bearer operator"]
        head = await store.log.head()
        await socket.subscribe('mutation { siteName(input: { name: "Mine" }) { position } }')
        assert (await socket.closed())[0] == 4403
    assert await store.log.head() == head


async def test_an_age_is_told_anew_when_it_changes(store: Store, clock: SetClock) -> None:
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


async def test_groups_of_subscribers_take_turns_with_everything_else(store: Store) -> None:
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


async def test_a_failure_has_the_id_that_the_log_has(
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


async def test_what_happened_to_tokens_is_told_to_who_may_see_them(
    store: Store, http: httpx2.AsyncClient
) -> None:
    command = CreateToken(name="Robot", role=Role.EDITOR, secret_hash="0" * 64)
    await store.commands.handle(command, CommandRequest())
    query = '{ changes(filter: { types: ["token.created"] }) { nodes { event } } }'
    for role, told in ((Role.EDITOR, False), (Role.AUDITOR, True), (Role.ADMIN, True)):
        who = LOCAL_OPERATOR if role is Role.ADMIN else identity(role, "00000000-0000-8000-8000-00000000000a")
        async with served(store, door=FixedIdentity(who)) as server:
            answer = await http.post(f"{server.url}/graphql", json={"query": query})
        (node,) = answer.json()["data"]["changes"]["nodes"]
        assert (node["event"]["payload"] is not None) == told, role
        assert node["event"]["header"]["type"] == "token.created"
