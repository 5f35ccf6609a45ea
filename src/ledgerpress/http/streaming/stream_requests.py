"""Requests for event streams: GraphQL requests by GET and POST (GraphQL over HTTP), and what is said of bad ones."""

from collections.abc import Callable
from typing import Any

import msgspec
from graphql import OperationType
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.commands.identity import Identity
from ledgerpress.graphql.documents import RequestError
from ledgerpress.graphql.errors import client_errors
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http import content_negotiation
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.errors import HttpError
from ledgerpress.http.graphql.csrf import require_preflight
from ledgerpress.http.graphql.request_body import check_headers, read_body
from ledgerpress.http.graphql.request_parsing import GraphQLRequest, check, from_json, from_query_string
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.request_headers import request_headers
from ledgerpress.http.settings import HttpSettings
from ledgerpress.http.streaming.connection_operations import Channel, ConnectionOperations


class StreamRequests:
    """Takes requests by connections that stay open, within the bounds of those for answers."""

    def __init__(
        self, live: SubscriptionHub, rates: RateLimiter, settings: HttpSettings, persisted: PersistedDocuments
    ) -> None:
        self._live = live
        self._rates = rates
        self._settings = settings
        self.persisted = persisted

    async def identify(self, scope: Scope) -> Identity:
        """Return who sends a request. Raises `HttpError`."""
        identity, _ = await self._rates.admit(scope, self.headers(scope).get(b"authorization"))
        return identity

    @staticmethod
    def headers(scope: Scope) -> dict[bytes, bytes]:
        """Return the headers of a request. Raises `HttpError` for one that must not be there twice and is."""
        return request_headers(scope["headers"])

    def check(self, request: GraphQLRequest) -> None:
        """Raise `HttpError` for a request, read from a message, that has what none may have."""
        check(request, max_depth=self._settings.max_json_depth)

    def operations(
        self, channel: Channel, admit: Callable[[GraphQLRequest, Identity], object] | None = None
    ) -> ConnectionOperations:
        """Return the operations that a connection carries."""
        return ConnectionOperations(self._live, channel, self.persisted, self._settings, admit=admit)

    async def read(self, scope: Scope, receive: Receive) -> GraphQLRequest:
        """Return what a request asks for. Raises `HttpError`, and `ClientGone`."""
        settings = self._settings
        bounds = {"max_depth": settings.max_json_depth, "ill_formed": 400}
        if scope["method"] == "GET":
            if len(scope["query_string"]) > settings.max_query_string_bytes:
                most = settings.max_query_string_bytes
                raise HttpError(
                    414, "URI_TOO_LONG", f"The query string is longer than {most:,} bytes: use POST."
                )
            if settings.require_preflight:
                require_preflight(self.headers(scope))
            request = from_query_string(scope["query_string"], **bounds)
            await self._check_no_mutation(request)
            return request
        check_headers(self.headers(scope), max_bytes=settings.max_body_bytes)
        body = await read_body(receive, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
        return from_json(body, **bounds)

    async def check_document(self, request: GraphQLRequest) -> None:
        """Raise `HttpError` for a document that cannot be executed."""
        text, documents = self.persisted.find(request).text, self._live.engine.documents
        await documents.prepare(text)
        try:
            documents.operation(text, request.operation_name)
        except RequestError as refusal:
            raise BadDocument(client_errors(refusal.errors)) from None

    async def _check_no_mutation(self, request: GraphQLRequest) -> None:
        try:
            text = self.persisted.find(request).text
            await self._live.engine.documents.prepare(text)
            operation = self._live.engine.documents.operation(text, request.operation_name)
        except (RequestError, HttpError):
            return
        if operation.type is OperationType.MUTATION:
            message = "A mutation cannot be sent by GET: send it by POST."
            raise HttpError(405, "METHOD_NOT_ALLOWED", message, (b"allow", b"POST"))


class BadDocument(HttpError):
    """A document that cannot be executed."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(400, "GRAPHQL_VALIDATION_FAILED", str(errors[0]["message"]))
        self.errors = errors

    @property
    def body(self) -> bytes:
        """The answer: a well-formed GraphQL response."""
        return msgspec.json.encode({"errors": self.errors}, enc_hook=str)


async def answer(send: Send, status: int, body: bytes = b"", media_type: bytes = b"", *headers: Any) -> None:
    """Send a whole response."""
    head = [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *headers]
    if media_type:
        head.append((b"content-type", media_type + b"; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def last_event_id(scope: Scope) -> int | None:
    """Return the position in Last-Event-ID, which browsers send when they come again (HTML, 9.2.4)."""
    value = Headers(scope=scope).get("last-event-id", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else None


def prefers_event_stream(scope: Scope) -> bool:
    """Return whether a request would rather have an event stream than JSON: clients may list both."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return content_negotiation.prefers_event_stream(accepted)
