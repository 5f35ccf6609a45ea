"""Documents: measured, parsed and checked against the schema once, and kept; and the operation that a request means."""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

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

from ledgerpress.graphql.compiled.plan_cache import PlanCache
from ledgerpress.graphql.limits.cost import Cost, CostFunction, compile_cost
from ledgerpress.graphql.limits.document_shape import check_shape
from ledgerpress.graphql.limits.exceeded import LimitExceeded
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.limits.source import check_source, too_many_tokens
from ledgerpress.graphql.limits.variables import check_variables

KEPT_DOCUMENTS: Final = 256
KEPT_REFUSALS: Final = 64
KEPT_CHARACTERS: Final = 262_144
"""Of all that are kept together: what a document is parsed to is much larger, and is looked through for garbage."""
MOST_ERRORS: Final = 20
SHORT: Final = 1_000
"""Up to so many characters a document is checked in a few milliseconds, on the event loop."""
TURN_SECONDS: Final = 0.0001

T = TypeVar("T")


class RequestError(Exception):
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
    plans: PlanCache = field(default_factory=PlanCache, repr=False)

    @property
    def name(self) -> str | None:
        """The operation's name, if it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.node.operation

    def admit(self, variables: Mapping[str, Any] | None) -> Cost:
        """Return what the operation costs with these variables. Raises `RequestError` where it asks for too much.

        It depends on nothing else, so what was admitted once need not be asked about again.
        """
        variables = variables or {}
        try:
            check_variables(variables, self.limits)
            cost = self._cost(variables)
            cost.require(self.limits)
        except LimitExceeded as error:
            raise RequestError(error) from None
        except RecursionError:
            too_deep = LimitExceeded("TOO_DEEP", "Fragments are spread in one another too deep.")
            raise RequestError(too_deep) from None
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
        self._refused: OrderedDict[str, RequestError] = OrderedDict()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="documents", initializer=_take_short_turns)

    async def prepare(self, text: str) -> None:
        """Check a document that is not known yet and not short beside the event loop, for `operation` to find it.

        One at a time: whoever sends many waits for them, and the others' requests go on in between.
        """
        if len(text) <= SHORT or text in self._kept or text in self._refused:
            return
        try:
            check_source(text, self._limits)
        except LimitExceeded:
            return
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(self._beside, self._outcome, text)
        self._keep(text, checked)

    def operation(self, text: str, name: str | None) -> Operation:
        """Return the operation that a request means (specification, section 6.1, GetOperation). Raises `RequestError`."""
        operations = self._operations(text)
        if name is None:
            if len(operations) > 1:
                raise RequestError(
                    GraphQLError("The document has several operations: say which, in operationName.")
                )
            return operations[0]
        for operation in operations:
            if operation.name == name:
                return operation
        raise RequestError(GraphQLError("The document has no operation of the name given in operationName."))

    def _operations(self, text: str) -> tuple[Operation, ...]:
        kept = self._kept.get(text)
        if kept is not None:
            self._kept.move_to_end(text)
            return kept
        outcome: tuple[Operation, ...] | RequestError | None = self._refused.get(text)
        if outcome is None:
            outcome = self._outcome(text)
            self._keep(text, outcome)
        if isinstance(outcome, RequestError):
            raise RequestError(*outcome.errors)
        return outcome

    def _keep(self, text: str, outcome: tuple[Operation, ...] | RequestError) -> None:
        if isinstance(outcome, RequestError):
            if len(text) <= self._limits.document_bytes:
                _remember(self._refused, text, outcome, KEPT_REFUSALS)
        else:
            _remember(self._kept, text, outcome, KEPT_DOCUMENTS)

    def _outcome(self, text: str) -> tuple[Operation, ...] | RequestError:
        try:
            return self._checked(text)
        except RequestError as refusal:
            return refusal

    def _checked(self, text: str) -> tuple[Operation, ...]:
        try:
            check_source(text, self._limits)
            document = self._parsed(text)
            nodes = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
            if not nodes:
                raise GraphQLError("The document has no operation to execute.")
            check_shape(document, self._limits)
        except GraphQLError as error:
            raise RequestError(error) from None
        errors = validate(
            self._schema,
            document,
            max_errors=MOST_ERRORS,
            hide_suggestions=not self._limits.suggestions,
        )
        if errors:
            raise RequestError(*errors)
        return tuple(Operation(document, node, self._schema, self._limits) for node in nodes)

    def _parsed(self, text: str) -> DocumentNode:
        if not text.strip():
            raise GraphQLError("The request has no query.")
        most = self._limits.tokens
        try:
            return parse(text, max_lexical_tokens=most, max_comments=most)
        except GraphQLSyntaxError as error:
            if error.message.endswith("Parsing aborted."):
                raise too_many_tokens(most) from None
            raise


def _take_short_turns() -> None:
    """Let the event loop have its turn sooner, in the whole process, than after the 5 ms of Python's own."""
    sys.setswitchinterval(min(sys.getswitchinterval(), TURN_SECONDS))


def _remember(kept: OrderedDict[str, T], text: str, one: T, most: int) -> None:
    kept[text] = one
    characters = sum(map(len, kept))
    while len(kept) > most or (characters > KEPT_CHARACTERS and len(kept) > 1):
        gone, _ = kept.popitem(last=False)
        characters -= len(gone)
