"""Subscriptions at the door: over WebSocket, and over server-sent events in both modes."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.identity import Authenticator
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.settings import HttpSettings
from ledgerpress.http.streaming.sse import EventStreams
from ledgerpress.http.streaming.sse_single_connection import Reservations
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.websocket import Sockets


class StreamingEndpoint:
    """What carries subscriptions."""

    def __init__(
        self,
        engine: Executor,
        store: Store,
        door: Authenticator,
        rates: RateLimiter,
        http: HttpSettings,
        persisted: PersistedDocuments,
        settings: SubscriptionSettings | None = None,
        *,
        stopping: asyncio.Event | None = None,
        open_past: bool = False,
    ) -> None:
        """Take what it connects; `http` bounds the requests for event streams, `settings` what follows.

        `stopping` is set when the process is to stop.
        """
        self._stopping = stopping or asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        self._connections = 0
        self.live = SubscriptionHub(engine, store, settings or SubscriptionSettings(), open_past=open_past)
        requests = StreamRequests(self.live, rates, http, persisted)
        self.sockets = Sockets(self.live, door, rates, requests)
        self.event_streams = EventStreams(self.live, door, requests)
        self.reservations = Reservations(self.live, door, requests, self.event_streams)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that carries subscriptions, and leaves everything else to `app`."""

        async def carrying(scope: Scope, receive: Receive, send: Send) -> None:
            carrier = self._carrier(scope)
            if carrier is None:
                await app(scope, receive, send)
                return
            self._connections += 1
            if self._leaving is None:
                self._leaving = asyncio.create_task(self._close_when_stopping(), name="end of subscriptions")
            try:
                await carrier(scope, receive, send)
            finally:
                self._connections -= 1
                if not self._connections:
                    self._leaving.cancel()
                    self._leaving = None

        return carrying

    def _carrier(self, scope: Scope) -> ASGIApp | None:
        match scope["type"], scope.get("path"):
            case "websocket", "/graphql":
                return self.sockets
            case "http", "/graphql" if self.event_streams.handles(scope):
                return self.event_streams
            case "http", "/graphql/stream":
                return self.reservations
            case _:
                return None

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of everything that connections and subscriptions need: nothing when all have gone."""
        return {
            **self.live.counts,
            "sockets": self.sockets.count,
            "event_streams": self.event_streams.count,
            "reservations": self.reservations.count,
        }

    async def _close_when_stopping(self) -> None:
        """Send everyone away as soon as the process is to stop: they go on where they were, with another."""
        await self._stopping.wait()
        self.sockets.close_all()
        self.event_streams.close_all()
        self.reservations.close_all()
