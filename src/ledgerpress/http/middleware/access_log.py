"""The access log: one line for each request, without secrets.

A line contains no query string, header, variable, document or response. Texts that the client chose (the path and the
name of the operation) are truncated.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ledgerpress.grapheme_clusters import cut
from ledgerpress.graphql.request_telemetry_record import RequestContext

if TYPE_CHECKING:
    from starlette.types import Scope

LOGGER: Final = "ledgerpress.access"
MAX_CHARACTERS: Final = 200
"""The maximum length of texts that a client chose."""


class AccessLog:
    """Writes a line for each request. It bypasses Python's logging, where a record costs as much as a response."""

    def __init__(self, write: Callable[[str, dict[str, Any]], None]) -> None:
        """`write` is called with the message and the fields of each line."""
        self._write = write

    def note(self, context: RequestContext, scope: "Scope", status: int, seconds: float) -> None:
        """Write the line of a request that took `seconds`."""
        method = scope.get("method", "WEBSOCKET")[:MAX_CHARACTERS]
        path = cut(scope["path"], MAX_CHARACTERS)
        client = scope.get("client")
        fields: dict[str, Any] = {
            "request_id": context.id,
            "method": method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1_000, 3),
            "client": client[0] if client else None,
        }
        if context.trace_id:
            fields["trace_id"] = context.trace_id
        if context.operation is not None:
            fields["operation"] = context.operation.type.value
            if name := context.operation.name:
                fields["operation_name"] = name[:MAX_CHARACTERS]
        if context.cost is not None:
            fields["cost"] = context.cost
        if context.error_ids:
            fields["error_id"] = ",".join(context.error_ids[:10])
        self._write(f"{method} {path} {status}", fields)
