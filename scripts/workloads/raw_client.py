"""An HTTP client that needs little processor time: requests over keep-alive connections on plain sockets."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = b"content-length: "
_SUCCESS: Final = (b"HTTP/1.1 200", b"HTTP/1.1 304")
_RECEIVE_BYTES: Final = 1 << 18


@dataclass(slots=True)
class _PendingResponse:
    """The missing part of a response that a connection waits for."""

    left: int = -1
    """Missing bytes; -1 while the head is incomplete."""
    head: bytes = b""


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


def load(
    port: int,
    request: Callable[[], bytes],
    *,
    connections: int = 16,
    seconds: float,
    answered: Callable[[bytes, float], None] | None = None,
) -> tuple[int, float]:
    """Send requests for `seconds`, one at a time on each connection; return the number of responses and the seconds.

    `answered` receives each request that was answered, and the seconds until its response was complete.
    """
    sockets = {connection.fileno(): connection for connection in (_connect(port) for _ in range(connections))}
    pending = {number: _PendingResponse() for number in sockets}
    sent: dict[int, tuple[bytes, float]] = {}

    def send(number: int) -> None:
        sent[number] = request(), time.perf_counter()
        sockets[number].sendall(sent[number][0])

    poll = select.epoll()
    try:
        for number in sockets:
            poll.register(number, select.EPOLLIN)
            send(number)
        responses, started = 0, time.perf_counter()
        end = started + seconds
        while (now := time.perf_counter()) < end or not responses:
            for number, _ in poll.poll(1):
                if _arrived(sockets[number].recv(_RECEIVE_BYTES), pending[number]):
                    responses += 1
                    if answered:
                        question, sent_at = sent[number]
                        answered(question, time.perf_counter() - sent_at)
                    send(number)
        return responses, now - started
    finally:
        poll.close()
        for connection in sockets.values():
            connection.close()


def _arrived(part: bytes, state: _PendingResponse) -> bool:
    """Add a received part of a response, and return whether the response is complete."""
    if not part:
        raise SystemExit("the server closed the connection")
    if state.left < 0:
        received = state.head + part if state.head else part
        if not received.startswith(_SUCCESS):
            raise SystemExit(f"the server rejected the request: {received[:500]!r}")
        state.left = _left(received)
        state.head = received if state.left < 0 else b""
    else:
        state.left -= len(part)
    if state.left == 0:
        state.left = -1
        return True
    return False


def _left(received: bytes) -> int:
    """Return how many bytes of the response are missing; -1 if the head is incomplete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    at = received.find(_LENGTH, 0, end)
    if at < 0:
        return end + 4 - len(received)
    length = int(received[at + len(_LENGTH) : received.index(b"\r\n", at)])
    return end + 4 + length - len(received)


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
