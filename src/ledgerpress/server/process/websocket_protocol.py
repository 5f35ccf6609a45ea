"""The WebSocket protocol of a server: failures of clients are closed with their own code and logged as such.

uvicorn logs some of them as errors of the application. This module relies on internals of uvicorn's protocol:
pyproject.toml pins its minor version.
"""

import logging
from asyncio import BaseTransport, TimerHandle
from typing import Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ledgerpress.http.streaming.websocket import NOT_READING
from ledgerpress.server.process.sockets import unmapped

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 10.0
"""Seconds until a closed connection is dropped whose client does not read the rest."""
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A connection that was upgraded to a WebSocket."""

    _drop_timer: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.client = unmapped(self.client)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._drop_timer is not None:
            self._drop_timer.cancel()
        super().connection_lost(exc)

    def keepalive_timeout(self) -> None:
        """Close the connection of a client that has not answered a ping: it does not read what is sent to it."""
        self.pong_timer = None
        self.pending_ping_payload = None
        self._close_unread(*NOT_READING)

    def data_received(self, data: bytes) -> None:
        """Handle data. Reject a handshake that cannot be parsed: the parser discards everything after it."""
        super().data_received(data)
        error = self.conn.handshake_exc
        if error is not None and not self.handshake_initiated and not self.transport.is_closing():
            logger.info("Invalid WebSocket handshake: %s", error)
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on, or close the connection if its text is not UTF-8 (RFC 6455, 8.1)."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message. Raises `ClientDisconnected` if the connection is closed, by the client or by this server."""
        if message["type"] == "websocket.close" and self.handshake_complete and not self.writable.is_set():
            self._close_unread(message.get("code", 1000), message.get("reason") or "")
            return
        await super().send(message)

    def _close_unread(self, code: int, reason: str) -> None:
        """Close the connection of a client that does not read. It sees the reason if it reads again in time."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.close()
        self._drop_timer = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
