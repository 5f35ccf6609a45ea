"""GraphQL over HTTP, edition of September 2026: POST of JSON, GET for queries, responses as JSON.

The endpoint parses a request and resolves its operation once. It executes a query through the response cache and a
mutation directly. It rejects a subscription, which belongs to the streaming endpoint.
"""

import logging
import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from graphql import OperationType
from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.client_identity import Identity
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.documents import Operation, RequestError
from ledgerpress.graphql.errors import INTERNAL_SERVER_ERROR, LOG_UNAVAILABLE
from ledgerpress.graphql.request_telemetry_record import executing, note_error
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.results import EncodedResult, ResultKind, encoded
from ledgerpress.http.content_negotiation import names_html, response_media_type
from ledgerpress.http.fast_path.fast_path import NOTE, RepeatableRequest
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.limits import RateLimiter
from ledgerpress.http.middleware.telemetry import CAUSATION, CORRELATION, TRACEPARENT
from ledgerpress.http.persisted_documents import PersistedDocuments, RequestedDocument
from ledgerpress.http.request_rejection_error import (
    UNAUTHENTICATED,
    Header,
    HttpError,
    retry_after,
    views_unavailable,
)
from ledgerpress.http.requests.graphql_request import GraphQLRequest, from_json, from_query_string
from ledgerpress.http.requests.headers_and_body import (
    ClientDisconnected,
    check_post,
    check_query_string,
    read_body,
    request_headers,
    require_preflight,
)
from ledgerpress.http.requests.minimum_position import HEADER as MIN_POSITION
from ledgerpress.http.requests.minimum_position import minimum_position, wait_for_position
from ledgerpress.http.responses import GraphQLResponses, Response, send_response
from ledgerpress.views.files.views_health import ViewsUnavailable

logger = logging.getLogger(__name__)

Headers = dict[bytes, bytes]

_ALLOW: Final = (b"allow", b"GET, HEAD, POST, OPTIONS")
_SAFE: Final = frozenset({"GET", "HEAD"})
_PARAMETERS: Final = (b"query=", b"documentId=", b"extensions=")
_NOT_REPEATABLE: Final = frozenset({b"authorization", b"expect", TRACEPARENT, CORRELATION, CAUSATION})
"""Headers that exclude the fast path: a token may be revoked, and the ids of traces are recorded."""
_MAX_PARSED: Final = 1_024
_MAX_PARSED_BYTES: Final = 4_096
"""Larger requests are parsed each time, so that the cache holds at most 4 MB of request texts."""


_RequestText: TypeAlias = tuple[bool, bytes]
"""The text of a request, and whether it is a query string."""


class _AdmittedRequest(NamedTuple):
    """A request that may be executed. `position` is the minimum position that the response must show.

    `uncached_text` is the text of the request if it was parsed now.
    """

    request: GraphQLRequest
    uncached_text: _RequestText | None
    document: RequestedDocument
    body: bytes
    identity: Identity
    position: int
    rate_headers: tuple[Header, ...]


class _ExecutedRequest(NamedTuple):
    """A result, its operation if the document is valid, and its cache key if the result came from the cache."""

    result: EncodedResult
    operation: Operation | None = None
    key: Hashable | None = None


@dataclass(eq=False)
class GraphQLEndpoint:
    """An ASGI application that answers GraphQL requests on one store. `page` is for browsers that send no operation."""

    cached_executor: CachedExecutor
    store: CacheableStore
    rates: RateLimiter
    settings: HttpSettings
    persisted: PersistedDocuments
    page: ASGIApp | None = None
    open_past: bool = False

    def __post_init__(self) -> None:
        self._responses = GraphQLResponses(self.settings, self.store.clock)
        self._parsed = BoundedCache[_RequestText, GraphQLRequest](
            max_entries=_MAX_PARSED, max_entry_bytes=_MAX_PARSED_BYTES, size_of=lambda key, _: len(key[1])
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        media_type: str | None = None
        try:
            headers = request_headers(scope["headers"])
            accept = headers.get(b"accept", b"")
            if self.page and method in _SAFE and _wants_page(accept, scope["query_string"]):
                await self.page(scope, receive, send)
                return
            media_type = response_media_type(accept)
            if method == "OPTIONS":
                response = Response(204, [_ALLOW], b"")
            elif media_type is None:
                raise HttpError(
                    406,
                    "NOT_ACCEPTABLE",
                    "No acceptable media type: accept application/graphql-response+json or application/json, in UTF-8.",
                )
            else:
                admitted = await self._read(scope, receive, headers)
                executed = await self._execute(admitted, is_safe=method in _SAFE)
                response = self._response(scope, headers, media_type, admitted, executed)
        except HttpError as error:
            response = self._responses.error(error, media_type)
        except LogUnavailable:  # the client cannot be identified without the log
            message = "The log cannot be reached at the moment. Try again."
            unavailable = HttpError(503, LOG_UNAVAILABLE, message, retry_after(1))
            response = self._responses.error(unavailable, media_type)
        except ViewsUnavailable:
            response = self._responses.error(views_unavailable(), media_type)
        except ClientDisconnected:
            return
        except Exception:
            error_id = secrets.token_hex(8)
            note_error(error_id)
            logger.exception("a request failed: error %s", error_id, extra={"error_id": error_id})
            message = "Something went wrong on the server."
            failure = HttpError(500, INTERNAL_SERVER_ERROR, message, error_id=error_id)
            response = self._responses.error(failure, media_type)
        await send_response(send, response, head=method == "HEAD")

    async def _read(self, scope: Scope, receive: Receive, headers: Headers) -> _AdmittedRequest:
        """Read, authenticate and check a request. Raises `HttpError` and `ClientDisconnected`."""
        settings, is_safe = self.settings, scope["method"] in _SAFE
        if is_safe:
            if settings.require_preflight:
                require_preflight(headers)
            check_query_string(scope["query_string"], settings)
        elif scope["method"] == "POST":
            check_post(headers, settings)
        else:
            raise HttpError(
                405, "METHOD_NOT_ALLOWED", "Send GraphQL requests by POST, queries by GET.", _ALLOW
            )
        header = headers.get(b"authorization")
        authorization = None if header is None else header.decode("latin-1")
        try:
            identity = await self.rates.identify(scope, authorization)
        except HttpError as error:
            # The token may have been created at that position, which these views have not reached yet.
            position = minimum_position(headers, None)
            if error.status != UNAUTHENTICATED or position <= self.store.position:
                raise
            await wait_for_position(self.store, position, settings.min_position_seconds)
            identity = await self.rates.identify(scope, authorization)
        rate_headers = self.rates.take(scope, identity)
        body = b""
        if not is_safe:
            body = await read_body(receive, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
        text = is_safe, scope["query_string"] if is_safe else body
        request = cached = self._parsed.get(text)
        if request is None:
            parse = from_query_string if is_safe else from_json
            request = parse(
                text[1], max_depth=settings.max_json_depth, ill_formed=settings.unprocessable_status
            )
        position = 0
        if request.extensions or MIN_POSITION in headers:
            position = minimum_position(headers, request.extensions)
            if position > self.store.position:
                await wait_for_position(self.store, position, settings.min_position_seconds)
                if authorization:  # the token may have been revoked before that position
                    identity = await self.rates.identify(scope, authorization)
        if request.document_id is not None or request.extensions or settings.only_trusted_documents:
            document = await self.persisted.find_in_all_workers(request)
        else:
            document = RequestedDocument(request.query or "")
        uncached_text = text if cached is None else None
        return _AdmittedRequest(request, uncached_text, document, body, identity, position, rate_headers)

    def _response(
        self,
        scope: Scope,
        headers: Headers,
        media_type: str,
        admitted: _AdmittedRequest,
        executed: _ExecutedRequest,
    ) -> Response:
        """Return the response. Registers the document, and marks the request if the fast path may answer it again."""
        request, _, document, body, identity, position, rate_headers = admitted
        result, operation, key = executed
        if document.register_as and result.executed:
            self.persisted.register(document)
            key = None
        if scope["method"] in _SAFE and result.kind is ResultKind.COMPLETE:
            public = identity.is_public and b"authorization" not in headers
            response = self._responses.cacheable(
                result, media_type, headers.get(b"if-none-match"), public=public
            )
        else:
            response = self._responses.uncacheable(result, media_type)
        response.headers.extend(rate_headers)
        if (
            key is not None
            and operation is not None
            and not (position or rate_headers)
            and scope["method"] != "HEAD"
            and headers.keys().isdisjoint(_NOT_REPEATABLE)
            and not (self.settings.public_max_age and result.expires_at is not None)  # changes `max-age`
        ):
            named_request = request if document.is_named else None
            scope[NOTE] = RepeatableRequest(body, key, result, identity, operation, named_request)
        return response

    async def _execute(self, admitted: _AdmittedRequest, *, is_safe: bool) -> _ExecutedRequest:
        """Resolve and execute the operation of a request. Raises `HttpError` as `_execute_operation` does."""
        cached = self.cached_executor
        try:
            operation = await cached.executor.documents.resolve(
                admitted.document.text, admitted.request.operation_name
            )
        except RequestError as error:
            cached.counts.executed += 1
            return _ExecutedRequest(encoded(cached.executor.reject(self.store, error)))
        with executing(operation):
            return await self._execute_operation(operation, admitted, is_safe=is_safe)

    async def _execute_operation(
        self, operation: Operation, admitted: _AdmittedRequest, *, is_safe: bool
    ) -> _ExecutedRequest:
        """Execute an operation. Raises `HttpError` if it needs another method or protocol."""
        cached, store = self.cached_executor, self.store
        identity, variables = admitted.identity, admitted.request.variables
        if operation.type is OperationType.QUERY:
            if admitted.uncached_text is not None:  # mutations do not repeat
                self._parsed.put(admitted.uncached_text, admitted.request)
            key = cached.key_of(operation, variables, identity, open_past=self.open_past)
            if key is not None and (hit := cached.get(store, key)):
                cached.counts.hits += 1
                return _ExecutedRequest(hit, operation, key)
            result = await cached.execute(
                store, operation, variables=variables, identity=identity, open_past=self.open_past
            )
            return _ExecutedRequest(result, operation)
        if operation.type is OperationType.SUBSCRIPTION:
            raise HttpError(
                self.settings.unprocessable_status,
                "SUBSCRIPTION_OVER_HTTP",
                "Send subscriptions over WebSocket (graphql-transport-ws), or accept text/event-stream.",
            )
        if is_safe:
            raise HttpError(
                405,
                "METHOD_NOT_ALLOWED",
                "GET is for queries only. Send mutations by POST.",
                (b"allow", b"POST"),
            )
        cached.counts.executed += 1
        executed = await cached.executor.execute(
            store, operation, variables=variables, identity=identity, open_past=self.open_past
        )
        return _ExecutedRequest(encoded(executed), operation)


def _wants_page(accept: bytes, query_string: bytes) -> bool:
    return names_html(accept) and not any(name in query_string for name in _PARAMETERS)
