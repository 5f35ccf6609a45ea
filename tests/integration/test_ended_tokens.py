"""A token that is revoked, withdrawn or expired: its open subscriptions end, and its commands are not recorded.

The interval of rechecks is an hour, so a subscription ends because of the event itself.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, new_secret, secret_hash
from ledgerpress.graphql.subscriptions import hub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.authenticator_and_first_admin_token import make_authenticator
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import StandingClock
from tests.integration.jwt_issuer import AUDIENCE, NOW, issuing
from tests.integration.several_workers import opened_store
from tests.integration.sse_client import opened
from tests.integration.websocket_client import Served, Socket, served, websocket

pytestmark = pytest.mark.usefixtures("workers")

CHANGES = "subscription ($from: Position) { changes(fromPosition: $from) { position } }"
RECENT = "subscription { recentPosts(first: 3) { nodes { title } } }"
HOUR = 3_600.0


@dataclass
class Newsroom:
    """A store on which events are recorded, and a server on another store of the same log."""

    store: Store
    server: Served
    data: Path

    async def token(self, role: Role = Role.AUDITOR, **values: Any) -> tuple[str, str, int]:
        """Create a token; return its secret, its id and the position."""
        secret = new_secret(self.store.randomness)
        command = CreateToken(name="Feed", role=role, secret_hash=secret_hash(secret), **values)
        result = await self.store.commands.handle(command)
        async with httpx2.AsyncClient(timeout=20) as http:
            response = await http.post(
                f"{self.server.url}/graphql",
                json={"query": "{ viewer { role } }"},
                headers={
                    "Authorization": f"Bearer {secret}",
                    "LedgerPress-Min-Position": str(result.position),
                },
            )
        assert response.status_code == 200
        return secret, result.subject_id, result.position

    async def caught_up(self, subscriptions: int) -> None:
        """Wait until this number of subscriptions waits for the next event."""

        def waiting() -> int:
            return sum(len(shared.at_front) for hub in self.server.hubs for shared in hub._shared.values())

        async with asyncio.timeout(20):
            while waiting() < subscriptions:  # noqa: ASYNC110 - it changes in other tasks
                await asyncio.sleep(0.01)

    async def rename(self, times: int) -> list[int]:
        """Record events, and return their positions."""
        return [
            (await self.store.commands.handle(NameSite(name=f"Name {await self.store.log.head()}"))).position
            for _ in range(times)
        ]


@pytest.fixture
async def newsroom(tmp_path: Path) -> AsyncIterator[Newsroom]:
    data = tmp_path / "data"
    async with open_store(data) as store, opened_store(data) as other:
        settings = SubscriptionSettings(recheck_seconds=HOUR)
        authenticator = make_authenticator(other, AccessSettings())
        async with served(other, authenticator=authenticator, live=settings) as server:
            yield Newsroom(store, server, data)
            await server.nothing_is_left()


async def messages_until_closed(socket: Socket) -> tuple[list[int], tuple[int, str]]:
    """Return the positions of the results up to the end of the socket, and the code and reason of its end."""
    positions, errors = [], 0
    while not errors:
        message = await socket.receive()
        if message["type"] == "next":
            positions.append(message["payload"]["extensions"]["position"])
        else:
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == (
                "error",
                "UNAUTHENTICATED",
            )
            errors += 1
    return positions, await socket.closed()


@pytest.mark.parametrize("query", [CHANGES, RECENT])
async def test_a_socket_gets_no_event_after_the_revocation_of_its_token(
    newsroom: Newsroom, query: str
) -> None:
    secret, token, _ = await newsroom.token()
    spare, _, _ = await newsroom.token()
    async with (
        websocket(newsroom.server.host, newsroom.server.port) as socket,
        websocket(newsroom.server.host, newsroom.server.port) as other,
    ):
        for connection, of in ((socket, secret), (other, spare)):
            await connection.init(authorization=f"Bearer {of}")
            await connection.subscribe(query)
            if query is RECENT:
                await connection.next()
        await newsroom.caught_up(2)
        await newsroom.store.commands.handle(posts.CreatePost(title="Before", publish=True))
        revocation = (await newsroom.store.commands.handle(RevokeToken(token_id=token))).position
        await newsroom.store.commands.handle(posts.CreatePost(title="After", publish=True))
        after = await newsroom.rename(3)
        positions, end = await messages_until_closed(socket)
        assert end == (4403, "Forbidden: This token has been revoked.")
        assert all(each <= revocation for each in positions)
        if query is CHANGES:
            assert positions[-1] == revocation, "the subscription sends everything up to the revocation"
            seen = 0
            while seen < after[-1]:
                seen = (await other.next())["extensions"]["position"]


async def test_a_revocation_that_is_the_last_event_ends_the_subscription(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_WAIT_SECONDS", 1_000)  # nothing but the event itself may end it
    secret, token, _ = await newsroom.token()
    async with websocket(newsroom.server.host, newsroom.server.port) as socket:
        await socket.init(authorization=f"Bearer {secret}")
        await socket.subscribe(CHANGES)
        await newsroom.caught_up(1)
        revocation = (await newsroom.store.commands.handle(RevokeToken(token_id=token))).position
        positions, end = await messages_until_closed(socket)
        assert end == (4403, "Forbidden: This token has been revoked.")
        assert positions == [revocation]


@pytest.mark.one_worker
async def test_equal_subscriptions_of_another_token_of_the_same_actor_continue(newsroom: Newsroom) -> None:
    first, first_id, _ = await newsroom.token()
    with newsroom.store.snapshot() as snapshot:
        (actor,) = snapshot.db.execute("SELECT actor_id FROM token WHERE id = ?", (first_id,)).fetchone()
    second, _, _ = await newsroom.token(acts_for=actor)
    async with (
        websocket(newsroom.server.host, newsroom.server.port) as revoked,
        websocket(newsroom.server.host, newsroom.server.port) as valid,
    ):
        for socket, secret in ((revoked, first), (valid, second)):
            await socket.init(authorization=f"Bearer {secret}")
            await socket.subscribe(CHANGES)
        await newsroom.caught_up(2)
        await newsroom.rename(1)
        await revoked.next()
        await valid.next()
        assert newsroom.server.subscriptions.counts["groups"] == 1
        await newsroom.store.commands.handle(RevokeToken(token_id=first_id))
        (after,) = await newsroom.rename(1)
        assert (await revoked.closed())[0] == 4403
        await valid.next()
        assert (await valid.next())["extensions"]["position"] == after


@pytest.mark.parametrize("mode", ["distinct", "single"])
async def test_an_event_stream_gets_no_event_after_the_revocation(newsroom: Newsroom, mode: str) -> None:
    secret, token, _ = await newsroom.token()
    bearer, url = {"Authorization": f"Bearer {secret}"}, f"{newsroom.server.url}/graphql"
    async with httpx2.AsyncClient(timeout=20) as http:
        if mode == "single":
            reservation = (await http.put(f"{url}/stream", headers=bearer)).text
            bearer["X-GraphQL-Event-Stream-Token"] = reservation
            opening = opened(http, "GET", f"{url}/stream?token={reservation}", "", bearer)
        else:
            opening = opened(http, "POST", url, CHANGES, bearer)
        async with opening as stream:
            if mode == "single":
                body = {"query": CHANGES, "extensions": {"operationId": "1"}}
                assert (await http.post(f"{url}/stream", json=body, headers=bearer)).status_code == 202

            async def is_begun() -> None:
                while not newsroom.server.subscriptions.counts["subscriptions"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

            await asyncio.wait_for(is_begun(), 20)
            await newsroom.rename(1)
            await stream.next()
            revocation = (await newsroom.store.commands.handle(RevokeToken(token_id=token))).position
            await newsroom.rename(3)
            payloads = [
                event.data.get("payload", event.data) for event in await stream.rest() if event.type == "next"
            ]
    positions = [payload["extensions"]["position"] for payload in payloads if "data" in payload]
    assert positions == [revocation]
    assert payloads[1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_subscription_that_reads_the_past_ends_at_once(newsroom: Newsroom) -> None:
    await newsroom.rename(60)
    secret, token, _ = await newsroom.token()
    async with websocket(newsroom.server.host, newsroom.server.port) as socket:
        await socket.init(authorization=f"Bearer {secret}")
        await socket.subscribe(CHANGES, **{"from": 0})
        await socket.next()
        revocation = (await newsroom.store.commands.handle(RevokeToken(token_id=token))).position
        positions, end = await messages_until_closed(socket)
        assert end[0] == 4403
        assert all(position <= revocation for position in positions)


async def test_a_token_whose_creation_is_withdrawn_ends_its_subscriptions(newsroom: Newsroom) -> None:
    secret, _, position = await newsroom.token()
    async with websocket(newsroom.server.host, newsroom.server.port) as socket:
        await socket.init(authorization=f"Bearer {secret}")
        await socket.subscribe(CHANGES)
        await newsroom.rename(1)
        await socket.next()
        await withdraw(newsroom.data, position - 1, "A leak.")
        await newsroom.rename(3)
        _, end = await messages_until_closed(socket)
        assert end == (4403, "Forbidden: Unknown token.")


async def test_an_expired_token_ends_its_subscriptions(newsroom: Newsroom) -> None:
    expiry = newsroom.store.clock.now() + 3_000_000
    secret, _, _ = await newsroom.token(expires_at=expiry)
    async with websocket(newsroom.server.host, newsroom.server.port) as socket:
        await socket.init(authorization=f"Bearer {secret}")
        await socket.subscribe(CHANGES)
        assert await socket.closed() == (4403, "Forbidden: This token has expired.")
    assert newsroom.store.clock.now() >= expiry


async def test_a_command_that_is_executing_when_its_token_is_revoked_records_nothing(
    newsroom: Newsroom,
) -> None:
    store = newsroom.store
    _, token, _ = await newsroom.token(Role.ADMIN)
    with store.snapshot() as snapshot:
        (actor,) = snapshot.db.execute("SELECT actor_id FROM token WHERE id = ?", (token,)).fetchone()
    user = Identity(Role.ADMIN, store.features.roles.of(Role.ADMIN), actor, token)
    request = CommandRequest(actor_id=actor, identity=user)
    heads: list[int] = []

    class CreatePost(posts.CreatePost):
        async def plan(self, context: CommandContext) -> AppendPlan:
            plan = await super().plan(context)
            if not heads:
                await store.commands.handle(RevokeToken(token_id=token))
                heads.append(await store.log.head())
            return plan

    with pytest.raises(Rejection) as rejection:
        await store.commands.handle(CreatePost(title="Late"), request)
    assert rejection.value.code == "TOKEN_REVOKED"
    assert await store.log.head() == heads[0]


async def test_a_subscription_gets_no_event_after_its_jwt_has_expired(tmp_path: Path) -> None:
    clock = StandingClock(NOW * 1_000_000)
    with issuing() as issuer:
        access = AccessSettings(
            oidc_issuer=issuer.name, oidc_audience=AUDIENCE, oidc_jwks_url=issuer.url, oidc_leeway_seconds=30
        )
        async with open_store(tmp_path / "data", clock=clock) as store:
            live = SubscriptionSettings(recheck_seconds=HOUR)
            async with (
                served(store, authenticator=make_authenticator(store, access), live=live) as server,
                websocket(server.host, server.port) as socket,
            ):
                await socket.init(authorization=f"Bearer {issuer.token(role='auditor', exp=NOW + 600)}")
                await socket.subscribe(CHANGES)
                await store.commands.handle(NameSite(name="Before"))
                await socket.next()
                clock.time = (NOW + 630) * 1_000_000
                await store.commands.handle(NameSite(name="After"))
                message = await socket.receive()
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == (
                    "error",
                    "UNAUTHENTICATED",
                )
