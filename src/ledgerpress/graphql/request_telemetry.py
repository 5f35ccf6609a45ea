"""The context of the current request, for logs, metrics and traces: one record, in a context variable."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from graphql import OperationType

if TYPE_CHECKING:  # it imports this module
    from ledgerpress.graphql.context import Trace


class SelectedOperation(Protocol):
    """An operation, as far as logs and metrics need it."""

    @property
    def type(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        ...

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        ...


@dataclass(frozen=True, slots=True)
class OperationInfo:
    """The type and the name of an operation, without its document."""

    type: OperationType
    name: str | None


@dataclass(slots=True)
class RequestContext:
    """A request, or a WebSocket, from its beginning to its end. `id` names it in the logs."""

    id: str
    trace: "Trace | None" = None
    operation: SelectedOperation | None = None
    cost: float | None = None
    error_ids: list[str] = field(default_factory=list)

    @property
    def trace_id(self) -> str | None:
        """The id of the trace that it is part of (W3C Trace Context), if it is part of one."""
        return self.trace.trace_id if self.trace else None


CURRENT: Final = ContextVar[RequestContext | None]("ledgerpress request context", default=None)


def current_trace() -> "Trace | None":
    """Return the trace that the current request is part of."""
    context = CURRENT.get()
    return context.trace if context else None


def note_operation(operation: SelectedOperation) -> None:
    """Note which operation the current request selects."""
    context = CURRENT.get()
    if context is not None:
        context.operation = operation


def note_cost(cost: float) -> None:
    """Note the field cost of the current request."""
    context = CURRENT.get()
    if context is not None:
        context.cost = cost


def note_error(error_id: str) -> None:
    """Note that the response to the current request names this error, whose details are in the log."""
    context = CURRENT.get()
    if context is not None:
        context.error_ids.append(error_id)
