"""Write events of open streams to uvicorn's transport directly.

For each ASGI message, uvicorn and all middleware start a coroutine each, and uvicorn encodes the frame again. For an
event with many subscribers, that takes longer than the system calls. So a channel writes the bytes of its frame to the
transport if the transport has no unsent data and is not closing. Otherwise, the channel sends an ASGI message, which
waits. The bytes on the wire are the same (`tests/integration/test_direct_write.py`).

This module uses private attributes of uvicorn's connections. There is no transport to write to with a version that is
not supported (`http/uvicorn_internals.py`), with any other server, if a host application wraps `send`, or if a
WebSocket compresses messages: then all messages are ASGI messages.
"""

import struct
from asyncio import WriteTransport
from collections.abc import Awaitable
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.http.uvicorn_internals import uvicorn_module

_SEND: Final = "ledgerpress.send"
"""The key of the server's `send` in the ASGI scope."""
_CYCLE: Final = getattr(uvicorn_module("uvicorn.protocols.http.httptools_impl"), "RequestResponseCycle", None)
_WEBSOCKET: Final = getattr(
    uvicorn_module("uvicorn.protocols.websockets.websockets_sansio_impl"), "WebSocketsSansIOProtocol", None
)
_TEXT: Final = 0x81
"""The first byte of a frame that is a whole text message (RFC 6455, 5.2)."""


class ServerSend:
    """ASGI middleware that puts the `send` of the server into the scope; middleware inside of it may wrap `send`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope[_SEND] = send
        return self._app(scope, receive, send)


def websocket_transport(scope: Scope) -> WriteTransport | None:
    """Return the transport of a WebSocket that was accepted, if frames may be written to it.

    The caller MUST NOT write after it has sent `websocket.close`.
    """
    protocol: Any = getattr(scope.get(_SEND), "__self__", None)
    if _WEBSOCKET is None or not isinstance(protocol, _WEBSOCKET) or protocol.conn.extensions:
        return None
    transport: WriteTransport = protocol.transport
    return transport


def response_transport(scope: Scope) -> WriteTransport | None:
    """Return the transport of a response that has begun, if chunks may be written to it.

    The caller MUST NOT write after it has sent the last part of the response.
    """
    cycle: Any = getattr(scope.get(_SEND), "__self__", None)
    if _CYCLE is None or type(cycle) is not _CYCLE or not cycle.chunked_encoding:
        return None
    transport: WriteTransport = cycle.transport
    return transport


def accepts_at_once(transport: WriteTransport) -> bool:
    """Return whether a transport sends data without delay: all earlier data was sent, and it is not closing."""
    return not transport.get_write_buffer_size() and not transport.is_closing()


def frame_head(length: int) -> bytes:
    """Return the head of the frame of a text message with `length` bytes (RFC 6455, 5.2)."""
    if length < 126:
        return struct.pack("!BB", _TEXT, length)
    if length < 65_536:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)


def chunk_of(body: bytes) -> bytes:
    """Return the chunk with `body`, which MUST NOT be empty (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(body), body)
