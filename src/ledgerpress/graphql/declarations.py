"""What a feature contributes to the GraphQL schema, and how the contributions are merged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar, cast

from strawberry.types import Info

from ledgerpress.commands.identity import RequiredPermission
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.event_loader import EventAccess
from ledgerpress.graphql.relay.node import Node

NodeLoader: TypeAlias = Callable[[PointInTime, str], Node | None]
"""Returns the object with an id as of a moment, `None` if there is none or the viewer must not see it."""

T = TypeVar("T")


class SchemaError(Exception):
    """The contributions do not make a valid schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaContribution:
    """What one feature adds to the schema.

    `query`, `mutation` and `subscription` are classes whose fields become root fields. `extends` adds the fields of a
    class to an object type or an input of a feature below; a resolver of such a field takes the object as its
    `strawberry.Parent`, and `added_values` returns the values of such input fields. `types` are object types that no
    field names, such as implementations of `Node`.

    Access is denied by default: `permissions` must name every root field and every field in `extends`, `objects` every
    object type (apart from connections, edges and payloads); `None` grants access to everyone. `nodes` has a loader for
    each type that implements `Node`.

    `weights` and `sizes` are what fields cost and how long their lists are assumed to be; `list_arguments` are lists as
    long as a list argument. They are keyed by `Type.field`, where `*` is any type.
    """

    query: type | None = None
    mutation: type | None = None
    subscription: type | None = None
    types: Sequence[type] = ()
    extends: Mapping[type, type] = field(default_factory=dict)
    permissions: Mapping[str, RequiredPermission | None] = field(default_factory=dict)
    objects: Mapping[str, RequiredPermission | None] = field(default_factory=dict)
    nodes: Mapping[str, NodeLoader] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    list_arguments: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, EventAccess] = field(default_factory=dict)


class SchemaDeclarations:
    """The contributions of several features, merged. Raises `SchemaError` if two declare the same thing."""

    def __init__(self, contributions: Iterable[SchemaContribution]) -> None:
        parts: Final = tuple(contributions)
        self.queries: Final = [part.query for part in parts if part.query]
        self.mutations: Final = [part.mutation for part in parts if part.mutation]
        self.subscriptions: Final = [part.subscription for part in parts if part.subscription]
        self.types: Final = [type_ for part in parts for type_ in part.types]
        self.extends: Final = [extension for part in parts for extension in part.extends.items()]
        self.permissions: Final = _merged("permission", (part.permissions for part in parts))
        self.objects: Final = _merged("object permission", (part.objects for part in parts))
        self.nodes: Final = _merged("node loader", (part.nodes for part in parts))
        self.weights: Final = _merged("weight", (part.weights for part in parts))
        self.sizes: Final = _merged("size", (part.sizes for part in parts))
        self.list_arguments: Final = _merged("list argument", (part.list_arguments for part in parts))
        self.events: Final = _merged("event access", (part.events for part in parts))


def declarations_of(info: Info[Any, None]) -> SchemaDeclarations:
    """Return the declarations of the schema that is being executed."""
    return cast("SchemaDeclarations", info.schema.declarations)  # type: ignore[attr-defined]


def _merged(kind: str, mappings: Iterable[Mapping[str, T]]) -> dict[str, T]:
    merged: dict[str, T] = {}
    for mapping in mappings:
        if twice := sorted(merged.keys() & mapping.keys()):
            raise SchemaError(f"Two features declare a {kind} for {twice[0]}. Only the one that adds it may.")
        merged.update(mapping)
    return merged
