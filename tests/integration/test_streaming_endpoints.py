"""WebSockets and event streams: authentication, origins, revocation, and the rules that only LedgerPress has."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from ledgerpress.commands.client_identity import (
    ANONYMOUS,
    LOCAL_OPERATOR,
    FixedIdentity,
    Identity,
    Unauthenticated,
)
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.posts.lifecycle_commands import PublishPost, UnpublishPost
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock
from tests.identities import identity
from tests.integration.several_workers import opened_store
from tests.integration.sse_client import opened
from tests.integration.websocket_client import Socket, served, websocket

pytestmark = pytest.mark.usefixtures("workers")

CHANGES = "subscription ($from: Position) { changes(fromPosition: $from) { position } }"
CHALLENGE = 'Bearer realm="LedgerPress", error="invalid_token", error_description="The token is not known."'
MOMENT = "{ moment { position } }"


class Tokens:
    """An authenticator that knows some tokens until a test revokes them."""

    def __init__(self) -> None:
        self.known: dict[str, Identity] = {
            "Bearer operator": LOCAL_OPERATOR,
            "Bearer auditor": identity(Role.AUDITOR, "a"),
        }

    async def identify(self, authorization: str | None) -> Identity:
        if authorization is None:
            return ANONYMOUS
        try:
            return self.known[authorization]
        except KeyError:
            raise Unauthenticated("The token is not known.") from None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        yield store


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- authentication --------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", ["payload", "header"])
async def test_a_socket_authenticates_with_its_first_message_or_with_a_header(
    store: Store, carrier: str
) -> None:
    headers = bearer("auditor") if carrier == "header" else {}
    payload = {"authorization": "Bearer auditor"} if carrier == "payload" else {}
    async with (
        served(store, authenticator=Tokens()) as server,
        connect(
            f"ws://{server.host}:{server.port}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers=headers,
        ) as connection,
    ):
        socket = await Socket(connection).init(**payload)
        await socket.subscribe(CHANGES, **{"from": 3})
        assert (await socket.next())["data"] == {"changes": {"position": 4}}


async def test_an_invalid_token_is_rejected_and_not_treated_as_anonymous(
    store: Store, http: httpx2.AsyncClient
) -> None:
    async with served(store, authenticator=Tokens()) as server:
        async with websocket(server.host, server.port) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": "Bearer x"}})
            assert await socket.closed() == (4403, "Forbidden: The token is not known.")
        async with websocket(server.host, server.port) as socket:
            await socket.send({"type": "connection_init", "payload": {"authorization": 7}})
            assert (await socket.closed())[0] == 4403
        url = f"{server.url}/graphql"
        async with opened(http, "POST", url, MOMENT, bearer("x")) as stream:
            assert (stream.status, stream.headers["www-authenticate"]) == (401, CHALLENGE)
        assert (await http.put(f"{url}/stream", headers=bearer("x"))).status_code == 401


async def test_revoking_a_token_closes_its_sockets_and_streams(
    store: Store, http: httpx2.AsyncClient
) -> None:
    tokens = Tokens()
    settings = SubscriptionSettings(recheck_seconds=0.1)
    async with served(store, authenticator=tokens, live=settings) as server:
        async with (
            websocket(server.host, server.port) as socket,
            websocket(server.host, server.port) as other,
            opened(http, "POST", f"{server.url}/graphql", CHANGES, bearer("auditor")) as stream,
        ):
            await (await socket.init(authorization="Bearer auditor")).subscribe(CHANGES)
            await (await other.init(authorization="Bearer operator")).subscribe(CHANGES)
            await asyncio.sleep(0.3)
            await socket.quiet()
            del tokens.known["Bearer auditor"]
            assert await socket.closed() == (4403, "Forbidden: The token is not known.")
            [event, complete] = await stream.rest()
            assert event.data["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
            assert complete.type == "complete"
            await other.quiet()
        await server.nothing_is_left()


async def test_a_socket_is_closed_when_the_permissions_of_its_token_change(store: Store) -> None:
    tokens = Tokens()
    async with (
        served(store, authenticator=tokens, live=SubscriptionSettings(recheck_seconds=0.1)) as server,
        websocket(server.host, server.port) as socket,
    ):
        await socket.init(authorization="Bearer auditor")
        tokens.known["Bearer auditor"] = identity(Role.AUTHOR, "a")
        assert (await socket.closed())[0] == 4403


async def test_only_the_user_who_reserved_a_stream_can_use_it(store: Store, http: httpx2.AsyncClient) -> None:
    async with served(store, authenticator=Tokens()) as server:
        url = f"{server.url}/graphql/stream"
        token = (await http.put(url, headers=bearer("operator"))).text
        headers = {"X-GraphQL-Event-Stream-Token": token}
        body = {"query": MOMENT, "extensions": {"operationId": "1"}}
        assert (await http.post(url, json=body, headers=headers)).status_code == 403
        own = await http.post(url, json=body, headers={**headers, **bearer("operator")})
        assert own.status_code == 202


# --- origins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        (None, True),
        ("http://{host}", True),
        ("https://{host}", True),
        ("https://desk.example", True),
        ("https://evil.example", False),
        ("http://{host}.evil.example", False),
        ("null", False),
        ("file://{host}", False),
    ],
)
async def test_a_page_of_another_origin_cannot_open_a_socket(
    store: Store, origin: str | None, is_allowed: bool
) -> None:
    settings = SubscriptionSettings(allowed_origins=("https://desk.example",))
    async with served(store, live=settings) as server:
        host = f"{server.host}:{server.port}"
        connecting = connect(
            f"ws://{host}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            origin=None if origin is None else Origin(origin.format(host=host)),
        )
        if is_allowed:
            async with connecting as connection:
                await Socket(connection).init()
        else:
            with pytest.raises(InvalidStatus) as rejection:
                await connecting
            assert rejection.value.response.status_code == 403


# --- WebSockets ------------------------------------------------------------------------------------


async def test_a_pong_returns_the_payload_of_the_ping(store: Store) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.send({"type": "ping", "payload": {"deep": [{"é": None}]}})
        assert await socket.receive() == {"type": "pong", "payload": {"deep": [{"é": None}]}}


async def test_every_result_on_a_socket_contains_its_position(store: Store) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        [result] = await socket.results(await socket.subscribe(MOMENT))
        assert result["extensions"]["position"] == result["data"]["moment"]["position"] == 4


@pytest.mark.parametrize(
    "query", ["{ this is no GraphQL", "", "query A { __typename } query B { __typename }"]
)
async def test_a_document_that_cannot_be_executed_fails_only_its_operation(store: Store, query: str) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        id = await (await socket.init()).subscribe(query)
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", id)
        await socket.quiet()


async def test_invalid_variables_fail_only_the_operation(store: Store) -> None:
    async with served(store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        for query in (
            CHANGES,
            "query ($from: Position) { article(slug: $from) { slug } moment { position } }",
        ):
            await socket.subscribe(query, **{"from": -1})
            assert (await socket.receive())["type"] == "error"


async def test_a_subscription_without_a_stream_is_an_error(store: Store, http: httpx2.AsyncClient) -> None:
    async with served(store) as server:
        response = await http.post(f"{server.url}/graphql", json={"query": CHANGES})
        assert "errors" in response.json()
        assert not response.json().get("data")


# --- event streams ---------------------------------------------------------------------------------


async def test_an_event_stream_resumes_from_the_last_event_id(store: Store, http: httpx2.AsyncClient) -> None:
    head = await store.log.head()
    async with served(store) as server:
        url = f"{server.url}/graphql"
        async with opened(http, "GET", url, CHANGES, {"Last-Event-ID": "2"}) as stream:
            events = [await stream.next() for _ in range(head - 2)]
        assert [int(event.id or 0) for event in events] == list(range(3, head + 1))
        # `Last-Event-ID` is later than the position at which the operation began, and takes precedence.
        headers = {"Last-Event-ID": str(head - 1)}
        async with opened(http, "GET", url, CHANGES, headers, **{"from": 0}) as stream:
            assert (await stream.next()).id == str(head)
        async with opened(http, "GET", url, CHANGES, {"Last-Event-ID": "99"}) as stream:
            assert "is in the future" in (await stream.rest())[0].data["errors"][0]["message"]


async def test_an_event_stream_of_an_article_does_not_resume_from_the_past(
    store: Store, http: httpx2.AsyncClient
) -> None:
    """Otherwise anyone could read articles that are no longer published."""
    post = await store.commands.handle(CreatePost(title="Once", slug="once", publish=True))
    await store.commands.handle(UnpublishPost(post_id=post.subject_id))
    query = 'subscription { articleChanged(slug: "once") { position } }'
    async with (
        served(store, authenticator=Tokens()) as server,
        opened(http, "GET", f"{server.url}/graphql", query, {"Last-Event-ID": "0"}) as stream,
    ):
        await asyncio.sleep(0.2)
        republished = await store.commands.handle(PublishPost(post_id=post.subject_id))
        assert (await stream.next()).id == str(republished.position)


@pytest.mark.parametrize("last_event_id", ["", "-1", "x", "1e3", "9" * 40])
async def test_an_invalid_last_event_id_is_ignored(
    store: Store, http: httpx2.AsyncClient, last_event_id: str
) -> None:
    async with served(store) as server:
        headers = {"Last-Event-ID": last_event_id}
        async with opened(http, "GET", f"{server.url}/graphql", CHANGES, headers) as stream:
            await asyncio.sleep(0.2)
            position = (await store.commands.handle(RegisterActor(name="Ann"))).position
            assert (await stream.next()).id == str(position)


async def test_comments_keep_an_event_stream_alive(store: Store, http: httpx2.AsyncClient) -> None:
    settings = SubscriptionSettings(keep_alive_seconds=0.1)
    async with served(store, live=settings) as server:
        request = http.stream(
            "POST",
            f"{server.url}/graphql",
            json={"query": CHANGES},
            headers={"Accept": "text/event-stream"},
        )
        async with request as response:
            lines = response.aiter_lines()
            assert [await anext(lines) for _ in range(6)] == [":", ""] * 3


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("text/event-stream, application/json;q=0.5", True),
        ("text/event-stream, */*", True),
        ("TEXT/Event-Stream", True),
        ("application/graphql-response+json, application/json, text/event-stream, multipart/mixed", False),
        ("application/json, text/event-stream;q=0.9", False),
        ("text/event-stream;q=0, application/json", False),
        ("application/json", False),
        ("*/*", False),
    ],
)
async def test_an_event_stream_is_sent_only_to_clients_that_prefer_one(
    store: Store, http: httpx2.AsyncClient, accept: str, streams: bool
) -> None:
    async with served(store) as server:
        body = {"query": MOMENT}
        response = await http.post(f"{server.url}/graphql", json=body, headers={"Accept": accept})
        assert response.headers["content-type"].startswith("text/event-stream") is streams


async def test_a_mutation_by_get_is_not_allowed(store: Store, http: httpx2.AsyncClient) -> None:
    mutation = 'mutation { authorRegister(input: { name: "Ann" }) { position } }'
    async with served(store) as server:
        async with opened(http, "GET", f"{server.url}/graphql", mutation) as stream:
            assert (stream.status, stream.headers["allow"]) == (405, "POST")
        assert await store.log.head() == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": b"null"}, 400),
        ({"content": b"{"}, 400),
        ({"json": {}}, 400),
        ({"content": b"query={x}", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415),
        ({"json": {"query": "x" * 1_000_001}}, 413),
    ],
    ids=["null", "not JSON", "no query", "a form", "too large"],
)
async def test_an_invalid_request_for_an_event_stream_is_rejected(
    store: Store, http: httpx2.AsyncClient, body: dict[str, Any], status: int
) -> None:
    body = dict(body)
    headers = {"Accept": "text/event-stream", "Content-Type": "application/json", **body.pop("headers", {})}
    async with served(store) as server:
        response = await http.post(f"{server.url}/graphql", headers=headers, **body)
        assert response.status_code == status
        assert response.json()["errors"]


async def test_operations_on_a_socket_and_event_streams_count_as_requests(tmp_path: Path) -> None:
    settings = HttpSettings(anonymous_requests_per_second=0.001, burst_seconds=3_000)
    async with (
        open_store(tmp_path / "store") as store,
        served(store, authenticator=FixedIdentity(ANONYMOUS), settings=settings) as server,
        websocket(server.host, server.port) as socket,
        httpx2.AsyncClient(timeout=20) as http,
    ):
        await socket.init()
        for _ in range(2):
            id = await socket.subscribe("{ site { name } }")
            assert len(await socket.results(id)) == 1
        query = {"query": "subscription { recentPosts { totalCount } }"}
        headers = {"Accept": "text/event-stream"}
        async with http.stream("POST", f"{server.url}/graphql", json=query, headers=headers) as stream:
            assert stream.status_code == 200
        response = await http.post(f"{server.url}/graphql", json=query, headers=headers)
        assert (response.status_code, "retry-after" in response.headers) == (429, True)
        await socket.subscribe("{ site { name } }", "late")
        message = await socket.receive()
        assert (message["type"], message["id"]) == ("error", "late")
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
