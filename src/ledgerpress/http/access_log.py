"""The access log: one line a request, of what operators need, and nothing that is somebody's secret.

It holds no query string, header, variable, document or answer. What a client chose (the path, the operation's name) is
cut short. Lines are gathered for a moment and written together, since a write costs more than an answer from the cache.
"""

import logging
from typing import Any, Final

from starlette.types import Scope

from ledgerpress.graphql.exchange import Exchange

LOGGER: Final = "ledgerpress.access"
MOST_CHARACTERS: Final = 200
"""Of what a client chose."""
FIELDS: Final = "access"
"""The attribute of a log record that holds the fields of a line."""


class AccessLog:
    """Writes a line for each request."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)

    def write(self, exchange: Exchange, scope: Scope, status: int, seconds: float) -> None:
        """Write the line of a request that took `seconds`."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        method = scope.get("method", "WEBSOCKET")[:MOST_CHARACTERS]
        path = scope["path"][:MOST_CHARACTERS]
        client = scope.get("client")
        fields: dict[str, Any] = {
            "method": method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1_000, 3),
            "client": client[0] if client else None,
        }
        if exchange.operation is not None:
            fields["operation"] = exchange.operation.type.value
            if name := exchange.operation.name:
                fields["operation_name"] = name[:MOST_CHARACTERS]
        if exchange.cost is not None:
            fields["cost"] = exchange.cost
        if exchange.error_ids:
            fields["error_id"] = ",".join(exchange.error_ids[:10])
        record = self._logger.makeRecord(
            LOGGER, logging.INFO, "", 0, "%s %s %d", (method, path, status), None, extra={FIELDS: fields}
        )
        self._logger.handle(record)
