"""GraphQL over server-sent events, distinct connections mode (PROTOCOL.md of npm's graphql-sse): one stream for each operation."""

from starlette.types import Receive, Scope, Send

from ledgerpress.commands.roles_and_permissions import Authenticator
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http.errors import HttpError
from ledgerpress.http.requests.body import ClientDisconnected
from ledgerpress.http.responses import send_error
from ledgerpress.http.streaming import stream_requests
from ledgerpress.http.streaming.event_stream import EventStream
from ledgerpress.http.streaming.reauthentication import end_when_invalid
from ledgerpress.http.streaming.stream_requests import StreamRequests


class EventStreams:
    """An ASGI application for requests that accept an event stream: each stream carries one operation."""

    def __init__(self, hub: SubscriptionHub, authenticator: Authenticator, requests: StreamRequests) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._requests = requests
        self._open: set[EventStream] = set()

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Errors of its document are sent in the stream, as the protocol requires."""
        try:
            request, resolved = await self._requests.read(scope, receive)
            identity = await self._requests.identify(scope)
        except HttpError as error:
            await send_error(send, error)
            return
        except ClientDisconnected:
            return
        stream = EventStream(self._hub.settings, of_many=False)
        operations = self._requests.operations(stream)
        self._open.add(stream)
        watching = end_when_invalid(stream, self._authenticator, scope, identity, self._hub.settings)
        try:
            after, headers = stream_requests.last_event_id(scope), self._requests.headers(scope)
            operations.start("", request, identity, after=after, headers=headers, resolved=resolved)
            await stream.run(receive, send)
        finally:
            watching.cancel()
            operations.stop_all()
            self._open.discard(stream)

    def close_all(self) -> None:
        """End all streams: the server is about to stop. Browsers reconnect with the position of the last event."""
        for stream in list(self._open):
            stream.end()
