"""The access log: one line a request, of what operators need, and nothing that is somebody's secret.

It holds no query string, header, variable, document or answer. What a client chose (the path, the operation's name) is
cut short.
"""

from collections.abc import Callable
from typing import Any, Final

from starlette.types import Scope

from ledgerpress.graphql.request_context import RequestContext

LOGGER: Final = "ledgerpress.access"
MOST_CHARACTERS: Final = 200
"""Of what a client chose."""


class AccessLog:
    """Has a line written for each request. It goes past the logging of Python: a record there costs as much as an answer."""

    def __init__(self, write: Callable[[str, dict[str, Any]], None]) -> None:
        """`write` takes a line's message and its fields."""
        self._write = write

    def note(self, exchange: RequestContext, scope: Scope, status: int, seconds: float) -> None:
        """Note a request that took `seconds`."""
        method = scope.get("method", "WEBSOCKET")[:MOST_CHARACTERS]
        path = scope["path"][:MOST_CHARACTERS]
        client = scope.get("client")
        fields: dict[str, Any] = {
            "request_id": exchange.id,
            "method": method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1_000, 3),
            "client": client[0] if client else None,
        }
        if exchange.trace_id:
            fields["trace_id"] = exchange.trace_id
        if exchange.operation is not None:
            fields["operation"] = exchange.operation.type.value
            if name := exchange.operation.name:
                fields["operation_name"] = name[:MOST_CHARACTERS]
        if exchange.cost is not None:
            fields["cost"] = exchange.cost
        if exchange.error_ids:
            fields["error_id"] = ",".join(exchange.error_ids[:10])
        self._write(f"{method} {path} {status}", fields)
