"""Authentication for an open store, and the first ADMIN token of a publication."""

from functools import partial
from pathlib import Path

from ledgerpress.adapters.oidc.discovery import DiscoveredKeys
from ledgerpress.adapters.oidc.jwks import KeysByUrl, KeysInFile, KeySource, NoKeys, checked_url
from ledgerpress.adapters.oidc.jwt_verifier import JwtVerifier
from ledgerpress.commands.client_identity import Authenticator, Unauthenticated
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.streams_and_append_plan import StateLoader
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.features.actors.model import SYSTEM
from ledgerpress.features.tokens import projector_and_queries as tokens
from ledgerpress.features.tokens.anonymous_role_and_oidc_settings import AccessSettings
from ledgerpress.features.tokens.commands import CreateToken, first_token_id, new_secret, secret_hash
from ledgerpress.features.tokens.model import TOKENS
from ledgerpress.features.tokens.projector_and_queries import PROJECTOR
from ledgerpress.features.tokens.token_or_jwt_authenticator import TokenAuthenticator, anonymous
from ledgerpress.server.store import Store

_FIRST_TOKEN = "First admin token"  # noqa: S105 - a name, not a secret


def make_authenticator(store: Store, settings: AccessSettings) -> Authenticator:
    """Return the authenticator of `store`. Raises `ValueError` for invalid settings."""
    return TokenAuthenticator(
        store.latest_row,
        store.clock,
        store.log.publication,
        anonymous=anonymous(settings.anonymous_role, store.features.roles),
        roles=store.features.roles,
        verifier=_verifier(store, settings),
        is_paused=lambda: store.checkpoints[PROJECTOR.name].is_paused,
        is_current=partial(_is_current, store),
    )


async def first_admin_token(store: Store) -> str | None:
    """Create the first ADMIN token of a publication that never had one, and return its secret.

    If several processes try at the same time, one creates it and the others return `None`.
    """
    with store.snapshot() as snapshot:
        if tokens.any_with_role(snapshot, Role.ADMIN.value):
            return None
    secret, token_id = new_secret(store.randomness), first_token_id(store.log.publication)
    hashed = secret_hash(secret)
    command = CreateToken(name=_FIRST_TOKEN, role=Role.ADMIN, token_id=token_id, secret_hash=hashed)
    await store.commands.handle(command, CommandRequest(actor_id=SYSTEM.id))
    token = (await StateLoader(store.log, store.codec).load(TOKENS, token_id)).state
    return secret if token and token.secret_hash == hashed else None


async def _is_current(store: Store, token_id: str, hashed: str) -> bool:
    """Return whether a token is valid and has this hash according to the log, which is ahead of paused views.

    Raises `Unauthenticated` if the log contains a change of the token that this program does not know.
    """
    try:
        recorded = (await StateLoader(store.log, store.codec).load(TOKENS, token_id)).state
    except UndecodableEvent as error:
        raise Unauthenticated(
            f"The log contains a change of this token, at position {error.position:,}, that this server does not know. "
            "Use another token, or another server."
        ) from error
    return recorded is not None and recorded.secret_hash == hashed and not recorded.is_revoked


def _verifier(store: Store, settings: AccessSettings) -> JwtVerifier | None:
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if issuer is None or audience is None:
        return None
    return JwtVerifier(
        keys=_keys(settings, issuer),
        clock=store.clock,
        issuer=issuer,
        audience=audience,
        algorithms=settings.oidc_algorithms,
        role_claim=settings.oidc_role_claim,
        scope_claim=settings.oidc_scope_claim,
        leeway=settings.oidc_leeway_seconds,
    )


def _keys(settings: AccessSettings, issuer: str) -> KeySource:
    if settings.oidc_jwks_file is not None:
        try:
            return KeysInFile(Path(settings.oidc_jwks_file))
        except NoKeys as error:
            raise ValueError(str(error)) from error
    source = DiscoveredKeys if settings.oidc_jwks_url is None else KeysByUrl
    return source(
        issuer if settings.oidc_jwks_url is None else checked_url(settings.oidc_jwks_url),
        lifespan=settings.oidc_jwks_seconds,
        min_interval=settings.oidc_jwks_pause_seconds,
        timeout=settings.oidc_jwks_timeout_seconds,
    )
