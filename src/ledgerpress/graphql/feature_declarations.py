"""The contributions of features to the GraphQL schema, and how they are merged."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar, cast

from strawberry.schema.name_converter import NameConverter
from strawberry.types import Info

from ledgerpress.commands.command_and_guard_declarations import CommandDeclaration
from ledgerpress.commands.roles_and_permissions import (
    Permission,
    RequiredPermission,
    RolePermissions,
)
from ledgerpress.graphql.as_of import AsOf
from ledgerpress.graphql.context import Context, PointInTime
from ledgerpress.graphql.event_loader_and_payload_redaction import EventAccess
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.schema_error import SchemaError

NodeLoader: TypeAlias = Callable[[PointInTime, str], Node | None]
"""Returns the object with an id as of a moment, `None` if it does not exist or is hidden from the viewer."""

MomentOf: TypeAlias = Callable[[Context, AsOf | None], PointInTime]
"""Returns the moment that `asOf` names, as the viewer may see it, like `as_of.moment_of`."""

T = TypeVar("T")
_COMMAND: Final = "ledgerpress-command"
_COMMAND_MUTATION: Final = "ledgerpress-command-mutation"


@dataclass(frozen=True, slots=True)
class CommandMutation:
    """A mutation that runs the command of its input, and does nothing else.

    `payload` creates its payload, with the object of the command in the field `field`. `load` reads that object after
    the command.
    """

    input_type: type
    payload: Callable[..., Any]
    field: str
    load: Callable[[PointInTime, str], object | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaContribution:
    """The contribution of one feature to the schema.

    `query`, `mutation` and `subscription` are classes whose fields become root fields. `extends` adds the fields of a
    class to an object type or an input of a feature below. A resolver of such a field takes the object as its
    `strawberry.Parent`. Added inputs are subclasses of `ledgerpress.graphql.mutations.AddedInput`. `types` are object
    types that are not the type of any field, such as implementations of `Node`. `command_choice` is a `@oneOf` input
    without fields of its own: it gets a field for each `CommandMutation` of all features, with the input of that mutation.

    Access is denied by default. `permissions` must contain every root field and every field in `extends`. `objects`
    must contain every object type except connections, edges and payloads. `None` grants access to everyone. `nodes` has
    a loader for each type that implements `Node`, and `moments` the function that replaces `as_of.moment_of` for types
    whose past needs other permissions.

    `weights` are the costs of fields, and `sizes` the assumed lengths of their lists. `list_arguments` contains the
    fields whose list is as long as one of their arguments, with the name of that argument. The keys of these three are
    `Type.field`, where `*` is any type. If the argument is a list of commands in an input (`input.commands`), the weight
    of the mutation counts for each command, and `sized_fields` has the fields of its payload that are as long.
    """

    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    types: Sequence[type] = ()
    extends: Mapping[type, type] = field(default_factory=dict)
    permissions: Mapping[str, RequiredPermission | None] = field(default_factory=dict)
    objects: Mapping[str, RequiredPermission | None] = field(default_factory=dict)
    nodes: Mapping[str, NodeLoader] = field(default_factory=dict)
    moments: Mapping[str, MomentOf] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    list_arguments: Mapping[str, str] = field(default_factory=dict)
    sized_fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    command_choice: type | None = None
    events: Mapping[str, EventAccess] = field(default_factory=dict)


class SchemaDeclarations:
    """The merged contributions of several features. Raises `SchemaError` if two features declare the same thing.

    `commands`, `error_codes`, `event_types` and `permissions` belong to the same features. A mutation that runs a
    declared command (`runs`) requires the command's permission.
    """

    def __init__(
        self,
        contributions: Iterable[SchemaContribution],
        *,
        commands: Mapping[type, CommandDeclaration],
        error_codes: Iterable[str],
        event_types: Iterable[str],
        permissions: Iterable[Permission] = (),
    ) -> None:
        parts: Final = tuple(contributions)
        self.queries: Final = [part.query for part in parts if part.query]
        self.mutations: Final = [part.mutation for part in parts if part.mutation]
        self.subscriptions: Final = [part.subscription for part in parts if part.subscription]
        self.types: Final = [type_ for part in parts for type_ in part.types]
        self.extends: Final = defaultdict[type, list[type]](list)
        for part in parts:
            for type_, added in part.extends.items():
                self.extends[type_].append(added)
        self.command_choices: Final = [part.command_choice for part in parts if part.command_choice]
        self.command_mutations: Final = _command_mutations(self.mutations)
        """The mutations that `command_mutation` has returned, by name."""
        of_commands = _command_permissions(self.mutations, commands)
        self.permissions: Final = _merged("permission", (*(part.permissions for part in parts), of_commands))
        self.objects: Final = _merged("object permission", (part.objects for part in parts))
        self.nodes: Final = _merged("node loader", (part.nodes for part in parts))
        self.moments: Final = _merged("moment", (part.moments for part in parts))
        self.weights: Final = _merged("weight", (part.weights for part in parts))
        self.sizes: Final = _merged("size", (part.sizes for part in parts))
        self.list_arguments: Final = _merged("list argument", (part.list_arguments for part in parts))
        self.sized_fields: Final = _merged("sized fields", (part.sized_fields for part in parts))
        self.events: Final = _merged("event access", (part.events for part in parts))
        self.error_codes: Final = tuple(error_codes)
        self.event_types: Final = frozenset(event_types)
        self.roles: Final = RolePermissions(permissions)
        for coordinate, need in {**self.permissions, **self.objects}.items():
            if need is not None and not self.roles.every.issuperset(
                filter(None, (need.permission, need.own))
            ):
                raise SchemaError(
                    f"{coordinate} requires {need.permission}, a permission that no feature declares.",
                    todo="add it to `Feature.permissions`.",
                )


def runs(command: type) -> dict[str, type]:
    """Return the metadata of a mutation that runs `command`. The mutation requires the command's permission."""
    return {_COMMAND: command}


def runs_only(command: type, mutation: CommandMutation) -> dict[str, object]:
    """Return the metadata of a mutation that runs `command` and does nothing else."""
    return {**runs(command), _COMMAND_MUTATION: mutation}


def declarations_of(info: Info[Any, None]) -> SchemaDeclarations:
    """Return the declarations of the schema that is being executed."""
    return cast("SchemaDeclarations", info.schema.declarations)  # type: ignore[attr-defined]


def _merged(kind: str, mappings: Iterable[Mapping[str, T]]) -> dict[str, T]:
    merged: dict[str, T] = {}
    for mapping in mappings:
        if duplicates := sorted(merged.keys() & mapping.keys()):
            raise SchemaError(
                f"Two features declare a {kind} for {duplicates[0]}. Only the feature that adds it may do so."
            )
        merged.update(mapping)
    return merged


def _command_permissions(
    mutations: Iterable[type], commands: Mapping[type, CommandDeclaration]
) -> dict[str, RequiredPermission | None]:
    """Return the permissions of mutations that run commands. Raises `SchemaError` for an undeclared command."""
    permissions: dict[str, RequiredPermission | None] = {}
    for field_name, metadata in _metadata(mutations):
        command = metadata.get(_COMMAND)
        if command is None:
            continue
        name = f"Mutation.{field_name}"
        if command not in commands:
            raise SchemaError(
                f"{name} runs {command.__name__}, which no feature declares with a permission.",
                todo=f"add `feature.commands(RequiredPermission(…), {command.__name__})` to `Feature.commands`.",
            )
        permissions[name] = commands[command].required
    return permissions


def _command_mutations(mutations: Iterable[type]) -> dict[str, CommandMutation]:
    return {
        name: metadata[_COMMAND_MUTATION]
        for name, metadata in _metadata(mutations)
        if _COMMAND_MUTATION in metadata
    }


def _metadata(mutations: Iterable[type]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Yield the name and the metadata of each mutation."""
    for class_ in mutations:
        for field_ in class_.__strawberry_definition__.fields:  # type: ignore[attr-defined]
            yield NameConverter().from_field(field_), field_.metadata
