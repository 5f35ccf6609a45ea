"""GraphQL over WebSocket by the subprotocol graphql-transport-ws (PROTOCOL.md of npm's graphql-ws)."""

import asyncio
import logging
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from ledgerpress.commands.identity import Authenticator, Identity, Unauthenticated
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.messages import ResultMessage
from ledgerpress.http.errors import HttpError
from ledgerpress.http.graphql.request_parsing import GraphQLRequest
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.streaming import websocket_messages as messages
from ledgerpress.http.streaming.reauthentication import reauthenticate
from ledgerpress.http.streaming.stream_requests import StreamRequests
from ledgerpress.http.streaming.websocket_messages import SUBPROTOCOL, Closing
from ledgerpress.http.streaming.websocket_origin import is_allowed_origin

logger = logging.getLogger(__name__)

_GONE: Final = "websocket.disconnect"


class Sockets:
    """The sockets of a process; an ASGI application for their handshakes."""

    def __init__(
        self,
        live: SubscriptionHub,
        door: Authenticator,
        rates: RateLimiter,
        requests: StreamRequests,
    ) -> None:
        self._live = live
        self._rates = rates
        self._door = door
        self._requests = requests
        self._open: set[_Socket] = set()

    @property
    def count(self) -> int:
        """How many sockets are open."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one socket, from its handshake to its end."""
        await receive()
        if not is_allowed_origin(scope, self._live.settings.allowed_origins):
            await _refuse(scope, send)
            return
        if SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        socket = _Socket(self._live, self._door, self._rates, self._requests, scope, receive, send)
        self._open.add(socket)
        try:
            await socket.run()
        finally:
            self._open.discard(socket)

    def close_all(self) -> None:
        """Send everyone away: the server is to stop."""
        for socket in list(self._open):
            socket.close(Closing(1001, "The server is going away: connect again."))


class _Socket:
    """One socket; it is the channel of its operations."""

    def __init__(
        self,
        live: SubscriptionHub,
        door: Authenticator,
        rates: RateLimiter,
        requests: StreamRequests,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._live = live
        self._door = door
        self._headers = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._rates = rates
        self._scope = scope
        self._requests = requests
        self._authorization: str | None = None
        self._operations = requests.operations(self, self._admit)
        self._identity: Identity | None = None
        self._rechecking: asyncio.Task[None] | None = None
        self._task = asyncio.current_task()
        self._closing: Closing | None = None

    async def run(self) -> None:
        """Answer messages until the socket closes."""
        try:
            await self._initialised()
            while True:
                await self._answer(await self._message())
        except Closing as closing:
            self._closing = closing
        except (_Gone, OSError):
            return
        except asyncio.CancelledError:
            if self._closing is None or self._task is None:
                raise
            self._task.uncancel()
        finally:
            self._operations.stop_all()
            if self._rechecking is not None:
                self._rechecking.cancel()
        await self._say_goodbye(self._closing)

    def close(self, closing: Closing) -> None:
        """Close the socket, from another task."""
        if self._closing is None and self._task is not None:
            self._closing = closing
            self._task.cancel()

    async def next(self, id_: str, event: ResultMessage) -> None:
        """Send a result."""
        if event.frame is None or event.frame[0] != ("websocket", id_):
            text = messages.next_message(id_, event.payload)
            event.frame = ("websocket", id_), {"type": "websocket.send", "text": text}
        await self._send(event.frame[1])

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Send that an operation has ended with errors."""
        await self._say(messages.error(id_, errors))

    async def complete(self, id_: str) -> None:
        """Send that an operation has ended."""
        await self._say(messages.complete(id_))

    def abandon(self) -> None:
        """Close the socket, which takes nothing more."""
        self.close(Closing(1013, "The connection does not take what is sent to it."))

    async def _initialised(self) -> None:
        """Wait for the connection_init, and acknowledge it. Raises `Closing`."""
        try:
            async with asyncio.timeout(self._live.settings.init_seconds):
                while (message := await self._message()).type != "connection_init":
                    await self._answer(message)
        except TimeoutError:
            raise Closing(4408, "Connection initialisation timeout") from None
        authorization = (message.payload or {}).get("authorization")
        if authorization is None:
            header = self._headers.get(b"authorization")
            authorization = None if header is None else header.decode("latin-1")
        if authorization is not None and not isinstance(authorization, str):
            raise Closing(
                4403, "The authorization in the payload is a string, as in the header of that name."
            )
        self._authorization = authorization
        self._identity = await self._identified()
        await self._say('{"type":"connection_ack"}')
        if authorization is not None:
            watching = reauthenticate(self._door, authorization, self._identity, self._live.settings)
            self._rechecking = asyncio.create_task(self._until_invalid(watching), name="token of a socket")

    async def _identified(self) -> Identity:
        """Return whose the socket is now: what was shown may be good no more. Raises `Closing`."""
        try:
            return await self._rates.identify(self._scope, self._authorization)
        except Unauthenticated as error:
            raise Closing(4403, f"Forbidden: {error}") from None
        except HttpError as refusal:
            raise Closing(1013, str(refusal)) from None

    def _admit(self, request: GraphQLRequest, identity: Identity) -> None:
        """Raise `HttpError` for an operation that a request over HTTP could not have asked for just now."""
        self._rates.take(self._scope, identity)
        self._requests.check(request)

    async def _until_invalid(self, watching: Any) -> None:
        self.close(Closing(4403, f"Forbidden: {await watching}"))

    async def _answer(self, message: messages.Message) -> None:
        if message.type == "ping":
            await self._say(messages.pong(message.payload))
        elif message.type == "complete":
            self._operations.stop(message.id)
        elif message.type == "connection_init":
            raise Closing(4429, "Too many initialisation requests")
        elif message.subscribe is not None:
            if self._identity is None:
                raise Closing(4401, "Unauthorized")
            if message.id in self._operations:
                raise Closing(4409, f"Subscriber for {message.id} already exists")
            self._identity = await self._identified()
            self._operations.start(message.id, message.subscribe, self._identity)

    async def _message(self) -> messages.Message:
        """Return the client's next message. Raises `Closing` for what is none, and `_Gone`."""
        received: Message = await self._receive()
        if received["type"] == _GONE:
            raise _Gone
        text: str | None = received.get("text")
        if text is None:
            raise Closing(4400, "A message is sent as text.")
        if len(text) > self._live.settings.max_message_bytes:
            raise Closing(1009, "The message is too large.")
        return messages.read(text)

    async def _say(self, text: str) -> None:
        """Send a message. Raises `OSError` where the client has gone, or takes nothing."""
        async with asyncio.timeout(self._live.settings.send_seconds):
            await self._send({"type": "websocket.send", "text": text})

    async def _say_goodbye(self, closing: Closing | None) -> None:
        if closing is None:
            return
        try:
            async with asyncio.timeout(self._live.settings.send_seconds):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
        except OSError:
            return


class _Gone(Exception):
    """The client has gone."""


async def _refuse(scope: Scope, send: Send) -> None:
    """Refuse a handshake with 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = b"This origin may not open a WebSocket here.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
