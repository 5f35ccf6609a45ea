"""Documents: parsed, checked against the schema once, and kept; and the operation that a request means."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from ledgerpress.graphql.compiled.kept import Plans

MAX_TOKENS: Final = 10_000
"""A longer document is refused before it is parsed."""
KEPT_DOCUMENTS: Final = 256


class Refused(Exception):
    """A request that is not executed, and why: GraphQL's request errors (specification, section 7.1.2)."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors = errors


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operation of a document that is valid; compared by identity."""

    document: DocumentNode
    node: OperationDefinitionNode
    plans: Plans = field(default_factory=Plans, repr=False)

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.node.operation


class Documents:
    """The documents of a schema; each is parsed and validated once while it is kept."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, tuple[Operation, ...] | Refused] = OrderedDict()

    def operation(self, text: str, name: str | None) -> Operation:
        """Return the operation that a request means (specification, section 6.1, GetOperation). Raises `Refused`."""
        operations = self._operations(text)
        if name is None:
            if len(operations) > 1:
                raise Refused(
                    GraphQLError("The document has several operations: say which, in operationName.")
                )
            return operations[0]
        for operation in operations:
            if operation.name == name:
                return operation
        raise Refused(GraphQLError("The document has no operation of the name given in operationName."))

    def _operations(self, text: str) -> tuple[Operation, ...]:
        kept = self._kept.get(text)
        if kept is None:
            try:
                kept = self._checked(text)
            except Refused as refusal:
                kept = refusal
            self._kept[text] = kept
            if len(self._kept) > KEPT_DOCUMENTS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        if isinstance(kept, Refused):
            raise Refused(*kept.errors)
        return kept

    def _checked(self, text: str) -> tuple[Operation, ...]:
        if not text.strip():
            raise Refused(GraphQLError("The request has no query."))
        try:
            document = parse(text, max_tokens=MAX_TOKENS)
        except GraphQLError as error:
            raise Refused(error) from None
        nodes = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        if not nodes:
            raise Refused(GraphQLError("The document has no operation to execute."))
        if errors := validate(self._schema, document):
            raise Refused(*errors)
        return tuple(Operation(document, node) for node in nodes)
