"""API tokens, with which programs act for actors. Only a hash of each secret is stored."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from ledgerpress.commands.roles_and_permissions import Permission, Role
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import KEPT, Event, Withdrawn

READ_TOKENS: Final = Permission("tokens:read", roles=[Role.AUDITOR], enum_name="READ_TOKENS", order=11)
WRITE_TOKENS: Final = Permission("tokens:write", enum_name="WRITE_TOKENS", order=12)
PERMISSIONS: Final = (READ_TOKENS, WRITE_TOKENS)
TOKEN_REVOKED: Final = "TOKEN_REVOKED"  # noqa: S105 - an error code
ERROR_CODES: Final = (TOKEN_REVOKED,)


class TokenCreated(Event, frozen=True):
    """A token was created, which acts for an actor.

    `role` and `scopes` are the names in use at that time; without scopes, the token has all permissions of the role.
    `expires_at` is in microseconds since 1970, UTC. `secret_hash` is the SHA-256 of the secret, in hex.
    """

    TEXT: ClassVar = {"name": "", "role": KEPT, "scopes": KEPT, "secret_hash": ""}

    token_id: str
    actor_id: str
    name: str
    role: str
    scopes: tuple[str, ...] | None
    expires_at: int | None
    secret_hash: str


class TokenRevoked(Event, frozen=True):
    """A token was revoked: it no longer works."""

    TEXT: ClassVar = {}

    token_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token. If its creation was withdrawn, it has no hash and no longer works."""

    id: str
    secret_hash: str | None = None
    is_revoked: bool = False


def evolve(token: Token | None, event: Event) -> Token | None:
    match event:
        case TokenCreated(token_id=token_id, secret_hash=secret_hash):
            return Token(token_id, secret_hash)
        case TokenRevoked(token_id=token_id):
            return replace(token or Token(token_id), is_revoked=True)
        case Withdrawn(type="token.revoked"):
            return replace(token or Token(event.subject_id), is_revoked=True)
        case Withdrawn():
            return token or Token(event.subject_id)
        case _:
            return token


TOKENS: Final = StreamCategory[Token | None]("token", None, evolve)
EVENTS: Final = (
    EventType[Event]("token.created", 1, TokenCreated),
    EventType[Event]("token.revoked", 1, TokenRevoked),
)
