"""API tokens: what a program shows in order to act for somebody. Of its secret nothing is kept but a hash."""

from dataclasses import dataclass, replace
from typing import assert_never

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.event import Event, Withdrawn


class TokenCreated(Event, frozen=True):
    """A token works from now on, for an actor.

    `role` and `scopes` are names as the program of that time had them; without scopes it may do all that the role may.
    `expires_at` is in microseconds since 1970, UTC. `secret_hash` is the SHA-256 of the secret, in hex.
    """

    token_id: str
    actor_id: str
    name: str
    role: str
    scopes: tuple[str, ...] | None
    expires_at: int | None
    secret_hash: str


class TokenRevoked(Event, frozen=True):
    """The token works no more."""

    token_id: str


TokenEvent = TokenCreated | TokenRevoked | Withdrawn


@dataclass(frozen=True, slots=True)
class Token:
    """A token. After the withdrawal of its creation nothing is known of it, and it works no more."""

    id: str
    secret_hash: str | None = None
    is_revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """Make a token. `at` is now, in microseconds since 1970, UTC."""

    token_id: str
    actor_id: str
    name: str
    role: str
    scopes: tuple[str, ...] | None
    expires_at: int | None
    secret_hash: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Let a token work no more."""


def evolve(token: Token | None, event: TokenEvent) -> Token | None:
    """Return the token after `event`."""
    match event:
        case TokenCreated(token_id=token_id, secret_hash=secret_hash):
            return Token(token_id, secret_hash)
        case TokenRevoked(token_id=token_id):
            return replace(token or Token(token_id), is_revoked=True)
        case Withdrawn(type="token.revoked"):
            return replace(token or Token(event.subject_id), is_revoked=True)
        case Withdrawn():
            return token or Token(event.subject_id)
        case _ as unreachable:
            assert_never(unreachable)


def decide(command: CreateToken | RevokeToken, token: Token | None) -> tuple[TokenEvent, ...]:
    """Return what happens on `command`. Raises `Rejection`."""
    match command:
        case CreateToken():
            return () if token else (_created(command),)
        case RevokeToken():
            if token is None or token.is_revoked:
                return ()
            return (TokenRevoked(token_id=token.id),)
        case _ as unreachable:
            assert_never(unreachable)


def _created(command: CreateToken) -> TokenCreated:
    if command.expires_at is not None and command.expires_at <= command.at:
        message = "The token would have expired already: give a later time."
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("expiresAt",))
    if command.scopes is not None and not command.scopes:
        message = "Give at least one scope, or leave the scopes out for all that the role may do."
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("scopes",))
    return TokenCreated(
        token_id=command.token_id,
        actor_id=command.actor_id,
        name=text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME),
        role=command.role,
        scopes=None if command.scopes is None else tuple(sorted(set(command.scopes))),
        expires_at=command.expires_at,
        secret_hash=command.secret_hash,
    )
