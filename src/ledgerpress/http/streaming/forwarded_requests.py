"""Forward requests with the token of a reserved event stream to the worker that holds the reservation.

The system gives each connection to any worker, so the requests of one client reach several. The token of a reservation
contains the number of the worker that holds it. Another worker forwards the whole request: the holder runs it as if it
had received it, and asks the other worker to receive and to send each ASGI message. A message that the client does not
accept yet delays the holder, as on a connection of its own.
"""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.graphql.request_telemetry_record import CURRENT, RequestContext, Trace
from ledgerpress.http.limits import ConcurrencySlots
from ledgerpress.http.other_workers import NoResponse, OtherWorkers
from ledgerpress.http.request_rejection_error import HttpError, retry_after

_RUN: Final = "run request"
_RECEIVE: Final = "receive message of request"
_SEND: Final = "send message of request"
_SEPARATOR: Final = "."
"""It is not in the alphabet of tokens."""
_MAX_DIGITS: Final = 9
_SCOPE: Final = (
    "type", "http_version", "method", "scheme", "path", "raw_path", "root_path", "query_string", "headers",
)  # fmt: skip
"""The parts of an ASGI scope that the other worker gets."""
_DISCONNECT: Final[Message] = {"type": "http.disconnect"}
_END: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}


def worker_of(token: str) -> int | None:
    """Return the number of the worker that holds the reservation with this token, if the token contains one."""
    number, separator, _ = token.partition(_SEPARATOR)
    is_number = separator and number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS
    return int(number) if is_number else None


def token_of(worker: int, secret: str) -> str:
    """Return a token with the number of the worker that holds the reservation."""
    return f"{worker}{_SEPARATOR}{secret}"


class _Run(msgspec.Struct, array_like=True):
    """A request for another worker to run. `number` identifies it in the worker that forwards it."""

    number: int
    scope: dict[str, Any]
    client: tuple[str, int] | None
    id: str
    trace: Trace | None


@dataclass(slots=True, eq=False)
class _Exchange:
    """A request that this worker has forwarded."""

    receive: Receive
    send: Send
    has_begun: bool = False
    has_ended: bool = False
    is_closing: bool = False
    receiving: "asyncio.Future[Message] | None" = None

    async def next_message(self) -> Message:
        """Return the next message of the client, or a disconnection when the request ends."""
        if self.is_closing:
            return _DISCONNECT
        self.receiving = asyncio.ensure_future(self.receive())
        await asyncio.wait([self.receiving])
        return _DISCONNECT if self.receiving.cancelled() else self.receiving.result()

    async def pass_on(self, message: Message) -> None:
        """Send a message to the client."""
        self.has_begun = True
        self.has_ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self.send(message)

    def close(self) -> None:
        """End the request as if the client had disconnected."""
        self.is_closing = True
        if self.receiving is not None:
            self.receiving.cancel()


@dataclass(eq=False)
class ForwardedRequests:
    """The requests that this worker forwards, and those that it runs for others with `app`."""

    workers: OtherWorkers
    app: ASGIApp
    slots: ConcurrencySlots
    _exchanges: dict[int, _Exchange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.workers.serve({_RUN: self._run, _RECEIVE: self._receive, _SEND: self._send})

    @property
    def count(self) -> int:
        """The number of requests that are being forwarded."""
        return len(self._exchanges)

    async def forward(self, worker: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Let another worker answer a request. Raises `HttpError` if it has ended or does not respond."""
        number, exchange = next(self._numbers), _Exchange(receive, send)
        self._exchanges[number] = exchange
        context = CURRENT.get()
        run = _Run(
            number,
            {name: scope[name] for name in _SCOPE if name in scope},
            scope.get("client"),
            context.id if context else "",
            context.trace if context else None,
        )
        try:
            with self.slots.without_slot():  # the request takes a slot of the other worker
                await self.workers.ask(worker, _RUN, msgspec.msgpack.encode(run), timeout=None)
        except NoResponse as error:
            if not exchange.has_begun:
                raise _unanswered(error) from error
        finally:
            del self._exchanges[number]
            exchange.close()
        if exchange.has_begun and not exchange.has_ended:
            await send(_END)

    def close_all(self) -> None:
        """End all requests that are being forwarded: the process is about to stop."""
        for exchange in self._exchanges.values():
            exchange.close()

    async def _run(self, sender: int, payload: bytes) -> bytes:
        """Run the request of another worker, and respond when it has been answered."""
        run = msgspec.msgpack.decode(payload, type=_Run)
        CURRENT.set(RequestContext(run.id, run.trace))
        number = msgspec.msgpack.encode(run.number)

        async def receive() -> Message:
            try:
                message = await self.workers.ask(sender, _RECEIVE, number, timeout=None)
            except NoResponse:
                return _DISCONNECT
            decoded: MutableMapping[str, Any] = msgspec.msgpack.decode(message)
            return decoded

        async def send(message: Message) -> None:
            try:
                await self.workers.ask(
                    sender, _SEND, msgspec.msgpack.encode((run.number, message)), timeout=None
                )
            except NoResponse as error:
                raise ConnectionResetError(str(error)) from error

        self.slots.in_use += 1
        try:
            await self.app(_scope(run), receive, send)
        except ConnectionResetError:  # the other worker or its client has gone
            pass
        finally:
            self.slots.in_use -= 1
        return b""

    async def _receive(self, _sender: int, payload: bytes) -> bytes:
        exchange = self._exchanges.get(msgspec.msgpack.decode(payload, type=int))
        message = _DISCONNECT if exchange is None else await exchange.next_message()
        return msgspec.msgpack.encode(message)

    async def _send(self, _sender: int, payload: bytes) -> bytes:
        number, message = msgspec.msgpack.decode(payload, type=tuple[int, dict[str, Any]])
        exchange = self._exchanges.get(number)
        if exchange is not None:
            if "headers" in message:
                message["headers"] = [(name, value) for name, value in message["headers"]]
            await exchange.pass_on(message)
        return b""


def _scope(run: _Run) -> Scope:
    scope = run.scope
    scope["headers"] = [(name, value) for name, value in scope["headers"]]
    scope["client"] = run.client
    scope["asgi"] = {"version": "3.0"}
    return scope


def _unanswered(error: NoResponse) -> HttpError:
    if error.is_gone:
        return HttpError(
            404, "NOT_FOUND", "Stream not found: its server process has ended. Reserve a stream by PUT."
        )
    message = "The server process that holds this stream does not respond. Try again."
    return HttpError(503, "TOO_BUSY", message, retry_after(1))
