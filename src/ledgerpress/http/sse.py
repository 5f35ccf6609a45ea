"""GraphQL over server-sent events, distinct connections mode (PROTOCOL.md of npm's graphql-sse): a stream each."""

import asyncio
from typing import Any, Final

from graphql import OperationType
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.application.access import Door, Identity, Unauthenticated
from ledgerpress.graphql.documents import Refused
from ledgerpress.graphql.live.hub import Live
from ledgerpress.http import live_requests
from ledgerpress.http.event_stream import EventStream
from ledgerpress.http.live_requests import Asked, StreamRefused
from ledgerpress.http.operations import Operations
from ledgerpress.http.rechecking import rechecked

CHALLENGE: Final = (b"www-authenticate", b"Bearer")
_ONLY: Final = ""


class EventStreams:
    """Answers requests that ask for an event stream of one operation; an ASGI application."""

    def __init__(self, live: Live, door: Door) -> None:
        self._live = live
        self._door = door
        self._open: set[EventStream] = set()

    @staticmethod
    def handles(scope: Scope) -> bool:
        """Return whether a request is for an event stream, and so for this application."""
        return (
            scope["type"] == "http"
            and scope["method"] in {"GET", "POST"}
            and live_requests.prefers_event_stream(scope)
        )

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is wrong with its document is told by the stream, as the protocol wants."""
        try:
            asked = await live_requests.read(scope, receive)
            check_method(self._live, asked, scope)
            identity = await self._door.identify(Headers(scope=scope).get("authorization"))
        except StreamRefused as refusal:
            await live_requests.refuse(send, refusal, *allow(refusal))
            return
        except Unauthenticated as error:
            await live_requests.refuse(send, StreamRefused(401, str(error)), CHALLENGE)
            return
        stream = EventStream(self._live.settings, of_many=False)
        operations = Operations(self._live, stream)
        self._open.add(stream)
        checking = recheck(self._live, self._door, scope, identity, stream)
        try:
            after = live_requests.last_event_id(scope)
            operations.start(_ONLY, asked.query, asked.variables, asked.operation_name, identity, after=after)
            await stream.run(receive, send)
        finally:
            checking.cancel()
            operations.stop_all()
            self._open.discard(stream)

    def close_all(self) -> None:
        """End all streams: the server is to stop. Browsers come again with the position of the last event."""
        for stream in list(self._open):
            stream.end()


def check_method(live: Live, asked: Asked, scope: Scope) -> None:
    """Raise `StreamRefused` for a mutation by GET (GraphQL over HTTP, 5.3)."""
    if scope["method"] != "GET":
        return
    try:
        operation = live.engine.documents.operation(asked.query, asked.operation_name)
    except Refused:
        return
    if operation.type is OperationType.MUTATION:
        raise StreamRefused(405, "A mutation cannot be sent by GET: send it by POST.")


def allow(refusal: StreamRefused) -> list[tuple[bytes, bytes]]:
    """Return the header that a 405 needs (RFC 9110, 15.5.6)."""
    return [(b"allow", b"POST")] if refusal.status == 405 else []


def recheck(
    live: Live, door: Door, scope: Scope, identity: Identity, stream: EventStream
) -> asyncio.Task[Any]:
    """End the stream when what the request showed is not good any more; cancel the task when it has ended."""

    async def until_invalid() -> None:
        authorization = Headers(scope=scope).get("authorization")
        if authorization is not None:
            why = await rechecked(door, authorization, identity, live.settings)
            await stream.errors(_ONLY, [{"message": why, "extensions": {"code": "UNAUTHENTICATED"}}])
            stream.end()

    return asyncio.create_task(until_invalid(), name="token of an event stream")
