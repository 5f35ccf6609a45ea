"""The permission that each field requires, and the one place where it is checked.

A field without a declared permission is open to everyone who has its object. A root field without one requires every
permission. `docs/reference/access.md` lists the access of each role.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    default_field_resolver,
)

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.roles_and_permissions import RequiredPermission, RolePermissions

GUARDED: Final = "ledgerpress-guarded"
"""The field extension with the required permission. The field's resolver checks it, so it must always be called."""


class AccessDenied(GraphQLError):
    """The viewer lacks the required permission: `FORBIDDEN`, or `UNAUTHENTICATED` for anonymous clients."""

    def __init__(self, identity: Identity, permission: str | None) -> None:
        needed = f"the permission “{permission}”" if permission else "all permissions"
        if identity.is_anonymous or identity.actor_id is None:
            message = f"This needs {needed}. Authenticate with “Authorization: Bearer …”."
            super().__init__(message, extensions={"code": "UNAUTHENTICATED"})
        else:
            message = f"This needs {needed}, which you do not have."
            super().__init__(message, extensions={"code": "FORBIDDEN"})


def required_permission(field: GraphQLField) -> RequiredPermission | None:
    """Return the permission that a field requires in a guarded schema, `None` if it requires none."""
    need: RequiredPermission | None = field.extensions.get(GUARDED)
    return need


def guard_fields(
    schema: GraphQLSchema, permissions: Mapping[str, RequiredPermission | None], roles: RolePermissions
) -> None:
    """Make every field that requires a permission check it before the field is resolved.

    `roles` contains the permissions of the process. Such a field becomes nullable, so that a denial removes only the
    field itself from the response. A subscription is checked when it begins.
    """
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    for named in schema.type_map.values():
        if not isinstance(named, GraphQLObjectType):
            continue
        default = RequiredPermission(None) if named in roots else None
        for name, field in named.fields.items():
            if need := permissions.get(f"{named.name}.{name}", default):
                _guard(field, need, roles)


def _guard(field: GraphQLField, need: RequiredPermission, roles: RolePermissions) -> None:
    if field.subscribe:
        field.subscribe = _checking(field.subscribe, need, roles)
    else:
        field.resolve = _checking(field.resolve or default_field_resolver, need, roles)
        if isinstance(field.type, GraphQLNonNull):
            field.type = field.type.of_type
    field.extensions = {**field.extensions, GUARDED: need}


def _checking(
    resolve: Callable[..., Any], need: RequiredPermission, roles: RolePermissions
) -> Callable[..., Any]:
    """Return a resolver that calls `resolve` if the viewer has the required permission, else raises `AccessDenied`.

    It is a coroutine function if `resolve` is one.
    """

    @wraps(resolve)
    def checking(source: Any, info: Any, **arguments: Any) -> Any:
        identity: Identity = info.context.identity
        if identity.meets(need, roles) or (
            identity.meets_with_own(need) and (source is None or source.is_own)
        ):
            return resolve(source, info, **arguments)
        raise AccessDenied(identity, need.permission)

    if not iscoroutinefunction(resolve):
        return checking

    @wraps(resolve)
    async def checking_async(source: Any, info: Any, **arguments: Any) -> Any:
        return await checking(source, info, **arguments)

    return checking_async
