"""Authentication with JWTs of an OpenID Connect issuer, with keys from a real server or from a file."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledgerpress.adapters.oidc import jwks
from ledgerpress.commands.client_identity import Unauthenticated
from ledgerpress.commands.roles_and_permissions import Permission, Role
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.actors.model import ActorRegistered
from ledgerpress.features.posts import READ_POSTS, WRITE_POSTS
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import ALGORITHMS, AccessSettings
from tests.fixed_sources import SetClock
from tests.identities import GRANTED
from tests.integration.authenticated_client import Visitors, visitors
from tests.integration.jwt_issuer import AUDIENCE, NOW, Issuer, SigningKey, issuing
from tests.integration.log_history import recorded

pytestmark = pytest.mark.usefixtures("workers")

LEEWAY: Final = 30
Opened = Callable[..., AbstractAsyncContextManager[Visitors]]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def opened(tmp_path: Path, issuer: Issuer) -> Opened:
    """Return a function that opens the store, trusts the issuer, and accepts other settings."""

    def opened(**overrides: Any) -> AbstractAsyncContextManager[Visitors]:
        settings = {
            "oidc_issuer": issuer.name,
            "oidc_audience": AUDIENCE,
            "oidc_jwks_url": issuer.url,
            "oidc_leeway_seconds": LEEWAY,
            "oidc_jwks_pause_seconds": 0.0,
            **overrides,
        }
        return visitors(tmp_path / "store", AccessSettings(**settings), clock=SetClock(NOW * 1_000_000))

    return opened


@pytest.fixture
async def api(opened: Opened) -> AsyncIterator[Visitors]:
    async with opened() as api:
        yield api


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(issuer: Issuer, header: dict[str, Any]) -> str:
    return f"{part({'typ': 'JWT', 'kid': 'first', **header})}.{part(issuer.claims())}"


async def message(api: Visitors, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await api.authenticator.identify(f"Bearer {token}")
    return str(error.value)


# --- identity ----------------------------------------------------------------------------------------


async def test_the_user_of_a_jwt_is_registered_with_their_first_command(
    api: Visitors, issuer: Issuer
) -> None:
    before = await api.store.log.head()
    api.show(issuer.token())
    await api.ask("{ site { name } }")
    assert await api.store.log.head() == before, "reading records nothing"
    await asyncio.gather(*(api.write(f"Post {n}") for n in range(5)))
    await api.write("One more")

    actor_id = uuid8(api.store.log.publication, issuer.name, "ada-1")
    events = [event for event in await recorded(api.data) if event.position > before]
    assert {event.header.actor_id for event in events} == {actor_id}
    (registered,) = [event for event in events if isinstance(event.event, ActorRegistered)]
    assert registered.event == ActorRegistered(actor_id=actor_id, kind="human", name="Ada Brook")  # type: ignore[arg-type]
    created = next(event for event in events if event.header.command_id == registered.header.command_id)
    assert created.header.type == "post.created", "the command's own events come first"

    api.show(issuer.token(sub="bo-2", name=None))
    repeated = [await api.do("postCreate", title="Twice", idempotencyKey="k") for _ in range(2)]
    assert [payload["replayed"] for payload in repeated] == [False, True]
    names = [
        event.event.name for event in await recorded(api.data) if isinstance(event.event, ActorRegistered)
    ]
    assert names[-2:] == ["Ada Brook", "bo-2"]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "  Ada\n\u200bBrook\u0000 "}, "Ada Brook"),
        ({"name": "\ufeffفاطمه\u200cزهرا\u202e"}, "فاطمه\u200cزهرا"),
        ({"name": "\u3164", "sub": "ada-1"}, "ada-1"),
        ({"name": "🇫🇷" * 150}, "🇫🇷" * 100),
        ({"name": ""}, "ada-1"),
        ({"name": 7}, "ada-1"),
        ({"name": "x" * 300}, "x" * 200),
        ({"name": None, "sub": "\u0007"}, "Somebody"),
    ],
)
async def test_any_name_can_be_recorded(
    api: Visitors, issuer: Issuer, claims: dict[str, Any], name: str
) -> None:
    api.show(issuer.token(**claims))
    await api.write("A post")
    assert [
        event.event.name for event in await recorded(api.data) if isinstance(event.event, ActorRegistered)
    ][-1] == name


async def test_each_subject_has_its_own_actor_whatever_its_name(api: Visitors, issuer: Issuer) -> None:
    first = await api.authenticator.identify(f"Bearer {issuer.token()}")
    other = await api.authenticator.identify(f"Bearer {issuer.token(sub='ada-2')}")
    assert first.actor_id != other.actor_id
    assert (
        first.actor_id == (await api.authenticator.identify(f"Bearer {issuer.token(name='Ada B.')}")).actor_id
    )


# --- permissions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "claims", "roles"),
    [
        ("role", {"role": "editor"}, {Role.EDITOR}),
        ("role", {"role": ["author", "auditor", "boss"]}, {Role.AUTHOR, Role.AUDITOR}),
        ("role", {"role": "Editor"}, set()),
        ("role", {"role": "editor admin"}, set()),
        ("role", {"role": None}, set()),
        ("role", {"role": {"editor": True}}, set()),
        ("role", {"role": [["admin"], 7, None]}, set()),
        (
            "realm_access.roles",
            {"role": "admin", "realm_access": {"roles": ["offline", "admin"]}},
            {Role.ADMIN},
        ),
        ("realm_access.roles", {"role": "admin", "realm_access": "admin"}, set()),
        ("realm_access.roles", {"role": "admin", "realm_access": {"roles": {"admin": 1}}}, set()),
        ("https://press.example.org/role", {"https://press.example.org/role": "author"}, {Role.AUTHOR}),
    ],
)
async def test_the_role_claim(
    opened: Opened, issuer: Issuer, path: str, claims: dict[str, Any], roles: set[Role]
) -> None:
    async with opened(oidc_role_claim=path) as api:
        identity = await api.authenticator.identify(f"Bearer {issuer.token(**claims)}")
    assert identity.permissions == frozenset[Permission]().union(*(GRANTED[role] for role in roles))
    assert identity.actor_id
    assert (identity.role in roles) if roles else (identity.role is Role.READER)


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [
        ("openid posts:read  posts:write profile", {READ_POSTS, WRITE_POSTS}),
        (["posts:read", "tokens:write"], {READ_POSTS}),
        ("", set()),
        (None, set()),
    ],
)
async def test_the_scope_claim_narrows_the_role(
    opened: Opened, issuer: Issuer, scope: object, permissions: set[Permission]
) -> None:
    async with opened(oidc_scope_claim="scope") as api:
        assert (
            await api.authenticator.identify(f"Bearer {issuer.token(scope=scope)}")
        ).permissions == permissions
    async with opened() as api:
        assert (
            await api.authenticator.identify(f"Bearer {issuer.token(scope=scope)}")
        ).permissions == GRANTED[Role.EDITOR]


async def test_permissions_apply_over_http(api: Visitors, issuer: Issuer) -> None:
    api.show(issuer.token(role="admin"))
    assert (await api.ask("{ tokens { totalCount } }"))["tokens"]["totalCount"] == 0
    api.show(issuer.token())
    assert [error["extensions"]["code"] for error in await api.errors("{ tokens { totalCount } }")] == [
        "FORBIDDEN"
    ]


# --- rejected tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "shop"}, "another audience"),
        ({"aud": ["shop", "bank"]}, "another audience"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": "https://id.example.org/realms/other"}, "another issuer"),
        ({"iss": "https://id.example.org/realms/town/"}, "another issuer"),
        ({"iss": None}, "lacks the claim iss"),
        ({"sub": None}, "lacks the claim sub"),
        ({"sub": ""}, "empty or too long"),
        ({"sub": "x" * 1_001}, "empty or too long"),
        ({"exp": None}, "lacks the claim exp"),
        ({"exp": "soon"}, "exp of the JWT is not a number"),
        ({"exp": True}, "exp of the JWT is not a number"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": -float("inf")}, "expired"),
        ({"nbf": "now"}, "nbf of the JWT is not a number"),
        ({"nbf": float("nan")}, "not valid yet"),
    ],
)
async def test_invalid_claims_are_rejected(
    api: Visitors, issuer: Issuer, claims: dict[str, Any], reason: str
) -> None:
    token = issuer.token(**claims)
    assert reason in await message(api, token)
    assert reason in await api.refusal(f"Bearer {token}")


async def test_one_of_several_audiences_suffices(api: Visitors, issuer: Issuer) -> None:
    assert (await api.authenticator.identify(f"Bearer {issuer.token(aud=['shop', AUDIENCE])}")).actor_id


@pytest.mark.parametrize(
    ("claims", "since", "until"),
    [
        ({"exp": NOW + 600}, None, NOW + 600 + LEEWAY),
        ({"nbf": NOW + 100}, NOW + 100 - LEEWAY, NOW + 600 + LEEWAY),
    ],
)
async def test_times_are_checked_with_the_leeway(
    api: Visitors, issuer: Issuer, claims: dict[str, Any], since: int | None, until: int
) -> None:
    token = issuer.token(**claims)

    async def good_at(seconds: float) -> bool:
        api.clock.time = (
            round(seconds * 1_000_000) - 1_000_000
        )  # the clock advances by a second with each reading
        try:
            return bool(await api.authenticator.identify(f"Bearer {token}"))
        except Unauthenticated:
            return False

    assert [await good_at(until - 0.001), await good_at(until)] == [True, False]
    if since is not None:
        assert [await good_at(since - 0.001), await good_at(since)] == [False, True]


async def test_an_unsigned_token_is_rejected(api: Visitors, issuer: Issuer) -> None:
    for alg in ("none", "None", "NONE", "nOnE", "", None, 7, ["RS256"]):
        for signature in ("", part(b"x"), issuer.token().split(".")[2]):
            assert await message(api, f"{unsigned(issuer, {'alg': alg})}.{signature}"), alg
    assert "algorithm" in await message(api, f"{unsigned(issuer, {'alg': 'none'})}.")


async def test_a_public_key_is_never_used_as_a_shared_secret(api: Visitors, issuer: Issuer) -> None:
    public = issuer.key.private.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(issuer.key.jwk).encode(),
        issuer.jwks,
        b"",
    ):
        for alg in ("HS256", "RS256"):
            text = unsigned(issuer, {"alg": alg})
            forged = f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"
            assert await message(api, forged), (alg, secret)


async def test_the_signature_must_be_the_issuers_and_match_the_content(api: Visitors, issuer: Issuer) -> None:
    header, claims, signature = issuer.token().split(".")
    changed_claims = part(issuer.claims(role="admin"))
    foreign = issuer.token(key=SigningKey("RS256", "first"))
    for forged in (
        f"{header}.{changed_claims}.{signature}",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        f"{header}.{claims}.",
        f"{part({'alg': 'RS256', 'kid': 'first', 'x': 1})}.{claims}.{signature}",
        foreign,
    ):
        assert await message(api, forged) == "The JWT has an invalid signature or invalid claims.", forged


async def test_keys_in_the_token_itself_are_ignored(api: Visitors, issuer: Issuer) -> None:
    own = SigningKey("RS256", "own")
    for header in ({"jwk": own.jwk}, {"jku": issuer.url}, {"x5u": issuer.url}):
        assert "not signed with a key of the issuer" in await message(
            api, issuer.token(key=own, header=header)
        )


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "....",
        part({"alg": "RS256"}) + "..",
        part([]) + ".e30.",
        part(b"\xff") + ".e30.x",
    ],
)
async def test_malformed_jwts_are_rejected(api: Visitors, token: str) -> None:
    assert "JWT" in await api.refusal(f"Bearer {token}")


async def test_a_deeply_nested_or_critical_header_is_rejected(api: Visitors, issuer: Issuer) -> None:
    deep = part(b"[" * 9_000)
    assert await api.refusal(f"Bearer {deep}.{part(issuer.claims())}.AA")
    assert await message(api, issuer.token(header={"crit": ["exp"], "exp": NOW}))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_each_kind_of_key_works_only_for_its_own_tokens(
    opened: Opened, issuer: Issuer, algorithm: str
) -> None:
    issuer.keys = [issuer.key, key := SigningKey(algorithm, "other")]
    async with opened() as api:
        assert (await api.authenticator.identify(f"Bearer {issuer.token(key=key)}")).actor_id
        assert await message(api, issuer.token(key=key, header={"kid": "first"}))
    async with opened(oidc_algorithms=tuple(name for name in ALGORITHMS if name != algorithm)) as api:
        assert "algorithm" in await message(api, issuer.token(key=key))


async def test_a_key_is_used_only_for_its_declared_purpose(opened: Opened, issuer: Issuer) -> None:
    async with opened(oidc_algorithms=ALGORITHMS) as api:
        pss = SigningKey("PS256", "pss")
        issuer.keys = [pss]
        assert (await api.authenticator.identify(f"Bearer {issuer.token(key=pss)}")).actor_id
    for more in ({"alg": "RS256"}, {"use": "enc"}):
        issuer.keys = [issuer.key, pss]
        pss.jwk = {**pss.jwk, **more}
        async with opened(oidc_algorithms=ALGORITHMS) as api:
            assert await message(api, issuer.token(key=pss)), more


# --- keys -------------------------------------------------------------------------------------------------


async def test_keys_are_fetched_once_and_again_for_an_unknown_key(api: Visitors, issuer: Issuer) -> None:
    tokens = [issuer.token(sub=f"s{n}") for n in range(20)]
    await asyncio.gather(*(api.authenticator.identify(f"Bearer {token}") for token in tokens))
    assert issuer.requests == 1
    new = SigningKey("ES256", "second")
    assert "not signed with a key of the issuer" in await message(api, issuer.token(key=new))
    issuer.keys = [new]
    assert (await api.authenticator.identify(f"Bearer {issuer.token(key=new)}")).actor_id
    assert issuer.requests == 3
    assert "not signed with a key of the issuer" in await message(api, issuer.token())


async def test_clients_cannot_make_the_server_fetch_keys_repeatedly(opened: Opened, issuer: Issuer) -> None:
    async with opened(oidc_jwks_pause_seconds=600.0) as api:
        await api.authenticator.identify(f"Bearer {issuer.token()}")
        for n in range(10):
            assert await message(api, issuer.token(key=SigningKey("ES256", f"made up {n}")))
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id
    assert issuer.requests == 1


async def test_old_keys_are_used_while_new_ones_are_fetched(
    opened: Opened, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(oidc_jwks_seconds=1) as api:
        token = issuer.token()
        await api.authenticator.identify(f"Bearer {token}")
        await asyncio.sleep(1.1)
        issuer.status = 503
        assert (await api.authenticator.identify(f"Bearer {token}")).actor_id
        async with asyncio.timeout(10):
            while issuer.requests < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await api.authenticator.identify(f"Bearer {token}")).actor_id, (
            "the issuer may be unreachable for a while"
        )
        issuer.status, issuer.keys = 200, [SigningKey("RS256", "second")]
        async with asyncio.timeout(10):
            while True:
                try:
                    await api.authenticator.identify(f"Bearer {token}")
                except Unauthenticated:
                    break
                await asyncio.sleep(0.01)
    assert "503" in caplog.text


async def test_very_old_keys_are_fetched_again_before_use(opened: Opened, issuer: Issuer) -> None:
    async with opened(oidc_jwks_seconds=1) as api:
        token = issuer.token()
        await api.authenticator.identify(f"Bearer {token}")
        issuer.keys = [SigningKey("RS256", "second")]
        await asyncio.sleep(2.1)
        assert "not signed with a key of the issuer" in await message(api, token)


async def test_without_keys_clients_are_rejected_and_the_event_loop_is_not_blocked(
    opened: Opened, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with opened(oidc_jwks_timeout_seconds=0.5) as api:
        issuer.delay.clear()
        request = asyncio.create_task(api.refusal(f"Bearer {issuer.token()}"))
        steps = 0
        while not request.done():
            await asyncio.sleep(0.001)
            steps += 1
        assert "at present" in await request
        assert steps > 10
        assert "keys at" in caplog.text
        issuer.delay.set()
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id, (
            "clients are accepted again when the issuer is back"
        )


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, {}, None),
        (302, {"Location": "/keys"}, None),
        (200, {}, b""),
        (200, {}, b"[]"),
        (200, {}, b'{"keys": 7}'),
        (200, {}, b'{"keys": []}'),
        (200, {}, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "first"}]}'),
        (200, {}, b'{"keys": [{"kty": "RSA", "kid": "first", "n": 1}]}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b" " * 1_100_000),
        (200, {}, b"\xff\xfe"),
    ],
)
async def test_an_invalid_key_set_authenticates_no_client(
    api: Visitors, issuer: Issuer, status: int, headers: dict[str, str], body: bytes | None
) -> None:
    issuer.status, issuer.headers, issuer.body = status, headers, body
    assert await api.refusal(f"Bearer {issuer.token()}")
    issuer.status, issuer.headers, issuer.body = 200, {}, None
    if status == 200 and body and b"RSA" in body:
        return  # this key counts as valid until the keys are fetched again
    assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id


@pytest.fixture
def discovering(opened: Opened, issuer: Issuer) -> Opened:
    """Return a function that opens the store with the issuer's URL only, and accepts other settings."""
    issuer.name = issuer.discovery_name
    return partial(opened, oidc_jwks_url=None)


async def test_the_keys_are_found_from_the_url_of_the_issuer(discovering: Opened, issuer: Issuer) -> None:
    async with discovering(oidc_issuer=issuer.name) as api:
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id
        assert (issuer.configuration_requests, issuer.requests) == (1, 1)
        # A later fetch follows a jwks_uri that has changed.
        issuer.configuration["jwks_uri"] += "/2"
        issuer.key = SigningKey("ES256", "second")
        issuer.keys = [issuer.key]
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id
        assert (issuer.configuration_requests, issuer.requests) == (2, 2)


async def test_a_slash_at_the_end_of_the_issuer_is_removed_before_the_well_known_path(
    discovering: Opened, issuer: Issuer
) -> None:
    issuer.name = issuer.configuration["issuer"] = f"{issuer.discovery_name}/"
    async with discovering(oidc_issuer=issuer.name) as api:
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        (
            {"issuer": "https://id.example.org/other"},
            'the configuration of "https://id.example.org/other", not of',
        ),
        ({"issuer": None}, "the configuration of null, not of"),
        ({"jwks_uri": None}, "it has no jwks_uri"),
        ({"jwks_uri": "http://id.example.org/keys"}, "is not an https address"),
        ({"jwks_uri": "file:///etc/passwd"}, "is not an https address"),
        ({"jwks_uri": "http://127.0.0.1:9/keys"}, "its jwks_uri http://127.0.0.1:9/keys cannot be fetched"),
        ([], "it is not a JSON object"),
    ],
)
async def test_an_invalid_configuration_authenticates_no_client(
    discovering: Opened,
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
    configuration: dict[str, Any] | list[Any],
    reason: str,
) -> None:
    valid = issuer.configuration
    issuer.configuration = {**valid, **configuration} if isinstance(configuration, dict) else configuration
    async with discovering(oidc_issuer=issuer.name) as api:
        assert "at present" in await message(api, issuer.token())
        assert reason in caplog.text
        assert "/realms/town/.well-known/openid-configuration cannot be used" in caplog.text
        issuer.configuration = valid
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id


async def test_an_issuer_that_does_not_answer_in_time_is_asked_again(
    discovering: Opened, issuer: Issuer
) -> None:
    issuer.delay.clear()
    async with discovering(oidc_issuer=issuer.name, oidc_jwks_timeout_seconds=0.2) as api:
        assert "at present" in await message(api, issuer.token())
        issuer.delay.set()
    async with discovering(oidc_issuer=issuer.name) as api:
        assert (await api.authenticator.identify(f"Bearer {issuer.token()}")).actor_id


async def test_keys_of_an_unreachable_issuer(opened: Opened, issuer: Issuer) -> None:
    async with opened(oidc_jwks_url="http://127.0.0.1:9/keys") as api:
        assert "at present" in await message(api, issuer.token())


async def test_keys_that_are_too_old_are_discarded(
    opened: Opened, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as api:
        await api.authenticator.identify(f"Bearer {issuer.token()}")
        issuer.status = 503
        monkeypatch.setattr(jwks, "STALE_SECONDS", 0)
        assert "at present" in await message(api, issuer.token())


async def test_keys_in_a_file_are_read_again_when_it_changes(
    opened: Opened, issuer: Issuer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(issuer.jwks)
    first, second = issuer.key, SigningKey("ES256", "second")
    good = partial(_is_good, issuer=issuer)
    async with opened(oidc_jwks_url=None, oidc_jwks_file=str(file)) as api:
        assert [await good(api, key=first), await good(api, key=second)] == [True, False]
        issuer.keys = [second]
        file.write_bytes(issuer.jwks)
        assert [await good(api, key=first), await good(api, key=second)] == [False, True]
        for damage in (lambda: file.write_text("{"), file.unlink):
            damage()
            assert await good(api, key=second), "the last valid keys stay in use"
        assert "last keys stay in use" in caplog.text
        other = tmp_path / "other.json"
        other.write_bytes(json.dumps({"keys": [first.jwk]}).encode())
        other.replace(file)
        assert [await good(api, key=first), await good(api, key=second)] == [True, False]
    assert issuer.requests == 0


async def test_a_key_without_an_id_is_used_if_no_other_key_lacks_an_id(
    opened: Opened, issuer: Issuer
) -> None:
    nameless = SigningKey("RS256", None)
    issuer.keys = [nameless]
    async with opened() as api:
        assert await _is_good(api, key=nameless, issuer=issuer)
    issuer.keys = [nameless, issuer.key]
    async with opened() as api:
        assert await _is_good(api, key=nameless, issuer=issuer)
        assert not await _is_good(api, key=SigningKey("RS256", None), issuer=issuer)


async def _is_good(api: Visitors, *, key: SigningKey, issuer: Issuer) -> bool:
    try:
        return bool(await api.authenticator.identify(f"Bearer {issuer.token(key=key)}"))
    except Unauthenticated:
        return False
