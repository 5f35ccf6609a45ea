"""The permission that each field requires, and the one place where it is checked.

A field without a declared permission is open to everyone who has its object. A root field without one requires every
permission. `docs/reference/access.md` lists the access of each role.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
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
_GUARD: Final = "ledgerpress-guard"
"""The field extension with the `Guard` of a field that is resolved."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A resolver that requires a permission. `check` raises `AccessDenied` for a source object and an identity.

    `checking` calls `check` and then `resolve`.
    """

    check: Callable[[Any, Identity], None]
    resolve: Callable[..., Any]
    checking: Callable[..., Any]


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


def guard_of(field: GraphQLField) -> Guard | None:
    """Return the guard of a field, `None` if the field's resolver is not that of the guard."""
    guard: Guard | None = field.extensions.get(_GUARD)
    return guard if guard is not None and field.resolve is guard.checking else None


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
    check = partial(_check, need, roles)
    field.extensions = {**field.extensions, GUARDED: need}
    if field.subscribe:
        field.subscribe = _checking(field.subscribe, check)
        return
    resolve = field.resolve or default_field_resolver
    field.resolve = _checking(resolve, check)
    field.extensions[_GUARD] = Guard(check, resolve, field.resolve)
    if isinstance(field.type, GraphQLNonNull):
        field.type = field.type.of_type


def check_access(need: RequiredPermission | None, roles: RolePermissions, identity: Identity) -> None:
    """Raise `AccessDenied` unless an identity may use a root field with a required permission."""
    if need is not None:
        _check(need, roles, None, identity)


def _check(need: RequiredPermission, roles: RolePermissions, source: Any, identity: Identity) -> None:
    if not (
        identity.meets(need, roles) or (identity.meets_with_own(need) and (source is None or source.is_own))
    ):
        raise AccessDenied(identity, need.permission)


def _checking(resolve: Callable[..., Any], check: Callable[[Any, Identity], None]) -> Callable[..., Any]:
    """Return a resolver that calls `resolve` after `check`. It is a coroutine function if `resolve` is one."""

    @wraps(resolve)
    def checking(source: Any, info: Any, **arguments: Any) -> Any:
        check(source, info.context.identity)
        return resolve(source, info, **arguments)

    if not iscoroutinefunction(resolve):
        return checking

    @wraps(resolve)
    async def checking_async(source: Any, info: Any, **arguments: Any) -> Any:
        return await checking(source, info, **arguments)

    return checking_async
