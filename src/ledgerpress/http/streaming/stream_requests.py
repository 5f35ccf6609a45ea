"""Read, authenticate and resolve the requests of long-lived connections, and recheck their tokens."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from graphql import OperationType
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ledgerpress.commands.client_identity import Authenticator, Identity, Unauthenticated
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.documents import RequestError
from ledgerpress.graphql.errors import client_errors
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.limits import ConcurrencySlots, RateLimiter
from ledgerpress.http.persisted_documents import PersistedDocuments
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.graphql_request import GraphQLRequest, check, from_json, from_query_string
from ledgerpress.http.requests.headers_and_body import (
    check_post,
    check_query_string,
    read_body,
    request_headers,
    require_preflight,
)
from ledgerpress.http.streaming.connection_operation_runner import (
    Channel,
    ConnectionOperations,
    ResolvedRequest,
    resolve,
)
from ledgerpress.views.files.views_health import ViewsUnavailable


@dataclass(frozen=True, slots=True, eq=False)
class StreamRequests:
    """Accepts requests on long-lived connections, with the same limits as for other requests."""

    hub: SubscriptionHub
    authenticator: Authenticator
    rates: RateLimiter
    settings: HttpSettings
    persisted: PersistedDocuments
    slots: ConcurrencySlots

    async def identify(self, scope: Scope) -> Identity:
        """Return the identity of the client, and count the request against its rate limit. Raises `HttpError`."""
        authorization = self.headers(scope).get(b"authorization")
        identity = await self.rates.identify(
            scope, None if authorization is None else authorization.decode("latin-1")
        )
        self.rates.take(scope, identity)
        return identity

    async def invalidation(self, authorization: str, identity: Identity) -> str:
        """Wait until the credentials of an open connection are no longer valid, and return the reason."""
        end = self.hub.end_of_token(identity.token_id) if identity.token_id else asyncio.Event()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._recheck_seconds(identity)):
                    await end.wait()
            end.clear()
            try:
                now = await self.authenticator.identify(authorization)
            except Unauthenticated as error:
                return str(error)
            except (LogUnavailable, ViewsUnavailable):  # the credentials cannot be checked at the moment
                continue
            if now.scope != identity.scope:
                return "Your permissions have changed. Connect again."

    def _recheck_seconds(self, identity: Identity) -> float:
        """Return the delay before the next check of a token: not later than it expires."""
        interval = self.hub.settings.recheck_seconds
        if identity.expires_at is None:
            return interval
        left = (identity.expires_at - self.hub.store.clock.now()) / 1_000_000
        return min(left, interval) if left > 0 else interval

    @staticmethod
    def headers(scope: Scope) -> dict[bytes, bytes]:
        """Return the headers of a request. Raises `HttpError` for a header that must not be repeated."""
        return request_headers(scope["headers"])

    def check(self, request: GraphQLRequest) -> None:
        """Raise `HttpError` if the request of a message is nested too deeply or has hidden characters."""
        check(request, max_depth=self.settings.max_json_depth)

    def operations(
        self, channel: Channel, admit: Callable[[GraphQLRequest, Identity], object] | None = None
    ) -> ConnectionOperations:
        return ConnectionOperations(self.hub, channel, self.persisted, self.settings, admit=admit)

    async def read(self, scope: Scope, receive: Receive) -> tuple[GraphQLRequest, ResolvedRequest | None]:
        """Return a request, and its operation if it is a valid GET: a mutation by GET is rejected.

        Raises `HttpError` and `ClientDisconnected`.
        """
        settings = self.settings
        limits = {"max_depth": settings.max_json_depth, "ill_formed": 400}
        if scope["method"] == "GET":
            check_query_string(scope["query_string"], settings)
            if settings.require_preflight:
                require_preflight(self.headers(scope))
            request = from_query_string(scope["query_string"], **limits)
            return request, await self._resolve_get(request)
        check_post(self.headers(scope), settings)
        body = await read_body(receive, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
        return from_json(body, **limits), None

    async def resolve(self, request: GraphQLRequest) -> ResolvedRequest:
        """Return the document and the operation of a request. Raises `HttpError` for an invalid document."""
        try:
            return await resolve(request, self.persisted, self.hub.executor.documents)
        except RequestError as error:
            raise BadDocument(client_errors(error.errors)) from None

    async def _resolve_get(self, request: GraphQLRequest) -> ResolvedRequest | None:
        try:
            resolved = await self.resolve(request)
        except HttpError:  # the stream reports it
            return None
        if resolved.operation.type is OperationType.MUTATION:
            message = "A mutation cannot be sent by GET. Send it by POST."
            raise HttpError(405, "METHOD_NOT_ALLOWED", message, (b"allow", b"POST"))
        return resolved


class BadDocument(HttpError):
    """A document that cannot be executed."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(400, "GRAPHQL_VALIDATION_FAILED", str(errors[0]["message"]))
        self.errors = errors

    @property
    def body(self) -> bytes:
        return msgspec.json.encode({"errors": self.errors}, enc_hook=str)


async def send_text(
    send: Send, status: int, body: bytes = b"", media_type: bytes = b"", *headers: Any
) -> None:
    head = [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *headers]
    if media_type:
        head.append((b"content-type", media_type + b"; charset=utf-8"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def last_event_id(scope: Scope) -> int | None:
    """Return the position in Last-Event-ID, which browsers send when they reconnect (HTML, 9.2.4)."""
    value = Headers(scope=scope).get("last-event-id", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else None
