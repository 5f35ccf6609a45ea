"""Documents, which are checked, parsed and validated once and then cached; and the operations that requests select."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.graphql.cost_directives import has_commands, size_of
from ledgerpress.graphql.limits import lone_surrogates
from ledgerpress.graphql.limits.cost import Cost, CostFunction, compile_cost
from ledgerpress.graphql.limits.document_shape import check_shape
from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.limits.source import check_source, too_many_tokens
from ledgerpress.graphql.one_of_validation import NonNullVariablesInOneOfRule
from ledgerpress.graphql.request_telemetry_record import OperationInfo

MAX_VALID_DOCUMENTS: Final = 256
MAX_INVALID_DOCUMENTS: Final = 64
MAX_CHARACTERS: Final = 262_144
"""Maximum number of characters in all valid, or all invalid, cached documents.

Their parsed form is much larger, and garbage collection traverses it.
"""
MAX_PLANS: Final = 16
"""Maximum number of plans of an operation: one for each combination of its @skip and @include conditions."""
MAX_ERRORS: Final = 20
SHORT: Final = 1_000
"""Maximum number of characters of a document that is checked on the event loop, in a few milliseconds."""
PARSE_FAILED: Final = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED: Final = "GRAPHQL_VALIDATION_FAILED"
NO_SUCH_OPERATION: Final = "OPERATION_RESOLUTION_FAILURE"
_RULES: Final = (*specified_rules, NonNullVariablesInOneOfRule)
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1


class RequestError(Exception):
    """A request that is not executed, with its request errors (GraphQL specification, section 7.1.2).

    Errors without a code get the code of an invalid document.
    """

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors = errors
        for error in errors:
            code = PARSE_FAILED if isinstance(error, GraphQLSyntaxError) else VALIDATION_FAILED
            error.extensions = {"code": code, **(error.extensions or {})}

    @property
    def is_syntax_error(self) -> bool:
        """Whether the document cannot be parsed."""
        return isinstance(self.errors[0], GraphQLSyntaxError)


@dataclass(slots=True)
class OperationPlans:
    """The compiled plans of an operation (`compiled.query_compiler`), by the values of its `conditions`.

    `conditions` are the names of the variables in its @skip and @include directives. A plan of `None` means that the
    operation cannot be compiled. `coerce` coerces the variables (`compiled.variable_coercion`).
    """

    conditions: tuple[str, ...] | None = None
    coerce: Callable[[Mapping[str, Any]], Any] = lambda _: None
    by_values: BoundedCache[tuple[Any, ...], Any] = field(
        default_factory=lambda: BoundedCache(max_entries=MAX_PLANS)
    )


@dataclass(frozen=True, eq=False)
class Operation(OperationInfo):
    """An operation of a valid document, whose source is `text`. Operations are compared by identity."""

    text: str = field(repr=False)
    document: DocumentNode
    node: OperationDefinitionNode
    schema: GraphQLSchema = field(repr=False)
    limits: Limits = field(repr=False)
    plans: OperationPlans = field(default_factory=OperationPlans, repr=False)

    def admit(self, variables: Mapping[str, Any] | None) -> Cost:
        """Return the cost of the operation with these variables. Raises `RequestError` if it exceeds a limit.

        The cost depends on nothing else.
        """
        variables = variables or {}
        try:
            limits = self._limits_of_request
            check_variables(variables, limits)
            cost = self._cost
            if not isinstance(cost, Cost):
                cost = cost(variables)
            if cost.field > limits.field_cost or cost.type > limits.type_cost:
                cost.require(limits)
        except LimitExceeded as error:
            raise RequestError(error) from None
        except RecursionError:
            too_deep = LimitExceeded("TOO_DEEP", "Fragments are nested too deeply.")
            raise RequestError(too_deep) from None
        return cost

    @cached_property
    def _limits_of_request(self) -> Limits:
        """The limits, which are higher for a mutation with a list of commands."""
        mutations = self.schema.mutation_type
        if self.type is OperationType.MUTATION and mutations is not None:
            for selection in self.node.selection_set.selections:
                field = (
                    mutations.fields.get(selection.name.value) if isinstance(selection, FieldNode) else None
                )
                if field is not None and has_commands(size_of(field)):
                    return self.limits.for_bulk()
        return self.limits

    @cached_property
    def _cost(self) -> Cost | CostFunction:
        return compile_cost(self.schema, self.document, self.node, self.limits)


def check_variables(variables: Mapping[str, Any], limits: Limits) -> None:
    """Raise `LimitExceeded` for variables that exceed a limit, in time linear in the limits."""
    if not variables or (
        len(variables) <= limits.variables_values
        and all(map(_is_within_every_limit, variables, variables.values()))
    ):
        return
    level: list[Any] = [variables]
    values = depth = 0
    is_text = True
    while level:
        below: list[Any] = []
        for value in level:
            kind = type(value)  # the check of an abstract class takes much longer
            if kind is str or isinstance(value, str):
                is_text = is_text and (value.isascii() or lone_surrogates.is_unicode(value))
            elif kind is dict or isinstance(value, Mapping):
                is_text = is_text and all(map(lone_surrogates.is_unicode, map(str, value)))
                below.extend(value.values())
            elif isinstance(value, list | tuple):
                if len(value) > limits.list_length:
                    problem = "A list in the variables is too long"
                    require(len(value), limits.list_length, "LIST_TOO_LONG", problem)
                below.extend(value)
            elif isinstance(value, int) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
                raise LimitExceeded("NUMBER_TOO_LONG", "An integer in the variables has more than 64 bits.")
        values += len(level)
        count = values - 1 + len(below)
        if count > limits.variables_values:
            require(count, limits.variables_values, "TOO_MANY_VALUES", "The variables have too many values")
        if depth > limits.variables_depth:
            problem = "The variables have too many levels of nesting"
            require(depth, limits.variables_depth, "VARIABLES_TOO_DEEP", problem)
        level, depth = below, depth + 1
    if not is_text and (surrogate := lone_surrogates.in_value(variables, "variables")):
        raise LimitExceeded(lone_surrogates.LONE_SURROGATE, surrogate.message)


def _is_within_every_limit(name: object, value: object) -> bool:
    """Return whether a variable has a value that no limit on values can exclude: most variables have one."""
    if type(name) is not str or not name.isascii():
        return False
    if type(value) is str:
        return value.isascii()
    return (
        value is None or type(value) is bool or (type(value) is int and _MIN_INTEGER <= value <= _MAX_INTEGER)
    )


Outcome: TypeAlias = tuple[Operation, ...] | RequestError


class Documents:
    """The documents of a schema. Each is checked, parsed and validated once while it is cached.

    Invalid documents have a separate cache, so that they do not evict valid ones.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits | None = None,
        *,
        on_thread_start: Callable[[], None] | None = None,
    ) -> None:
        """Accept documents within `limits`; the default is the limits of the development profile.

        `on_thread_start` is called in the thread that checks long documents, when that thread starts.
        """
        self._schema = schema
        self._limits = limits or Limits.development()
        self._valid = BoundedCache[str, tuple[Operation, ...]](
            max_entries=MAX_VALID_DOCUMENTS,
            max_bytes=MAX_CHARACTERS,
            max_entry_bytes=self._limits.document_bytes,
            size_of=_characters,
        )
        self._invalid = BoundedCache[str, RequestError](
            max_entries=MAX_INVALID_DOCUMENTS,
            max_bytes=MAX_CHARACTERS,
            max_entry_bytes=self._limits.document_bytes,
            size_of=_characters,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="documents", initializer=on_thread_start)

    async def resolve(self, text: str, name: str | None = None) -> Operation:
        """Return the operation that a request selects. Raises `RequestError`.

        A long document that is not cached is checked in a thread, so that other requests continue. The thread checks
        one document at a time.
        """
        operations = self._valid.get(text)
        if operations is None:
            if len(text) <= SHORT or text in self._invalid:
                return self.operation(text, name)
            operations = self._cached(text, await self._check_in_thread(text))
        return operations[0] if name is None and len(operations) == 1 else _named(operations, name)

    def operation(self, text: str, name: str | None) -> Operation:
        """Return the operation that a request selects, synchronously (specification, section 6.1, GetOperation).

        Raises `RequestError`.
        """
        outcome: Outcome | None = self._valid.get(text) or self._invalid.get(text)
        return _named(self._cached(text, outcome or self._check(text)), name)

    def _cached(self, text: str, outcome: Outcome) -> tuple[Operation, ...]:
        if isinstance(outcome, RequestError):
            self._invalid.put(text, outcome)
            raise RequestError(*outcome.errors)
        self._valid.put(text, outcome)
        return outcome

    async def _check_in_thread(self, text: str) -> Outcome:
        try:
            check_source(text, self._limits)
        except LimitExceeded as error:
            return RequestError(error)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._check, text)

    def _check(self, text: str) -> Outcome:
        try:
            check_source(text, self._limits)
            document = self._parse(text)
            nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
            if not nodes:
                raise GraphQLError("The document has no operation to execute.")
            check_shape(document, self._limits)
        except GraphQLError as error:
            return RequestError(error)
        errors = validate(
            self._schema,
            document,
            _RULES,
            max_errors=MAX_ERRORS,
            hide_suggestions=not self._limits.suggestions,
        )
        if errors:
            return RequestError(*errors)
        return tuple(
            Operation(
                node.operation,
                node.name.value if node.name else None,
                text,
                document,
                node,
                self._schema,
                self._limits,
            )
            for node in nodes
        )

    def _parse(self, text: str) -> DocumentNode:
        if not text.strip():
            raise GraphQLError("The request has no query.")
        most = self._limits.tokens
        try:
            return parse(text, max_lexical_tokens=most, max_comments=most)
        except GraphQLSyntaxError as error:
            if error.message.endswith("Parsing aborted."):
                raise too_many_tokens(most) from None
            raise


def _named(operations: tuple[Operation, ...], name: str | None) -> Operation:
    if name is None:
        if len(operations) > 1:
            raise _no_such_operation("The document has several operations. Select one with operationName.")
        return operations[0]
    for operation in operations:
        if operation.name == name:
            return operation
    raise _no_such_operation("The document has no operation with the name in operationName.")


def _no_such_operation(message: str) -> RequestError:
    return RequestError(GraphQLError(message, extensions={"code": NO_SUCH_OPERATION}))


def _characters(text: str, _: object) -> int:
    return len(text)
