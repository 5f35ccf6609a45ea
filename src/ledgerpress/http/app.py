"""The ASGI application for an open store: its middleware, and its routes for operators."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field

import msgspec
import strawberry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.client_identity import Authenticator
from ledgerpress.eventlog.errors import LogReplaced
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.errors import VIEWS_UNAVAILABLE_MESSAGE
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import CacheSettings, Limits
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.graphql.subscriptions.shared_subscription import EndedTokens
from ledgerpress.http import feature_routes
from ledgerpress.http.content_negotiation import prefers_event_stream
from ledgerpress.http.fast_path.fast_path import FastPath
from ledgerpress.http.graphql_endpoint import GraphQLEndpoint
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.health.probes import Health, may_see_operations
from ledgerpress.http.health.settings import HealthSettings, MetricsSettings
from ledgerpress.http.limits import ConcurrencyLimit, ConcurrencySlots, RateLimiter, own_buckets
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.middleware.cors import Cors, CorsSettings
from ledgerpress.http.middleware.security_headers import HeaderSettings, SecurityHeaders
from ledgerpress.http.middleware.telemetry import RequestSpans, Telemetry
from ledgerpress.http.middleware.trusted_hosts import TrustedHosts
from ledgerpress.http.other_workers import OtherWorkers
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_settings import PageSettings
from ledgerpress.http.persisted_documents import PersistedDocuments
from ledgerpress.http.requests.url_prefix_and_route_path import route_path
from ledgerpress.http.shared_token_buckets import buckets_in
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.uvicorn_direct_write import ServerSend
from ledgerpress.http.streaming.websocket_and_sse_dispatch import StreamingEndpoint
from ledgerpress.views.files.views_health import ViewsUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The settings, metrics and logging of an application. `stopping` is set when the process is about to stop.

    When `stopping` is set, long-lived connections (subscriptions) close cleanly; otherwise the server would cut them
    off. Other modules add their own metrics with `Metrics.watch`.
    """

    health: HealthSettings = field(default_factory=HealthSettings.development)
    exposure: MetricsSettings = field(default_factory=MetricsSettings.development)
    cors: CorsSettings = field(default_factory=CorsSettings)
    headers: HeaderSettings = field(default_factory=HeaderSettings)
    access_log: AccessLog | None = None
    spans: RequestSpans | None = None
    on_document_thread_start: Callable[[], None] | None = None
    """Called in the thread that checks long documents, before it checks the first one."""
    metrics: Metrics = field(default_factory=Metrics)
    workers: OtherWorkers | None = None
    """The other workers of the server, if it has several."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    is_replaced: Callable[[], bool] = lambda: False
    """Returns whether another process has taken the place of this one, so that the server does not stop."""

    def middleware(self, store: Store, allowed_hosts: Sequence[str]) -> list[Middleware]:
        """Return the middleware, outermost first."""
        layers = [
            Middleware(
                Telemetry,
                store=store,
                headers=SecurityHeaders(self.headers, varies_by_origin=bool(self.cors.origins)),
                metrics=self.metrics if self.exposure.enabled else None,
                access_log=self.access_log,
                spans=self.spans,
            )
        ]
        if self.cors.origins:
            layers.append(Middleware(Cors, settings=self.cors))
        layers.append(Middleware(TrustedHosts, allowed=allowed_hosts))
        return layers

    def routes(self, store: Store, authenticator: Authenticator) -> list[BaseRoute]:
        """Return the routes for operators."""
        routes = self._health(store, authenticator, self.health)
        if self.exposure.enabled and self.exposure.port is None:
            routes.append(self._metrics(store, None if self.exposure.public else authenticator))
        return routes

    def operations_app(self, store: Store, authenticator: Authenticator) -> Starlette:
        """Return the application for a separate port that only operators can reach."""
        details = msgspec.structs.replace(self.health, details=True)
        return Starlette(routes=[*self._health(store, authenticator, details), self._metrics(store, None)])

    def _health(
        self, store: Store, authenticator: Authenticator, settings: HealthSettings
    ) -> list[BaseRoute]:
        health = self.health_of(store, authenticator, settings)
        return [Route("/health/live", health.live), Route("/health/ready", health.ready)]

    def health_of(self, store: Store, authenticator: Authenticator, settings: HealthSettings) -> Health:
        """Return the liveness and readiness of this process and, if there are others, of all workers."""
        return Health(store, authenticator, settings, self.stopping, self.is_replaced, self.workers)

    def _metrics(self, store: Store, authenticator: Authenticator | None) -> BaseRoute:
        """Return the route of the metrics. If there is an authenticator, only operators may read them."""

        async def metrics(request: Request) -> Response:
            if authenticator is not None and not await may_see_operations(authenticator, request):
                message = "The metrics require a bearer token with the permission operations:read."
                headers = {"WWW-Authenticate": "Bearer"}
                return JSONResponse({"errors": [{"message": message}]}, status_code=401, headers=headers)
            text, media_type = await self.metrics.text(store, request.headers.get("accept", ""))
            return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

        return Route("/metrics", metrics)


def make_app(
    store: CacheableStore,
    schema: strawberry.Schema,
    *,
    authenticator: Authenticator,
    settings: HttpSettings | None = None,
    limits: Limits | None = None,
    cache: CacheSettings | None = None,
    subscriptions: SubscriptionSettings | None = None,
    runtime: Runtime | None = None,
    allowed_hosts: Sequence[str] = ("*",),
    open_past: bool = False,
    pages: Sequence[PageContribution] = (),
    page_settings: PageSettings | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the application. The caller closes the store after the application has stopped.

    The default settings are for production. `runtime` is also available as `app.state.runtime`; when its `stopping` is
    set, subscriptions end. Requests for hosts other than `allowed_hosts` are rejected. With `open_past`, everyone may
    read the past of content that is public today. `pages` and `routes` come from the features.

    Raises `BadManifest` if the manifest of trusted documents cannot be used, and `InvalidPageFiles` if the templates or the
    style sheet of the site cannot be used.
    """
    settings, runtime = settings or HttpSettings(), runtime or Runtime()
    site = Pages(store, pages, open_past=open_past, settings=page_settings)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        response = await site.graphiql(Request(scope))
        await response(scope, receive, send)

    executor = Executor(
        schema, limits=limits or Limits(), on_document_thread_start=runtime.on_document_thread_start
    )
    executor.log_effect_of_extensions()
    workers = runtime.workers
    persisted = PersistedDocuments(settings, workers)
    new_buckets = own_buckets if workers is None else buckets_in(workers.directory)
    rates = RateLimiter(authenticator, settings, new_buckets)
    cached_executor = CachedExecutor(executor, cache)
    slots = ConcurrencySlots(settings.max_concurrent_requests)
    endpoint = GraphQLEndpoint(
        cached_executor,
        store,
        rates,
        settings,
        persisted,
        page=page if settings.graphiql else None,
        open_past=open_past,
    )
    hub = SubscriptionHub(executor, store, subscriptions or SubscriptionSettings(), open_past=open_past)
    hub.tokens = authenticator if isinstance(authenticator, EndedTokens) else None
    streaming = StreamingEndpoint(
        StreamRequests(hub, authenticator, rates, settings, persisted, slots), runtime.stopping, workers
    )
    fast_path = Middleware(
        FastPath,
        cached_executor=cached_executor,
        store=store,
        persisted=persisted,
        rates=rates,
        authenticator=authenticator,
        slots=slots,
        metrics=runtime.metrics if runtime.exposure.enabled else None,
        access_log=runtime.access_log,
    )
    layers = [
        Middleware(ServerSend),
        *([fast_path] if runtime.spans is None else []),  # a span must cover all layers
        *runtime.middleware(store, allowed_hosts),
        Middleware(ConcurrencyLimit, slots=slots),
    ]
    app = Starlette(
        routes=[*runtime.routes(store, authenticator), *routes, *site.routes()],
        exception_handlers={
            LogReplaced: _log_replaced,
            ViewsUnavailable: _views_unavailable,
            **feature_routes.ERRORS,
        },
    )
    # `Telemetry`, which wraps all requests, handles other exceptions.
    stack = _dispatch(endpoint, streaming, ExceptionMiddleware(app.router, handlers=app.exception_handlers))
    for layer in reversed(layers):
        stack = layer.cls(stack, *layer.args, **layer.kwargs)
    app.middleware_stack = stack
    app.state.runtime = runtime
    app.state.streaming = streaming
    runtime.metrics.watch(
        "subscriptions",
        "Subscriptions, connections, tasks and cached events that are open now, by kind.",
        lambda: streaming.counts,
        label="kind",
    )
    runtime.metrics.watch(
        "answers",
        "Query responses that came from the cache (hits), were shared with a concurrent request, or were executed.",
        lambda: asdict(cached_executor.counts),
        kind="counter",
        label="kind",
    )
    runtime.metrics.watch(
        "answers_kept_bytes",
        "Approximate size of the cached responses, in bytes.",
        lambda: cached_executor.bytes,
    )
    if workers is not None:
        runtime.health_of(store, authenticator, runtime.health).serve_other_workers(workers)
        runtime.metrics.combine_with(workers, store)
    return app


def _dispatch(endpoint: ASGIApp, streaming: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Return the application that passes each request to one of these three applications.

    It bypasses Starlette's routing for GraphQL: routing costs about as much per request as sending a cached response.
    """

    def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app, kind = pages, scope["type"]
        match kind, None if kind == "lifespan" else route_path(scope):
            case "http", "/graphql":
                streams = scope["method"] in {"GET", "POST"} and prefers_event_stream(scope["headers"])
                app = streaming if streams else endpoint
            case ("websocket", "/graphql") | ("http", "/graphql/stream"):
                app = streaming
        return app(scope, receive, send)

    return dispatch


async def _views_unavailable(_: Request, __: Exception) -> Response:
    """Return the response for a page: 503, since the views cannot be read."""
    return PlainTextResponse(
        f"{VIEWS_UNAVAILABLE_MESSAGE}\n", 503, {"Cache-Control": "no-store", "Retry-After": "1"}
    )


async def _log_replaced(_: Request, __: Exception) -> Response:
    """Return the response for a page: 503, since the views may show events that are not in the log."""
    return PlainTextResponse(
        "The log of this server was replaced. The server does not answer until its operator has checked the log.\n",
        503,
        {"Cache-Control": "no-store", "Retry-After": "60"},
    )
