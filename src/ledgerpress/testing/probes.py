"""Probes: GraphQL queries and pages that the checks request repeatedly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from graphql import (
    ConstArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    is_non_null_type,
    parse,
    print_ast,
    type_from_ast,
    validate,
    visit,
)

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.testing.store_client import Answer, StoreClient

CLIENTS: Final[Mapping[str, Identity]] = {"anonymous": ANONYMOUS, "operator": LOCAL_OPERATOR}
"""The clients for which each probe runs."""
_AS_OF: Final = "ledgerpressAsOf"


class InvalidProbe(Exception):
    """A query or the path of a page cannot be used. The message contains the reason."""


class Probe(Protocol):
    """A request whose response depends only on the events of the log."""

    @property
    def name(self) -> str: ...

    async def ask(self, client: StoreClient, identity: Identity, *, cached: bool = True) -> Answer:
        """Return the current response."""
        ...


@dataclass(frozen=True, slots=True)
class PageProbe:
    """A page, which every client may read."""

    path: str

    @property
    def name(self) -> str:
        return f"the page {self.path}"

    async def ask(self, client: StoreClient, identity: Identity, *, cached: bool = True) -> Answer:
        return await client.page(self.path, identity=identity, cached=cached)


@dataclass(frozen=True, slots=True)
class QueryProbe:
    """A query with its variables. `fields` maps the coordinate of each selected field to its paths in the response."""

    document: str
    variables: Mapping[str, Any]
    as_of: str | None
    """The query with `asOf` added to each root field; `None` if a root field does not accept it, or already has it."""
    fields: Mapping[str, Sequence[tuple[str, ...]]]

    @property
    def name(self) -> str:
        return " ".join(self.document.split())

    async def ask(self, client: StoreClient, identity: Identity, *, cached: bool = True) -> Answer:
        return await client.post(self.document, self.variables, identity=identity, cached=cached)

    def values(self, coordinate: str, answer: Answer) -> Iterator[Any]:
        """Yield the values of a field in a response; for a list, its items."""
        for path in self.fields.get(coordinate, ()):
            yield from _values_at(answer.data, path)

    async def ask_as_of(self, client: StoreClient, identity: Identity, position: int) -> Answer:
        """Return the response as of a position. `as_of` MUST NOT be `None`."""
        assert self.as_of is not None
        variables = {**self.variables, _AS_OF: {"position": position}}
        return await client.post(self.as_of, variables, identity=identity)


def query_probe(text: str, values: Mapping[str, Any], schema: GraphQLSchema) -> QueryProbe:
    """Return the probe for a query. Its variables come from `values`. Raises `InvalidProbe`."""
    try:
        document = parse(text)
    except GraphQLError as error:
        raise InvalidProbe(error.message) from error
    if errors := validate(schema, document):
        raise InvalidProbe(errors[0].message)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise InvalidProbe("the document must contain exactly one operation, a query")
    variables = {}
    for definition in operations[0].variable_definitions or ():
        name = definition.variable.name.value
        if name in values:
            variables[name] = values[name]
        elif definition.default_value is None and is_non_null_type(type_from_ast(schema, definition.type)):
            raise InvalidProbe(f"it needs the variable ${name}, which the scenario does not return")
    visitor = _AsOfVisitor(schema)
    inlined: DocumentNode = visit(document, _InliningVisitor(document))
    changed: DocumentNode = visit(inlined, TypeInfoVisitor(visitor.info, visitor))
    as_of = print_ast(changed) if visitor.is_complete else None
    return QueryProbe(text, variables, as_of, visitor.fields)


def page_probe(path: str, values: Mapping[str, Any]) -> PageProbe:
    """Return the probe for a page. `{name}` in its path is replaced from `values`. Raises `InvalidProbe`."""
    try:
        return PageProbe(path.format_map(values))
    except KeyError as error:
        raise InvalidProbe(f"its path needs {error.args[0]!r}, which the scenario does not return") from error


def _values_at(data: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values at a path of response keys; for a list, its items."""
    if isinstance(data, list):
        for item in data:
            yield from _values_at(item, path)
    elif not path:
        yield data
    elif isinstance(data, dict):
        yield from _values_at(data.get(path[0]), path[1:])


class _InliningVisitor(Visitor):
    """Replaces fragment spreads with the selections of the fragments, so that each field has its complete path."""

    def __init__(self, document: DocumentNode) -> None:
        super().__init__()
        definitions = document.definitions
        self._fragments = {
            node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
        }

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> InlineFragmentNode:
        fragment = self._fragments[node.name.value]
        return InlineFragmentNode(
            type_condition=fragment.type_condition,
            directives=node.directives,
            selection_set=fragment.selection_set,
        )

    def enter_fragment_definition(self, *_: Any) -> Any:
        return self.REMOVE


class _AsOfVisitor(Visitor):
    """Passes `asOf` to each root field, and collects the fields that are selected."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.info = TypeInfo(schema)
        self.fields: dict[str, list[tuple[str, ...]]] = {}
        self.is_complete = True
        self._root = schema.query_type
        self._path: list[str] = []

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        parent, definition = self.info.get_parent_type(), self.info.get_field_def()
        assert parent is not None
        assert definition is not None
        self._path.append((node.alias or node.name).value)
        self.fields.setdefault(f"{parent.name}.{node.name.value}", []).append(tuple(self._path))
        if parent is not self._root:
            return None
        arguments = node.arguments or ()
        if "asOf" not in definition.args or any(argument.name.value == "asOf" for argument in arguments):
            self.is_complete = False
            return None
        as_of = ConstArgumentNode(name=NameNode(value="asOf"), value=_variable())  # type: ignore[arg-type]
        return replace(node, arguments=(*arguments, as_of))

    def leave_field(self, *_: Any) -> None:
        self._path.pop()

    def leave_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> OperationDefinitionNode:
        type_ = NamedTypeNode(name=NameNode(value="AsOf"))
        declared = VariableDefinitionNode(variable=_variable(), type=type_, directives=())
        return replace(node, variable_definitions=(*(node.variable_definitions or ()), declared))


def _variable() -> VariableNode:
    return VariableNode(name=NameNode(value=_AS_OF))
