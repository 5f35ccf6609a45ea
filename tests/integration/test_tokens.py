"""API tokens: creation, authentication, expiry, revocation and withdrawal, over HTTP and on the command line."""

import asyncio
import base64
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.commands.roles_and_permissions import READ_HISTORY, Role
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.actors.model import IMPORTER, SYSTEM, ActorKind, ActorRegistered
from ledgerpress.features.posts import READ_POSTS, WRITE_POSTS
from ledgerpress.features.registry import all_projectors
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import RevokeToken, first_token_id, secret_hash
from ledgerpress.features.tokens.model import WRITE_TOKENS, TokenCreated, TokenRevoked
from ledgerpress.graphql.relay import global_ids
from ledgerpress.server.settings.loading import load
from ledgerpress.server.store import open_store
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from tests.altered_projectors import Altered
from tests.identities import GRANTED
from tests.integration.authenticated_client import Visitors, visitors
from tests.integration.log_history import recorded
from tests.integration.program_runs import done, program
from tests.integration.server_process import Servers

pytestmark = pytest.mark.usefixtures("workers")

LIST_TOKENS: Final = "{ tokens { totalCount nodes { id name role scopes createdAt expiresAt revokedAt version actor { id kind name } } } }"
UNKNOWN: Final = "lp_" + "A" * 43


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Visitors]:
    async with visitors(tmp_path / "store") as api:
        yield api


async def create(api: Visitors, **fields: Any) -> dict[str, Any]:
    fields = {"name": "Feed", "role": "EDITOR", **fields}
    return await api.do("tokenCreate", "secret token { id name role scopes actor { id } }", **fields)


def files(data: Path, pattern: str = "*") -> Iterator[bytes]:
    for path in data.rglob(pattern):
        if path.is_file():
            yield path.read_bytes()


# --- a token's life, in several processes ----------------------------------------------------------


async def test_tokens_of_other_processes_work_and_are_revoked_at_once_and_only_hashes_are_stored(
    tmp_path: Path,
) -> None:
    data = tmp_path / "store"
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(data)
        admin = server.admin_token()
        assert admin
        assert f"/graphql#token={admin}\n" in server.output.read_text("utf-8")
        created = json.loads(
            await done(
                "token", "create", "Feed", "--role", "auditor", "--expires", "1h", "--json", "--data", data
            )
        )
        secret = created["secret"]
        # A new connection each time: the server closes connections that are idle for a while.
        async with await server.connect(f"Bearer {secret}") as client:
            result, _ = await client.execute(LIST_TOKENS)
        assert [token["name"] for token in result["tokens"]["nodes"]] == ["First admin token", "Feed"]
        lines = (await done("token", "list", "--json", "--data", data)).splitlines()
        listed = [json.loads(line) for line in lines]
        assert [(token["role"], token["state"]) for token in listed] == [
            ("admin", "good"),
            ("auditor", "good"),
        ]
        assert listed[1]["id"] == created["id"]
        await done(
            "token", "revoke", created["id"], "--reason", "Seen in a screenshot.", "--yes", "--data", data
        )
        async with await server.connect(f"Bearer {secret}") as client:
            status, response = await client.answer(LIST_TOKENS)
        assert (status, response["errors"][0]["message"]) == (401, "This token has been revoked.")
        assert "revoked" in await done("token", "list", "--data", data)
        assert server.words() == ""
        for content in files(data):
            for token in (secret, admin):
                raw = base64.urlsafe_b64decode(token[3:] + "=")
                assert token.encode() not in content
                assert raw not in content
                assert raw.hex().encode() not in content
    hashes = {
        record.event.secret_hash for record in await recorded(data) if isinstance(record.event, TokenCreated)
    }
    assert hashes == {secret_hash(secret), secret_hash(admin)}
    assert secret_hash(secret).encode() in b"".join(files(data, "log.sqlite*")), (
        "the files above include the stored hashes"
    )


async def test_the_first_admin_token_is_created_once_and_printed_by_the_process_that_created_it(
    tmp_path: Path,
) -> None:
    data = tmp_path / "store"
    await done("demo", "--data", data)
    async with Servers(tmp_path, environment={}) as servers:
        started = await asyncio.gather(*(servers.start(data) for _ in range(3)))
        (secret,) = filter(None, (server.admin_token() for server in started))
        for server in started:
            async with await server.connect(f"Bearer {secret}") as client:
                result, _ = await client.execute(LIST_TOKENS)
                assert result["tokens"]["totalCount"] == 1
        publication = (await recorded(data))[0].header.publication
        await done("token", "revoke", first_token_id(publication), "--yes", "--data", data)
        assert (await servers.start(data)).admin_token() is None


async def test_no_first_token_is_created_if_an_admin_token_exists_or_none_is_needed(tmp_path: Path) -> None:
    with_token, without_authentication = tmp_path / "had", tmp_path / "open"
    await done("demo", "--data", with_token)
    await done("token", "create", "Mine", "--role", "admin", "--data", with_token)
    async with Servers(tmp_path, environment={}) as servers:
        assert (await servers.start(with_token)).admin_token() is None
    async with Servers(tmp_path) as servers:
        assert (await servers.start(without_authentication)).admin_token() is None
    assert not any(
        isinstance(record.event, TokenCreated) for record in await recorded(without_authentication)
    )


@pytest.mark.usefixtures("any_silence")
async def test_a_withdrawn_token_is_rejected_like_an_unknown_token(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with visitors(data) as api:
        secret = await api.new_token(Role.ADMIN)
        assert (await api.authenticator.identify(f"Bearer {secret}")).role is Role.ADMIN
        (created,) = [record for record in await recorded(data) if isinstance(record.event, TokenCreated)]
        await done("withdraw", str(created.position), "--reason", "By law.", "--yes", "--data", data)
        async with asyncio.timeout(20):
            while api.store.checkpoints["tokens"].position < created.position + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await api.refusal(f"Bearer {secret}") == await api.refusal(f"Bearer {UNKNOWN}")
        api.show(await api.new_token(Role.ADMIN))
        (first, _) = (await api.ask(LIST_TOKENS))["tokens"]["nodes"]
        assert (first["name"], first["role"], first["actor"]) == (None, None, None)
    assert "withdrawn" in await done("token", "list", "--data", data)
    async with Servers(tmp_path, environment={}) as servers:
        assert (await servers.start(data)).admin_token() is None, (
            "the withdrawn token may have been an admin token"
        )


# --- authentication ----------------------------------------------------------------------------------


async def test_a_token_authenticates_its_actor_with_the_permissions_of_role_and_scopes(api: Visitors) -> None:
    secret = await api.new_token(Role.EDITOR, scopes=(READ_POSTS, READ_HISTORY))
    identity = await api.authenticator.identify(f"bearer   {secret}  ")
    assert identity.permissions == {READ_POSTS, READ_HISTORY}
    assert identity.role is Role.EDITOR
    (created,) = [record for record in await history(api) if isinstance(record.event, TokenCreated)]
    assert isinstance(created.event, TokenCreated)
    assert (identity.actor_id, identity.token_id) == (created.event.actor_id, created.event.token_id)
    for role in Role:
        assert (
            await api.authenticator.identify(f"Bearer {await api.new_token(role)}")
        ).permissions == GRANTED[role]


async def test_changes_made_with_a_token_are_recorded_for_its_actor(api: Visitors) -> None:
    api.show(await api.new_token(Role.ADMIN))
    post = await api.write("By a robot")
    changes = await api.ask(
        '{ changes(filter: {types: ["post.created"]}) { nodes { actor { kind name } subject { id } } } }'
    )
    assert changes["changes"]["nodes"] == [
        {"actor": {"kind": "TOKEN", "name": "Robot"}, "subject": {"id": post["id"]}}
    ]


async def test_a_token_expires(api: Visitors) -> None:
    end = api.clock.time + 10_000_000
    secret = await api.new_token(expires_at=end)
    api.clock.time = end - 1_000_001
    assert (await api.authenticator.identify(f"Bearer {secret}")).role is Role.ADMIN
    assert await api.refusal(f"Bearer {secret}") == "This token has expired."


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer a b",
        "Bearer lp_ö",
        "lp_x",
        "Bearer " + "x" * 20_000,
    ],
)
async def test_a_header_without_a_bearer_token_is_rejected(api: Visitors, header: str) -> None:
    assert await api.refusal(header.encode("latin-1")) == (
        "The Authorization header must contain “Bearer”, a space and a token."
    )


async def test_tokens_that_ledgerpress_did_not_create_are_rejected(api: Visitors) -> None:
    assert "begin with lp_" in await api.refusal("Bearer eyJhbGciOiJub25lIn0.e30.")
    secret = await api.new_token()
    for token in (UNKNOWN, "lp_", secret[:-1], secret + "A", secret.lower(), "lp_" + secret_hash(secret)):
        assert await api.refusal(f"Bearer {token}") == "Unknown token.", token
    assert await api.authenticator.identify(None) == ANONYMOUS


async def test_a_revocation_takes_effect_even_while_the_tokens_projection_is_paused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def apply(writing: ProjectorBatch, event: Recorded[Event]) -> None:
        if isinstance(event.event, TokenRevoked):
            raise TypeError("this cannot be")
        writing.apply(event)

    projectors: list[Projector] = [
        Altered(projector, apply) if projector.name == "tokens" else projector
        for projector in all_projectors()
    ]
    async with visitors(tmp_path / "store", projectors=projectors) as api:
        valid, revoked = await api.new_token(), await api.new_token()
        identity = await api.authenticator.identify(f"Bearer {revoked}")
        await api.store.commands.handle(RevokeToken(token_id=identity.token_id or ""))
        assert api.store.checkpoints["tokens"].is_paused
        assert await api.refusal(f"Bearer {revoked}") == "This token has been revoked."
        assert (await api.authenticator.identify(f"Bearer {valid}")).role is Role.ADMIN


async def test_a_token_is_read_as_of_the_last_commit_of_any_process(tmp_path: Path) -> None:
    async with (
        visitors(tmp_path / "store") as api,
        open_store(tmp_path / "store", clock=api.clock) as other,
    ):
        first, second = await api.new_token(), await api.new_token(Role.AUTHOR)
        identify = api.authenticator.identify
        with api.store.snapshot():  # a request in progress, which reads an older state
            for _ in range(2):
                assert (await identify(f"Bearer {first}")).role is Role.ADMIN
                assert (await identify(f"Bearer {second}")).role is Role.AUTHOR
            token_id = (await identify(f"Bearer {second}")).token_id
            await other.commands.handle(RevokeToken(token_id=token_id or ""))
            assert await api.refusal(f"Bearer {second}") == "This token has been revoked."
            assert (await identify(f"Bearer {first}")).role is Role.ADMIN


async def test_a_store_from_before_the_tokens_projection_can_be_opened(tmp_path: Path) -> None:
    older = [projector for projector in all_projectors() if projector.name != "tokens"]
    async with open_store(tmp_path / "store", projectors=older) as store:
        before = await store.log.head()
    async with visitors(tmp_path / "store") as api:
        assert await api.store.log.head() == before
        api.show(await api.new_token())
        assert (await api.ask(LIST_TOKENS))["tokens"]["totalCount"] == 1


# --- through GraphQL ---------------------------------------------------------------------------------


async def test_tokens_are_created_listed_and_revoked_through_graphql(api: Visitors) -> None:
    api.show(await api.new_token())
    created = await create(api, scopes=["READ_POSTS", "WRITE_POSTS"], expiresAt="2031-01-01T00:00:00Z")
    assert (created["userErrors"], created["replayed"]) == ([], False)
    token = created["token"]
    assert (await api.authenticator.identify(f"Bearer {created['secret']}")).permissions == {
        READ_POSTS,
        WRITE_POSTS,
    }
    listed = (await api.ask(LIST_TOKENS))["tokens"]["nodes"][1]
    assert (listed["id"], listed["role"], listed["scopes"]) == (
        token["id"],
        "EDITOR",
        ["READ_POSTS", "WRITE_POSTS"],
    )
    assert (listed["expiresAt"], listed["revokedAt"], listed["version"]) == ("2031-01-01T00:00:00Z", None, 1)
    assert (listed["actor"]["kind"], listed["actor"]["name"]) == ("TOKEN", "Feed")

    stale = await api.do("tokenRevoke", id=token["id"], expectedVersion=7)
    assert stale["userErrors"][0]["code"] == "VERSION_CONFLICT"
    revoked = await api.do("tokenRevoke", "token { id version revokedAt }", id=token["id"], expectedVersion=1)
    assert (revoked["token"]["id"], revoked["token"]["version"]) == (token["id"], 2)
    assert revoked["token"]["revokedAt"]
    assert await api.refusal(f"Bearer {created['secret']}") == "This token has been revoked."
    again = await api.do("tokenRevoke", id=token["id"])
    assert (again["userErrors"], again["position"]) == ([], revoked["position"])
    other = await api.do("tokenRevoke", id=global_ids.encode("ApiToken", first_token_id("x")))
    assert other["userErrors"][0]["code"] == "NOT_FOUND"


async def test_the_list_of_tokens_has_pages(api: Visitors) -> None:
    api.show(await api.new_token())
    for name in ("One", "Two", "Three"):
        await create(api, name=name)
    page = "query ($after: String) { tokens(first: 2, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } }"
    first = (await api.ask(page))["tokens"]
    second = (await api.ask(page, after=first["pageInfo"]["endCursor"]))["tokens"]
    assert [token["name"] for token in first["nodes"] + second["nodes"]] == ["Robot", "One", "Two", "Three"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


async def test_a_repeated_creation_creates_no_second_token_and_returns_no_secret(api: Visitors) -> None:
    api.show(await api.new_token())
    first = await create(api, idempotencyKey="k")
    again = await create(api, idempotencyKey="k")
    assert (again["replayed"], again["secret"], again["userErrors"]) == (True, None, [])
    assert again["token"] == first["token"]
    assert (await api.ask(LIST_TOKENS))["tokens"]["totalCount"] == 2
    other = await create(api, idempotencyKey="k", name="Another")
    assert (other["userErrors"][0]["code"], other["secret"]) == ("IDEMPOTENCY_KEY_REUSED", None)


@pytest.mark.parametrize("role", [None, Role.READER, Role.AUTHOR, Role.EDITOR, Role.AUDITOR])
async def test_only_admins_create_and_revoke_tokens_and_only_auditors_can_also_read_them(
    api: Visitors, role: Role | None
) -> None:
    admin = await api.new_token()
    api.show(admin)
    token = (await create(api))["token"]
    api.show(await api.new_token(role) if role else None)
    mutation = 'mutation { tokenCreate(input: {name: "x", role: READER}) { position } }'
    revocation = f'mutation {{ tokenRevoke(input: {{id: "{token["id"]}"}}) {{ position }} }}'
    code = "FORBIDDEN" if role else "UNAUTHENTICATED"
    for query in (mutation, revocation):
        assert [error["extensions"]["code"] for error in await api.errors(query)] == [code]
    nodes = f'{{ node(id: "{token["id"]}") {{ id }} nodes(ids: ["{token["id"]}"]) {{ id }} }}'
    if role is Role.AUDITOR:
        assert (await api.ask(LIST_TOKENS))["tokens"]["totalCount"] == 3
        assert await api.ask(nodes) == {"node": {"id": token["id"]}, "nodes": [{"id": token["id"]}]}
    else:
        assert [error["extensions"]["code"] for error in await api.errors(LIST_TOKENS)] == [code]
        assert await api.ask(nodes) == {"node": None, "nodes": [None]}
    api.show(admin)
    assert len((await api.ask(LIST_TOKENS))["tokens"]["nodes"]) == (3 if role else 2)


async def test_a_token_cannot_have_more_permissions_than_its_creator(api: Visitors) -> None:
    scopes = (WRITE_TOKENS, READ_POSTS)
    api.show(await api.new_token(Role.ADMIN, scopes=scopes))
    for fields, field in (
        ({"role": "ADMIN"}, "role"),
        ({"role": "EDITOR"}, "role"),
        ({"role": "ADMIN", "scopes": ["READ_POSTS", "WRITE_POSTS"]}, "scopes"),
    ):
        rejected = await create(api, **fields)
        assert (rejected["userErrors"][0]["field"], rejected["secret"]) == (["input", field], None), fields
    for allowed in ({"role": "READER"}, {"role": "ADMIN", "scopes": ["READ_POSTS", "WRITE_TOKENS"]}):
        assert (await create(api, **allowed))["userErrors"] == []
    beyond_role = await create(api, role="AUTHOR", scopes=["READ_POSTS"])
    assert "does not include posts:read" in beyond_role["userErrors"][0]["message"]


async def test_a_token_may_act_for_an_existing_actor(api: Visitors) -> None:
    api.show(await api.new_token())
    first = (await create(api))["token"]
    before = await api.store.log.head()
    second = await create(api, name="The other hand", actor=first["actor"]["id"])
    assert second["token"]["actor"] == first["actor"]
    assert await api.store.log.head() == before + 1, "no second actor is registered"
    for actor, code in (
        (global_ids.encode("Actor", first_token_id("nobody")), "NOT_FOUND"),
        (global_ids.encode("Actor", SYSTEM.id), "INVALID_VALUE"),
        (global_ids.encode("Actor", IMPORTER.id), "INVALID_VALUE"),
        (first["id"], "INVALID_ID"),
    ):
        (error,) = (await create(api, actor=actor))["userErrors"]
        assert (error["code"], error["field"]) == (code, ["input", "actor"])


async def test_a_new_actor_is_registered_with_its_token_in_one_step(api: Visitors) -> None:
    await api.new_token()
    *_, created, registered = await history(api)
    assert isinstance(created.event, TokenCreated)
    assert registered.event == ActorRegistered(
        actor_id=created.event.actor_id, kind=ActorKind.TOKEN, name="Robot"
    )
    assert created.header.command_id == registered.header.command_id


# --- settings and the command line ---------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR, Role.AUTHOR])
def test_only_readers_are_allowed_without_a_token_on_a_public_address(role: Role) -> None:
    settings = AccessSettings(anonymous_role=role)
    for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"):
        settings.check_host(host)
        AccessSettings().check_host(host)
    for host in ("0.0.0.0", "::", "192.168.0.7", "news.example.org", "localhost.example.org"):
        AccessSettings().check_host(host)
        with pytest.raises(ValueError, match=role.value):
            settings.check_host(host)


async def test_anonymous_clients_can_have_another_role(tmp_path: Path) -> None:
    async with visitors(tmp_path / "store", AccessSettings(anonymous_role=Role.ADMIN)) as api:
        assert await api.authenticator.identify(None) == LOCAL_OPERATOR
        assert await api.refusal(f"Bearer {UNKNOWN}"), "a presented token is still checked"
    async with visitors(tmp_path / "store", AccessSettings(anonymous_role=Role.AUDITOR)) as api:
        assert (await api.authenticator.identify(None)).permissions == GRANTED[Role.AUDITOR]


def test_settings_come_from_the_environment() -> None:
    assert load({}, {}).settings.access == AccessSettings()
    access = load(
        {},
        {
            "LEDGERPRESS_ANONYMOUS_ROLE": "auditor",
            "LEDGERPRESS_OIDC_ISSUER": "https://id.example.org",
            "LEDGERPRESS_OIDC_AUDIENCE": "press",
            "LEDGERPRESS_OIDC_JWKS_URL": "https://id.example.org/keys",
            "LEDGERPRESS_OIDC_ALGORITHMS": "ES256, PS256",
            "LEDGERPRESS_OIDC_LEEWAY_SECONDS": "5",
        },
    ).settings.access
    assert (access.anonymous_role, access.oidc_algorithms, access.oidc_leeway_seconds) == (
        Role.AUDITOR,
        ("ES256", "PS256"),
        5,
    )


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ANONYMOUS_ROLE": "king"}, "king"),
        ({"OIDC_ISSUER": "https://id.example.org"}, "audience"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a"}, "URL of its keys"),
        ({"OIDC_ISSUER": "http://id.example.org", "OIDC_AUDIENCE": "a"}, "only if it is an https URL"),
        ({"OIDC_ISSUER": "https://id.example.org?a=b", "OIDC_AUDIENCE": "a"}, "has a query or a fragment"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_URL": "u", "OIDC_JWKS_FILE": "f"}, "either"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_URL": "http://id.example.org/k"}, "https"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_FILE": "/no/such/file"}, "cannot be read"),
        ({"OIDC_ALGORITHMS": "RS256,none"}, "none"),
        ({"OIDC_ALGORITHMS": "HS256"}, "HS256"),
        ({"OIDC_LEEWAY_SECONDS": "1000"}, "leeway"),
    ],
)
@pytest.mark.one_worker
async def test_a_server_with_invalid_settings_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"LEDGERPRESS_{name}", value)
    result = await program("serve", "--port", "0", "--data", tmp_path / "store")
    assert (result.code, message in result.err) == (2, True), result.err
    assert "lp_" not in result.err


def test_the_command_line_reports_what_is_wrong(tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    data = tmp_path / "store"
    assert run("demo", "--data", data).exit_code == 0
    for arguments, code, message in (
        (("create", "x", "--role", "boss"), 2, "boss"),
        (("create", "x", "--role", "editor", "--scope", "tokens:read"), 1, "does not include tokens:read"),
        (("create", " ", "--role", "editor"), 1, "must not be empty"),
        (("create", "x", "--role", "editor", "--expires", "soon"), 2, "90d"),
        (("create", "x", "--role", "editor", "--expires", "2031-W01-1"), 2, "90d"),
        (("create", "x", "--role", "editor", "--expires", "2031-01-01T00:00:00"), 2, "offset"),
        (
            ("create", "x", "--role", "editor", "--expires", "2001-01-01t00:00:00z"),
            1,
            "expiry time has passed",
        ),
        (("create", "x", "--role", "editor", "--expires", "2001-01-01"), 1, "expiry time has passed"),
        (("create", "x", "--role", "editor", "--actor", "nobody"), 1, "no such actor"),
        (("revoke", "nobody"), 1, "no such token"),
    ):
        result = run("token", *arguments, "--data", data)
        assert (result.exit_code, message in result.stderr, result.stdout) == (code, True, ""), arguments
    for command in (("list",), ("create", "x", "--role", "editor"), ("revoke", "x")):
        assert run("token", *command, "--data", tmp_path / "none").exit_code == 3


async def test_creating_a_token_on_the_command_line_prints_only_the_secret(tmp_path: Path) -> None:
    data = tmp_path / "store"
    await done("demo", "--data", data)
    result = await program(
        "token",
        "create",
        "Feed",
        "--role",
        "author",
        "--scope",
        "posts:write-own",
        "--expires",
        "2031-01-01",
        "--data",
        data,
    )
    assert (result.code, len(result.out.strip())) == (0, 46)
    assert result.out.startswith("lp_")
    assert result.out.strip() not in result.err
    (line,) = (await done("token", "list", "--json", "--data", data)).splitlines()
    listed = json.loads(line)
    assert (listed["scopes"], listed["expiresAt"]) == (["posts:write-own"], "2031-01-01T00:00:00Z")
    for views in data.glob("views-*.sqlite"):
        with sqlite3.connect(views) as db:
            assert db.execute("SELECT name, role FROM token").fetchall() == [("Feed", "author")]
        db.close()


async def history(api: Visitors) -> list[Recorded[Event]]:
    return await recorded(api.data)
