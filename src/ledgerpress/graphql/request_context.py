"""What is known of the request under way, for logs, metrics and traces: one record, found from anywhere below it.

It goes by a context variable, so that no function has to hand it on that has no use for it itself.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from graphql import OperationType

if TYPE_CHECKING:  # What is noted here is noted by the very modules that these come from.
    from ledgerpress.graphql.context import Trace
    from ledgerpress.graphql.documents import Operation


@dataclass(frozen=True, slots=True)
class OperationInfo:
    """What operation was asked for, without its document."""

    type: OperationType
    name: str | None


@dataclass(slots=True)
class RequestContext:
    """A request, or a WebSocket, from its beginning to its end. `id` names it in the logs."""

    id: str
    trace: "Trace | None" = None
    operation: "Operation | OperationInfo | None" = None
    cost: float | None = None
    error_ids: list[str] = field(default_factory=list)

    @property
    def trace_id(self) -> str | None:
        """The id of the trace that it is part of (W3C Trace Context), if it is part of one."""
        return self.trace.trace_id if self.trace else None


CURRENT: Final = ContextVar[RequestContext | None]("ledgerpress exchange", default=None)


def current_trace() -> "Trace | None":
    """Return the trace that the request under way is part of."""
    exchange = CURRENT.get()
    return exchange.trace if exchange else None


def note_operation(operation: "Operation") -> None:
    """Note which operation the request under way asks for."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.operation = operation


def note_cost(cost: float) -> None:
    """Note what the fields that the request under way asks for cost."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.cost = cost


def note_error(error_id: str) -> None:
    """Note that the answer to the request under way names this error, of which the log has more."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.error_ids.append(error_id)
