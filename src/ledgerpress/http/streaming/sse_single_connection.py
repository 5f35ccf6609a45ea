"""GraphQL over server-sent events, single connection mode (PROTOCOL.md of npm's graphql-sse).

A client reserves a stream (PUT) and opens it (GET or POST that accepts text/event-stream). It starts operations with
separate requests (GET or POST) and ends them (DELETE). All later requests contain the token of the reservation.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.commands.client_identity import Identity
from ledgerpress.http import content_negotiation
from ledgerpress.http.other_workers import OtherWorkers
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.headers_and_body import ClientDisconnected
from ledgerpress.http.responses import send_error
from ledgerpress.http.streaming import stream_requests
from ledgerpress.http.streaming.connection_operation_runner import MAX_ID_CHARACTERS, ConnectionOperations
from ledgerpress.http.streaming.forwarded_requests import ForwardedRequests, token_of, worker_of
from ledgerpress.http.streaming.sse import EventStream, EventStreams
from ledgerpress.http.streaming.stream_requests import StreamRequests

TOKEN_HEADER: Final = "x-graphql-event-stream-token"  # noqa: S105 - the name of a header
_ALLOW: Final = (b"allow", b"GET, POST, PUT, DELETE")
_TEXT: Final = frozenset({"*/*", "text/*", "text/plain"})


@dataclass(frozen=True, slots=True, eq=False)
class _Reservation:
    """A stream that the client with its token has opened, or will open."""

    stream: EventStream
    operations: ConnectionOperations
    identity: Identity
    expiry: asyncio.TimerHandle
    watching: asyncio.Task[None]


class Reservations:
    """An ASGI application for single connection mode. Holds the reserved streams, open or not."""

    def __init__(
        self, requests: StreamRequests, distinct: EventStreams, workers: OtherWorkers | None = None
    ) -> None:
        self._requests = requests
        self._workers = workers
        self._forwarded = (
            None if workers is None else ForwardedRequests(workers, self._handle, requests.slots)
        )
        self._settings = requests.hub.settings
        self._distinct = distinct
        self._reserved: dict[str, _Reservation] = {}

    @property
    def count(self) -> int:
        """The number of reserved streams, open or not."""
        return len(self._reserved)

    @property
    def forwarded(self) -> int:
        """The number of requests that another worker answers, with its reservation."""
        return self._forwarded.count if self._forwarded else 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the worker answer it that holds the reservation."""
        holder = worker_of(_token(scope) or "") if self._workers is not None else None
        if self._workers is None or self._forwarded is None or holder in {None, self._workers.worker}:
            await self._handle(scope, receive, send)
            return
        try:
            await self._forwarded.forward(holder, scope, receive, send)
        except HttpError as error:
            if scope["method"] == "PUT":  # the worker has ended, and its reservations with it
                await self._handle(scope, receive, send)
            else:
                await send_error(send, error)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        by_method: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
            "PUT": self._reserve,
            "GET": self._open_or_start,
            "POST": self._open_or_start,
            "DELETE": self._stop,
        }
        handle = by_method.get(scope["method"])
        if handle is None:
            await stream_requests.send_text(send, 405, b"", b"", _ALLOW)
            return
        try:
            await handle(scope, receive, send)
        except HttpError as error:
            await send_error(send, error)
        except ClientDisconnected:
            return

    def close_all(self) -> None:
        """End all streams: the server is about to stop."""
        if self._forwarded is not None:
            self._forwarded.close_all()
        for token in list(self._reserved):
            self._drop(token)

    async def _reserve(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        accept = headers.get("accept", "*/*")[: content_negotiation.MAX_HEADER]
        accepted = {part.partition(";")[0].strip() for part in accept.split(",")}
        if not accepted & _TEXT:
            raise HttpError(
                406, "NOT_ACCEPTABLE", "Accept text/plain: the token of a reservation is sent as text."
            )
        if _token(scope) in self._reserved:
            raise HttpError(
                409,
                "CONFLICT",
                "Stream already registered: the request has the token of a reserved stream. Remove it.",
            )
        if len(self._reserved) >= self._settings.max_reservations:
            raise HttpError(503, "TOO_BUSY", "Too many event streams are reserved. Try again later.")
        identity = await self._requests.identify(scope)
        token = secrets.token_urlsafe(32)
        if self._workers is not None:
            token = token_of(self._workers.worker, token)
        stream = EventStream(self._requests, of_many=True)
        seconds = self._settings.reservation_seconds
        expiry = asyncio.get_running_loop().call_later(seconds, self._drop, token)
        watching = stream.watch(scope, identity)
        operations = self._requests.operations(stream)
        self._reserved[token] = _Reservation(stream, operations, identity, expiry, watching)
        await stream_requests.send_text(send, 201, token.encode(), b"text/plain")

    async def _open_or_start(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not content_negotiation.prefers_event_stream(scope["headers"]):
            await self._start(scope, receive, send)
        elif _token(scope) is None:
            await self._distinct(scope, receive, send)
        else:
            await self._open(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. The reservation ends with the connection, so a lost stream cannot be opened again."""
        token, reservation = self._find(scope)
        if reservation.stream.is_open:
            raise HttpError(
                409,
                "CONFLICT",
                "Stream already open: a reservation is for one connection. Reserve another stream.",
            )
        reservation.expiry.cancel()
        try:
            await reservation.stream.run(scope, receive, send)
        finally:
            self._drop(token)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, reservation = self._find(scope)
        identity = await self._requests.identify(scope)
        if identity.scope != reservation.identity.scope or identity.actor_id != reservation.identity.actor_id:
            raise HttpError(
                403, "FORBIDDEN", "The stream was reserved by another client. Reserve one with this token."
            )
        request, resolved = await self._requests.read(scope, receive)
        id_ = (request.extensions or {}).get("operationId")
        if not isinstance(id_, str) or not id_:
            raise HttpError(
                400, "BAD_REQUEST", "Operation ID is missing: send it as extensions.operationId, a string."
            )
        if len(id_) > MAX_ID_CHARACTERS:
            raise HttpError(
                400, "BAD_REQUEST", f"The operation ID is longer than {MAX_ID_CHARACTERS} characters."
            )
        if id_ in reservation.operations:
            raise _in_progress()
        resolved = resolved or await self._requests.resolve(request)
        if id_ in reservation.operations:
            raise _in_progress()
        headers = self._requests.headers(scope)
        reservation.operations.start(id_, request, identity, headers=headers, resolved=resolved)
        await stream_requests.send_text(send, 202)

    async def _stop(self, scope: Scope, _receive: Receive, send: Send) -> None:
        _, reservation = self._find(scope)
        id_ = _parameter(scope, "operationId")
        if not id_:
            raise HttpError(
                400, "BAD_REQUEST", "Operation ID is missing: send it as the parameter operationId."
            )
        reservation.operations.stop(id_)
        await stream_requests.send_text(send, 200)

    def _find(self, scope: Scope) -> tuple[str, _Reservation]:
        token = _token(scope)
        reservation = self._reserved.get(token or "")
        if token is None or reservation is None:
            raise HttpError(404, "NOT_FOUND", "Stream not found: reserve a stream by PUT and send its token.")
        return token, reservation

    def _drop(self, token: str) -> None:
        reservation = self._reserved.pop(token, None)
        if reservation is not None:
            reservation.expiry.cancel()
            reservation.watching.cancel()
            reservation.operations.stop_all()
            reservation.stream.end()


def _in_progress() -> HttpError:
    return HttpError(
        409,
        "CONFLICT",
        "Operation with ID already exists: it is in progress on this stream. Send another ID.",
    )


def _token(scope: Scope) -> str | None:
    return Headers(scope=scope).get(TOKEN_HEADER) or _parameter(scope, "token")


def _parameter(scope: Scope, name: str) -> str | None:
    try:
        parameters = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=64)
    except ValueError:
        return None
    return parameters[name][0] if name in parameters else None
