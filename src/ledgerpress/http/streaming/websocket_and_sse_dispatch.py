"""The streaming endpoint, which passes requests to WebSocket and to both modes of server-sent events."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.http.other_workers import OtherWorkers
from ledgerpress.http.requests.url_prefix_and_route_path import route_path
from ledgerpress.http.streaming.sse import EventStreams
from ledgerpress.http.streaming.sse_single_connection import Reservations
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.websocket import Sockets

CLOSE_INTERVAL: Final = 0.05
"""Seconds after which streams are closed that have begun since the process began to stop."""


class StreamingEndpoint:
    """An ASGI application for long-lived connections."""

    def __init__(
        self, requests: StreamRequests, stopping: asyncio.Event, workers: OtherWorkers | None = None
    ) -> None:
        """`stopping` is set when the process is about to stop."""
        self._stopping = stopping
        self._closing: asyncio.Task[None] | None = None
        self._connections = 0
        self.hub = requests.hub
        self._sockets = Sockets(requests)
        self._event_streams = EventStreams(requests)
        self._reservations = Reservations(requests, self._event_streams, workers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a WebSocket, a request that prefers an event stream, or a request at `/graphql/stream`."""
        handler: ASGIApp = self._event_streams if route_path(scope) == "/graphql" else self._reservations
        if scope["type"] == "websocket":
            handler = self._sockets
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

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of connections, subscriptions and their resources: all 0 after every client has disconnected."""
        return {
            **self.hub.counts,
            "sockets": self._sockets.count,
            "event_streams": self._event_streams.count,
            "reservations": self._reservations.count,
            "forwarded": self._reservations.forwarded,
        }

    async def _close_when_stopping(self) -> None:
        """Close all connections when the process is about to stop. Clients resume on another server.

        A client may still begin another stream, on a connection that it has kept alive.
        """
        await self._stopping.wait()
        while True:
            self._sockets.close_all()
            self._event_streams.close_all()
            self._reservations.close_all()
            await asyncio.sleep(CLOSE_INTERVAL)
