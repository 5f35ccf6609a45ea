"""The table of the access of each role, `docs/reference/access.md`, generated from the schema."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_introspection_type,
    is_object_type,
)

from ledgerpress.commands.roles_and_permissions import RequiredPermission, Role, RolePermissions
from ledgerpress.graphql.access_control import required_permission
from ledgerpress.graphql.schema import Schema


class Access(IntEnum):
    """The access of a role to a field or type: to no object, to the user's own objects, or to all objects."""

    NO = 0
    OWN = 1
    YES = 2


class Row(NamedTuple):
    """A field, the permission that it requires, and the access of each role, in the order of `Role`."""

    field: str
    need: RequiredPermission | None
    roles: tuple[Access, ...]


_HEAD: Final = """# Access

`scripts/schema` generates this page from the code, and `scripts/check` checks that it is up to date. A test walks the
whole schema as each role and compares its access with this page.

A client without credentials is a READER. A [token](cli.md) has a role, and all or some of the role's permissions. Each
role has these permissions:

{permissions}

## Fields

- *yes*: access to all objects.
- *own*: access to posts that the user wrote, and to objects that belong to these posts. Of other posts, the user sees
  the public articles, as a reader does.
- *no*: access is denied, or the role cannot reach such an object.
- *Requires*: the permission that the field itself requires. If there is none, everyone who can see the object can see
  the field.

If access is denied, the response contains an error with the code `FORBIDDEN`, or `UNAUTHENTICATED` for an anonymous
client. The rest of the response is not affected: every field that requires a permission is nullable. An object that the
user may not see causes no error. It is `null`, or it is missing from the list and from the count, as if it did not
exist. A command on another user's post fails with `NOT_FOUND`, as for a post that does not exist. `bulk` requires the
permissions of all its commands.

The argument `asOf` with a past moment requires `history:read`; without it, access to the field is denied. On a server
with `--open-past`, everyone may use it, but sees only what is public today. On `post` and `posts`, it requires
`history:read` for all posts, and `posts:read-own` for the user's own posts. `changes` without `history:read` must name
one of the user's own posts in `filter.stream`.

Readers see the authors that have a public article. With `posts:read-own`, `posts:read`, `history:read` or
`people:write`, a user sees all authors. Readers find an author only by slugs that the author had while an article was
public that is public today; staff by all slugs.

Some facts are visible to everyone: the position of the log and the time of its last event, which show that something
has changed. Users who write posts can also find out that a slug is taken. They learn which object has it
(`UserError.holder`) only if they may see that object, and see that it has or had the slug.

| Field | Requires | READER | AUTHOR | EDITOR | AUDITOR | ADMIN |
| --- | --- | --- | --- | --- | --- | --- |
"""


def rows(schema: Schema) -> Iterator[Row]:
    """Yield a row for each field of each object type, sorted by name."""
    reached = {role: _reached(schema, role) for role in Role}
    roles = schema.declarations.roles
    for type_ in _object_types(schema._schema):
        for name, field in sorted(type_.fields.items()):
            need = required_permission(field)
            levels = tuple(
                min(reached[role].get(type_.name, Access.NO), _level(roles, role, need)) for role in Role
            )
            yield Row(f"{type_.name}.{name}", need, levels)


def page(schema: Schema) -> str:
    lines = [
        f"| {row.field} | {_takes(row.need)} | {' | '.join(level.name.lower() for level in row.roles)} |"
        for row in rows(schema)
    ]
    return _HEAD.format(permissions=_permissions(schema.declarations.roles)) + "\n".join(lines) + "\n"


def _permissions(roles: RolePermissions) -> str:
    names = " | ".join(role.name for role in Role)
    lines = [f"| Permission | {names} |", f"| --- |{' --- |' * len(Role)}"]
    for permission in roles.in_order:
        marks = " | ".join("yes" if permission in roles.of(role) else "" for role in Role)
        lines.append(f"| `{permission}` | {marks} |")
    return "\n".join(lines)


def _takes(need: RequiredPermission | None) -> str:
    if need is None:
        return ""
    if need.permission is None:
        return "every permission"
    own = f", or `{need.own}`" if need.own else ""
    return f"`{need.permission}`{own}"


def _level(roles: RolePermissions, role: Role, need: RequiredPermission | None) -> Access:
    granted = roles.of(role)
    if need is None or granted >= ({need.permission} if need.permission else roles.first_party):
        return Access.YES
    return Access.OWN if need.own in granted else Access.NO


def _reached(schema: Schema, role: Role) -> dict[str, Access]:
    """Return the object types that a role can reach from the roots, with the access of the role."""
    graph, roles = schema._schema, schema.declarations.roles
    roots = (graph.query_type, graph.mutation_type, graph.subscription_type)
    reached = {root.name: Access.YES for root in roots if root}
    has_grown = True
    while has_grown:
        has_grown = False
        for type_ in _object_types(graph):
            here = reached.get(type_.name, Access.NO)
            for field in type_.fields.values():
                level = min(here, _level(roles, role, required_permission(field)))
                for target in _targets(graph, field.type):
                    access = min(level, _level(roles, role, schema.declarations.objects.get(target)))
                    if access > reached.get(target, Access.NO):
                        reached[target] = access
                        has_grown = True
    return reached


def _targets(schema: GraphQLSchema, type_: object) -> list[str]:
    named = get_named_type(type_)  # type: ignore[call-overload]
    if named is schema.type_map.get("Payload"):
        return []  # a list of payloads needs the permissions of the mutations that return them
    if is_abstract_type(named):
        return [possible.name for possible in schema.get_possible_types(named)]
    return [named.name] if is_object_type(named) else []


def _object_types(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    types = [
        named
        for named in schema.type_map.values()
        if isinstance(named, GraphQLObjectType) and not is_introspection_type(named)
    ]
    return sorted(types, key=lambda type_: type_.name)
