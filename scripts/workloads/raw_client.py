"""An HTTP client that needs little processor time: requests over keep-alive connections on plain sockets."""

import math
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

_SUCCESS: Final = (b"HTTP/1.1 200", b"HTTP/1.1 304")
_LENGTH: Final = b"\r\ncontent-length:"
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_RECEIVE_BYTES: Final = 1 << 18
_LAST_RESPONSES_SECONDS: Final = 30.0


class Load(NamedTuple):
    """The responses that arrived within `seconds`, and those that arrived later, to the last requests."""

    responses: int
    seconds: float
    late: int


@dataclass(slots=True)
class _PendingResponse:
    """What has arrived of a response that a connection waits for."""

    received: bytes = b""
    left: int = -1
    """Missing bytes; -1 while unknown: the head is incomplete, or the last chunk has not arrived."""


def ask(port: int, request: bytes) -> bytes:
    """Send a request on a new connection, and return the complete response: head and body."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        received = b""
        while (left := _left(received)) != 0:
            part = connection.recv(_RECEIVE_BYTES)
            if not part:
                raise SystemExit(
                    f"the server closed the connection after {received[:200]!r}; {left} bytes are missing"
                )
            received += part
        return received


def body_of(response: bytes) -> bytes:
    """Return the body of a complete response, without the lengths of chunks."""
    head, _, body = response.partition(b"\r\n\r\n")
    if _CHUNKED not in head.lower():
        return body
    chunks = []
    while size := int(body.partition(b"\r\n")[0], 16):
        start = body.index(b"\r\n") + 2
        chunks.append(body[start : start + size])
        body = body[start + size + 2 :]
    return b"".join(chunks)


def load(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int = 16,
    seconds: float = math.inf,
    contains: bytes = b"",
    lacks: bytes | None = None,
    answered: Callable[[bytes, float], None] | None = None,
) -> Load:
    """Send requests for `seconds` or until there are no more, one at a time on each connection; wait for all responses.

    Exits if the server rejects a request, or if a body does not contain `contains`, or contains `lacks`. `answered`
    receives each request that was answered, and the seconds until its response was complete.
    """
    clients = _Clients(port, requests, connections, contains, lacks, answered)
    try:
        responses, started = 0, time.perf_counter()
        clients.send_all()
        end = started + seconds
        while (now := time.perf_counter()) < end and clients.waiting:
            responses += clients.receive(again=True)
        took = now - started
        late = len(clients.waiting)
        while clients.waiting:
            if time.perf_counter() > now + _LAST_RESPONSES_SECONDS:
                raise SystemExit("the server did not answer the last requests")
            clients.receive(again=False)
        return Load(responses, took, late)
    finally:
        clients.close()


class _Clients:
    """Connections that each send a request and wait for its response."""

    def __init__(
        self,
        port: int,
        requests: Iterator[bytes],
        connections: int,
        contains: bytes,
        lacks: bytes | None,
        answered: Callable[[bytes, float], None] | None,
    ) -> None:
        opened = [_connect(port) for _ in range(connections)]
        self._sockets = {connection.fileno(): connection for connection in opened}
        self._pending = {number: _PendingResponse() for number in self._sockets}
        self._requests = requests
        self._contains = contains
        self._lacks = lacks
        self._answered = answered
        self._sent: dict[int, tuple[bytes, float]] = {}
        self._poll = select.epoll()
        self.waiting = set(self._sockets)

    def send_all(self) -> None:
        """Send a request on each connection."""
        for number in self._sockets:
            self._poll.register(number, select.EPOLLIN)
            self._send(number)

    def receive(self, *, again: bool) -> int:
        """Wait for responses, and return how many were complete; after these, send the next requests if `again`."""
        complete = 0
        for number, _ in self._poll.poll(1):
            if self._is_complete(number):
                complete += 1
                if again:
                    self._send(number)
                else:
                    self.waiting.discard(number)
        return complete

    def close(self) -> None:
        self._poll.close()
        for connection in self._sockets.values():
            connection.close()

    def _send(self, number: int) -> None:
        request = next(self._requests, None)
        if request is None:
            self.waiting.discard(number)
        else:
            self._sent[number] = request, time.perf_counter()
            self._sockets[number].sendall(request)

    def _is_complete(self, number: int) -> bool:
        response = _arrived(self._sockets[number].recv(_RECEIVE_BYTES), self._pending[number])
        if response is None:
            return False
        body = body_of(response)
        if self._contains not in body or (self._lacks is not None and self._lacks in body):
            raise SystemExit(f"the server sent an unexpected response: {response[:1_000]!r}")
        if self._answered is not None:
            request, sent_at = self._sent[number]
            self._answered(request, time.perf_counter() - sent_at)
        return True


def _arrived(part: bytes, state: _PendingResponse) -> bytes | None:
    """Add a received part of a response, and return the response if it is complete."""
    if not part:
        raise SystemExit("the server closed the connection")
    known = state.left >= 0
    state.received = received = state.received + part if state.received else part
    if known:
        state.left -= len(part)
    else:
        if len(received) >= len(_SUCCESS[0]) and not received.startswith(_SUCCESS):
            raise SystemExit(f"the server rejected the request: {received[:500]!r}")
        state.left = _left(received)
    if state.left:
        return None
    state.received, state.left = b"", -1
    return received


def _left(received: bytes) -> int:
    """Return how many bytes of the response are missing; -1 if that is unknown."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    head = received[:end].lower()
    at = head.find(_LENGTH)
    if at < 0:
        if _CHUNKED in head:
            return 0 if received.endswith(_LAST_CHUNK) else -1
        return end + 4 - len(received)
    first = at + len(_LENGTH)
    stop = head.find(b"\r\n", first)
    length = int(head[first : stop if stop >= 0 else end])
    return end + 4 + length - len(received)


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
