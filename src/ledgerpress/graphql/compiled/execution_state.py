"""One execution of a plan: the state that its functions share, and how they report errors."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from graphql import FieldNode, GraphQLError, GraphQLSchema, OperationDefinitionNode
from graphql.error import located_error
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.executor import Executor, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path, is_awaitable

PathNode: TypeAlias = tuple["PathNode | None", str | int, str | None]
"""A path in the response, like graphql-core's `Path`: the parent path, a key, and the name of the parent type."""

Field: TypeAlias = Callable[[Any, PathNode | None, "Execution"], Any]
"""Returns the completed value of a field, for a source object and a path."""


class Unsupported(BaseException):
    """Only graphql-core's executor can execute the operation. Handlers of field errors must not catch this.

    `awaitable` is the value that must be awaited, if that is the cause.
    """

    def __init__(self, reason: str, awaitable: object = None) -> None:
        super().__init__(reason)
        self._awaitable = awaitable

    def close(self) -> None:
        """Discard the awaitable value. Python warns of a coroutine that is never awaited and never closed."""
        if hasattr(self._awaitable, "close"):
            self._awaitable.close()


class DeadlineExceeded(BaseException):
    """The request's deadline has passed. Handlers of field errors must not catch this."""


class Execution:
    """One execution. `deadline` is by `time.monotonic`."""

    __slots__ = (
        *("_executor", "_parts", "arguments", "context", "deadline", "errors", "plain_objects", "variables"),
    )

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
        self.plain_objects: dict[object, dict[int, tuple[object, dict[str, Any]]]] = {}
        """Objects that were completed, by their ids, for each function that completes objects with plain fields."""

    @property
    def executor(self) -> Executor[Any]:
        """graphql-core's executor of this operation, for rare cases."""
        if self._executor is None:
            schema, fragments, operation, hide_suggestions = self._parts
            self._executor = Executor(
                schema,
                {name: fragment.definition for name, fragment in fragments.items()},
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

    def fail(self, error: Exception, nodes: Sequence[FieldNode], path: PathNode, *, non_null: bool) -> None:
        """Record an error at a path, or raise it if the field is not nullable (specification, section 6.4.4)."""
        located = located_error(error, nodes, path_keys(path))
        if non_null:
            raise located
        self.errors.append(located)


_WAITED_FOR: Final = "an awaitable value"
PLAIN_CLASSES: Final[set[type]] = {str, int, float, bool, list, tuple, dict}
"""Classes of values that `check_value` accepts. It adds those that it finds."""
MAX_PLAIN_CLASSES: Final = 1_000


def check_value(value: object) -> None:
    """Raise `value` if it is an exception, and `Unsupported` if it must be awaited."""
    kind = type(value)
    if kind in PLAIN_CLASSES:
        return
    if isinstance(value, Exception):
        raise value
    if is_awaitable(value):
        raise Unsupported(_WAITED_FOR, value)
    if len(PLAIN_CLASSES) < MAX_PLAIN_CLASSES:
        PLAIN_CLASSES.add(kind)


def path_keys(path: PathNode) -> list[str | int]:
    """Return a path in the form that errors contain: keys and indexes."""
    keys: list[str | int] = []
    above: PathNode | None = path
    while above is not None:
        keys.append(above[1])
        above = above[0]
    return keys[::-1]


def path_of(path: PathNode) -> Path:
    """Return a path in the form that resolvers receive."""
    above, key, typename = path
    return Path(path_of(above) if above is not None else None, key, typename)
