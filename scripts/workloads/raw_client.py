"""A client that costs little: blocking requests over keep-alive connections, on bare sockets."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = b"content-length: "
_WELL: Final = (b"HTTP/1.1 200", b"HTTP/1.1 304")
_ENOUGH: Final = 1 << 18


@dataclass(slots=True)
class _Waiting:
    """What is still to come of the answer that a connection waits for."""

    left: int = -1
    """Bytes; -1 while the head is not there."""
    head: bytes = b""


def ask(port: int, request: bytes) -> bytes:
    """Return one whole answer, head and body."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        received = b""
        while (left := _left(received)) != 0:
            part = connection.recv(_ENOUGH)
            if not part:
                raise SystemExit(f"the server hung up after {received[:200]!r}, with {left} bytes to come")
            received += part
        return received


def load(
    port: int, request: Callable[[], bytes], *, connections: int = 16, seconds: float
) -> tuple[int, float]:
    """Return how many answers come over so many connections, each with one request under way, and in which time."""
    sockets = {one.fileno(): one for one in (_connect(port) for _ in range(connections))}
    waiting = {number: _Waiting() for number in sockets}
    poll = select.epoll()
    try:
        for number, one in sockets.items():
            poll.register(number, select.EPOLLIN)
            one.sendall(request())
        answered, started = 0, time.perf_counter()
        end = started + seconds
        while (now := time.perf_counter()) < end or not answered:
            for number, _ in poll.poll(1):
                if _arrived(sockets[number].recv(_ENOUGH), waiting[number]):
                    answered += 1
                    sockets[number].sendall(request())
        return answered, now - started
    finally:
        poll.close()
        for one in sockets.values():
            one.close()


def _arrived(part: bytes, state: _Waiting) -> bool:
    """Take in a part of an answer, and return whether that was the last."""
    if not part:
        raise SystemExit("the server hung up")
    if state.left < 0:
        whole = state.head + part if state.head else part
        if not whole.startswith(_WELL):
            raise SystemExit(f"the server refused: {whole[:500]!r}")
        state.left = _left(whole)
        state.head = whole if state.left < 0 else b""
    else:
        state.left -= len(part)
    if state.left == 0:
        state.left = -1
        return True
    return False


def _left(received: bytes) -> int:
    """Return how many bytes are to come after these; -1 where the head is not there yet."""
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
