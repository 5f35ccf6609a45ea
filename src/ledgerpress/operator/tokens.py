"""Create, list and revoke access tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.tokens import projector_and_queries as queries
from ledgerpress.features.tokens.model import TOKENS, TokenCreated
from ledgerpress.operator import Confirm, Progress
from ledgerpress.rfc3339 import to_datetime, to_microseconds
from ledgerpress.server.store import Store, open_store

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was created. If the views are behind, no server accepts it before they have caught up."""

    token: queries.Token
    secret: str
    views_behind: bool


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
) -> NewToken:
    """Create a token. `expires` is a lifetime or a time."""
    from ledgerpress.features.tokens.commands import (  # noqa: PLC0415 - `list_tokens` needs no commands
        CreateToken,
        new_secret,
        secret_hash,
    )

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
        return NewToken(await _recorded(store, result.subject_id), secret, result.views_behind)


async def _recorded(store: Store, token_id: str) -> queries.Token:
    """Return a token that was just created as the log has it: the views may be paused."""
    creation = store.codec.decode((await store.log.read_stream(TOKENS.stream(token_id)))[0])
    event = creation.event
    assert isinstance(event, TokenCreated)  # noqa: S101 - it was recorded by the command
    return queries.Token(
        seq=creation.position,
        id=event.token_id,
        actor_id=event.actor_id,
        name=event.name,
        role=event.role,
        scopes=event.scopes,
        expires_at=event.expires_at,
        created_at=creation.header.recorded_at,
        revoked_at=None,
        secret_hash=event.secret_hash,
    )


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


async def revoke_token(
    data: Path,
    log: str,
    token_id: str,
    reason: str | None,
    progress: Progress,
    *,
    confirm: Confirm[queries.Token] | None = None,
    features: FeatureSet = FEATURES,
) -> None:
    """Revoke a token immediately, in every process. `confirm` is called unless it is revoked already."""
    from ledgerpress.features.tokens.commands import RevokeToken  # noqa: PLC0415 - `list_tokens` needs no commands

    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        if confirm is not None:
            with store.snapshot() as snapshot:
                token = queries.by_id(snapshot, token_id)
            if token is not None and token.revoked_at is None:
                await confirm(token)
        await store.commands.handle(RevokeToken(token_id=token_id), CommandRequest(reason=reason))
