"""The context of the current request, for logs, metrics and traces: one record, in a context variable."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from graphql import OperationType


@dataclass(frozen=True, eq=False)
class OperationInfo:
    """The type and the name of an operation, as far as logs and metrics need it."""

    type: OperationType
    name: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a request is part of: `trace_id` is that of W3C Trace Context; the others are ids (UUIDs) or `None`."""

    trace_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


NO_TRACE: Final = Trace()
ABORTED: Final = 499
"""The status of a request whose client disconnected, or that was cancelled, before the response."""


@dataclass(slots=True)
class RequestContext:
    """A request, or a WebSocket, from its beginning to its end. `id` names it in the logs."""

    id: str
    trace: Trace | None = None
    operation: OperationInfo | None = None
    cost: float | None = None
    status: int = ABORTED
    error_ids: list[str] = field(default_factory=list)

    @property
    def trace_id(self) -> str | None:
        """The id of the trace that it is part of (W3C Trace Context), if it is part of one."""
        return self.trace.trace_id if self.trace else None


CURRENT: Final = ContextVar[RequestContext | None]("ledgerpress request context", default=None)


def note_error(error_id: str) -> None:
    """Note that the response to the current request names this error, whose details are in the log."""
    context = CURRENT.get()
    if context is not None:
        context.error_ids.append(error_id)
