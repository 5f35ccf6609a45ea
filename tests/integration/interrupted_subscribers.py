"""Subscribers whose connection is reset after a number of bytes, possibly in the middle of a frame.

Only messages that arrived completely count.
"""

import base64
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

SECONDS = 30.0
DOCUMENT = "subscription ($from: Position) { changes(fromPosition: $from) { position type } }"


class Cut(Exception):
    """The connection was cut; `in_a_frame` is true if a part of a frame or event had arrived."""

    def __init__(self, *, in_a_frame: bool) -> None:
        super().__init__()
        self.in_a_frame = in_a_frame


class Wire:
    """A connection that is cut after `budget` received bytes; without a budget it is not cut."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, SECONDS)
        self._socket.settimeout(SECONDS)
        self.buffer = b""
        self.budget: int | None = None

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def more(self) -> None:
        """Read more bytes into the buffer. Raises `Cut` if the budget is used up."""
        if self.budget == 0:
            raise Cut(in_a_frame=bool(self.buffer))
        data = self._socket.recv(65_536 if self.budget is None else min(65_536, self.budget))
        assert data, "the server closed the connection"
        if self.budget is not None:
            self.budget -= len(data)
        self.buffer += data

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self) -> bytes:
        """Return the next line."""
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def head(self) -> bytes:
        """Return the head of the response, without the empty line."""
        lines = []
        while line := self.line():
            lines.append(line)
        return b"\r\n".join(lines)

    def close(self) -> None:
        """Reset the connection."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


Follow = Callable[["Wire", int, int | None], Iterator[int]]
"""Yields the positions of the changes after a position, over a connection with a budget of bytes. Raises `Cut`."""


def over_websocket(wire: Wire, position: int, budget: int | None) -> Iterator[int]:
    """Follow the changes over a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    wire.send(
        _head(
            "GET /graphql HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: graphql-transport-ws",
        )
    )  # fmt: skip
    assert wire.head().startswith(b"HTTP/1.1 101 ")
    wire.send(_frame({"type": "connection_init"}))
    assert _message(wire) == {"type": "connection_ack"}
    payload = {"query": DOCUMENT, "variables": {"from": position}}
    wire.send(_frame({"id": "1", "type": "subscribe", "payload": payload}))
    wire.budget = budget
    while True:
        message = _message(wire)
        assert message["type"] == "next", message
        yield _position(message["payload"])


def over_event_stream(wire: Wire, position: int, budget: int | None) -> Iterator[int]:
    """Follow the changes over an event stream; the position is sent in `Last-Event-ID`, as a browser does."""
    body = json.dumps({"query": DOCUMENT}).encode()
    wire.send(
        _head(
            "POST /graphql HTTP/1.1", "Accept: text/event-stream", f"Last-Event-ID: {position}",
            "Content-Type: application/json", f"Content-Length: {len(body)}",
        ) + body
    )  # fmt: skip
    assert wire.head().startswith(b"HTTP/1.1 200 ")
    wire.budget = budget
    events = b""
    while True:
        try:
            events += wire.take(int(wire.line(), 16))
            assert wire.take(2) == b"\r\n"
        except Cut as cut:
            raise Cut(in_a_frame=cut.in_a_frame or bool(events)) from None
        *complete, events = events.split(b"\n\n")
        for event in complete:
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if not line.startswith(b":"))
            if fields:
                assert int(fields[b"id"]) == _position(json.loads(fields[b"data"]))
                yield int(fields[b"id"])


def _position(payload: dict[str, Any]) -> int:
    assert "errors" not in payload, payload
    position: int = payload["data"]["changes"]["position"]
    assert payload["extensions"]["position"] == position
    return position


def _head(*lines: str) -> bytes:
    return "\r\n".join((lines[0], "Host: localhost", *lines[1:], "", "")).encode()


def _frame(message: dict[str, Any]) -> bytes:
    """Return a client's text frame (RFC 6455, 5.2), masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    return b"\x81" + length + bytes(4) + data


def _message(wire: Wire) -> dict[str, Any]:
    """Return the next text message. The bytes of a frame stay in the buffer until the frame is complete."""
    while True:
        while len(wire.buffer) < 2:
            wire.more()
        size, start = wire.buffer[1], 2
        if size == 126:
            while len(wire.buffer) < 4:
                wire.more()
            size, start = int.from_bytes(wire.buffer[2:4], "big"), 4
        assert size < 65_536
        while len(wire.buffer) < start + size:
            wire.more()
        frame = wire.take(start + size)
        if frame[0] == 0x81:
            message: dict[str, Any] = json.loads(frame[start:])
            return message
        assert frame[0] == 0x89, "neither a text nor a ping"
