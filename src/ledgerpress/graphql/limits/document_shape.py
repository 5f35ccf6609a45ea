"""Limits on the shape of a document: the depth and the size of its operations, including their fragments.

Each definition is visited once. A spread adds the counts of its fragment. So the time is linear in the document, no
matter how often fragments are spread. A fragment that spreads itself adds nothing there: validation rejects it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)

from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

_ENOUGH: Final = 10**9
_INTROSPECTION: Final = {"__schema", "__type"}


@dataclass(slots=True)
class Shape:
    """The counts of a definition, including the fragments that it spreads."""

    selections: int = 0
    aliases: int = 0
    directives: int = 0
    repeated: int = 0
    at_root: int = 0
    depth: int = 0

    def add(self, other: "Shape", *, below: int) -> None:
        """Add the counts of a fragment that is spread at the depth `below`."""
        self.selections = min(self.selections + other.selections, _ENOUGH)
        self.aliases = min(self.aliases + other.aliases, _ENOUGH)
        self.directives = min(self.directives + other.directives, _ENOUGH)
        self.repeated = min(self.repeated + other.repeated, _ENOUGH)
        self.at_root = min(self.at_root + (0 if below else other.at_root), _ENOUGH)
        self.depth = max(self.depth, below + other.depth)


def check_shape(document: DocumentNode, limits: Limits) -> None:
    """Raise `LimitExceeded` for a document that exceeds a limit."""
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    require(len(operations), limits.operations, "TOO_MANY_OPERATIONS", "The document has too many operations")
    count = sum(isinstance(node, FragmentDefinitionNode) for node in document.definitions)
    require(count, limits.fragments, "TOO_MANY_FRAGMENTS", "The document defines too many fragments")
    shapes: dict[str, Shape] = {}
    for name in _innermost_first(fragments):
        shapes[name] = _shape(fragments[name], shapes, limits)
    for node in operations:
        _require(_shape(node, shapes, limits), limits, node)


def _require(shape: Shape, limits: Limits, node: OperationDefinitionNode) -> None:
    for count, limit, code, problem in (
        (shape.depth, limits.depth, "TOO_DEEP", "Fields are nested too deeply"),
        (shape.at_root, limits.root_fields, "TOO_MANY_ROOT_FIELDS", "The operation has too many root fields"),
        (shape.aliases, limits.aliases, "TOO_MANY_ALIASES", "The operation has too many aliases"),
        (shape.directives, limits.directives, "TOO_MANY_DIRECTIVES", "The operation has too many directives"),
        (
            shape.repeated,
            limits.repeated_selections,
            "TOO_MANY_REPETITIONS",
            "The operation has too many repeated selections",
        ),
        (shape.selections, limits.selections, "TOO_MANY_SELECTIONS", "The operation has too many selections"),
    ):
        require(count, limit, code, problem, node=node)


def _innermost_first(fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    """Yield the names of all fragments. Unless there is a cycle, a fragment comes after those that it spreads."""
    begun: set[str] = set()
    for root in fragments:
        stack = [] if root in begun else [(root, _spread_in(fragments[root].selection_set))]
        begun.add(root)
        while stack:
            name, spreads = stack[-1]
            for spread in spreads:
                if spread in fragments and spread not in begun:
                    begun.add(spread)
                    stack.append((spread, _spread_in(fragments[spread].selection_set)))
                    break
            else:
                stack.pop()
                yield name


def _spread_in(selections: SelectionSetNode) -> Iterator[str]:
    stack = [selections]
    while stack:
        for selection in stack.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                stack.append(selection.selection_set)


def _shape(
    definition: OperationDefinitionNode | FragmentDefinitionNode, shapes: Mapping[str, Shape], limits: Limits
) -> Shape:
    shape = Shape()
    _directives(definition.directives, shape, limits)
    _check_count(definition.variable_definitions, limits, "Too many variables are declared")
    for variable in definition.variable_definitions or ():
        _directives(variable.directives, shape, limits)
        if variable.default_value:
            _check_values([variable.default_value], limits)
    # The selections of an inline fragment without a type count as selections of its parent.
    stack = [(definition.selection_set, 0, Counter[str]())]
    while stack:
        selections, below, keys = stack.pop()
        for selection in selections.selections:
            shape.selections += 1
            _directives(selection.directives, shape, limits)
            if isinstance(selection, FieldNode):
                _field(selection, shape, limits, below=below)
                key = (selection.alias or selection.name).value
                if selection.selection_set:
                    stack.append((selection.selection_set, below + 1, Counter()))
            elif isinstance(selection, FragmentSpreadNode):
                key = f"...{selection.name.value}"
                if fragment := shapes.get(selection.name.value):
                    shape.add(fragment, below=below)
            else:
                assert isinstance(selection, InlineFragmentNode)  # noqa: S101 - there is no other selection
                if selection.type_condition is None:
                    stack.append((selection.selection_set, below, keys))
                    continue
                key = f"... on {selection.type_condition.name.value}"
                stack.append((selection.selection_set, below, Counter()))
            shape.repeated += key in keys
            keys[key] += 1
    return shape


def _field(field: FieldNode, shape: Shape, limits: Limits, *, below: int) -> None:
    name = field.name.value
    shape.at_root += not below
    shape.depth = max(shape.depth, below + 1)
    if field.alias:
        shape.aliases += 1
        _check_length(field.alias.value, limits)
    _check_length(name, limits)
    if name in _INTROSPECTION and not limits.introspection:
        raise LimitExceeded(
            "INTROSPECTION_DISABLED",
            f"Introspection is off on this server: {name} is not available.",
            node=field,
        )
    _check_count(field.arguments, limits, "A field has too many arguments")
    for argument in field.arguments or ():
        _check_length(argument.name.value, limits)
    _check_values([argument.value for argument in field.arguments or ()], limits)


def _directives(directives: tuple[DirectiveNode, ...] | None, shape: Shape, limits: Limits) -> None:
    if not directives:
        return
    require(
        len(directives),
        limits.directives_in_place,
        "TOO_MANY_DIRECTIVES",
        "Too many directives are in one place",
        node=directives[0],
    )
    shape.directives += len(directives)
    for directive in directives:
        _check_length(directive.name.value, limits)
        _check_count(directive.arguments, limits, "A directive has too many arguments")
        _check_values([argument.value for argument in directive.arguments or ()], limits)


def _check_values(values: list[ValueNode], limits: Limits) -> None:
    """Raise `LimitExceeded` for a list or a number that is too long. Strings may be as long as the document."""
    stack = values
    while stack:
        value = stack.pop()
        if isinstance(value, ListValueNode):
            require(len(value.values), limits.list_length, "LIST_TOO_LONG", "A list is too long", node=value)
            stack.extend(value.values)
        elif isinstance(value, ObjectValueNode):
            _check_count(value.fields, limits, "An object has too many fields")
            stack.extend(field.value for field in value.fields)
        elif isinstance(value, IntValueNode | FloatValueNode):
            _check_length(value.value, limits, code="NUMBER_TOO_LONG")


def _check_count(nodes: Sequence[Node] | None, limits: Limits, problem: str) -> None:
    if nodes:
        require(len(nodes), limits.arguments, "TOO_MANY_ARGUMENTS", problem, node=nodes[0])


def _check_length(text: str, limits: Limits, *, code: str = "NAME_TOO_LONG") -> None:
    problem = "A number is too long" if code == "NUMBER_TOO_LONG" else "A name is too long"
    require(len(text), limits.name_length, code, problem)
