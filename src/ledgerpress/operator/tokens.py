"""Create, list and revoke access tokens."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.tokens import projector_and_queries as queries
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, new_secret, secret_hash
from ledgerpress.operator import Progress, TaskFailed
from ledgerpress.rfc3339 import to_datetime, to_microseconds
from ledgerpress.server.store import open_store

_PAGE: Final = 1_000


async def create_token(
    data: Path,
    log: str,
    *,
    name: str,
    role: Role,
    scopes: tuple[str, ...] | None,
    expires: timedelta | datetime | None,
    actor_id: str | None,
    reason: str | None,
    progress: Progress,
    features: FeatureSet = FEATURES,
) -> tuple[queries.Token, str]:
    """Create a token; return it and its secret.

    `expires` is a lifetime or a time. Raises `TaskFailed` if the token is created but the views do not show it.
    """
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        if isinstance(expires, timedelta):
            expires = to_datetime(store.clock.now()) + expires
        secret = new_secret(store.randomness)
        command = CreateToken(
            name=name,
            role=role,
            scopes=scopes,
            expires_at=None if expires is None else to_microseconds(expires),
            acts_for=actor_id,
            secret_hash=secret_hash(secret),
        )
        result = await store.commands.handle(command, CommandRequest(reason=reason))
        with store.snapshot() as snapshot:
            token = queries.by_id(snapshot, result.subject_id)
        if token is None:
            raise TaskFailed(
                f"token {result.subject_id} was created, but the views do not show it: see ledgerpress status"
            )
        return token, secret


async def list_tokens(
    data: Path, log: str, progress: Progress, *, features: FeatureSet = FEATURES
) -> tuple[list[queries.Token], int]:
    """Return all tokens, oldest first, and the current time in microseconds since 1970, UTC."""
    tokens: list[queries.Token] = []
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        with store.snapshot() as snapshot:
            while page := queries.tokens_after(snapshot, tokens[-1].seq if tokens else 0, _PAGE):
                tokens += page
        return tokens, store.clock.now()


async def token_to_revoke(
    data: Path, log: str, token_id: str, progress: Progress, *, features: FeatureSet = FEATURES
) -> queries.Token | None:
    """Return the token that `revoke_token` would revoke; `None` if there is none, or if it is revoked already."""
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        with store.snapshot() as snapshot:
            token = queries.by_id(snapshot, token_id)
    return None if token is None or token.revoked_at is not None else token


async def revoke_token(
    data: Path,
    log: str,
    token_id: str,
    reason: str | None,
    progress: Progress,
    *,
    features: FeatureSet = FEATURES,
) -> None:
    """Revoke a token immediately, in every process."""
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        await store.commands.handle(RevokeToken(token_id=token_id), CommandRequest(reason=reason))
