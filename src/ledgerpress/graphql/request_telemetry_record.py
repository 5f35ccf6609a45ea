"""The context of the current request for logging, metrics and traces: one record in a context variable."""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from graphql import OperationType


@dataclass(frozen=True, eq=False)
class OperationInfo:
    """The type and the name of an operation, for logging and metrics."""

    type: "OperationType"
    name: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of a request. `trace_id` is the trace id of W3C Trace Context; the other ids are UUIDs or `None`."""

    trace_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


NO_TRACE: Final = Trace()
ABORTED: Final = 499
"""The status of a request whose client disconnected, or that was cancelled, before the response."""


class OperationSpans(Protocol):
    def operation(self, operation: OperationInfo) -> AbstractContextManager[None]:
        """Start the span of an operation, as a child of the request's. The span ends with the context."""


@dataclass(slots=True)
class RequestContext:
    """A request or a WebSocket connection, from its beginning to its end. `id` identifies it in logging."""

    id: str
    trace: Trace | None = None
    operation: OperationInfo | None = None
    cost: float | None = None
    status: int = ABORTED
    error_ids: list[str] = field(default_factory=list)
    spans: OperationSpans | None = None
    """Records a span for each operation, if traces are recorded."""

    @property
    def trace_id(self) -> str | None:
        """The id of the request's trace (W3C Trace Context), if it has one."""
        return self.trace.trace_id if self.trace else None


CURRENT: Final = ContextVar[RequestContext | None]("ledgerpress request context", default=None)

_NO_SPAN: Final = nullcontext()


def executing(operation: OperationInfo) -> AbstractContextManager[None]:
    """Record that the current request executes an operation, inside the context that is returned."""
    context = CURRENT.get()
    if context is None:
        return _NO_SPAN
    context.operation = operation
    return _NO_SPAN if context.spans is None else context.spans.operation(operation)


def note_error(error_id: str) -> None:
    """Record that the response to the current request contains this error id, whose details are in the logging."""
    context = CURRENT.get()
    if context is not None:
        context.error_ids.append(error_id)
