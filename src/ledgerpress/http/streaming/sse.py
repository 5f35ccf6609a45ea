"""GraphQL over server-sent events, distinct connections mode (PROTOCOL.md of npm's graphql-sse): a stream each."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.commands.identity import Authenticator, Identity
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http.errors import HttpError
from ledgerpress.http.graphql.request_body import ClientDisconnected
from ledgerpress.http.responses import send_refusal
from ledgerpress.http.streaming import stream_requests
from ledgerpress.http.streaming.event_stream import EventStream
from ledgerpress.http.streaming.reauthentication import reauthenticate
from ledgerpress.http.streaming.stream_requests import StreamRequests

_ONLY: Final = ""


class EventStreams:
    """Answers requests that ask for an event stream of one operation; an ASGI application."""

    def __init__(self, live: SubscriptionHub, door: Authenticator, requests: StreamRequests) -> None:
        self._live = live
        self._door = door
        self._requests = requests
        self._open: set[EventStream] = set()

    @staticmethod
    def handles(scope: Scope) -> bool:
        """Return whether a request is for an event stream, and so for this application."""
        return (
            scope["type"] == "http"
            and scope["method"] in {"GET", "POST"}
            and stream_requests.prefers_event_stream(scope)
        )

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What is wrong with its document is told by the stream, as the protocol wants."""
        try:
            request = await self._requests.read(scope, receive)
            identity = await self._requests.identify(scope)
        except HttpError as refusal:
            await send_refusal(send, refusal)
            return
        except ClientDisconnected:
            return
        stream = EventStream(self._live.settings, of_many=False)
        operations = self._requests.operations(stream)
        self._open.add(stream)
        checking = recheck(self._live, self._door, scope, identity, stream)
        try:
            after, headers = stream_requests.last_event_id(scope), self._requests.headers(scope)
            operations.start(_ONLY, request, identity, after=after, headers=headers)
            await stream.run(receive, send)
        finally:
            checking.cancel()
            operations.stop_all()
            self._open.discard(stream)

    def close_all(self) -> None:
        """End all streams: the server is to stop. Browsers come again with the position of the last event."""
        for stream in list(self._open):
            stream.end()


def recheck(
    live: SubscriptionHub, door: Authenticator, scope: Scope, identity: Identity, stream: EventStream
) -> asyncio.Task[None]:
    """End the stream when what the request showed is not good any more; cancel the task when it has ended."""

    async def until_invalid() -> None:
        authorization = Headers(scope=scope).get("authorization")
        if authorization is not None:
            why = await reauthenticate(door, authorization, identity, live.settings)
            try:
                await stream.errors(_ONLY, [{"message": why, "extensions": {"code": "UNAUTHENTICATED"}}])
            finally:  # it may take nothing: then it ends without a word
                stream.end()

    return asyncio.create_task(until_invalid(), name="token of an event stream")
