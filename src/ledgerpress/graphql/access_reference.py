"""The table of what each role may read and do: `docs/reference/access.md`, generated from the schema."""

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
    """How much of something a role may have."""

    NO = 0
    OWN = 1
    YES = 2


class Row(NamedTuple):
    """A field, the permission that it requires, and what each role may have of it, in the order of `Role`."""

    field: str
    need: RequiredPermission | None
    roles: tuple[Access, ...]


_HEAD: Final = """# Access

Written by `scripts/schema` from the code, which `scripts/check` compares it with; a test walks the whole schema as each
role and finds what stands here.

Someone who shows nothing is a READER. A [token](cli.md) has a role, and of the role's permissions all or some. What
each permission is for:

{permissions}

## Fields

*yes*: of everything. *own*: of the posts that they wrote themselves, and what belongs to them; of others they see, as a
reader does, the articles. *no*: refused, or there is no way to such an object. *Takes* is what the field itself asks
for; of a field without, whoever has the object may have it.

A refusal is an error with the code `FORBIDDEN`, or `UNAUTHENTICATED` for who has not said who they are, and leaves the
rest of the answer as it is: every field that takes a permission is nullable. An object that somebody may not see is not
refused: it is `null`, or not in the list, and not counted, just as if it did not exist. A command on another's post is
answered with `NOT_FOUND`, as for a post that there is not.

`asOf` with a past moment, an argument, is refused together with the field that it was given to; it takes `history:read`, or a server with `--open-past`, where everyone may ask, and sees nothing
that is not public today. On `post` and `posts` it takes `history:read` for all posts and `posts:read-own` for one's own.
`changes` without `history:read` has to name a post of the caller's own in `filter.stream`.

What nobody can be kept from seeing: the position of the log and when it was last written, which tell that something
has changed; and, for who writes posts, that a slug is taken.

| Field | Takes | READER | AUTHOR | EDITOR | AUDITOR | ADMIN |
| --- | --- | --- | --- | --- | --- | --- |
"""


def rows(schema: Schema) -> Iterator[Row]:
    """Yield a row for each field of each object type, by name."""
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
    """Return which object types a role can reach from the roots, and how much of them it sees."""
    graph, roles = schema._schema, schema.declarations.roles
    roots = (graph.query_type, graph.mutation_type, graph.subscription_type)
    reached = {root.name: Access.YES for root in roots if root}
    grown = True
    while grown:
        grown = False
        for type_ in _object_types(graph):
            here = reached.get(type_.name, Access.NO)
            for field in type_.fields.values():
                level = min(here, _level(roles, role, required_permission(field)))
                for target in _targets(graph, field.type):
                    seen = min(level, _level(roles, role, schema.declarations.objects.get(target)))
                    if seen > reached.get(target, Access.NO):
                        reached[target] = seen
                        grown = True
    return reached


def _targets(schema: GraphQLSchema, type_: object) -> list[str]:
    named = get_named_type(type_)  # type: ignore[call-overload]
    if is_abstract_type(named):
        return [one.name for one in schema.get_possible_types(named)]
    return [named.name] if is_object_type(named) else []


def _object_types(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    found = [
        named
        for named in schema.type_map.values()
        if isinstance(named, GraphQLObjectType) and not is_introspection_type(named)
    ]
    return sorted(found, key=lambda one: one.name)
