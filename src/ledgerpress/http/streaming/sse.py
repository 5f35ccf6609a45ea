"""GraphQL over server-sent events (HTML, 9.2): the event stream for both modes, and the distinct connections mode.

In distinct connections mode, each operation has its own stream (PROTOCOL.md of npm's graphql-sse).
"""

import asyncio
from asyncio import WriteTransport
from collections.abc import Awaitable
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.commands.client_identity import Identity
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, to_json
from ledgerpress.graphql.subscriptions.subscriber import Sender
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.headers_and_body import ClientDisconnected
from ledgerpress.http.responses import send_error
from ledgerpress.http.streaming import stream_requests
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.uvicorn_direct_write import accepts_at_once, chunk_of, response_transport
from ledgerpress.rest_of_started_coroutine import start

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_KEEP_ALIVE: Final = b":\n\n"


class EventStream:
    """A response that stays open while it carries events.

    With `of_many`, the stream carries many operations, and each event contains the id of its operation. Otherwise it
    carries one operation and ends with it. Events wait until the stream has been opened.
    """

    __slots__ = ("_ended", "_of_many", "_opened", "_requests", "_send", "_settings", "_transport")

    def __init__(self, requests: StreamRequests, *, of_many: bool) -> None:
        self._requests = requests
        self._settings = requests.hub.settings
        self._of_many = of_many
        self._opened = asyncio.Event()
        self._send: Send
        self._transport: WriteTransport | None = None
        self._ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Whether the stream has been opened. A stream is opened only once."""
        return self._opened.is_set()

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response until the client disconnects or the stream ends."""
        with self._requests.slots.without_slot():
            await self._run(scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        self._opened.set()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        disconnected = asyncio.create_task(_disconnect(receive), name="event stream")
        self._transport = response_transport(scope)
        try:
            await self._write(_KEEP_ALIVE)  # some browsers wait for the first bytes
            while not disconnected.done() and not self._ended.done():
                ends: set[asyncio.Future[Any]] = {disconnected, self._ended}
                done, _ = await asyncio.wait(
                    ends,
                    timeout=self._settings.keep_alive_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    await self._write(_KEEP_ALIVE)
            self._transport = None
            if not disconnected.done():
                await self._write(b"", more=False)
        except OSError:
            return
        finally:
            disconnected.cancel()

    def watch(self, scope: Scope, identity: Identity) -> "asyncio.Task[None]":
        """End the stream when its token becomes invalid. The caller cancels the task after the stream has ended."""

        async def watch() -> None:
            authorization = Headers(scope=scope).get("authorization")
            if authorization is not None:
                reason = await self._requests.invalidation(authorization, identity)
                if self._ended.done():
                    return
                try:
                    await self.errors("", [{"message": reason, "extensions": {"code": "UNAUTHENTICATED"}}])
                finally:  # even if the client does not accept the message
                    self.end()

        return asyncio.create_task(watch(), name="token of an event stream")

    def end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(True)

    def sender(self, id_: str) -> Sender:
        return _SenderOfOne(self) if not self._of_many else _SenderOfMany(self, id_)

    def send_event(self, body: bytes, chunk: bytes) -> Awaitable[None] | None:
        """Send an event and return the rest as `Sender.send` does. `chunk` is the chunk with `body`."""
        transport = self._transport
        if transport is not None and accepts_at_once(transport):
            transport.write(chunk)
            return None
        return start(self._send_event(body))

    async def _send_event(self, body: bytes) -> None:
        if not self._opened.is_set():
            await self._opened.wait()
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Report that an operation has ended with errors, as a result: the protocol has no message for errors."""
        await self._opened.wait()
        payload = to_json({"errors": errors})
        data = f'{{"id":{to_json(id_)},"payload":{payload}}}' if self._of_many else payload
        await self._write(f"event: next\ndata: {data}\n\n".encode())
        await self.complete(id_)

    async def complete(self, id_: str) -> None:
        await self._opened.wait()
        data = f'{{"id":{to_json(id_)}}}' if self._of_many else ""
        await self._write(f"event: complete\ndata: {data}\n\n".encode())
        if not self._of_many:
            self.end()

    def abandon(self) -> None:
        """End the stream: the client no longer accepts events."""
        self.end()

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._settings.send_seconds):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})


class _SenderOfOne:
    """Sends the results of the only operation of a stream."""

    __slots__ = ("_stream",)

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    def send(self, event: ResultMessage) -> Awaitable[None] | None:
        frame = event.frame
        if frame is None or frame[0] != "event stream":
            body = f"event: next\nid: {event.position}\ndata: {event.payload}\n\n".encode()
            frame = event.frame = "event stream", (body, chunk_of(body))
        return self._stream.send_event(*frame[1])


class _SenderOfMany:
    """Sends the results of one of the operations of a stream."""

    __slots__ = ("_beginning", "_stream")

    def __init__(self, stream: EventStream, id_: str) -> None:
        self._beginning = f'event: next\ndata: {{"id":{to_json(id_)},"payload":'.encode()
        self._stream = stream

    def send(self, event: ResultMessage) -> Awaitable[None] | None:
        frame = event.frame
        if frame is None or frame[0] != "event stream of many":
            frame = event.frame = "event stream of many", f"{event.payload}}}\n\n".encode()
        body = self._beginning + frame[1]
        return self._stream.send_event(body, chunk_of(body))


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStreams:
    """An ASGI application for distinct connections mode: each request gets an event stream with one operation."""

    def __init__(self, requests: StreamRequests) -> None:
        self._requests = requests
        self._open: set[EventStream] = set()

    @property
    def count(self) -> int:
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Errors in its document are sent in the stream, as the protocol requires."""
        try:
            request, resolved = await self._requests.read(scope, receive)
            identity = await self._requests.identify(scope)
        except HttpError as error:
            await send_error(send, error)
            return
        except ClientDisconnected:
            return
        stream = EventStream(self._requests, of_many=False)
        operations = self._requests.operations(stream)
        self._open.add(stream)
        watching = stream.watch(scope, identity)
        try:
            after, headers = stream_requests.last_event_id(scope), self._requests.headers(scope)
            operations.start("", request, identity, after=after, headers=headers, resolved=resolved)
            await stream.run(scope, receive, send)
        finally:
            watching.cancel()
            operations.stop_all()
            self._open.discard(stream)

    def close_all(self) -> None:
        """End all streams: the server is about to stop. Browsers reconnect with the position of the last event."""
        for stream in list(self._open):
            stream.end()
