"""Commands while the log has events that this server cannot read, and while projections are paused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.commands.client_identity import Unauthenticated
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.event_and_withdrawn_event import SYSTEM_ACTOR_ID
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.features.actors.commands import RenameActor
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories.commands import CreateCategory, RenameCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, secret_hash
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.authenticator_and_first_admin_token import make_authenticator
from ledgerpress.server.store import Store, open_store
from tests.integration.graphql_client import client

pytestmark = pytest.mark.usefixtures("any_silence")

DAMAGES = {
    "type": (
        "xray.taken",
        1,
        b'{"data":{},"reason":null,"idempotencyKey":null,"traceId":null,"fingerprint":null}',
    ),
    "version": (
        None,
        99,
        b'{"data":{},"reason":null,"idempotencyKey":null,"traceId":null,"fingerprint":null}',
    ),
    "payload": (None, 1, b'{"data":{"secret":"heron"}'),
}


async def record_unreadable(store: Store, stream: str, damage: str = "type") -> tuple[int, str, int]:
    """Record an event that no server can read in a stream; return its position, type and version."""
    before = await store.log.read_stream(stream)
    type_, version, plaintext = DAMAGES[damage]
    type_ = type_ or before[-1].header.type
    id_ = uuid8(stream, damage)
    event = NewEvent(
        event_id=id_,
        type=type_,
        schema_version=version,
        recorded_at=store.clock.now(),
        actor_id=SYSTEM_ACTOR_ID,
        command_id=id_,
        correlation_id=id_,
        payload=SealedPayload(JSON_ENCODING, plaintext, b"s" * 32),
    )
    position = await store.log.append([StreamWrite(stream, len(before), (event,))])
    await store.views.wait_for(position, 10)
    return position, type_, version


@pytest.mark.parametrize("damage", DAMAGES)
async def test_an_edit_of_a_post_with_an_unreadable_event_is_rejected_with_a_code(
    tmp_path: Path, damage: str
) -> None:
    async with client(tmp_path / "data") as api:
        post = await api.write("Tide mill")
        other = await api.write("Night market")
        with api.store.snapshot() as snapshot:
            row = snapshot.db.execute("SELECT id FROM post ORDER BY seq LIMIT 1").fetchone()
        position, type_, version = await record_unreadable(api.store, f"post.{row[0]}", damage)
        head = await api.store.log.head()
        for mutation, input in (
            ("postEdit", {"title": "Tide mill reopens"}),
            ("postPublish", {}),
            ("postArchive", {}),
            ("postRestore", {"toVersion": 1}),
        ):
            (error,) = (await api.do(mutation, id=post["id"], **input))["userErrors"]
            assert error["code"] == "EVENT_UNREADABLE"
            assert f"position {position} ({type_} version {version})" in error["message"]
            assert "operator" in error["message"]
            assert "heron" not in error["message"]
        assert await api.store.log.head() == head
        edited = await api.do("postEdit", "post { id }", id=other["id"], title="Day market")
        assert (edited["userErrors"], edited["viewsBehind"], edited["post"]) == ([], True, None)


async def test_every_feature_rejects_commands_on_a_stream_with_an_unreadable_event(tmp_path: Path) -> None:
    async with open_store(tmp_path / "data") as store:
        handle = store.commands.handle
        await handle(NameSite(name="The Tide"))
        author = (await handle(RegisterAuthor(name="Ada"))).subject_id
        category = (await handle(CreateCategory(name="News"))).subject_id
        token = (
            await handle(CreateToken(name="Feed", role=Role.EDITOR, secret_hash=secret_hash("lp_x")))
        ).subject_id
        commands: dict[str, Any] = {
            "site": NameSite(name="The Flood"),
            f"author.{author}": RenameAuthor(author_id=author, name="Bo"),
            "taxonomy": RenameCategory(category=CategoryRef(id=category), name="Town"),
            f"token.{token}": RevokeToken(token_id=token),
            f"actor.{OPERATOR.id}": RenameActor(actor_id=OPERATOR.id, name="Me"),
        }
        for stream, command in commands.items():
            position, _, _ = await record_unreadable(store, stream)
            with pytest.raises(Rejection) as rejection:
                await handle(command)
            assert rejection.value.code == ErrorCode.EVENT_UNREADABLE
            assert f"position {position}" in rejection.value.message
        authenticator = make_authenticator(store, AccessSettings())
        with pytest.raises(Unauthenticated, match="this server does not know"):
            await authenticator.identify("Bearer lp_x")


async def test_a_command_with_a_key_is_rejected_with_the_name_of_the_paused_projection(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path / "data") as store:
        await store.commands.handle(NameSite(name="The Tide"))
        position, _, _ = await record_unreadable(store, "site")
        with pytest.raises(Rejection) as rejection:
            await store.commands.handle(CreatePost(title="Mill"), CommandRequest(idempotency_key="once"))
        assert rejection.value.code == ErrorCode.VIEWS_PAUSED
        assert f"commands is paused at position {position}" in rejection.value.message
        assert (await store.commands.handle(CreatePost(title="Mill"))).views_behind


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def paused_store(data: Path) -> tuple[int, str]:
    """Create a store whose projections are paused; return the position of the event and the id of a post before it."""
    async with open_store(data) as store:
        post = (await store.commands.handle(CreatePost(title="Mill"))).subject_id
        position, _, _ = await record_unreadable(store, f"post.{post}")
        return position, post


def test_a_token_that_was_created_while_views_are_paused_is_a_success(tmp_path: Path) -> None:
    data = tmp_path / "data"
    asyncio.run(paused_store(data))
    created = run("token", "create", "Feed", "--role", "editor", "--json", "--data", data)
    assert created.exit_code == 0, created.stderr
    token = json.loads(created.stdout)
    assert token["secret"].startswith("lp_")
    assert (token["name"], token["role"], token["scopes"], token["revokedAt"]) == (
        "Feed",
        "editor",
        None,
        None,
    )
    assert "warning" in created.stderr
    assert "ledgerpress status" in created.stderr
    plain = run("token", "create", "Feed", "--role", "editor", "--data", data)
    assert (plain.exit_code, plain.stdout[:3]) == (0, "lp_")
    revoked = run("token", "revoke", token["id"], "--data", data)
    assert (revoked.exit_code, "is revoked" in revoked.stderr) == (0, True)


def test_a_payload_is_withdrawn_while_views_are_paused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    position, _ = asyncio.run(paused_store(data))
    withdrawn = run("withdraw", str(position - 1), "--reason", "An order.", "--yes", "--data", data)
    assert withdrawn.exit_code == 0, withdrawn.stderr


@pytest.mark.parametrize("same", [True, False])
async def test_a_key_of_a_withdrawn_command_is_rejected(tmp_path: Path, same: bool) -> None:
    async with client(tmp_path / "data") as api:
        first = await api.do("postCreate", "post { id }", title="Heron", idempotencyKey="k")
        edit = {"id": first["post"]["id"], "body": "Nine herons.", "idempotencyKey": "edit"}
        edited = await api.do("postEdit", **edit)
        await withdraw(tmp_path / "data", edited["position"], "An order.")
        head = await api.store.log.head()
        assert await api.store.views.wait_for(head, 20)
        again = await api.do("postEdit", **(edit if same else {**edit, "body": "Ten herons."}))
        (error,) = again["userErrors"]
        assert (error["code"], error["field"]) == (
            "IDEMPOTENCY_KEY_UNVERIFIABLE",
            ["input", "idempotencyKey"],
        )
        assert f"position {edited['position']}" in error["message"]
        assert (again["replayed"], await api.store.log.head()) == (False, head)
        repeated = await api.do("postCreate", "post { id }", title="Heron", idempotencyKey="k")
        assert repeated["replayed"], "the key of another command still works"
