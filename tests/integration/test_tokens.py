"""API tokens: made, shown, expired, revoked and withdrawn, at the doors that programs and operators use."""

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
from ledgerpress.features.posts.permissions import READ_POSTS, WRITE_POSTS
from ledgerpress.features.registry import all_projectors
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import WRITE_TOKENS, RevokeToken, first_token_id, secret_hash
from ledgerpress.features.tokens.model import TokenCreated, TokenRevoked
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

ASK: Final = "{ tokens { totalCount nodes { id name role scopes createdAt expiresAt revokedAt version actor { id kind name } } } }"
UNKNOWN: Final = "lp_" + "A" * 43


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Visitors]:
    async with visitors(tmp_path / "store") as one:
        yield one


async def create(gate: Visitors, **given: Any) -> dict[str, Any]:
    given = {"name": "Feed", "role": "EDITOR", **given}
    return await gate.do("tokenCreate", "secret token { id name role scopes actor { id } }", **given)


def files(data: Path, pattern: str = "*") -> Iterator[bytes]:
    for path in data.rglob(pattern):
        if path.is_file():
            yield path.read_bytes()


# --- a token's life, in several processes ----------------------------------------------------------


async def test_a_token_is_made_used_and_revoked_at_once_by_other_processes_and_only_its_hash_is_kept(
    tmp_path: Path,
) -> None:
    data = tmp_path / "store"
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(data)
        admin = server.admin_token()
        assert admin
        assert f"/graphql#token={admin}\n" in server.output.read_text("utf-8")
        made = json.loads(
            await done(
                "token", "create", "Feed", "--role", "auditor", "--expires", "1h", "--json", "--data", data
            )
        )
        secret = made["secret"]
        # Each time a connection of its own: a server gives up one on which nothing is asked for a while.
        async with await server.connect(f"Bearer {secret}") as client:
            found, _ = await client.execute(ASK)
        assert [one["name"] for one in found["tokens"]["nodes"]] == ["First admin token", "Feed"]
        lines = (await done("token", "list", "--json", "--data", data)).splitlines()
        listed = [json.loads(line) for line in lines]
        assert [(one["role"], one["state"]) for one in listed] == [("admin", "good"), ("auditor", "good")]
        assert listed[1]["id"] == made["id"]
        await done("token", "revoke", made["id"], "--reason", "Seen in a screenshot.", "--data", data)
        async with await server.connect(f"Bearer {secret}") as client:
            status, answer = await client.answer(ASK)
        assert (status, answer["errors"][0]["message"]) == (401, "This token has been revoked.")
        assert "revoked" in await done("token", "list", "--data", data)
        assert server.words() == ""
        for kept in files(data):
            for one in (secret, admin):
                raw = base64.urlsafe_b64decode(one[3:] + "=")
                assert one.encode() not in kept
                assert raw not in kept
                assert raw.hex().encode() not in kept
    hashes = {one.event.secret_hash for one in await recorded(data) if isinstance(one.event, TokenCreated)}
    assert hashes == {secret_hash(secret), secret_hash(admin)}
    assert secret_hash(secret).encode() in b"".join(files(data, "log.sqlite*")), "so this is where to look"


async def test_the_first_admin_token_is_made_once_and_printed_by_the_process_that_made_it(
    tmp_path: Path,
) -> None:
    data = tmp_path / "store"
    await done("demo", "--data", data)
    async with Servers(tmp_path, environment={}) as servers:
        both = await asyncio.gather(*(servers.start(data) for _ in range(3)))
        (secret,) = filter(None, (server.admin_token() for server in both))
        for server in both:
            async with await server.connect(f"Bearer {secret}") as client:
                found, _ = await client.execute(ASK)
                assert found["tokens"]["totalCount"] == 1
        publication = (await recorded(data))[0].header.publication
        await done("token", "revoke", first_token_id(publication), "--data", data)
        assert (await servers.start(data)).admin_token() is None


async def test_no_first_token_is_made_where_there_was_one_or_none_is_needed(tmp_path: Path) -> None:
    had, open_ = tmp_path / "had", tmp_path / "open"
    await done("demo", "--data", had)
    await done("token", "create", "Mine", "--role", "admin", "--data", had)
    async with Servers(tmp_path, environment={}) as servers:
        assert (await servers.start(had)).admin_token() is None
    async with Servers(tmp_path) as servers:
        assert (await servers.start(open_)).admin_token() is None
    assert not any(isinstance(one.event, TokenCreated) for one in await recorded(open_))


async def test_a_withdrawn_token_is_as_one_that_never_was(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with visitors(data) as gate:
        secret = await gate.new_token(Role.ADMIN)
        assert (await gate.door.identify(f"Bearer {secret}")).role is Role.ADMIN
        (made,) = [one for one in await recorded(data) if isinstance(one.event, TokenCreated)]
        await done("withdraw", str(made.position), "--reason", "By law.", "--data", data)
        async with asyncio.timeout(20):
            while gate.store.checkpoints["tokens"].position < made.position + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await gate.refusal(f"Bearer {secret}") == await gate.refusal(f"Bearer {UNKNOWN}")
        gate.show(await gate.new_token(Role.ADMIN))
        (first, _) = (await gate.ask(ASK))["tokens"]["nodes"]
        assert (first["name"], first["role"], first["actor"]) == (None, None, None)
    assert "withdrawn" in await done("token", "list", "--data", data)
    async with Servers(tmp_path, environment={}) as servers:
        assert (await servers.start(data)).admin_token() is None, "the withdrawn one may have been an admin's"


# --- at the door -------------------------------------------------------------------------------------


async def test_a_token_lets_in_as_its_actor_with_what_role_and_scopes_allow(gate: Visitors) -> None:
    secret = await gate.new_token(Role.EDITOR, scopes=(READ_POSTS, READ_HISTORY))
    who = await gate.door.identify(f"bearer   {secret}  ")
    assert who.permissions == {READ_POSTS, READ_HISTORY}
    assert who.role is Role.EDITOR
    (made,) = [one for one in await history(gate) if isinstance(one.event, TokenCreated)]
    assert isinstance(made.event, TokenCreated)
    assert (who.actor_id, who.token_id) == (made.event.actor_id, made.event.token_id)
    for role in Role:
        assert (await gate.door.identify(f"Bearer {await gate.new_token(role)}")).permissions == GRANTED[role]


async def test_what_a_token_does_is_recorded_as_its_actors(gate: Visitors) -> None:
    gate.show(await gate.new_token(Role.ADMIN))
    post = await gate.write("By a robot")
    changes = await gate.ask(
        '{ changes(filter: {types: ["post.created"]}) { nodes { actor { kind name } subject { id } } } }'
    )
    assert changes["changes"]["nodes"] == [
        {"actor": {"kind": "TOKEN", "name": "Robot"}, "subject": {"id": post["id"]}}
    ]


async def test_a_token_expires(gate: Visitors) -> None:
    end = gate.clock.time + 10_000_000
    secret = await gate.new_token(expires_at=end)
    gate.clock.time = end - 1_000_001
    assert (await gate.door.identify(f"Bearer {secret}")).role is Role.ADMIN
    assert await gate.refusal(f"Bearer {secret}") == "This token has expired."


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
async def test_a_header_that_is_no_bearer_token_is_refused(gate: Visitors, header: str) -> None:
    assert await gate.refusal(header.encode("latin-1")) == (
        "The Authorization header must contain “Bearer”, a space and a token."
    )


async def test_what_is_no_token_of_ours_is_refused(gate: Visitors) -> None:
    assert "begin with lp_" in await gate.refusal("Bearer eyJhbGciOiJub25lIn0.e30.")
    secret = await gate.new_token()
    for wrong in (UNKNOWN, "lp_", secret[:-1], secret + "A", secret.lower(), "lp_" + secret_hash(secret)):
        assert await gate.refusal(f"Bearer {wrong}") == "Unknown token.", wrong
    assert await gate.door.identify(None) == ANONYMOUS


async def test_a_revocation_counts_even_while_the_views_of_tokens_stand_still(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    def apply(writing: ProjectorBatch, event: Recorded[Event]) -> None:
        if isinstance(event.event, TokenRevoked):
            raise TypeError("this cannot be")
        writing.apply(event)

    projectors: list[Projector] = [
        Altered(one, apply) if one.name == "tokens" else one for one in all_projectors()
    ]
    async with visitors(tmp_path / "store", projectors=projectors) as gate:
        kept, lost = await gate.new_token(), await gate.new_token()
        who = await gate.door.identify(f"Bearer {lost}")
        await gate.store.commands.handle(RevokeToken(token_id=who.token_id or ""))
        assert gate.store.checkpoints["tokens"].is_paused
        assert await gate.refusal(f"Bearer {lost}") == "This token has been revoked."
        assert (await gate.door.identify(f"Bearer {kept}")).role is Role.ADMIN


async def test_a_store_whose_views_know_no_tokens_yet_is_opened(tmp_path: Path) -> None:
    older = [one for one in all_projectors() if one.name != "tokens"]
    async with open_store(tmp_path / "store", projectors=older) as store:
        before = await store.log.head()
    async with visitors(tmp_path / "store") as gate:
        assert await gate.store.log.head() == before
        gate.show(await gate.new_token())
        assert (await gate.ask(ASK))["tokens"]["totalCount"] == 1


# --- through GraphQL ---------------------------------------------------------------------------------


async def test_tokens_are_made_listed_and_revoked_through_graphql(gate: Visitors) -> None:
    gate.show(await gate.new_token())
    made = await create(gate, scopes=["READ_POSTS", "WRITE_POSTS"], expiresAt="2031-01-01T00:00:00Z")
    assert (made["userErrors"], made["replayed"]) == ([], False)
    token = made["token"]
    assert (await gate.door.identify(f"Bearer {made['secret']}")).permissions == {
        READ_POSTS,
        WRITE_POSTS,
    }
    listed = (await gate.ask(ASK))["tokens"]["nodes"][1]
    assert (listed["id"], listed["role"], listed["scopes"]) == (
        token["id"],
        "EDITOR",
        ["READ_POSTS", "WRITE_POSTS"],
    )
    assert (listed["expiresAt"], listed["revokedAt"], listed["version"]) == ("2031-01-01T00:00:00Z", None, 1)
    assert (listed["actor"]["kind"], listed["actor"]["name"]) == ("TOKEN", "Feed")

    stale = await gate.do("tokenRevoke", id=token["id"], expectedVersion=7)
    assert stale["userErrors"][0]["code"] == "VERSION_CONFLICT"
    revoked = await gate.do(
        "tokenRevoke", "token { id version revokedAt }", id=token["id"], expectedVersion=1
    )
    assert (revoked["token"]["id"], revoked["token"]["version"]) == (token["id"], 2)
    assert revoked["token"]["revokedAt"]
    assert await gate.refusal(f"Bearer {made['secret']}") == "This token has been revoked."
    again = await gate.do("tokenRevoke", id=token["id"])
    assert (again["userErrors"], again["position"]) == ([], revoked["position"])
    other = await gate.do("tokenRevoke", id=global_ids.encode("ApiToken", first_token_id("x")))
    assert other["userErrors"][0]["code"] == "NOT_FOUND"


async def test_pages_of_tokens(gate: Visitors) -> None:
    gate.show(await gate.new_token())
    for name in ("One", "Two", "Three"):
        await create(gate, name=name)
    page = "query ($after: String) { tokens(first: 2, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } } }"
    first = (await gate.ask(page))["tokens"]
    second = (await gate.ask(page, after=first["pageInfo"]["endCursor"]))["tokens"]
    assert [one["name"] for one in first["nodes"] + second["nodes"]] == ["Robot", "One", "Two", "Three"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


async def test_a_repeated_creation_makes_no_second_token_and_tells_no_secret(gate: Visitors) -> None:
    gate.show(await gate.new_token())
    first = await create(gate, idempotencyKey="k")
    again = await create(gate, idempotencyKey="k")
    assert (again["replayed"], again["secret"], again["userErrors"]) == (True, None, [])
    assert again["token"] == first["token"]
    assert (await gate.ask(ASK))["tokens"]["totalCount"] == 2
    other = await create(gate, idempotencyKey="k", name="Another")
    assert (other["userErrors"][0]["code"], other["secret"]) == ("IDEMPOTENCY_KEY_REUSED", None)


@pytest.mark.parametrize("role", [None, Role.READER, Role.AUTHOR, Role.EDITOR, Role.AUDITOR])
async def test_who_may_not_look_after_tokens_neither_sees_nor_makes_nor_revokes_them(
    gate: Visitors, role: Role | None
) -> None:
    admin = await gate.new_token()
    gate.show(admin)
    token = (await create(gate))["token"]
    gate.show(await gate.new_token(role) if role else None)
    mutation = 'mutation { tokenCreate(input: {name: "x", role: READER}) { position } }'
    revocation = f'mutation {{ tokenRevoke(input: {{id: "{token["id"]}"}}) {{ position }} }}'
    code = "FORBIDDEN" if role else "UNAUTHENTICATED"
    for query in (mutation, revocation):
        assert [one["extensions"]["code"] for one in await gate.errors(query)] == [code]
    nodes = f'{{ node(id: "{token["id"]}") {{ id }} nodes(ids: ["{token["id"]}"]) {{ id }} }}'
    if role is Role.AUDITOR:
        assert (await gate.ask(ASK))["tokens"]["totalCount"] == 3
        assert await gate.ask(nodes) == {"node": {"id": token["id"]}, "nodes": [{"id": token["id"]}]}
    else:
        assert [one["extensions"]["code"] for one in await gate.errors(ASK)] == [code]
        assert await gate.ask(nodes) == {"node": None, "nodes": [None]}
    gate.show(admin)
    assert len((await gate.ask(ASK))["tokens"]["nodes"]) == (3 if role else 2)


async def test_nobody_gives_more_than_they_have(gate: Visitors) -> None:
    scopes = (WRITE_TOKENS, READ_POSTS)
    gate.show(await gate.new_token(Role.ADMIN, scopes=scopes))
    for given, field in (
        ({"role": "ADMIN"}, "role"),
        ({"role": "EDITOR"}, "role"),
        ({"role": "ADMIN", "scopes": ["READ_POSTS", "WRITE_POSTS"]}, "scopes"),
    ):
        refused = await create(gate, **given)
        assert (refused["userErrors"][0]["field"], refused["secret"]) == (["input", field], None), given
    for allowed in ({"role": "READER"}, {"role": "ADMIN", "scopes": ["READ_POSTS", "WRITE_TOKENS"]}):
        assert (await create(gate, **allowed))["userErrors"] == []
    beyond = await create(gate, role="AUTHOR", scopes=["READ_POSTS"])
    assert "does not come with posts:read" in beyond["userErrors"][0]["message"]


async def test_a_token_may_act_for_an_actor_that_there_is(gate: Visitors) -> None:
    gate.show(await gate.new_token())
    first = (await create(gate))["token"]
    before = await gate.store.log.head()
    second = await create(gate, name="The other hand", actor=first["actor"]["id"])
    assert second["token"]["actor"] == first["actor"]
    assert await gate.store.log.head() == before + 1, "nobody is registered anew"
    for actor, code in (
        (global_ids.encode("Actor", first_token_id("nobody")), "NOT_FOUND"),
        (global_ids.encode("Actor", SYSTEM.id), "INVALID_VALUE"),
        (global_ids.encode("Actor", IMPORTER.id), "INVALID_VALUE"),
        (first["id"], "INVALID_ID"),
    ):
        (error,) = (await create(gate, actor=actor))["userErrors"]
        assert (error["code"], error["field"]) == (code, ["input", "actor"])


async def test_a_new_actor_is_registered_with_its_token_in_one_step(gate: Visitors) -> None:
    await gate.new_token()
    *_, made, registered = await history(gate)
    assert isinstance(made.event, TokenCreated)
    assert registered.event == ActorRegistered(
        actor_id=made.event.actor_id, kind=ActorKind.TOKEN, name="Robot"
    )
    assert made.header.command_id == registered.header.command_id


# --- settings and the command line ---------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR, Role.AUTHOR])
def test_only_readers_come_without_a_token_from_elsewhere(role: Role) -> None:
    settings = AccessSettings(anonymous_role=role)
    for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"):
        settings.check_host(host)
        AccessSettings().check_host(host)
    for host in ("0.0.0.0", "::", "192.168.0.7", "news.example.org", "localhost.example.org"):
        AccessSettings().check_host(host)
        with pytest.raises(ValueError, match=role.value):
            settings.check_host(host)


async def test_everyone_may_be_let_in_as_something_else(tmp_path: Path) -> None:
    async with visitors(tmp_path / "store", AccessSettings(anonymous_role=Role.ADMIN)) as gate:
        assert await gate.door.identify(None) == LOCAL_OPERATOR
        assert await gate.refusal(f"Bearer {UNKNOWN}"), "a token that is shown is looked at all the same"
    async with visitors(tmp_path / "store", AccessSettings(anonymous_role=Role.AUDITOR)) as gate:
        assert (await gate.door.identify(None)).permissions == GRANTED[Role.AUDITOR]


def test_settings_come_from_the_environment() -> None:
    assert load({}, {}).settings.access == AccessSettings()
    found = load(
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
    assert (found.anonymous_role, found.oidc_algorithms, found.oidc_leeway_seconds) == (
        Role.AUDITOR,
        ("ES256", "PS256"),
        5,
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ANONYMOUS_ROLE": "king"}, "king"),
        ({"OIDC_ISSUER": "https://id.example.org"}, "audience"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a"}, "URL of its keys"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_URL": "u", "OIDC_JWKS_FILE": "f"}, "either"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_URL": "http://id.example.org/k"}, "https"),
        ({"OIDC_ISSUER": "i", "OIDC_AUDIENCE": "a", "OIDC_JWKS_FILE": "/no/such/file"}, "cannot be read"),
        ({"OIDC_ALGORITHMS": "RS256,none"}, "none"),
        ({"OIDC_ALGORITHMS": "HS256"}, "HS256"),
        ({"OIDC_LEEWAY_SECONDS": "1000"}, "leeway"),
    ],
)
async def test_a_server_with_senseless_settings_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], says: str
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(f"LEDGERPRESS_{name}", value)
    ended = await program("serve", "--port", "0", "--data", tmp_path / "store")
    assert (ended.code, says in ended.err) == (2, True), ended.err
    assert "lp_" not in ended.err


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    data = tmp_path / "store"
    assert run("demo", "--data", data).exit_code == 0
    for arguments, code, says in (
        (("create", "x", "--role", "boss"), 2, "boss"),
        (("create", "x", "--role", "editor", "--scope", "tokens:read"), 1, "does not come with tokens:read"),
        (("create", " ", "--role", "editor"), 1, "must not be empty"),
        (("create", "x", "--role", "editor", "--expires", "soon"), 2, "90d"),
        (("create", "x", "--role", "editor", "--expires", "2001-01-01"), 1, "expiry time has passed"),
        (("create", "x", "--role", "editor", "--actor", "nobody"), 1, "no such actor"),
        (("revoke", "nobody"), 1, "no such token"),
    ):
        ended = run("token", *arguments, "--data", data)
        assert (ended.exit_code, says in ended.stderr, ended.stdout) == (code, True, ""), arguments
    for command in (("list",), ("create", "x", "--role", "editor"), ("revoke", "x")):
        assert run("token", *command, "--data", tmp_path / "none").exit_code == 3


async def test_a_token_made_on_the_command_line_prints_nothing_but_the_secret(tmp_path: Path) -> None:
    data = tmp_path / "store"
    await done("demo", "--data", data)
    ended = await program(
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
    assert (ended.code, len(ended.out.strip())) == (0, 46)
    assert ended.out.startswith("lp_")
    assert ended.out.strip() not in ended.err
    (line,) = (await done("token", "list", "--json", "--data", data)).splitlines()
    listed = json.loads(line)
    assert (listed["scopes"], listed["expiresAt"]) == (["posts:write-own"], "2031-01-01T00:00:00Z")
    for views in data.glob("views-*.sqlite"):
        with sqlite3.connect(views) as db:
            assert db.execute("SELECT name, role FROM token").fetchall() == [("Feed", "author")]
        db.close()


async def history(gate: Visitors) -> list[Recorded[Event]]:
    return await recorded(gate.data)
