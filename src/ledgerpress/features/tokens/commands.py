"""The commands on API tokens. Secrets are generated outside the commands and never recorded."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import GuardDeclaration, commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import RequiredPermission, Role
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.clock_randomness_ids import Randomness, uuid8
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import ACTORS, ActorKind
from ledgerpress.features.tokens.model import (
    TOKEN_REVOKED,
    TOKENS,
    WRITE_TOKENS,
    Token,
    TokenCreated,
    TokenRevoked,
)

PREFIX: Final = "lp_"
"""The prefix of every secret, so that leaked secrets can be recognized."""
SECRET_BYTES: Final = 32


def new_secret(randomness: Randomness) -> str:
    """Return the secret of a new token: 256 random bits."""
    return PREFIX + base64.urlsafe_b64encode(randomness.bytes(SECRET_BYTES)).decode("ascii").rstrip("=")


def secret_hash(secret: str) -> str:
    """Return the SHA-256 of a secret, in hex. Only this hash is stored. 256 random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def first_token_id(publication: str) -> str:
    """Return the id of a publication's first ADMIN token: always the same, so that it is created once."""
    return uuid8(publication, "first admin token")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts(Facts):
    """Facts for a new token, with the actor that it acts for."""

    actor_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """Create a token that acts for the actor `acts_for`, or for a new actor with the token's name.

    `secret_hash` is the hash of a new secret. It is not part of the fingerprint: a repeated command has another hash,
    which is not recorded. `giver` holds the user's own permissions; `None` means all permissions.
    """

    fingerprint_name: ClassVar[str] = "CreateToken"

    name: str
    role: Role
    scopes: tuple[str, ...] | None = None
    expires_at: int | None = None
    acts_for: str | None = None
    token_id: str | None = None
    secret_hash: str = field(compare=False, repr=False)
    giver: frozenset[str] | None = field(default=None, compare=False)

    lock_key = None

    def decide(self, token: Token | None, facts: TokenFacts) -> tuple[TokenCreated, ...]:
        """Return the creation, unless the token exists already. Raises `Rejection`."""
        if token:
            return ()
        if self.expires_at is not None and self.expires_at <= facts.now:
            message = "This expiry time has passed; set a later time."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("expiresAt",))
        if self.scopes is not None and not self.scopes:
            message = "Set at least one scope, or leave out the scopes to give all permissions of the role."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("scopes",))
        created = TokenCreated(
            token_id=facts.new_id,
            actor_id=facts.actor_id,
            name=text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME),
            role=self.role.value,
            scopes=None if self.scopes is None else tuple(sorted(map(str, {*self.scopes}))),
            expires_at=self.expires_at,
            secret_hash=self.secret_hash,
        )
        return (created,)

    async def plan(self, context: CommandContext) -> AppendPlan:
        context.check_version(NO_STREAM)
        self._check_permissions(context.roles.of(self.role))
        token_id = self.token_id or context.new_id("token")
        token = await context.load(TOKENS, token_id)
        actor_id, registration = await self._actor(context)
        events = self.decide(token.state, TokenFacts(now=context.now, new_id=token_id, actor_id=actor_id))
        if not events:
            return AppendPlan(token_id)
        return AppendPlan.of(token_id, token.write(events), registration)

    def _check_permissions(self, role: frozenset[str]) -> None:
        """Raise `Rejection` for scopes that the role lacks, and for permissions that the giver lacks."""
        scopes = frozenset(self.scopes or ())
        if missing := scopes - role:
            message = (
                f"The role {self.role.value} does not include {_names(missing)}. "
                "Leave these scopes out, or choose another role."
            )
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("scopes",))
        if self.giver is not None and (missing := (role if self.scopes is None else scopes) - self.giver):
            message = f"You cannot give permissions that you do not have yourself: {_names(missing)}."
            input_field = "role" if self.scopes is None else "scopes"
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=(input_field,))

    async def _actor(self, context: CommandContext) -> tuple[str, PlannedWrite]:
        """Return the actor that the token acts for, and the write that registers a new one. Raises `Rejection`."""
        actor_id = self.acts_for or context.new_id("actor")
        actor = await context.load(ACTORS, actor_id)
        if self.acts_for is None:
            return actor_id, actor.write(
                actors.register(actor.state, actor_id=actor_id, kind=ActorKind.TOKEN, name=self.name)
            )
        if actor.state is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such actor.", field=("actor",))
        if actor.state.kind is ActorKind.SYSTEM:
            message = "A token cannot act for LedgerPress itself; choose another actor, or leave it out."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("actor",))
        return actor_id, actor.write(())


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Revoke a token immediately and permanently."""

    fingerprint_name: ClassVar[str] = "RevokeToken"

    token_id: str

    @property
    def lock_key(self) -> str | None:
        return TOKENS.stream(self.token_id)

    def decide(self, token: Token | None, facts: Facts) -> tuple[TokenRevoked, ...]:
        return () if token is None or token.is_revoked else (TokenRevoked(token_id=token.id),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        token = await context.load_existing(TOKENS, self.token_id, "token")
        return AppendPlan.of(token.state.id, token.write(self.decide(token.state, Facts())))


async def _load_own_token(command: object, plan: AppendPlan, context: CommandContext) -> Token | None:
    """Return the token of the request, `None` if it has none. The append checks that the token did not change."""
    token_id = context.request.identity.token_id
    return None if token_id is None else (await context.load(TOKENS, token_id)).state


def _check_own_token(command: object, events: Sequence[Event], token: Token | None) -> None:
    """Raise `Rejection` if the token of the request was revoked after the request was authenticated."""
    if token is not None and token.is_revoked:
        raise Rejection(
            TOKEN_REVOKED, "Your token was revoked before this command was executed. Nothing was changed."
        )


def _names(permissions: frozenset[str]) -> str:
    return ", ".join(sorted(permissions))


GUARDS: Final = (GuardDeclaration((object,), _load_own_token, _check_own_token),)
COMMANDS: Final = commands(RequiredPermission(WRITE_TOKENS), CreateToken, RevokeToken)
