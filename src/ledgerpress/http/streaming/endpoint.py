"""The streaming endpoint: operations over WebSocket, and over server-sent events in both modes."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.roles_and_permissions import Authenticator
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.settings import HttpSettings
from ledgerpress.http.streaming.sse import EventStreams
from ledgerpress.http.streaming.sse_single_connection import Reservations
from ledgerpress.http.streaming.stream_requests import StreamRequests, prefers_event_stream
from ledgerpress.http.streaming.websocket import Sockets


class StreamingEndpoint:
    """ASGI middleware for connections that stay open."""

    def __init__(
        self,
        executor: Executor,
        store: CacheableStore,
        authenticator: Authenticator,
        rates: RateLimiter,
        http: HttpSettings,
        persisted: PersistedDocuments,
        settings: SubscriptionSettings | None = None,
        *,
        stopping: asyncio.Event | None = None,
        open_past: bool = False,
    ) -> None:
        """`http` limits the requests for event streams, `settings` the connections.

        `stopping` is set when the process is about to stop.
        """
        self._stopping = stopping or asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._connections = 0
        self.hub = SubscriptionHub(executor, store, settings or SubscriptionSettings(), open_past=open_past)
        requests = StreamRequests(self.hub, rates, http, persisted)
        self.sockets = Sockets(self.hub, authenticator, rates, requests)
        self.event_streams = EventStreams(self.hub, authenticator, requests)
        self.reservations = Reservations(self.hub, authenticator, requests, self.event_streams)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that handles streaming connections, and passes everything else to `app`."""

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            handler: ASGIApp
            match scope["type"], scope.get("path"):
                case "websocket", "/graphql":
                    handler = self.sockets
                case "http", "/graphql" if scope["method"] in {"GET", "POST"} and prefers_event_stream(scope):
                    handler = self.event_streams
                case "http", "/graphql/stream":
                    handler = self.reservations
                case _:
                    handler = app
            if handler is app:
                await app(scope, receive, send)
                return
            self._connections += 1
            if self._closing is None:
                self._closing = asyncio.create_task(self._close_when_stopping(), name="end of subscriptions")
            try:
                await handler(scope, receive, send)
            finally:
                self._connections -= 1
                if not self._connections:
                    self._closing.cancel()
                    self._closing = None

        return dispatch

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of connections, subscriptions and what they need: all 0 when every client has disconnected."""
        return {
            **self.hub.counts,
            "sockets": self.sockets.count,
            "event_streams": self.event_streams.count,
            "reservations": self.reservations.count,
        }

    async def _close_when_stopping(self) -> None:
        """Close all connections when the process is about to stop; clients resume on another server."""
        await self._stopping.wait()
        self.sockets.close_all()
        self.event_streams.close_all()
        self.reservations.close_all()
