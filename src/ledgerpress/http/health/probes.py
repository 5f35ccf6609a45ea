"""Liveness and readiness.

A server is ready if its views can be read, no projection is paused or too far behind the log, and reads and writes of
the log do not fail.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledgerpress.commands.client_identity import Authenticator, Unauthenticated
from ledgerpress.commands.roles_and_permissions import READ_OPERATIONS
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.context import Store
from ledgerpress.http.health.readiness import READY, Readiness, body_of, of_all, readiness_of
from ledgerpress.http.health.settings import HealthSettings
from ledgerpress.http.other_workers import NoResponse, OtherWorkers
from ledgerpress.views.files.views_health import ViewsUnavailable

UNKNOWN_HOST: Final = "ledgerpress.unknown_host"
"""The key of the mark in the ASGI scope of a request whose Host is not allowed. A page of any site could have sent it."""

_READINESS: Final = "readiness"
"""The kind of the request with which a worker asks another one."""
_WORKER_TIMEOUT: Final = 2.0
"""Seconds for the response of another worker, which may wait a second for the log. A worker that is slower hangs."""


@dataclass(frozen=True, slots=True)
class Health:
    """The liveness and readiness routes. When `stopping` is set, the process is about to stop and is not ready."""

    store: Store
    authenticator: Authenticator
    settings: HealthSettings
    stopping: asyncio.Event
    is_replaced: Callable[[], bool] = lambda: False
    workers: OtherWorkers | None = None

    async def live(self, _: Request) -> Response:
        """Return 200 as long as the process responds."""
        return JSONResponse({"status": "live"}, headers=_FRESH)

    async def ready(self, request: Request) -> Response:
        """Return 200, or 503 with the projections that are paused or behind, and the failing operations of the log.

        The response is about all workers of the server. Does not wait for an unreachable log.
        """
        readiness = await self._own()
        if self.workers is not None:
            responses = await self.workers.ask_all(_READINESS, timeout=_WORKER_TIMEOUT)
            readiness = of_all(readiness, _decoded(responses.values()))
        is_known_host = UNKNOWN_HOST not in request.scope
        details = is_known_host and (self.settings.details or await self._may_see_operations(request))
        status = 200 if readiness.status == READY else 503
        return JSONResponse(body_of(readiness, details=details), status_code=status, headers=_FRESH)

    def serve_other_workers(self, workers: OtherWorkers) -> None:
        """Report the readiness of this process to the other workers of the server."""

        async def respond(_sender: int, _payload: bytes) -> bytes:
            return msgspec.msgpack.encode(await self._own())

        workers.serve({_READINESS: respond})

    async def _own(self) -> Readiness:
        is_stopping = self.stopping.is_set() and not self.is_replaced()
        return await readiness_of(self.store, self.settings, is_stopping=is_stopping)

    async def _may_see_operations(self, request: Request) -> bool:
        try:
            return await may_see_operations(self.authenticator, request)
        except (LogUnavailable, ViewsUnavailable):  # while the views with the tokens are paused or unreadable
            return False


async def may_see_operations(authenticator: Authenticator, request: Request) -> bool:
    """Return whether the client of a request has the permission operations:read."""
    try:
        identity = await authenticator.identify(request.headers.get("authorization"))
    except Unauthenticated:
        return False
    return identity.may(READ_OPERATIONS)


def _decoded(responses: Iterable[bytes | NoResponse]) -> list[Readiness | None]:
    """Return the readiness of each worker, `None` for one that hangs, and nothing for one that has ended."""
    return [
        None if isinstance(response, NoResponse) else msgspec.msgpack.decode(response, type=Readiness)
        for response in responses
        if not (isinstance(response, NoResponse) and response.is_gone)
    ]


_FRESH = {"Cache-Control": "no-store"}
