"""Connections within bounds: how large a head may be, how long it may take, and how many connections there are.

uvicorn has no bounds of this kind, and the application below sees a request only once its head is there.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ledgerpress.http.limits.token_bucket import client_address
from ledgerpress.server.process.slow_body_limit import GRACE_SECONDS, SlowBodyLimit, is_unfinished

LINGERING_SECONDS: Final = 1.0
"""How long what a refused client still sends is thrown away: closed at once, it would mostly not see why."""
LINGERING_AT_MOST: Final = 50
"""Of how many clients that is, at a time; others are closed at once."""
RETRY_AFTER: Final = b"retry-after: 1\r\n"


@dataclass(frozen=True, eq=False)
class ConnectionLimits:
    """The bounds of one server's connections, and who of them is being refused."""

    head_bytes: int
    head_seconds: float
    connections: int
    unfinished: SlowBodyLimit
    lingering: set[LimitedProtocol] = field(default_factory=set)


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `bounded()` makes the class that a server takes.

    What comes is counted from the last thing of use on: the end of a head, or a piece of a body. So trailers and
    the extensions of chunks have the same bound as heads.
    """

    bounds: ClassVar[ConnectionLimits]

    _idle_bytes = 0
    _head_since: float | None = None
    """Since when a head is awaited; `None` while a request is under way, and in the pause before the next."""
    _watch: TimerHandle | None = None
    _is_over = False
    _begun: RequestResponseCycle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or refuse it."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self.connections.discard(self)
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
            return
        self._head_since = self.loop.time()
        self._watch = self.loop.call_later(self.bounds.head_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._leave()
        self.bounds.lingering.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, no more of a head at a time than there may be."""
        if self._is_over:
            return
        before = self._begun
        if self._head_since is None and (before is None or before.response_complete):
            self._head_since = self.loop.time()
        most = self.bounds.head_bytes
        while len(data) > most - self._idle_bytes:
            room = most - self._idle_bytes
            if not room:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
            piece, data = data[:room], data[room:]
            self._idle_bytes = most
            super().data_received(piece)
            if self._takes_nothing():
                return
        self._idle_bytes += len(data)
        super().data_received(data)
        begun = self._begun
        if begun is not None and begun is not before and is_unfinished(begun):
            self.loop.call_later(GRACE_SECONDS, self._look_at_body, begun)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._idle_bytes = 0
        self._head_since = None
        super().on_headers_complete()
        self._begun = self.cycle

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._idle_bytes = 0
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; it is counted on, and has bounds of its own."""
        self._leave()
        super().handle_websocket_upgrade()

    def _look(self) -> None:
        """End the connection if its head is late. One timer for many requests: it is set again only when it is due."""
        now, allowed = self.loop.time(), self.bounds.head_seconds
        due = now + allowed if self._head_since is None else self._head_since + allowed
        if due > now:
            self._watch = self.loop.call_at(due, self._look)
        elif self._idle_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._leave()
            self.transport.close()

    def _look_at_body(self, cycle: RequestResponseCycle) -> None:
        if not is_unfinished(cycle) or self.transport.is_closing():
            return
        if self.bounds.unfinished.admit(cycle, client_address(self.client)):
            return
        answerable = cycle is self.cycle and not self.pipeline
        cycle.disconnected = True
        cycle.message_event.set()
        if answerable:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
        else:
            self._leave()
            self.transport.close()

    def _refuse(self, status: HTTPStatus, header: bytes = b"") -> None:
        """Say why nothing more is taken, unless that would stand within another answer, and close."""
        self._leave()
        if self.transport.is_closing():
            return
        if self._is_answering():
            self.transport.close()
            return
        self.transport.write(_answer(status, header, self.server_state.default_headers))
        if len(self.bounds.lingering) >= LINGERING_AT_MOST:
            self.transport.close()
            return
        self.bounds.lingering.add(self)
        self.flow.resume_reading()
        self.transport.write_eof()
        self._watch = self.loop.call_later(LINGERING_SECONDS, self.transport.abort)

    def _takes_nothing(self) -> bool:
        return self._is_over or self.transport.is_closing()

    def _is_answering(self) -> bool:
        cycle = self._begun
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _leave(self) -> None:
        self._is_over = True
        self._unset_keepalive_if_required()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


def limited_protocol(bounds: ConnectionLimits) -> type[LimitedProtocol]:
    """Return the protocol of a server with these bounds."""
    return type("Bounded", (LimitedProtocol,), {"bounds": bounds})


def _answer(status: HTTPStatus, header: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    said = status.phrase.encode("ascii")
    return b"".join(
        [
            b"HTTP/1.1 %d %s\r\n" % (status, said),
            *(b"%s: %s\r\n" % pair for pair in headers),
            header,
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(said),
            said,
        ]
    )
