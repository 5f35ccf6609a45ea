"""Liveness and readiness.

A server is ready if its views can be read, no projection is paused or too far behind the log, and reads and writes of
the log do not fail.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledgerpress.commands.client_identity import Authenticator, Unauthenticated
from ledgerpress.commands.roles_and_permissions import READ_OPERATIONS
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.health.settings import HealthSettings
from ledgerpress.views.files.views_health import ViewsUnavailable
from ledgerpress.views.projection.lag import lags, node_lag

UNKNOWN_HOST: Final = "ledgerpress.unknown_host"
"""The key of the mark in the ASGI scope of a request whose Host is not allowed. A page of any site could have sent it."""


@dataclass(frozen=True, slots=True)
class Health:
    """The liveness and readiness routes. When `stopping` is set, the process is about to stop and is not ready."""

    store: Store
    authenticator: Authenticator
    settings: HealthSettings
    stopping: asyncio.Event
    is_replaced: Callable[[], bool] = lambda: False

    async def live(self, _: Request) -> Response:
        """Return 200 as long as the process responds."""
        return JSONResponse({"status": "live"}, headers=_FRESH)

    async def ready(self, request: Request) -> Response:
        """Return 200, or 503 with the projections that are paused or behind, and the failing operations of the log.

        Do not wait for an unreachable log.
        """
        store, settings = self.store, self.settings
        points, contact = store.checkpoints, store.log_health
        lag = await lags(store.log, points, store.clock.now(), contact)
        node = node_lag(lag)
        paused = {name: point.error for name, point in points.items() if point.is_paused}
        behind = {
            name: behind.events if behind.is_known else None
            for name, behind in lag.items()
            if settings.is_behind(behind)
        }
        failing, views = contact.failing, store.views.health
        causes = {
            "stopping": self.stopping.is_set() and not self.is_replaced(),
            "replaced": contact.replaced,
            "unreadable": views.unreadable,
            "paused": paused,
            "behind": behind,
            "failing": failing,
        }
        status = next((name for name, applies in causes.items() if applies), "ready")
        body: dict[str, Any] = {
            "status": status,
            "head": contact.head,
            "log": "another" if contact.replaced else "reachable" if node.is_known else "unreachable",
            "lag": {"events": node.events if node.is_known else None, "seconds": round(node.seconds, 3)},
            "paused": paused,
            "behind": behind,
            "failing": list(failing),
        }
        is_known_host = UNKNOWN_HOST not in request.scope
        if is_known_host and (settings.details or await self._may_see_operations(request)):
            body["views"] = {"file": store.views.path.name, "since": iso_time(store.views.since)}
            if not node.is_known:
                body["unreachableSince"] = iso_time(store.clock.now() - int(contact.silence * 1_000_000))
            if contact.replaced:
                body["why"] = contact.replaced
            if notices := (*contact.notices, *views.notices):
                body["notices"] = notices
        else:
            body["paused"] = dict.fromkeys(paused)
        return JSONResponse(body, status_code=200 if status == "ready" else 503, headers=_FRESH)

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


_FRESH = {"Cache-Control": "no-store"}
