"""Generate documents that are valid for a schema, with variables that may be invalid."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    Undefined,
    get_named_type,
    is_leaf_type,
)

DEEPEST: Final = 6
WRONG: Final[tuple[Any, ...]] = (None, "nonsense", -1, 1.5, True, [None], {"x": 1}, 2**60)


@dataclass
class Request:
    text: str
    variables: dict[str, Any]


@dataclass(frozen=True)
class Pools:
    """Values of scalars by type name, and the fields that documents may select."""

    scalars: dict[str, list[Any]]
    fields: frozenset[tuple[str, str]]


@dataclass
class Author:
    """Writes one document. Each field with arguments gets its own alias, or is repeated unchanged."""

    schema: GraphQLSchema
    chance: Random
    pools: Pools
    variables: dict[str, tuple[str, Any]] = field(default_factory=dict)
    fragments: dict[str, str] = field(default_factory=dict)
    aliases: int = 0
    selected: set[tuple[str, str]] = field(default_factory=set)
    """The fields that the document selects."""

    def request(self, type_: OperationType = OperationType.QUERY) -> Request:
        """Return a document with one operation."""
        root = self.schema.get_root_type(type_)
        assert root is not None
        body = self.selection(root, 0, self.chance.choice((1, 1, 2, 3)))
        declared = " ".join(f"${name}: {text}" for name, (text, _) in self.variables.items())
        head = f"{type_.value} Q "
        if declared:
            head += f"({declared}) "
        elif type_ is OperationType.QUERY:
            head = self.chance.choice(("", head))
        values = {name: value for name, (_, value) in self.variables.items() if value is not Undefined}
        return Request("\n".join((head + body, *self.fragments.values())), values)

    def other_variables(self, request: Request) -> dict[str, Any]:
        """Return other values for the variables of a request that are scalars."""
        others = dict(request.variables)
        for name in others:
            type_name = self.variables[name][0].partition(" = ")[0].rstrip("!")
            if type_name in self.pools.scalars and self.chance.random() < 0.8:
                others[name] = self.chance.choice(self.pools.scalars[type_name])
        return others

    def selection(self, parent: GraphQLObjectType | GraphQLInterfaceType, depth: int, size: int) -> str:
        """Return a selection set."""
        chance = self.chance
        parts: list[str] = []
        again: list[tuple[str, GraphQLField]] = []
        for _ in range(size):
            match chance.random():
                case draw if draw < 0.08:
                    parts.append(chance.choice(("__typename", "t: __typename")) + self.directives())
                case draw if draw < 0.22:
                    parts.append(self.fragment(parent, depth))
                case draw if draw < 0.30 and again:
                    head, definition = chance.choice(again)
                    parts.append(head + self.directives() + self.below(definition, depth))
                case _:
                    head, definition = self.call(parent, depth)
                    again.append((head, definition))
                    parts.append(head + self.directives() + self.below(definition, depth))
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def call(self, parent: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> tuple[str, GraphQLField]:
        """Return a field with its alias and arguments."""
        candidates = [
            (name, candidate)
            for name, candidate in parent.fields.items()
            if (parent.name, name) in self.pools.fields
            and (depth < DEEPEST or is_leaf_type(get_named_type(candidate.type)))
        ]
        name, definition = self.chance.choice(candidates or [("__typename", _TYPENAME)])
        if name == "__typename":
            return name, definition
        self.selected.add((parent.name, name))
        if not definition.args:
            alias = f"{parent.name}_{name}: " if self.chance.random() < 0.3 else ""
            # Fields of the same name in two types may have types that cannot be merged.
            return (alias or (f"{parent.name}_{name}: " if name in _DIFFERING else "")) + name, definition
        self.aliases += 1
        arguments = self.arguments(definition.args)
        return f"a{self.aliases}: {name}{f'({arguments})' if arguments else ''}", definition

    def below(self, definition: GraphQLField, depth: int) -> str:
        named = get_named_type(definition.type)
        if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
            return ""
        return " " + self.selection(named, depth + 1, self.chance.choice((1, 2, 2, 3, 4)))

    def fragment(self, parent: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        """Return an inline fragment or a fragment spread."""
        chance = self.chance
        possible = (
            list(self.schema.get_possible_types(parent)) if isinstance(parent, GraphQLInterfaceType) else []
        )
        within = chance.choice([parent, *parent.interfaces, *possible])
        if chance.random() < 0.5:
            condition = f" on {within.name}" if within is not parent or chance.random() < 0.5 else ""
            return f"...{condition}{self.directives()} {self.selection(within, depth + 1, chance.choice((1, 2, 3)))}"
        known = [name for name in self.fragments if name.startswith(f"F_{within.name}_")]
        name = chance.choice(known) if known and chance.random() < 0.5 else ""
        if not name:
            body = self.selection(within, depth + 1, chance.choice((1, 2, 3)))
            name = f"F_{within.name}_{len(self.fragments)}"
            self.fragments[name] = f"fragment {name} on {within.name} {body}"
        return f"...{name}{self.directives()}"

    def directives(self) -> str:
        """Return an empty text, or sometimes a `@skip` or `@include` directive."""
        if self.chance.random() < 0.85:
            return ""
        name = self.chance.choice(("skip", "include"))
        condition = self.chance.choice(("true", "false", "$"))
        if condition == "$":
            default = self.chance.choice((Undefined, Undefined, "true", "false"))
            # A nullable variable is valid here if it has a default.
            condition = self.variable(
                "Boolean!" if default is Undefined or self.chance.random() < 0.5 else "Boolean",
                self.chance.choice((True, False) * 10 + (None, "no")),
                default,
            )
        return f" @{name}(if: {condition})"

    def variable(self, type_text: str, value: Any, default: Any) -> str:
        name = f"v{len(self.variables)}"
        declared = type_text if default is Undefined else f"{type_text} = {default}"
        left_out = self.chance.random() < (0.02 if default is Undefined else 0.5)
        self.variables[name] = (declared, Undefined if left_out else value)
        return f"${name}"

    def arguments(self, arguments: dict[str, GraphQLArgument]) -> str:
        parts: list[str] = []
        for name, argument in arguments.items():
            if name == "slug" and parts and self.chance.random() < 0.95:
                continue
            if isinstance(argument.type, GraphQLNonNull) or self.chance.random() < _PROBABILITY.get(
                name, 0.4
            ):
                parts.append(f"{name}: {self.value(argument.type)}")
        if not parts and "slug" in arguments:
            parts.append(f"slug: {self.value(arguments['slug'].type)}")
        return ", ".join(parts)

    def value(self, type_: GraphQLInputType) -> str:
        """Return a literal or a variable."""
        if self.chance.random() < 0.4:
            value = self.chance.choice(WRONG) if self.chance.random() < 0.02 else self.plain(type_)
            default = Undefined if self.chance.random() < 0.8 else _literal(self.plain(type_), type_)
            return self.variable(str(type_), value, default)
        return _literal(self.plain(type_), type_)

    def plain(self, type_: GraphQLInputType) -> Any:
        """Return a value as clients send it in JSON."""
        chance = self.chance
        match type_:
            case GraphQLNonNull(of_type=inner):
                while (value := self.plain(inner)) is None:
                    pass
                return value
            case _ if chance.random() < 0.05:
                return None
            case GraphQLList(of_type=inner):
                return [self.plain(inner) for _ in range(chance.choice((0, 1, 2, 3)))]
            case GraphQLEnumType(values=values):
                return chance.choice(list(values))
            case GraphQLInputObjectType() if type_.is_one_of:
                name = chance.choice(list(type_.fields))
                return {name: self.plain(GraphQLNonNull(type_.fields[name].type))}
            case GraphQLInputObjectType(fields=fields):
                return {
                    name: self.plain(input_field.type)
                    for name, input_field in fields.items()
                    if isinstance(input_field.type, GraphQLNonNull) or chance.random() < 0.3
                }
            case _:
                return chance.choice(self.pools.scalars[str(type_)])


_PROBABILITY: Final = {"asOf": 0.1, "last": 0.04, "before": 0.04, "after": 0.1, "id": 0.5, "from": 1, "to": 1}
_DIFFERING: Final = {"teaser", "kind", "name", "version", "body", "title", "slug", "before", "after"}
_TYPENAME: Final = GraphQLField(GraphQLNonNull(GraphQLEnumType("Any", {"ANY": 1})))


def _literal(value: Any, type_: GraphQLInputType) -> str:
    """Return a value as a GraphQL literal."""
    match type_:
        case GraphQLNonNull(of_type=inner):
            return _literal(value, inner)
        case _ if value is None:
            return "null"
        case GraphQLList(of_type=inner):
            return "[" + ", ".join(_literal(item, inner) for item in value) + "]"
        case GraphQLInputObjectType(fields=fields):
            return "{" + ", ".join(f"{k}: {_literal(v, fields[k].type)}" for k, v in value.items()) + "}"
        case GraphQLEnumType():
            return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
