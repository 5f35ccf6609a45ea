"""How the application runs: health, metrics, logging, tracing, headers, and the event that stops it."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.commands.roles_and_permissions import Authenticator
from ledgerpress.graphql.context import Store
from ledgerpress.http.health.metrics import Metrics, MetricsSettings
from ledgerpress.http.health.probes import Health, HealthSettings, may_see_operations
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.middleware.cors import Cors, CorsSettings
from ledgerpress.http.middleware.security_headers import HeaderSettings, SecurityHeaders
from ledgerpress.http.middleware.telemetry import RequestSpans, Telemetry
from ledgerpress.http.middleware.trusted_hosts import ANY, TrustedHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How the application runs. `stopping` is set when the process is about to stop.

    Connections that stay open (subscriptions) wait for `stopping` and close cleanly; otherwise the server would cut them
    off. Other modules add their figures to `metrics` (`Metrics.watch`).
    """

    health: HealthSettings = field(default_factory=HealthSettings.development)
    exposure: MetricsSettings = field(default_factory=MetricsSettings.development)
    cors: CorsSettings = field(default_factory=CorsSettings)
    headers: HeaderSettings = field(default_factory=HeaderSettings)
    access_log: AccessLog | None = None
    spans: RequestSpans | None = None
    metrics: Metrics = field(default_factory=Metrics)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def middleware(self, store: Store, allowed_hosts: Sequence[str]) -> list[Middleware]:
        """Return the middleware, the outermost first."""
        layers = [
            Middleware(
                Telemetry,
                store=store,
                headers=SecurityHeaders(self.headers, varies_by_origin=bool(self.cors.origins)),
                metrics=self.metrics if self.exposure.enabled else None,
                access_log=self.access_log,
                spans=self.spans,
                prefix=f"{secrets.token_hex(4)}-",
            )
        ]
        if self.cors.origins:
            layers.append(Middleware(Cors, settings=self.cors))
        if ANY not in allowed_hosts:
            layers.append(Middleware(TrustedHosts, allowed=allowed_hosts))
        return layers

    def routes(self, store: Store, authenticator: Authenticator) -> list[BaseRoute]:
        """Return the routes for operators."""
        routes = self._health(store, authenticator, self.health)
        if self.exposure.enabled and self.exposure.port is None:
            routes.append(self._metrics(store, None if self.exposure.public else authenticator))
        return routes

    def operations_app(self, store: Store, authenticator: Authenticator) -> Starlette:
        """Return the application for a separate port, to which only operators have access."""
        details = HealthSettings(
            lag_events=self.health.lag_events, lag_seconds=self.health.lag_seconds, details=True
        )
        return Starlette(routes=[*self._health(store, authenticator, details), self._metrics(store, None)])

    def _health(
        self, store: Store, authenticator: Authenticator, settings: HealthSettings
    ) -> list[BaseRoute]:
        health = Health(store, authenticator, settings, self.stopping)
        return [Route("/health/live", health.live), Route("/health/ready", health.ready)]

    def _metrics(self, store: Store, authenticator: Authenticator | None) -> BaseRoute:
        """Return the route of the metrics; with an authenticator, for operators only."""

        async def metrics(request: Request) -> Response:
            if authenticator is not None and not await may_see_operations(authenticator, request):
                message = "Metrics take a bearer token with the permission operations:read."
                headers = {"WWW-Authenticate": "Bearer"}
                return JSONResponse({"errors": [{"message": message}]}, status_code=401, headers=headers)
            text, media_type = await self.metrics.text(store, request.headers.get("accept", ""))
            return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

        return Route("/metrics", metrics)
