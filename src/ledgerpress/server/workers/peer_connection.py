"""One connection between two workers: frames in both directions."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from itertools import count
from typing import Final, cast

from ledgerpress.server.workers.errors import RequestFailed, RequestNotHandled, WorkerLost
from ledgerpress.server.workers.frames import (
    PROTOCOL,
    BadFrame,
    Broadcast,
    Failure,
    FrameReader,
    Hello,
    Request,
    Response,
    encoded,
)

logger = logging.getLogger(__name__)

MAX_BACKLOG_BYTES: Final = 64 * 1024 * 1024
"""Bytes that may wait for a peer that does not read. With more, the connection is ended: the peer hangs."""


class PeerConnection(asyncio.Protocol):
    """A connection that either worker has opened. It is usable after `Hello` of the peer."""

    def __init__(
        self,
        worker: int,
        *,
        connected: Callable[["PeerConnection"], None],
        lost: Callable[["PeerConnection"], None],
        requested: Callable[["PeerConnection", Request], None],
        received: Callable[["PeerConnection", Broadcast], None],
    ) -> None:
        """`worker` is the number of this worker. The callbacks are called in the order of the frames.

        `hello` becomes true with `Hello` of the peer, and false if the connection ends before it.
        """
        self.peer = 0
        self.hello: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._worker = worker
        self._connected = connected
        self._lost = lost
        self._requested = requested
        self._received = received
        self._reader = FrameReader()
        self._numbers = count(1)
        self._pending: dict[int, asyncio.Future[bytes]] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        if not _is_same_user(transport):
            logger.warning(
                "another user has connected to the socket of worker %d; it is rejected", self._worker
            )
            transport.abort()
            return
        self._transport = transport
        transport.write(encoded(Hello(self._worker)))

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                if self._transport is None:
                    return
                match frame:
                    case Hello():
                        self._greet(frame)
                    case Response():
                        self._settle(frame)
                    case Failure():
                        self._fail(frame)
                    case Request():
                        self._requested(self, frame)
                    case Broadcast():
                        self._received(self, frame)
        except BadFrame as error:
            logger.warning("worker %d has sent a frame that cannot be read: %s", self.peer, error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.hello.done():
            self.hello.set_result(False)
        for response in self._pending.values():
            if not response.done():
                response.set_exception(WorkerLost(f"worker {self.peer} has ended before it responded"))
        self._pending.clear()
        self._lost(self)

    def send(self, frame: bytes) -> bool:
        """Send an encoded frame; return whether the connection accepts it."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            logger.warning("worker %d reads no messages: its connection is ended", self.peer)
            self.abort()
        return True

    async def request(self, kind: str, payload: bytes) -> bytes | None:
        """Return the response to a request, or `None` if it was not sent.

        Raises `WorkerLost`, `RequestFailed` and `RequestNotHandled`.
        """
        number = next(self._numbers)
        frame = encoded(Request(number, kind, payload))
        response: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._pending[number] = response
        try:
            return await response if self.send(frame) else None
        finally:
            self._pending.pop(number, None)

    def abort(self) -> None:
        """End the connection without sending what waits."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection after sending what waits."""
        if self._transport is not None:
            self._transport.close()

    def _greet(self, hello: Hello) -> None:
        if hello.protocol != PROTOCOL or self.hello.done():
            logger.warning("worker %d uses another protocol between workers; it is rejected", hello.worker)
            self.abort()
            return
        self.peer = hello.worker
        self.hello.set_result(True)
        self._connected(self)

    def _settle(self, frame: Response) -> None:
        response = self._pending.pop(frame.number, None)
        if response is not None and not response.done():
            response.set_result(frame.payload)

    def _fail(self, frame: Failure) -> None:
        response = self._pending.pop(frame.number, None)
        if response is not None and not response.done():
            error = RequestFailed if frame.has_handler else RequestNotHandled
            response.set_exception(error(f"worker {self.peer}: {frame.message}"))


def _is_same_user(transport: asyncio.Transport) -> bool:
    """Return whether the peer is a process of this user. Where the system does not report it, the directory protects."""
    peer = transport.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.geteuid())
