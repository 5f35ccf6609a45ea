"""Limits on connections: size and time of a request's head, slow bodies, and the number of connections.

uvicorn has no such limits, and the application sees a request only when its head is complete. uvicorn also loses the
body of a request with an upgrade that it does not support, uses the wrong host of a request in absolute form, and takes
a compressed body for a plain one. This module relies on internals of uvicorn's protocol:
pyproject.toml pins its minor version.
"""

from __future__ import annotations

import logging
from asyncio import TimerHandle, Transport
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ledgerpress.http.limits import client_address
from ledgerpress.server.process.sockets import SEND_TIMEOUT, unmapped

logger = logging.getLogger(__name__)

LINGER: Final = 1.0
"""Seconds for which data of a rejected client is discarded. Without them, it would rarely receive the reason."""
MAX_LINGERING: Final = 50
"""Rejected clients whose data is discarded at a time; others are disconnected immediately."""
BODY_GRACE: Final = 1.0
"""Seconds until an incomplete body counts as slow: a body in several pieces is usually complete long before."""
RETRY_AFTER: Final = b"retry-after: 1\r\n"


class SlowBodyLimit:
    """A limit on requests with slow bodies, which could otherwise take the places of all other requests.

    One client address may have half of the limit, rounded up.
    """

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        self._addresses: dict[RequestResponseCycle, str] = {}

    def admit(self, cycle: RequestResponseCycle, address: str) -> bool:
        """Count a request whose body is slow. Return whether it may continue."""
        self._addresses = {
            request: owner for request, owner in self._addresses.items() if _is_unfinished(request)
        }
        same = sum(owner == address for owner in self._addresses.values())
        if len(self._addresses) >= self._max_requests or same >= (self._max_requests + 1) // 2:
            return False
        self._addresses[cycle] = address
        return True


@dataclass(eq=False)
class ConnectionLimits:
    """The limits of one server's connections, and the rejected connections that are not closed yet."""

    head_bytes: int
    head_seconds: float
    connections: int
    slow_bodies: SlowBodyLimit
    lingering: set[LimitedProtocol] = field(default_factory=set)
    open: set[LimitedProtocol] = field(default_factory=set)
    is_ending: bool = False

    def end_after_responses(self) -> None:
        """Close each connection after its next response, or after the one that it waits for; the response states that."""
        self.is_ending = True
        for connection in self.open:
            connection.end_after_response()


class LimitedProtocol(HttpToolsProtocol):
    """A connection with limits. `limited_protocol()` returns the class for a server.

    Bytes are counted from the end of the last head or piece of a body, so trailers and chunk extensions have the same
    limit as heads.
    """

    limits: ClassVar[ConnectionLimits]

    _idle_bytes = 0
    _head_since: float | None = None
    """When the wait for a head began; `None` during a request, and until the first byte of the next one."""
    _timer: TimerHandle | None = None
    _is_finished = False
    _rejection = HTTPStatus.BAD_REQUEST
    """The status of a request that cannot be parsed."""
    _current: RequestResponseCycle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Accept a connection, or reject it."""
        super().connection_made(transport)
        self.client = unmapped(self.client)
        if len(self.connections) > self.limits.connections:
            self.connections.discard(self)
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
            return
        self.limits.open.add(self)
        self._head_since = self.loop.time()
        self._timer = self.loop.call_later(self.limits.head_seconds, self._check_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()
        self.limits.lingering.discard(self)
        self.limits.open.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data to the parser, never more than the limit of a head at a time."""
        if self._is_finished:
            return
        before = self._current
        if self._head_since is None and (before is None or before.response_complete):
            self._head_since = self.loop.time()
        limit = self.limits.head_bytes
        while len(data) > limit - self._idle_bytes:
            room = limit - self._idle_bytes
            if not room:
                self._reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
            piece, data = data[:room], data[room:]
            self._idle_bytes = limit
            self._parse(piece)
            if self._is_closing():
                return
        self._idle_bytes += len(data)
        self._parse(data)
        cycle = self._current
        if cycle is not None and cycle is not before and _is_unfinished(cycle):
            self.loop.call_later(BODY_GRACE, self._check_body, cycle)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. The parser leaves white space after a value, which does not belong to it (RFC 9112, 5)."""
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        self._idle_bytes = 0
        self._head_since = None
        if self._has_unsupported_upgrade():
            return  # `_parse` parses this head again
        self._check_transfer_coding()
        if b"://" in self.url and not self.url.startswith(b"/"):
            self.url, host = _origin_form(self.url)
            # In place, since the scope has the list. A request without a host stays one, and is rejected.
            self.headers[:] = [(name, host if name == b"host" else value) for name, value in self.headers]
        super().on_headers_complete()
        self._current = self.cycle
        if self.limits.is_ending:
            self.end_after_response()

    def end_after_response(self) -> None:
        """Close the connection after the response to the last request, if it can still announce that."""
        cycle = self._current
        if cycle is not None and not (cycle.response_started or cycle.disconnected or self.pipeline):
            cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if not self._has_unsupported_upgrade():
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        """Pass the connection to the WebSocket protocol. It still counts as a connection, and has other limits."""
        self._finish()
        self.limits.open.discard(self)
        super().handle_websocket_upgrade()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        async def run(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            await app(scope, receive, send)
            if cycle.response_started and not cycle.response_complete and not cycle.disconnected:
                self._drop(cycle)

        super()._start_asgi_task(cycle, run)

    def _drop(self, cycle: RequestResponseCycle) -> None:
        """Close the connection of a response that has no end, since its client does not read."""
        logger.info("closing a connection: its client does not read the response")
        cycle.disconnected = True
        self._finish()
        self.transport.close()
        self._timer = self.loop.call_later(SEND_TIMEOUT, self.transport.abort)

    def _parse(self, data: bytes) -> None:
        """Parse data, and ignore upgrades that are not supported (RFC 9110, 7.8): clients offer HTTP/2 with any request.

        The parser stops after a head with an upgrade, since the next protocol could follow. So a new parser reads this
        head again, without the upgrade.
        """
        self._unset_keepalive_if_required()
        pieces = [memoryview(data)]
        try:
            while pieces:
                piece = pieces.pop()
                try:
                    self.parser.feed_data(piece)
                except httptools.HttpParserUpgrade as upgrade:
                    if self._should_upgrade():
                        self.handle_websocket_upgrade()
                        return
                    head = self._head_without_upgrade()
                    self.parser = httptools.HttpRequestParser(self)
                    pieces += [piece[upgrade.args[0] :], memoryview(head)]
        except httptools.HttpParserError:
            logger.info("Invalid HTTP request received.")
            if self._rejection is HTTPStatus.BAD_REQUEST:
                self.send_400_response("Invalid HTTP request received.")
            else:
                self._reject(self._rejection)

    def _check_transfer_coding(self) -> None:
        """Raise ValueError for a body with a coding other than chunked (RFC 9112, 6.1).

        The server could not decode the body, or, if chunked is not the last coding, not find its end (6.3).
        """
        values = [value for name, value in self.headers if name == b"transfer-encoding"]
        *others, last = [
            coding.strip(b" \t").lower() for coding in b",".join(values or [b"chunked"]).split(b",")
        ]
        if others and last == b"chunked" and b"chunked" not in others:
            self._rejection = HTTPStatus.NOT_IMPLEMENTED
        if others or last != b"chunked":
            raise ValueError("the transfer coding is not supported")

    def _has_unsupported_upgrade(self) -> bool:
        return self.parser.should_upgrade() and not self._should_upgrade()

    def _should_upgrade(self) -> bool:
        """Return whether a request with an upgrade opens a WebSocket (RFC 6455, 4.2.1)."""
        protocols = [value.strip().lower() for name, value in self.headers if name == b"upgrade"]
        return (
            protocols == [b"websocket"]
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
        )

    def _head_without_upgrade(self) -> bytes:
        """Return the head that was just parsed. Raises `HttpParserError` for CONNECT: this server is not a proxy."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode("ascii")
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT is not supported")
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))

    def _check_head(self) -> None:
        """Close the connection if its head is late. One timer serves many requests: it is reset only when it is due."""
        now, timeout = self.loop.time(), self.limits.head_seconds
        due = now + timeout if self._head_since is None else self._head_since + timeout
        if due > now:
            self._timer = self.loop.call_at(due, self._check_head)
        elif self._idle_bytes:
            self._reject(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._finish()
            self.transport.close()

    def _check_body(self, cycle: RequestResponseCycle) -> None:
        if not _is_unfinished(cycle) or self.transport.is_closing():
            return
        if self.limits.slow_bodies.admit(cycle, client_address(self.client)):
            return
        answerable = cycle is self.cycle and not self.pipeline
        cycle.disconnected = True
        cycle.message_event.set()
        if answerable:
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE, RETRY_AFTER)
        else:
            self._finish()
            self.transport.close()

    def _reject(self, status: HTTPStatus, header: bytes = b"") -> None:
        """Send the reason, unless a response is being sent, and close the connection."""
        self._finish()
        if self.transport.is_closing():
            return
        if self._is_answering():
            self.transport.close()
            return
        self.transport.write(_response(status, header, self.server_state.default_headers))
        if len(self.limits.lingering) >= MAX_LINGERING:
            self.transport.close()
            return
        self.limits.lingering.add(self)
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER, self.transport.abort)

    def _is_closing(self) -> bool:
        return self._is_finished or self.transport.is_closing()

    def _is_answering(self) -> bool:
        cycle = self._current
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    def _finish(self) -> None:
        self._is_finished = True
        self._unset_keepalive_if_required()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def limited_protocol(limits: ConnectionLimits) -> type[LimitedProtocol]:
    """Return the protocol class of a server with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


def _origin_form(target: bytes) -> tuple[bytes, bytes]:
    """Return the path and query, and the host, of a target in absolute form (RFC 9112, 3.2.2). Raises ValueError."""
    scheme, _, rest = target.partition(b"://")
    end = next((index for index, byte in enumerate(rest) if byte in b"/?#"), len(rest))
    host, path = rest[:end], rest[end:]
    if scheme.lower() not in (b"http", b"https") or not host or b"@" in host:
        raise ValueError("the target is not a URL of HTTP without a user")
    return path if path.startswith(b"/") else b"/" + path, host


def _is_unfinished(cycle: RequestResponseCycle) -> bool:
    """Return whether a request waits for its body, and no response has begun."""
    return cycle.more_body and not cycle.response_started and not cycle.disconnected


def _response(status: HTTPStatus, header: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    reason = status.phrase.encode("ascii")
    return b"".join(
        [
            b"HTTP/1.1 %d %s\r\n" % (status, reason),
            *(b"%s: %s\r\n" % pair for pair in headers),
            header,
            b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(reason),
            reason,
        ]
    )
