"""What can be done with API tokens: make one, revoke one. A secret is made beside the command, and never recorded."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Final

from ledgerpress.commands.command_context import AppendPlan, CommandContext, PlannedWrite
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.identity import GRANTED, Permission, Role
from ledgerpress.commands.state_loader import actor_stream, token_stream
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.eventlog.randomness import Randomness
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.tokens import model as tokens

PREFIX: Final = "lp_"
"""How every secret begins, so that it is known for one wherever it turns up."""
SECRET_BYTES: Final = 32


def new_secret(randomness: Randomness) -> str:
    """Return the secret of a new token: 256 random bits."""
    return PREFIX + base64.urlsafe_b64encode(randomness.bytes(SECRET_BYTES)).decode("ascii").rstrip("=")


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret: its SHA-256, in hex. It needs no salt, since nobody can guess 256 bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def first_token_id(publication: str) -> str:
    """Return the id of a publication's first ADMIN token: always the same one, so that it is made once."""
    return uuid8(publication, "first admin token")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """Make a token that acts for the actor `acts_for`, or for a new one of its own name.

    `secret_hash` is that of a new secret. It is not part of what is asked for: a repeated command brings another one,
    which leads nowhere. `giver` is what whoever asks may do themselves.
    """

    fingerprint_name: ClassVar[str] = "CreateToken"

    name: str
    role: Role
    scopes: tuple[Permission, ...] | None = None
    expires_at: int | None = None
    acts_for: str | None = None
    token_id: str | None = None
    secret_hash: str = field(compare=False, repr=False)
    giver: frozenset[Permission] = field(default=GRANTED[Role.ADMIN], compare=False)

    queue = None

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        desk.check_version(NO_STREAM)
        self._check_permissions()
        token_id = self.token_id or desk.new_id("token")
        version, token = await desk.streams.token(token_id)
        actor_id, registration = await self._actor(desk)
        command = tokens.CreateToken(
            token_id=token_id,
            actor_id=actor_id,
            name=self.name,
            role=self.role.value,
            scopes=None if self.scopes is None else tuple(one.value for one in self.scopes),
            expires_at=self.expires_at,
            secret_hash=self.secret_hash,
            at=desk.now,
        )
        events = tokens.decide(command, token)
        if not events:
            return AppendPlan(token_id)
        return AppendPlan.of(token_id, PlannedWrite(token_stream(token_id), version, events), registration)

    def _check_permissions(self) -> None:
        """Raise `Rejection` for scopes that the role lacks, and for more than the giver may do."""
        role, asked = GRANTED[self.role], frozenset(self.scopes or ())
        if beyond := asked - role:
            message = f"The role {self.role.value} does not come with {_names(beyond)}."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("scopes",))
        if beyond := (role if self.scopes is None else asked) - self.giver:
            message = f"You cannot give what you do not have yourself: {_names(beyond)}."
            place = "role" if self.scopes is None else "scopes"
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=(place,))

    async def _actor(self, desk: CommandContext) -> tuple[str, PlannedWrite]:
        """Return for whom the token acts, and the write that registers them. Raises `Rejection`."""
        actor_id = self.acts_for or desk.new_id("actor")
        version, actor = await desk.streams.actor(actor_id)
        if self.acts_for is None:
            register = actors.RegisterActor(actor_id=actor_id, kind=ActorKind.TOKEN, name=self.name)
            return actor_id, PlannedWrite(actor_stream(actor_id), version, actors.decide(register, actor))
        if actor is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such actor.", field=("actor",))
        if actor.kind is ActorKind.SYSTEM:
            message = "A token cannot act for LedgerPress itself: name another actor, or none."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("actor",))
        return actor_id, PlannedWrite(actor_stream(actor_id), version, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """Let a token work no more, at once and for ever."""

    fingerprint_name: ClassVar[str] = "RevokeToken"

    token_id: str

    @property
    def queue(self) -> str | None:
        """The token's stream."""
        return token_stream(self.token_id)

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        version, token = await desk.streams.token(self.token_id)
        if token is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such token.", field=("id",))
        desk.check_version(version)
        events = tokens.decide(tokens.RevokeToken(), token)
        return AppendPlan.of(token.id, PlannedWrite(token_stream(token.id), version, events))


def _names(permissions: frozenset[Permission]) -> str:
    return ", ".join(sorted(permissions))
