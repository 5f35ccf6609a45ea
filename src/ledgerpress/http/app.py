"""The application on an open store: GraphQL on its own short way, all else by Starlette's routes."""

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

from ledgerpress.commands.identity import Authenticator
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
from ledgerpress.http.middleware.position_header import PositionHeader
from ledgerpress.http.pages.pages import PageContribution, Pages
from ledgerpress.http.runtime import Runtime
from ledgerpress.http.settings import HttpSettings
from ledgerpress.http.streaming.endpoint import StreamingEndpoint


def make_app(
    store: CacheableStore,
    schema: strawberry.Schema,
    *,
    door: Authenticator,
    settings: HttpSettings | None = None,
    limits: Limits | None = None,
    cache: CacheSettings | None = None,
    live: SubscriptionSettings | None = None,
    running: Runtime | None = None,
    allowed_hosts: Sequence[str] = ("*",),
    open_past: bool = False,
    pages: Sequence[PageContribution] = (),
) -> Starlette:
    """Return the application. Whoever opened the store closes it when the application has stopped.

    `door` tells who a request comes from. Settings that are not given are those for production. `running` says how the
    application is run: it stands in `app.state.running`, and whoever is subscribed is sent away when its `stopping` is
    set.

    A request for another host than `allowed_hosts` is refused, so that no foreign page reaches a local server by a
    name of its own (DNS rebinding). With `open_past`, everyone may see the past of what is public today.
    Raises `BadManifest` where the manifest of trusted documents cannot be used.
    """
    settings, running = settings or HttpSettings(), running or Runtime()
    site = Pages(store, pages)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        response = await site.graphiql(Request(scope))
        await response(scope, receive, send)

    engine, persisted = Executor(schema, limits=limits or Limits()), PersistedDocuments(settings)
    rates = RateLimiter(door, settings)
    answers = CachedExecutor(engine, cache)
    endpoint = GraphQLEndpoint(
        answers,
        store,
        rates,
        settings,
        page=page if settings.graphiql else None,
        persisted=persisted,
        open_past=open_past,
    )
    subscriptions = StreamingEndpoint(
        engine, store, door, rates, settings, persisted, live, stopping=running.stopping, open_past=open_past
    )
    places = ConcurrencySlots(settings.max_concurrent_requests)
    short = []
    if running.spans is None:  # a span tells of everything below it
        short.append(
            Middleware(
                FastPath,
                answers=answers,
                store=store,
                persisted=persisted,
                rates=rates,
                door=door,
                places=places,
                metrics=running.metrics if running.exposure.enabled else None,
                access_log=running.access_log,
                prefix=f"{secrets.token_hex(4)}-",
            )
        )
    app = _Application(
        {"/graphql": endpoint},
        routes=[*running.routes(store, door), *site.routes()],
        middleware=[
            *short,
            Middleware(PositionHeader, store=store),
            *running.middleware(allowed_hosts),
            Middleware(ConcurrencyLimit, places=places),
            Middleware(subscriptions.around),
        ],
    )
    app.state.running = running
    app.state.subscriptions = subscriptions
    running.metrics.watch(
        "subscriptions", "What subscribers need now, by kind.", lambda: subscriptions.counts, label="kind"
    )
    running.metrics.watch(
        "answers",
        "Answers that were kept (hits), shared with another request at the same moment, and executed.",
        lambda: asdict(answers.counts),
        kind="counter",
        label="kind",
    )
    running.metrics.watch("answers_kept_bytes", "What kept answers take, roughly.", lambda: answers.bytes)
    return app


async def _log_replaced(_: Request, __: Exception) -> Response:
    """Answer for a page: its views may tell of what is in no log."""
    return PlainTextResponse(
        "This server's log was replaced, and an operator has to see to it.\n",
        503,
        {"Cache-Control": "no-store", "Retry-After": "60"},
    )


class _Application(Starlette):
    """Starlette, with HTTP requests for a few paths sent to applications of their own.

    Starlette's routes, with what they make of each request, cost about as much as sending a ready answer does. The
    middleware, which has to be plain ASGI, is around both ways.
    """

    def __init__(
        self, by_path: Mapping[str, ASGIApp], *, routes: Sequence[BaseRoute], middleware: Sequence[Middleware]
    ) -> None:
        super().__init__(routes=routes, exception_handlers={LogReplaced: _log_replaced})
        self._by_path = by_path
        self._front: ASGIApp = self._dispatch
        for one in reversed(middleware):
            self._front = one.cls(self._front, *one.args, **one.kwargs)

    def build_middleware_stack(self) -> ASGIApp:
        """Return what handles the requests for routes: what fails is answered by what stands around all requests."""
        return ExceptionMiddleware(self.router, handlers=self.exception_handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._front(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._by_path.get(scope["path"]) if scope["type"] == "http" else None
        await (app(scope, receive, send) if app else super().__call__(scope, receive, send))
