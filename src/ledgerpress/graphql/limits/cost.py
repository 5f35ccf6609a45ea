"""The maximum cost of an operation, computed before execution: IBM's static query analysis (section 5.1.1).

An operation is compiled once to a function of the variables. Costs that do not depend on them are added in advance.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    get_named_type,
    is_leaf_type,
)

from ledgerpress.graphql import cost_directives
from ledgerpress.graphql.limits.exceeded import require
from ledgerpress.graphql.limits.list_sizes import Variables, list_size, value_of
from ledgerpress.graphql.limits.settings import Limits


class Cost(NamedTuple):
    """The weighted sums of resolved fields and of returned objects (specification, section 5.3.2)."""

    field: float
    type: float

    def require(self, limits: Limits) -> None:
        cost = cost_extension(self)
        require(self.field, limits.field_cost, "COST_EXCEEDED", "The field cost is too high", cost=cost)
        require(self.type, limits.type_cost, "COST_EXCEEDED", "The type cost is too high", cost=cost)


def cost_extension(cost: Cost) -> dict[str, float]:
    """Return a cost for a response, with the names in section 6.1.2 of the specification."""
    return _extension(cost).copy()


@lru_cache(maxsize=1_024)
def _extension(cost: Cost) -> dict[str, float]:
    return {
        name: int(value) if value == int(value) else value
        for name, value in zip(("fieldCost", "typeCost"), cost, strict=True)
    }


class Amount(NamedTuple):
    """The cost of a selection, and the additional cost of each entry in the sized lists of its object.

    The field above determines the number of these entries (`sizedFields`).
    """

    field: float = 0
    type: float = 0
    field_each: float = 0
    type_each: float = 0


_INTROSPECTION: Final[Mapping[str, GraphQLField]] = {
    "__schema": SchemaMetaFieldDef,
    "__type": TypeMetaFieldDef,
}

CostFunction: TypeAlias = Callable[[Variables], Cost]
Part: TypeAlias = Amount | Callable[[Variables], Amount]


def compile_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, limits: Limits
) -> Cost | CostFunction:
    """Return the cost of a valid operation. If it depends on variables, return a function of the variables.

    The function raises `LimitExceeded` for a page that is too large.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:  # validation rejects it
        return Cost(0, 0)
    part = _Analysis(schema, document, operation, limits).selections(operation.selection_set, root)
    if isinstance(part, Amount):
        return Cost(part.field, 1 + part.type)

    def cost(variables: Variables) -> Cost:
        amount = part(variables)
        return Cost(amount.field, 1 + amount.type)

    return cost


@dataclass
class _Analysis:
    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    limits: Limits

    @cached_property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        return {
            node.name.value: node
            for node in self.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    @cached_property
    def spreads(self) -> dict[str, Part]:
        return {}

    @cached_property
    def defaults(self) -> Variables:
        return {
            variable.variable.name.value: value_of(variable.default_value, {})
            for variable in self.operation.variable_definitions or ()
            if variable.default_value
        }

    def selections(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> Part:
        return _sum(
            self.conditional(selection.directives, self.selection(selection, parent))
            for selection in selections.selections
        )

    def selection(self, selection: object, parent: GraphQLNamedType) -> Part:
        match selection:
            case FieldNode():
                return self.field(selection, parent)
            case FragmentSpreadNode():
                return self.spread(selection.name.value)
            case InlineFragmentNode(type_condition=condition):
                on = self.schema.type_map[condition.name.value] if condition else parent
                return self.selections(selection.selection_set, on)
            case _:
                raise TypeError(selection)

    def spread(self, name: str) -> Part:
        if name not in self.spreads:
            fragment = self.fragments[name]
            on = self.schema.type_map[fragment.type_condition.name.value]
            self.spreads[name] = self.selections(fragment.selection_set, on)
        return self.spreads[name]

    def field(self, node: FieldNode, parent: GraphQLNamedType) -> Part:
        name = node.name.value
        definition = _definition(parent, name)
        if definition is None:
            return Amount()
        weight = self.weight(parent, name, definition) + sum(
            not is_leaf_type(get_named_type(definition.args[argument.name.value].type))
            for argument in node.arguments or ()
        )
        named = get_named_type(definition.type)
        if node.selection_set is None:
            return Amount(weight)
        below = self.selections(node.selection_set, named)
        list_size_directive = cost_directives.size_of(definition)
        size = list_size(node, definition, list_size_directive, self.defaults, self.limits)
        within = bool(list_size_directive and list_size_directive.sized_fields)
        combine = partial(
            _combine,
            weight,
            within=within,
            each=name in cost_directives.sized_fields_of(parent),
            weighs_each=cost_directives.has_commands(list_size_directive),
        )
        if isinstance(below, Amount) and isinstance(size, int):
            return combine(size, below)
        return lambda variables: combine(
            size if isinstance(size, int) else size(variables),
            below if isinstance(below, Amount) else below(variables),
        )

    def weight(self, parent: GraphQLNamedType, name: str, definition: GraphQLField) -> float:
        """Return a field's weight; for a field of an interface, the greatest weight in its object types."""
        weight = cost_directives.weight_of(definition)
        if isinstance(parent, GraphQLInterfaceType):
            objects = self.schema.get_possible_types(parent)
            return max([weight, *(cost_directives.weight_of(type_.fields[name]) for type_ in objects)])
        return weight

    def conditional(self, directives: Iterable[DirectiveNode] | None, part: Part) -> Part:
        for directive in directives or ():
            name = directive.name.value
            if name in {"skip", "include"} and directive.arguments:
                part = partial(_where, directive.arguments[0].value, name == "include", self.defaults, part)
        return part


def _where(condition: Any, is_include: bool, defaults: Variables, part: Part, variables: Variables) -> Amount:
    if value_of(condition, {**defaults, **variables}) is (not is_include):
        return Amount()
    return part if isinstance(part, Amount) else part(variables)


def _combine(
    weight: float, size: int, below: Amount, *, within: bool, each: bool, weighs_each: bool
) -> Amount:
    """Return the cost of a field that returns an object, a list of `size` objects, or an object with such a list.

    With `weighs_each`, the weight counts for each entry of the list.
    """
    if weighs_each:
        weight *= size
    if each:
        return Amount(weight, 0, below.field, 1 + below.type)
    if within:
        return Amount(weight + below.field + size * below.field_each, 1 + below.type + size * below.type_each)
    return Amount(weight + size * below.field, size * (1 + below.type))


def _sum(parts: Iterable[Part]) -> Part:
    fixed, others = Amount(), []
    for part in parts:
        if isinstance(part, Amount):
            fixed = _add(fixed, part)
        else:
            others.append(part)
    if not others:
        return fixed

    def total(variables: Variables) -> Amount:
        amount = fixed
        for part in others:
            amount = _add(amount, part(variables))
        return amount

    return total


def _add(first: Amount, second: Amount) -> Amount:
    return Amount(
        first.field + second.field,
        first.type + second.type,
        first.field_each + second.field_each,
        first.type_each + second.type_each,
    )


def _definition(parent: GraphQLNamedType, name: str) -> GraphQLField | None:
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) and name in parent.fields:
        field: GraphQLField = parent.fields[name]
        return field
    return _INTROSPECTION.get(name)
