"""The body of a request: read while it is within bounds, and no further."""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator, Mapping
from types import CoroutineType
from typing import Any

from starlette.types import Message, Receive

from ledgerpress.http.content_negotiation import is_json
from ledgerpress.http.errors import HttpError


class ClientDisconnected(Exception):
    """The client went away before it had sent its request in full; nobody is left to answer."""


def check_headers(headers: Mapping[bytes, bytes], *, max_bytes: int) -> None:
    """Raise `HttpError` where the headers tell that the body will not do; it has not been read then."""
    content_type = headers.get(b"content-type", b"")
    if not is_json(content_type):
        raise HttpError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request with the content type application/json, in UTF-8.",
            (b"accept-post", b"application/json"),
        )
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"identity", b""}:
        raise HttpError(
            415,
            "UNSUPPORTED_CONTENT_ENCODING",
            "Send the body of the request as it is, without a Content-Encoding.",
            (b"accept-encoding", b"identity"),
        )
    length = headers.get(b"content-length")
    if length is None:
        return
    if not length.isdigit():
        raise HttpError(400, "BAD_REQUEST", "The header Content-Length is not a number.")
    if len(length) > 15 or int(length) > max_bytes:
        raise too_large(max_bytes)


async def read_body(receive: Receive, *, max_bytes: int, seconds: float) -> bytes:
    """Return the body of a request. Raises `HttpError`, and `ClientDisconnected`.

    A small body mostly is there by the time that it is asked for, and then needs no timer.
    """
    following = receive()
    if isinstance(following, CoroutineType):
        try:
            following = _Resumed(following, following.send(None))
        except StopIteration as at_once:
            message: Message = at_once.value
            if message["type"] == "http.request" and not message.get("more_body"):
                whole: bytes = message.get("body", b"")
                if len(whole) > max_bytes:
                    raise too_large(max_bytes) from None
                return whole
            following = _ready(message)
    try:
        async with asyncio.timeout(seconds):
            return await _read_on(await following, receive, max_bytes)
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


def too_large(max_bytes: int) -> HttpError:
    """Return what is said of a body that is larger than `max_bytes`."""
    return HttpError(413, "REQUEST_TOO_LARGE", f"The body of the request is larger than {max_bytes:,} bytes.")


async def _ready(message: Message) -> Message:
    return message


class BufferedReceive:
    """A way to receive whose first message was asked for already. `whole` is the body, if that message has all of it."""

    __slots__ = ("_first", "_receive", "_waits", "whole")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._waits: Awaitable[Message] | None = None
        self.whole: bytes | None = None
        following = receive()
        if not isinstance(following, CoroutineType):
            self._waits = following
            return
        try:
            wait = following.send(None)
        except StopIteration as at_once:
            message: Message = at_once.value
            self._first = message
            if message["type"] == "http.request" and not message.get("more_body"):
                self.whole = message.get("body", b"")
        else:
            self._waits = _Resumed(following, wait)

    async def __call__(self) -> Message:
        """Return the next message."""
        first, self._first = self._first, None
        if first is not None:
            return first
        waits, self._waits = self._waits, None
        return await (waits or self._receive())


class _Resumed:
    """A coroutine that has been started, and waits for something, to be awaited to its end."""

    def __init__(self, coroutine: Coroutine[Any, Any, Message], wait: Any) -> None:
        self._coroutine = coroutine
        self._wait = wait

    def __await__(self) -> Generator[Any, Any, Message]:
        wait = self._wait
        try:
            while True:
                try:
                    sent = yield wait
                except BaseException as error:  # noqa: BLE001  # such as being cancelled: that is for the coroutine
                    wait = self._coroutine.throw(error)
                else:
                    wait = self._coroutine.send(sent)
        except StopIteration as end:
            message: Message = end.value
            return message
