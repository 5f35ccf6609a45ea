"""Subscriptions at the door: over WebSocket, and over server-sent events in both modes."""

import asyncio

from starlette.routing import BaseRoute, Route, WebSocketRoute

from ledgerpress.application.access import Door
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.engine import Engine
from ledgerpress.graphql.live.hub import Live
from ledgerpress.graphql.live.settings import LiveSettings
from ledgerpress.http.sse import EventStreams
from ledgerpress.http.sse_reservations import Reservations
from ledgerpress.http.websocket import Sockets


class LiveDoor:
    """What carries subscriptions. `event_streams` answers those requests at /graphql that it says it handles."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        door: Door,
        settings: LiveSettings | None = None,
        *,
        open_past: bool = False,
    ) -> None:
        self.live = Live(engine, store, settings or LiveSettings(), open_past=open_past)
        self.sockets = Sockets(self.live, door)
        self.event_streams = EventStreams(self.live, door)
        self.reservations = Reservations(self.live, door, self.event_streams)

    def routes(self) -> list[BaseRoute]:
        """Return the routes, beside that of /graphql for HTTP."""
        return [
            WebSocketRoute("/graphql", self.sockets),
            Route("/graphql/stream", self.reservations),
        ]

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of everything that connections and subscriptions need: nothing when all have gone."""
        return {
            **self.live.counts,
            "sockets": self.sockets.count,
            "event_streams": self.event_streams.count,
            "reservations": self.reservations.count,
        }

    async def close_when(self, stopping: asyncio.Event) -> None:
        """Send everyone away as soon as the process is to stop."""
        await stopping.wait()
        self.close_all()

    def close_all(self) -> None:
        """Send everyone away; they come again, to another process, and go on where they were."""
        self.sockets.close_all()
        self.event_streams.close_all()
        self.reservations.close_all()
