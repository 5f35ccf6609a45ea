"""One execution of a plan: the state that its functions share, and their errors."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from graphql import FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode
from graphql.error import located_error
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.executor import Executor, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_awaitable

ResponsePath: TypeAlias = tuple["ResponsePath | None", str | int, str | None]
"""A path in the response: the parent, a key, and the type of its field; graphql-core's `Path` as a tuple."""

Field: TypeAlias = Callable[[Any, ResponsePath | None, "Execution"], Any]
"""Returns the completed value of a field of the source at a path."""


class Unsupported(BaseException):
    """The operation needs what only graphql-core's executor does. No handler of fields' errors is to catch it."""


class DeadlineExceeded(BaseException):
    """The request's deadline has passed. No handler of fields' errors is to catch it."""

    def __init__(self) -> None:
        message = "The request took longer than it may. Ask for less at a time."
        self.error = GraphQLError(message, extensions={"code": "TIMEOUT"})
        super().__init__(message)


class Execution:
    """One execution. `deadline` is by `time.monotonic`."""

    __slots__ = ("_executor", "_parts", "arguments", "context", "deadline", "errors", "variables")

    def __init__(
        self,
        parts: tuple[GraphQLSchema, dict[str, FragmentDetails], OperationDefinitionNode, bool],
        variables: VariableValues,
        context: Any,
        deadline: float | None,
    ) -> None:
        self._parts = parts
        self._executor: Executor[Any] | None = None
        self.variables = variables
        self.context = context
        self.deadline = deadline
        self.errors: list[GraphQLError] = []
        self.arguments: dict[int, dict[str, Any]] = {}

    @property
    def executor(self) -> Executor[Any]:
        """graphql-core's executor of this operation, for what is rarely needed."""
        if self._executor is None:
            schema, fragments, operation, hide_suggestions = self._parts
            self._executor = Executor(
                schema,
                {name: one.definition for name, one in fragments.items()},
                fragments,
                None,
                self.context,
                operation,
                self.variables,
                default_field_resolver,
                default_type_resolver,
                default_field_resolver,
                hide_suggestions=hide_suggestions,
            )
        return self._executor

    def check_time(self) -> None:
        """Raise `DeadlineExceeded` where the deadline has passed."""
        if self.deadline is not None and time.monotonic() >= self.deadline:
            raise DeadlineExceeded

    def fail(
        self, error: Exception, nodes: Sequence[FieldNode], path: ResponsePath, *, non_null: bool
    ) -> None:
        """Add an error at a path, or raise it where null is not allowed (specification, 6.4.4)."""
        located = located_error(error, nodes, keys(path))
        if non_null:
            raise located
        self.errors.append(located)


_AWAITABLE: Final = "an awaitable value"
_plain: Final[set[type]] = {str, int, float, bool, list, tuple, dict}
MOST_PLAIN: Final = 1_000


def check_value(value: object) -> None:
    """Raise a value that is an exception, and `Unsupported` for one that has to be awaited."""
    kind = type(value)
    if kind in _plain:
        return
    if isinstance(value, Exception):
        raise value
    if is_awaitable(value):
        if hasattr(value, "close"):
            value.close()
        raise Unsupported(_AWAITABLE)
    if len(_plain) < MOST_PLAIN:
        _plain.add(kind)


def keys(path: ResponsePath) -> list[str | int]:
    """Return the keys of a path, for an error."""
    path_keys: list[str | int] = []
    above: ResponsePath | None = path
    while above is not None:
        path_keys.append(above[1])
        above = above[0]
    return path_keys[::-1]


def path_of(path: ResponsePath) -> Path:
    """Return a path as graphql-core's `Path`, for resolvers."""
    above, key, typename = path
    return Path(path_of(above) if above is not None else None, key, typename)
