"""The GraphQL schema of API tokens. Only the creation of a token returns its secret."""

from functools import partial
from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import RequiredPermission, Role
from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.tokens import commands, model
from ledgerpress.features.tokens import projector_and_queries as queries
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.event_loader_and_payload_redaction import EventAccess
from ledgerpress.graphql.feature_declarations import SchemaContribution, declarations_of, runs
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation, run_command
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.graphql.viewer_node_and_projection_queries import PermissionEnum, RoleEnum

_READ: Final = RequiredPermission(model.READ_TOKENS)


def _scopes(token: strawberry.Parent["ApiToken"], info: RequestInfo) -> list[str] | None:
    """Return the scopes that are permissions in this process. Others belong to features that are not installed."""
    names = token.scope_names
    if names is None:
        return None
    return [permission for permission in declarations_of(info).roles.in_order if permission in names]


@strawberry.type(description="Credentials of a program. Only a hash of the secret is stored.")
class ApiToken(Node):
    moment: strawberry.Private[PointInTime]
    actor_id: strawberry.Private[str | None]
    version: int = strawberry.field(
        description="Increases with every change of the token. Pass it as `expectedVersion`."
    )
    name: str | None = strawberry.field(
        description="Null if the token's creation was withdrawn; the token does not work then."
    )
    role: RoleEnum | None = strawberry.field(  # type: ignore[valid-type]
        description="The token's role; null if the token's creation was withdrawn."
    )
    scope_names: strawberry.Private[tuple[str, ...] | None]
    scopes: list[PermissionEnum] | None = strawberry.field(
        resolver=_scopes,
        description="The scopes of the token: the only permissions of its role that it has; null if it has all.",
    )
    created_at: DateTime
    expires_at: DateTime | None = strawberry.field(
        description="Expiry time; null if the token never expires."
    )
    revoked_at: DateTime | None = strawberry.field(
        description="The time at which the token was revoked; null if it was not revoked."
    )

    @strawberry.field(description="The actor that the token acts for.")
    def actor(self) -> Actor | None:
        return None if self.actor_id is None else actor_of(self.actor_id, self.moment)


def token_of(record: queries.Token, moment: PointInTime) -> ApiToken:
    return ApiToken(
        id=global_ids.id_of(moment, "ApiToken", record.id),
        moment=moment,
        actor_id=record.actor_id,
        version=record.version,
        name=record.name,
        role=Role(record.role) if record.role in set(Role) else None,
        scope_names=record.scopes,
        created_at=DateTime(record.created_at),
        expires_at=None if record.expires_at is None else DateTime(record.expires_at),
        revoked_at=None if record.revoked_at is None else DateTime(record.revoked_at),
    )


def load_token(moment: PointInTime, token_id: str) -> ApiToken | None:
    """Return a token by id if the viewer sees tokens."""
    return _token(moment, token_id) if moment.viewer.may(model.READ_TOKENS) else None


def _token(moment: PointInTime, token_id: str) -> ApiToken | None:
    record = queries.by_id(moment.snapshot, token_id)
    return token_of(record, moment) if record else None


@strawberry.type
class TokenQueries:
    @strawberry.field(description="All API tokens ever created, in order of creation.")
    def tokens(
        self, info: RequestInfo, first: int | None = None, after: str | None = None
    ) -> Connection[ApiToken]:
        moment = info.context.today
        return connect_in_order_of_creation(
            first, after, moment, queries.tokens_after, token_of, queries.count_tokens
        )


@strawberry.input
class TokenCreateInput(MutationInput):
    name: str = strawberry.field(description="The purpose of the token; the history shows this name.")
    role: RoleEnum  # type: ignore[valid-type]
    scopes: list[PermissionEnum] | None = strawberry.field(
        default=None,
        description="Limit the token to these permissions of its role; if absent, it has all of them.",
    )
    expires_at: DateTime | None = strawberry.field(
        default=None, description="Expiry time; if absent, the token never expires."
    )
    actor: strawberry.ID | None = strawberry.field(
        default=None,
        description="The id of the actor that the token acts for; if absent, a new actor with the token's name.",
    )

    def command_with(self, secret_hash: str, giver: frozenset[str] | None) -> commands.CreateToken:
        """Return the command for a new secret, from a user with the permissions `giver`. Raises `Rejection`."""
        return commands.CreateToken(
            name=self.name,
            role=self.role,
            scopes=None if self.scopes is None else tuple(map(str, self.scopes)),
            expires_at=self.expires_at,
            acts_for=global_ids.in_input(self.actor, "Actor", field=("actor",))
            if self.actor is not None
            else None,
            secret_hash=secret_hash,
            giver=giver,
        )


@strawberry.input
class TokenRevokeInput(MutationInput):
    id: strawberry.ID

    def command(self) -> commands.RevokeToken:
        return commands.RevokeToken(token_id=global_ids.in_input(self.id, "ApiToken", field=("id",)))


@strawberry.type
class TokenCreatePayload(Payload):
    token: ApiToken | None
    secret: str | None = strawberry.field(
        description="The secret, to be sent as `Authorization: Bearer …`. The server does not store it and never "
        "returns it again. Null if the command was executed before."
    )


@strawberry.type
class TokenPayload(Payload):
    token: ApiToken | None


@strawberry.type
class TokenMutations:
    @strawberry.mutation(
        description="Create an API token. You can only give permissions that you have yourself.",
        metadata=runs(commands.CreateToken),
    )
    async def token_create(self, info: RequestInfo, input: TokenCreateInput) -> TokenCreatePayload:
        context = info.context
        identity, secret = context.identity, commands.new_secret(context.store.randomness)
        giver = None if identity.may_everything else identity.permissions
        build = partial(input.command_with, commands.secret_hash(secret), giver)
        payload = partial(TokenCreatePayload, secret=None)
        result = await run_command(info, input, build, payload, "token", _token)
        if not result.replayed and not result.user_errors:
            result.secret = secret
        return result

    token_revoke = command_mutation(
        commands.RevokeToken,
        TokenRevokeInput,
        "Revoke an API token immediately and permanently.",
        payload=TokenPayload,
        field="token",
        load=_token,
    )


SCHEMA: Final = SchemaContribution(
    query=TokenQueries,
    mutation=TokenMutations,
    types=(ApiToken,),
    permissions={"Query.tokens": _READ},
    objects={"ApiToken": _READ},
    nodes={"ApiToken": load_token},
    events={
        "token.created": EventAccess(frozenset({"secretHash"}), model.READ_TOKENS),
        "token.revoked": EventAccess(permission=model.READ_TOKENS),
    },
)
