"""GraphQL over WebSocket with the subprotocol graphql-transport-ws (PROTOCOL.md of npm's graphql-ws)."""

import asyncio
import logging
from asyncio import WriteTransport
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeAlias

from starlette.types import Message, Receive, Scope, Send

from ledgerpress.commands.client_identity import Identity
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage
from ledgerpress.graphql.subscriptions.subscriber import Sender
from ledgerpress.http.middleware.access_log import MAX_CHARACTERS
from ledgerpress.http.request_rejection_error import UNAUTHENTICATED, HttpError
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from ledgerpress.http.streaming import websocket_messages as messages
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.uvicorn_direct_write import accepts_at_once, frame_head, websocket_transport
from ledgerpress.http.streaming.websocket_messages import SUBPROTOCOL, Closing
from ledgerpress.network_names import is_allowed_origin, without_default_port
from ledgerpress.rest_of_started_coroutine import start

logger = logging.getLogger(__name__)

NOT_READING: Final = (1013, "The client does not accept the messages that are sent to it.")
"""The code and the reason for clients that stop reading."""
_DISCONNECT: Final = "websocket.disconnect"
_CoroutineSend: TypeAlias = Callable[[Message], Coroutine[Any, Any, None]]


class Sockets:
    """An ASGI application for WebSockets. Holds the open sockets of the process."""

    def __init__(self, requests: StreamRequests) -> None:
        self._requests = requests
        self._open: set[_Socket] = set()

    @property
    def count(self) -> int:
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one socket, from its handshake to its end."""
        with suppress(OSError):  # the client has disconnected
            await self._handle(scope, receive, _raising_oserror(send))

    async def _handle(self, scope: Scope, receive: Receive, send: _CoroutineSend) -> None:
        await receive()
        if not _has_allowed_origin(scope, self._requests.hub.settings.allowed_origins):
            await send({"type": "websocket.close"})  # the server answers the handshake with 403
            return
        if SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        socket = _Socket(self._requests, scope, receive, send)
        self._open.add(socket)
        try:
            await socket.run()
        finally:
            self._open.discard(socket)

    def close_all(self) -> None:
        """Close all sockets: the server is about to stop."""
        for socket in list(self._open):
            socket.close(Closing(1001, "The server is stopping. Connect again."))


class _Socket:
    """A WebSocket. It is the channel of its operations."""

    def __init__(
        self, requests: StreamRequests, scope: Scope, receive: Receive, send: _CoroutineSend
    ) -> None:
        self._requests = requests
        self._rates = requests.rates
        self._settings = requests.hub.settings
        self._scope = scope
        self._receive = receive
        self._send = send
        self._transport = websocket_transport(scope)
        self._authorization: str | None = None
        self._operations = requests.operations(self, self._admit)
        self._identity: Identity | None = None
        self._watching: asyncio.Task[None] | None = None
        self._task = asyncio.current_task()
        self._closing: Closing | None = None

    async def run(self) -> None:
        """Answer messages until the socket closes."""
        try:
            await self._initialise()
            while True:
                await self._handle(await self._receive_message())
        except Closing as closing:
            self._closing = closing
        except (_Disconnected, OSError):
            return
        except asyncio.CancelledError:
            if self._closing is None or self._task is None:
                raise
            self._task.uncancel()
        finally:
            self._operations.stop_all()
            if self._watching is not None:
                self._watching.cancel()
        await self._send_close(self._closing)

    def close(self, closing: Closing) -> None:
        """Close the socket from another task."""
        if self._closing is None and self._task is not None:
            self._closing = closing
            self._task.cancel()

    def sender(self, id_: str) -> Sender:
        return _ResultSender(id_, self._send, self._transport)

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        await self._send_text(messages.error(id_, errors))

    async def complete(self, id_: str) -> None:
        await self._send_text(messages.complete(id_))

    def abandon(self) -> None:
        """Close the socket: the client no longer accepts messages."""
        self.close(Closing(*NOT_READING))

    async def _initialise(self) -> None:
        """Wait for connection_init and acknowledge it. Raises `Closing`."""
        try:
            async with asyncio.timeout(self._settings.init_seconds):
                while (message := await self._receive_message()).type != "connection_init":
                    await self._handle(message)
        except TimeoutError:
            raise Closing(4408, "Connection initialisation timeout") from None
        authorization = (message.payload or {}).get("authorization")
        if authorization is None:
            header = dict(self._scope["headers"]).get(b"authorization")
            authorization = None if header is None else header.decode("latin-1")
        if authorization is not None and not isinstance(authorization, str):
            raise Closing(
                4403, "authorization in the payload must be a string, as in the Authorization header."
            )
        self._authorization = authorization
        self._identity = await self._identify()
        await self._send_text('{"type":"connection_ack"}')
        if authorization is not None:
            reason = self._requests.invalidation(authorization, self._identity)
            self._watching = asyncio.create_task(self._close_when_invalid(reason), name="token of a socket")

    async def _identify(self) -> Identity:
        """Return the current identity of the client. Raises `Closing` if its token is no longer valid."""
        try:
            return await self._rates.identify(self._scope, self._authorization)
        except HttpError as error:
            if error.status == UNAUTHENTICATED:
                raise Closing(4403, f"Forbidden: {error}") from None
            raise Closing(1013, str(error)) from None

    def _admit(self, request: GraphQLRequest, identity: Identity) -> None:
        """Count an operation against the rate limit and check its request. Raises `HttpError`."""
        self._rates.take(self._scope, identity)
        self._requests.check(request)

    async def _close_when_invalid(self, reason: Coroutine[Any, Any, str]) -> None:
        self.close(Closing(4403, f"Forbidden: {await reason}"))

    async def _handle(self, message: messages.Message) -> None:
        if message.type == "ping":
            await self._send_text(messages.pong(message.payload))
        elif message.type == "complete":
            self._operations.stop(message.id)
        elif message.type == "connection_init":
            raise Closing(4429, "Too many initialisation requests")
        elif message.subscribe is not None:
            if self._identity is None:
                raise Closing(4401, "Unauthorized")
            if message.id in self._operations:
                raise Closing(4409, f"Subscriber for {message.id} already exists")
            self._identity = await self._identify()
            self._operations.start(message.id, message.subscribe, self._identity)

    async def _receive_message(self) -> messages.Message:
        """Return the client's next message. Raises `Closing` for an invalid message, and `_Disconnected`."""
        received: Message = await self._receive()
        if received["type"] == _DISCONNECT:
            raise _Disconnected
        text: str | None = received.get("text")
        if text is None:
            raise Closing(4400, "The message is binary. Send messages as text.")
        if len(text) > self._settings.max_message_bytes:
            raise Closing(1009, "The message is too large.")
        return messages.read(text)

    async def _send_text(self, text: str) -> None:
        """Send a message. Raises `OSError` if the client has disconnected or does not accept the message."""
        async with asyncio.timeout(self._settings.send_seconds):
            await self._send({"type": "websocket.send", "text": text})

    async def _send_close(self, closing: Closing | None) -> None:
        if closing is None:
            return
        try:
            async with asyncio.timeout(self._settings.send_seconds):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
        except OSError:
            return


class _ResultSender:
    """Sends the results of one operation, which is stopped before its socket is closed.

    It uses as few objects as possible, since reading those of a thousand subscribers takes longer than the code.
    """

    __slots__ = ("_beginning", "_send", "_transport")

    def __init__(self, id_: str, send: _CoroutineSend, transport: WriteTransport | None) -> None:
        self._beginning = messages.next_beginning(id_).encode()
        self._send = send
        self._transport = transport

    def send(self, event: ResultMessage) -> Awaitable[None] | None:
        frame = event.frame
        if frame is None or frame[0] != "websocket":
            frame = event.frame = "websocket", messages.next_rest(event.payload).encode()
        beginning, rest, transport = self._beginning, frame[1], self._transport
        if transport is not None and accepts_at_once(transport):
            # The rest is the same object for all subscribers: it is not copied, even if a client does not read.
            transport.writelines((frame_head(len(beginning) + len(rest)) + beginning, rest))
            return None
        return start(self._send({"type": "websocket.send", "text": (beginning + rest).decode()}))


class _Disconnected(Exception):
    """The client has disconnected."""


def _raising_oserror(send: Send) -> _CoroutineSend:
    """Return a `send` that raises `OSError` after the end of the connection, as ASGI requires.

    uvicorn raises `RuntimeError` if it has closed the connection itself, for example after an invalid frame.
    """

    async def sending(message: Message) -> None:
        try:
            await send(message)
        except RuntimeError as error:
            raise OSError(str(error)) from error

    return sending


def _has_allowed_origin(scope: Scope, allowed: Collection[str]) -> bool:
    """Return whether a handshake comes from a program, from a page of this server, or from an origin in `allowed`.

    Browsers let any page open a WebSocket to any site, and send cookies with it (cross-site WebSocket hijacking). But
    they always send `Origin` (RFC 6455, 4.1). For pages of this server, the scheme is not compared, since a proxy may
    hide it.
    """
    headers = dict(scope["headers"])
    if b"origin" not in headers:
        return True
    origin = headers[b"origin"].decode("latin-1").lower()
    own = headers.get(b"host", b"").decode("latin-1").lower()
    scheme, _, host = origin.partition("://")
    if is_allowed_origin(origin, allowed) or (
        scheme in {"http", "https"} and host == without_default_port(scheme, own)
    ):
        return True
    logger.warning(
        "a WebSocket from a page of %s was rejected, since the page is not of %s: add the origin to live.allowed_origins "
        "if the page is yours; if it is a page of this server, let the proxy pass on the Host header with its port",
        origin[:MAX_CHARACTERS],
        own[:MAX_CHARACTERS],
    )
    return False
