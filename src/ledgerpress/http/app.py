"""The application on an open store: GraphQL with its own dispatch, everything else by Starlette's routes."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import strawberry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.roles_and_permissions import Authenticator
from ledgerpress.eventlog.errors import LogReplaced
from ledgerpress.graphql.cached_executor import CachedExecutor, CacheSettings
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.fast_path.fast_path import FastPath
from ledgerpress.http.graphql.endpoint import GraphQLEndpoint
from ledgerpress.http.limits.concurrency_limit import ConcurrencyLimit, ConcurrencySlots
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.middleware_and_health_routes import Runtime
from ledgerpress.http.pages.pages import PageContribution, Pages
from ledgerpress.http.settings import HttpSettings
from ledgerpress.http.streaming.endpoint import StreamingEndpoint


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
) -> Starlette:
    """Return the application. The caller closes the store when the application has stopped.

    The default settings are those for production. `runtime` is also in `app.state.runtime`; when its `stopping` is set,
    subscriptions end. Requests for hosts other than `allowed_hosts` are rejected. With `open_past`, everyone may see the
    past of what is public today. Raises `BadManifest` where the manifest of trusted documents cannot be used.
    """
    settings, runtime = settings or HttpSettings(), runtime or Runtime()
    site = Pages(store, pages)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        response = await site.graphiql(Request(scope))
        await response(scope, receive, send)

    executor, persisted = Executor(schema, limits=limits or Limits()), PersistedDocuments(settings)
    rates = RateLimiter(authenticator, settings)
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
    streaming = StreamingEndpoint(
        executor,
        store,
        authenticator,
        rates,
        settings,
        persisted,
        subscriptions,
        stopping=runtime.stopping,
        open_past=open_past,
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
        prefix=f"{secrets.token_hex(4)}-",
    )
    app = _Application(
        {"/graphql": endpoint},
        routes=[*runtime.routes(store, authenticator), *site.routes()],
        middleware=[
            *([fast_path] if runtime.spans is None else []),  # a span covers all layers
            *runtime.middleware(store, allowed_hosts),
            Middleware(ConcurrencyLimit, slots=slots),
            Middleware(streaming.around),
        ],
    )
    app.state.runtime = runtime
    app.state.streaming = streaming
    runtime.metrics.watch(
        "subscriptions", "What subscribers need now, by kind.", lambda: streaming.counts, label="kind"
    )
    runtime.metrics.watch(
        "answers",
        "Answers that were kept (hits), shared with another request at the same moment, and executed.",
        lambda: asdict(cached_executor.counts),
        kind="counter",
        label="kind",
    )
    runtime.metrics.watch(
        "answers_kept_bytes", "What kept answers take, roughly.", lambda: cached_executor.bytes
    )
    return app


async def _log_replaced(_: Request, __: Exception) -> Response:
    """Return the response for a page: the views may show events that are in no log."""
    return PlainTextResponse(
        "This server's log was replaced, and an operator has to see to it.\n",
        503,
        {"Cache-Control": "no-store", "Retry-After": "60"},
    )


class _Application(Starlette):
    """Starlette, with HTTP requests for a few paths sent to applications of their own.

    Starlette's routing costs about as much for each request as sending a cached response. The middleware is plain ASGI,
    and around both.
    """

    def __init__(
        self, by_path: Mapping[str, ASGIApp], *, routes: Sequence[BaseRoute], middleware: Sequence[Middleware]
    ) -> None:
        super().__init__(routes=routes, exception_handlers={LogReplaced: _log_replaced})
        self._by_path = by_path
        self._outermost: ASGIApp = self._dispatch
        for layer in reversed(middleware):
            self._outermost = layer.cls(self._outermost, *layer.args, **layer.kwargs)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application for routes. Other exceptions are handled by the middleware around all requests."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._outermost(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._by_path.get(scope["path"]) if scope["type"] == "http" else None
        await (app(scope, receive, send) if app else super().__call__(scope, receive, send))
