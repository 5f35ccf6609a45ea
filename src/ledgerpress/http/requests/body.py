"""Read the body of a request within a limit of size and time."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from types import CoroutineType
from typing import Any

from starlette.types import Message, Receive

from ledgerpress.http.errors import HttpError
from ledgerpress.http.requests.headers import too_large


class ClientDisconnected(Exception):
    """The client disconnected before it had sent the whole request."""


async def read_body(receive: Receive, *, max_bytes: int, seconds: float) -> bytes:
    """Return the body of a request. Raises `HttpError`, and `ClientDisconnected`.

    A small body has usually arrived already, and then needs no timer.
    """
    pending, message = receive(), None
    if isinstance(pending, CoroutineType):
        try:
            pending = _Resumed(pending, pending.send(None))
        except StopIteration as stop:
            message = stop.value
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message.get("body", b"")
                if len(body) > max_bytes:
                    raise too_large(max_bytes) from None
                return body
    try:
        async with asyncio.timeout(seconds):
            return await _read_on(message or await pending, receive, max_bytes)
    except TimeoutError:
        raise HttpError(
            408,
            "REQUEST_TIMEOUT",
            f"The body of the request did not arrive within {seconds:g} seconds.",
            (b"connection", b"close"),
        ) from None


async def _read_on(message: Message, receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()


class BufferedReceive:
    """A `receive` whose first message was requested already. `whole` is the body, if that message contains all of it."""

    __slots__ = ("_first", "_receive", "_waits", "whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._waits: Awaitable[Message] | None = None
        self.whole: bytes | None = None
        pending = receive()
        if not isinstance(pending, CoroutineType):
            self._waits = pending
            return
        try:
            wait = pending.send(None)
        except StopIteration as stop:
            message: Message = stop.value
            self._first = message
            if message["type"] == "http.request" and not message.get("more_body"):
                self.whole = message.get("body", b"")
        else:
            self._waits = _Resumed(pending, wait)

    async def __call__(self) -> Message:
        """Return the next message."""
        first, self._first = self._first, None
        if first is not None:
            return first
        waits, self._waits = self._waits, None
        return await (waits or self._receive())


class _Resumed:
    """A coroutine that was started by `send`, as an awaitable for the rest of it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Message], wait: Any) -> None:
        self._coroutine = coroutine
        self._wait = wait

    def __await__(self) -> Generator[Any, Any, Message]:
        wait = self._wait
        try:
            while True:
                try:
                    sent = yield wait
                except BaseException as error:  # noqa: BLE001  # such as a cancellation: the coroutine handles it
                    wait = self._coroutine.throw(error)
                else:
                    wait = self._coroutine.send(sent)
        except StopIteration as end:
            message: Message = end.value
            return message
