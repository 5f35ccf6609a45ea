"""The schema, built from the contributions of the kernel and of features.

One process can have several schemas with different features. So everything that depends on the features is stored in
the schema, and never in the classes of types, which the schemas share.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import strawberry
from graphql import (
    GraphQLEnumValue,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import CustomGraphQLEnumType, GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from ledgerpress.commands.command_and_guard_declarations import CommandDeclaration
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.commands.roles_and_permissions import Permission
from ledgerpress.graphql import cost_directives, viewer_node_and_projection_queries
from ledgerpress.graphql.access_control import guard_fields
from ledgerpress.graphql.feature_declarations import (
    CommandMutation,
    SchemaContribution,
    SchemaDeclarations,
)
from ledgerpress.graphql.input_rules import describe_input_rules
from ledgerpress.graphql.scalars import SCALARS
from ledgerpress.graphql.schema_checks import check_extensions
from ledgerpress.graphql.schema_error import SchemaError
from ledgerpress.graphql.schema_extensions import ExtensionFactory


@strawberry.type
class Query:
    """The root type of queries."""


@strawberry.type
class Mutation:
    """The root type of mutations."""


@strawberry.type
class Subscription:
    """The root type of subscriptions."""


class Schema(strawberry.Schema):
    """A schema and the declarations from which it is built. Raises `SchemaError` for invalid declarations."""

    def __init__(self, declarations: SchemaDeclarations, extensions: Sequence[ExtensionFactory] = ()) -> None:
        check_extensions(extensions)
        self.declarations: Final = declarations
        self._added: Final = defaultdict[type, list[StrawberryField]](list)
        roots = {
            Query: self.declarations.queries,
            Mutation: self.declarations.mutations,
            Subscription: self.declarations.subscriptions,
        }
        for type_, classes in (*roots.items(), *self.declarations.extends.items()):
            for added in classes:
                self._added[type_] += _definition(added).fields
        for choice in self.declarations.command_choices:
            self._added[choice] += _choice_of_commands(self.declarations.command_mutations)
        super().__init__(
            query=Query,
            mutation=Mutation if self.declarations.mutations else None,
            subscription=Subscription if self.declarations.subscriptions else None,
            types=self.declarations.types,
            extensions=extensions,
            config=StrawberryConfig(scalar_map=SCALARS),
        )
        self._check()
        _set_enum_values(
            self._schema, "ErrorCode", {code: code for code in (*ErrorCode, *declarations.error_codes)}
        )
        permissions = {permission.enum_name: str(permission) for permission in declarations.roles.in_order}
        _set_enum_values(self._schema, "Permission", permissions)
        _drop_null_defaults(self._schema)
        _mark_one_of_inputs(self._schema)
        describe_input_rules(self._schema)
        guard_fields(self._schema, declarations.permissions, declarations.roles)
        cost_directives.assign(self._schema, self.declarations)

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return the fields of a type: its own fields, then the fields that features add."""
        return [*type_definition.fields, *self._added.get(type_definition.origin, ())]

    @property
    def type_names(self) -> Collection[str]:
        """The names of all types."""
        return self._schema.type_map.keys()

    def _check(self) -> None:
        """Raise `SchemaError` for anything without a declared permission, and for declarations of unknown names."""
        declared = self.declarations
        for coordinate in self._added_fields():
            if coordinate not in declared.permissions:
                raise SchemaError(
                    f"{coordinate} has no declared permission; None means that everyone may use it.",
                    todo="add it to `permissions` of the SchemaContribution.",
                )
        objects = {
            type_.name: type_
            for type_ in self._schema.type_map.values()
            if isinstance(type_, GraphQLObjectType)
        }
        for name in objects.keys() - declared.objects.keys():
            if self._needs_permission(objects[name]):
                raise SchemaError(
                    f"The type {name} has no declared permission; None means that everyone may see it.",
                    todo="add it to `objects` of the SchemaContribution.",
                )
        loaded = {name for name, type_ in objects.items() if "Node" in _interfaces(type_)}
        if loaded != declared.nodes.keys():
            mismatch = min(loaded ^ declared.nodes.keys())
            raise SchemaError(f"{mismatch} needs both the interface Node and a node loader, or neither.")
        coordinates = {f"{name}.{field}" for name, type_ in objects.items() for field in type_.fields}
        by_field = (
            declared.permissions,
            declared.weights,
            declared.sizes,
            declared.list_arguments,
            declared.sized_fields,
        )
        unknown = [name for names in by_field for name in names if name not in coordinates and name[0] != "*"]
        unknown += [name for name in declared.objects if name not in objects]
        if unknown:
            raise SchemaError(f"{unknown[0]} is declared, but not in the schema.")

    def _added_fields(self) -> Iterator[str]:
        """Yield the coordinates of root fields and of fields that features add to objects.

        Raises `SchemaError` if the type does not exist, or already has such a field.
        """
        names = self.config.name_converter
        for type_, added in self._added.items():
            definition = _definition(type_)
            name = names.from_type(definition)
            if name not in self._schema.type_map:
                raise SchemaError(f"Fields are added to {name}, which is not in the schema.")
            field_names = {names.from_field(field) for field in definition.fields}
            for field_name in map(names.from_field, added):
                if field_name in field_names:
                    raise SchemaError(f"{name}.{field_name} is added, but exists already.")
                field_names.add(field_name)
                if not definition.is_input:
                    yield f"{name}.{field_name}"

    def _needs_permission(self, type_: GraphQLObjectType) -> bool:
        definition = type_.extensions.get("strawberry-definition")
        if definition is None or definition.origin in {Query, Mutation, Subscription}:
            return False
        return definition.concrete_of is None and "Payload" not in _interfaces(type_)


def build_schema(
    contributions: Iterable[SchemaContribution],
    *,
    commands: Mapping[type, CommandDeclaration] | None = None,
    error_codes: Iterable[str] = (),
    event_types: Iterable[str] = (),
    permissions: Iterable[Permission] = (),
    extensions: Sequence[ExtensionFactory] = (),
) -> Schema:
    """Return the schema of the kernel and of features. Raises `SchemaError`.

    `commands`, `error_codes`, `event_types` and `permissions` belong to the same features.
    """
    parts = (viewer_node_and_projection_queries.KERNEL, *contributions)
    return Schema(
        SchemaDeclarations(
            parts,
            commands=commands or {},
            error_codes=error_codes,
            event_types=event_types,
            permissions=permissions,
        ),
        extensions,
    )


def _interfaces(type_: GraphQLObjectType) -> set[str]:
    return {interface.name for interface in type_.interfaces}


def _definition(class_: type) -> StrawberryObjectDefinition:
    definition: StrawberryObjectDefinition = class_.__strawberry_definition__  # type: ignore[attr-defined]
    return definition


def _choice_of_commands(mutations: Mapping[str, CommandMutation]) -> list[StrawberryField]:
    """Return an input field for each mutation."""
    names = {name: f"command_{number}" for number, name in enumerate(mutations)}
    fields = {
        names[name]: strawberry.field(
            name=name, default=strawberry.UNSET, description=f"The input of the mutation `{name}`."
        )
        for name in mutations
    }
    types = {names[name]: mutation.input_type | None for name, mutation in mutations.items()}
    return _definition(strawberry.input(type("Commands", (), {"__annotations__": types, **fields}))).fields


class _Name(str):
    """The class of an enum to which features add values: strawberry converts inputs to the class of an enum."""

    __slots__ = ()


def _set_enum_values(schema: GraphQLSchema, name: str, values: Mapping[str, str]) -> None:
    """Set the values, by name, of an enum in this schema only. Inputs of the enum are then strings."""
    enum = schema.type_map.get(name)
    if isinstance(enum, CustomGraphQLEnumType):
        enum.values.clear()
        enum.values.update({name: GraphQLEnumValue(value) for name, value in values.items()})
        enum.wrapped_cls = _Name  # type: ignore[assignment]  # called, and used by isinstance


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Remove `= null` from the schema: an optional argument needs no default."""
    for named in schema.type_map.values():
        if isinstance(named, GraphQLInputObjectType):
            values = list(named.fields.values())
        elif isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
            values = [argument for field in named.fields.values() for argument in field.args.values()]
        else:
            continue
        for value in values:
            if value.default_value is None:
                value.default_value = Undefined


def _mark_one_of_inputs(schema: GraphQLSchema) -> None:
    """Let graphql-core validate `@oneOf` inputs in literals and variables. Strawberry checks only resolved values."""
    for named in schema.type_map.values():
        definition = named.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        if isinstance(named, GraphQLInputObjectType) and definition is not None:
            named.is_one_of = definition.is_one_of
