"""Documents: measured, parsed and checked against the schema once, and kept; and the operation that a request means."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

from ledgerpress.graphql.compiled.kept import Plans
from ledgerpress.graphql.limits.cost import Cost, CostFunction, compile_cost
from ledgerpress.graphql.limits.exceeded import LimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.limits.shape import check_shape
from ledgerpress.graphql.limits.source import check_source
from ledgerpress.graphql.limits.variables import check_variables

KEPT_DOCUMENTS: Final = 256
KEPT_REFUSALS: Final = 64
MOST_ERRORS: Final = 20


class Refused(Exception):
    """A request that is not executed, and why: GraphQL's request errors (specification, section 7.1.2)."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors = errors


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation of a document that is valid; compared by identity."""

    document: DocumentNode
    node: OperationDefinitionNode
    schema: GraphQLSchema = field(repr=False)
    limits: Limits = field(repr=False)
    plans: Plans = field(default_factory=Plans, repr=False)

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.node.operation

    def admit(self, variables: Mapping[str, Any] | None) -> Cost:
        """Return what the operation costs with these variables. Raises `Refused` where it asks for too much.

        It depends on nothing else, so what was admitted once need not be asked about again.
        """
        variables = variables or {}
        try:
            check_variables(variables, self.limits)
            cost = self._cost(variables)
            cost.require(self.limits)
        except LimitExceeded as error:
            raise Refused(error) from None
        return cost

    @cached_property
    def _cost(self) -> CostFunction:
        return compile_cost(self.schema, self.document, self.node, self.limits)


class Documents:
    """The documents of a schema; each is measured, parsed and validated once while it is kept.

    Those that were refused are kept apart, so that they push out none that was good.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits | None = None) -> None:
        """Take documents within `limits`, or within the roomy ones of the development profile."""
        self._schema = schema
        self._limits = limits or Limits.development()
        self._kept: OrderedDict[str, tuple[Operation, ...]] = OrderedDict()
        self._refused: OrderedDict[str, Refused] = OrderedDict()

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
        if kept is not None:
            self._kept.move_to_end(text)
            return kept
        refusal = self._refused.get(text)
        if refusal is None:
            try:
                kept = self._checked(text)
            except Refused as error:
                refusal = error
            else:
                self._kept[text] = kept
                if len(self._kept) > KEPT_DOCUMENTS:
                    self._kept.popitem(last=False)
                return kept
            if len(text) <= self._limits.document_bytes:
                self._refused[text] = refusal
                if len(self._refused) > KEPT_REFUSALS:
                    self._refused.popitem(last=False)
        raise Refused(*refusal.errors)

    def _checked(self, text: str) -> tuple[Operation, ...]:
        try:
            check_source(text, self._limits)
            document = self._parsed(text)
            nodes = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
            if not nodes:
                raise GraphQLError("The document has no operation to execute.")
            check_shape(document, self._limits)
        except GraphQLError as error:
            raise Refused(error) from None
        errors = validate(
            self._schema,
            document,
            max_errors=MOST_ERRORS,
            hide_suggestions=not self._limits.suggestions,
        )
        if errors:
            raise Refused(*errors)
        return tuple(Operation(document, node, self._schema, self._limits) for node in nodes)

    def _parsed(self, text: str) -> DocumentNode:
        if not text.strip():
            raise GraphQLError("The request has no query.")
        most = self._limits.tokens
        try:
            return parse(text, max_lexical_tokens=most, max_comments=most)
        except GraphQLSyntaxError as error:
            if error.message.endswith("Parsing aborted."):
                raise LimitExceeded(
                    "TOO_MANY_TOKENS",
                    f"The document has too many tokens or comments: at most {most:,} may be sent.",
                    limit=most,
                ) from None
            raise
