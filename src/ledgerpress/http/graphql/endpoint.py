"""GraphQL over HTTP, edition of September 2026: POST of JSON, GET for queries, answers as JSON.

The way of a request that was seen before is kept short: what its headers and its body mean is remembered by their
bytes, and nothing of a framework is made for it.
"""

import logging
import secrets
from collections.abc import Hashable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.identity import Identity
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.errors import LOG_UNAVAILABLE
from ledgerpress.graphql.request_context import note_error
from ledgerpress.graphql.response_cache import CacheableStore, EncodedResponse
from ledgerpress.http.bearer_challenge import UNAUTHENTICATED
from ledgerpress.http.content_negotiation import answer_media_type, names_html
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.errors import Header, HttpError, retry_after
from ledgerpress.http.fast_path.fast_path_key import FastPathKey, note_fast_path_key
from ledgerpress.http.graphql.csrf import require_preflight
from ledgerpress.http.graphql.graphql_responses import GraphQLResponses, Response
from ledgerpress.http.graphql.method_rules import status_if_not_executed
from ledgerpress.http.graphql.minimum_position import minimum_position, wait_for_position
from ledgerpress.http.graphql.parse_cache import ParseCache
from ledgerpress.http.graphql.request_body import ClientDisconnected, check_headers, read_body
from ledgerpress.http.graphql.request_parsing import GraphQLRequest, from_json, from_query_string
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.middleware.trace_context import CAUSATION, CORRELATION, TRACEPARENT
from ledgerpress.http.request_headers import request_headers
from ledgerpress.http.responses import send_answer
from ledgerpress.http.settings import HttpSettings

logger = logging.getLogger(__name__)

Headers = dict[bytes, bytes]

_ALLOW: Final = (b"allow", b"GET, HEAD, POST, OPTIONS")
_SAFE: Final = frozenset({"GET", "HEAD"})
_PARAMETERS: Final = (b"query=", b"documentId=", b"extensions=")

_EACH_TIME: Final = frozenset({b"authorization", b"expect", TRACEPARENT, CORRELATION, CAUSATION})
"""Headers of which more than their bytes matters: whether a token still is good, and what is noted of the request."""


class GraphQLEndpoint:
    """An ASGI application that answers GraphQL requests on one store. `page` is for browsers that send none."""

    def __init__(
        self,
        answers: CachedExecutor,
        store: CacheableStore,
        rates: RateLimiter,
        settings: HttpSettings,
        *,
        page: ASGIApp | None = None,
        persisted: PersistedDocuments | None = None,
        open_past: bool = False,
    ) -> None:
        self._documents = answers.documents
        self._answers_to = answers
        self._store = store
        self._rates = rates
        self._settings = settings
        self._page = page
        self._open_past = open_past
        self._persisted = persisted or PersistedDocuments(settings)
        self._answers = GraphQLResponses(settings, store.clock)
        self._bodies: ParseCache[GraphQLRequest] = ParseCache()
        self._query_strings: ParseCache[GraphQLRequest] = ParseCache()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        method = scope["method"]
        media_type: str | None = None
        try:
            headers = request_headers(scope["headers"])
            accept = headers.get(b"accept", b"")
            if self._page and method in _SAFE and _wants_page(accept, scope["query_string"]):
                await self._page(scope, receive, send)
                return
            media_type = answer_media_type(accept)
            if method == "OPTIONS":
                response = Response(204, [_ALLOW], b"")
            elif media_type is None:
                raise _not_acceptable()
            else:
                response = await self._respond(scope, receive, headers, media_type)
        except HttpError as refusal:
            response = self._answers.refused(refusal, media_type)
        except LogUnavailable:
            response = self._answers.refused(_away(), media_type)
        except ClientDisconnected:
            return
        except Exception:
            error_id = secrets.token_hex(8)
            note_error(error_id)
            logger.exception("a request failed: error %s", error_id, extra={"error_id": error_id})
            response = self._answers.refused(_failed(error_id), media_type)
        await send_answer(send, *response, head=method == "HEAD")

    async def _respond(self, scope: Scope, receive: Receive, headers: Headers, media_type: str) -> Response:
        safe = scope["method"] in _SAFE
        if safe:
            self._check_get(scope["query_string"], headers)
        elif scope["method"] == "POST":
            check_headers(headers, max_bytes=self._settings.max_body_bytes)
        else:
            raise HttpError(
                405, "METHOD_NOT_ALLOWED", "Send GraphQL requests by POST, queries by GET.", _ALLOW
            )
        identity, rates = await self._admit(scope, headers)
        if safe:
            body, request = b"", self._from_query_string(scope["query_string"])
        else:
            body = await read_body(
                receive, max_bytes=self._settings.max_body_bytes, seconds=self._settings.body_seconds
            )
            request = self._from_body(body)
        position = minimum_position(headers, request.extensions)
        if position > self._store.position:
            await wait_for_position(self._store, position, self._settings.min_position_seconds)
            if authorization := headers.get(b"authorization"):
                # A token that was revoked by that position is good no more, whatever these views still said.
                identity = await self._rates.still_admit(scope, authorization)
        response, again = await self._answer(
            headers, body, request, identity, media_type, safe=safe, repeatable=not position
        )
        response.headers.extend(rates)
        if again and not rates and scope["method"] != "HEAD" and headers.keys().isdisjoint(_EACH_TIME):
            note_fast_path_key(scope, again)
        return response

    async def _admit(self, scope: Scope, headers: Headers) -> tuple[Identity, tuple[Header, ...]]:
        """Return who sends a request. A token may be as new as the position that is demanded, and unknown here before."""
        authorization = headers.get(b"authorization")
        try:
            return await self._rates.admit(scope, authorization)
        except HttpError as refusal:
            demanded = minimum_position(headers, None)
            if refusal.status != UNAUTHENTICATED or demanded <= self._store.position:
                raise
            await wait_for_position(self._store, demanded, self._settings.min_position_seconds)
            return await self._rates.admit(scope, authorization)

    async def _answer(
        self,
        headers: Headers,
        body: bytes,
        request: GraphQLRequest,
        identity: Identity,
        media_type: str,
        *,
        safe: bool,
        repeatable: bool,
    ) -> tuple[Response, FastPathKey | None]:
        document = self._persisted.find(request)
        await self._documents.prepare(document.text)
        status = status_if_not_executed(
            self._documents,
            document.text,
            request.operation_name,
            safe=safe,
            unprocessable=self._settings.unprocessable_status,
        )
        ready, key = await self._ready(document.text, request, identity)
        if document.to_keep and ready.executed:
            self._persisted.keep(document)
            key = None
        again = None
        if key is not None and repeatable and not self._answers.depends_on_clock(ready):
            again = FastPathKey(
                body, key, ready, identity, document.text, request if _is_named(request) else None
            )
        if not safe or not self._answers.may_be_kept(ready):
            return self._answers.answered(ready, media_type, status), again
        public = not identity.permissions and b"authorization" not in headers
        return self._answers.kept(ready, media_type, headers.get(b"if-none-match"), public=public), again

    async def _ready(
        self, text: str, request: GraphQLRequest, identity: Identity
    ) -> tuple[EncodedResponse, Hashable | None]:
        """Return the answer, and what it is kept under if it was kept before."""
        answers, variables, name = self._answers_to, request.variables, request.operation_name
        key = answers.key_of(text, variables, name, identity, open_past=self._open_past)
        if key is not None and (kept := answers.kept(self._store, key)):
            answers.counts.hits += 1
            return kept, key
        ready = await answers.answer(
            self._store,
            text,
            variables=variables,
            operation_name=name,
            identity=identity,
            open_past=self._open_past,
        )
        return ready, None

    def _check_get(self, query_string: bytes, headers: Headers) -> None:
        if self._settings.require_preflight:
            require_preflight(headers)
        if len(query_string) > self._settings.max_query_string_bytes:
            raise HttpError(
                414,
                "URI_TOO_LONG",
                f"The query string is longer than {self._settings.max_query_string_bytes:,} bytes: use POST.",
            )

    def _from_query_string(self, query_string: bytes) -> GraphQLRequest:
        request = self._query_strings.get(query_string)
        if request is None:
            request = from_query_string(
                query_string,
                max_depth=self._settings.max_json_depth,
                ill_formed=self._settings.unprocessable_status,
            )
            self._query_strings.keep(query_string, request)
        return request

    def _from_body(self, body: bytes) -> GraphQLRequest:
        request = self._bodies.get(body)
        if request is None:
            request = from_json(
                body,
                max_depth=self._settings.max_json_depth,
                ill_formed=self._settings.unprocessable_status,
            )
            self._bodies.keep(body, request)
        return request


def _wants_page(accept: bytes, query_string: bytes) -> bool:
    return names_html(accept) and not any(name in query_string for name in _PARAMETERS)


def _is_named(request: GraphQLRequest) -> bool:
    return request.document_id is not None or "persistedQuery" in (request.extensions or {})


def _not_acceptable() -> HttpError:
    return HttpError(
        406,
        "NOT_ACCEPTABLE",
        "Accept application/graphql-response+json or application/json, in UTF-8: there are no other answers.",
    )


def _away() -> HttpError:
    """Return what is said where even whoever asks cannot be told without the log."""
    return HttpError(
        503, LOG_UNAVAILABLE, "The log cannot be reached for the moment: try again.", retry_after(1)
    )


def _failed(error_id: str) -> HttpError:
    """Return what is said of a failure of ours: no more than under which id the log has it."""
    return HttpError(500, "INTERNAL_SERVER_ERROR", "Something went wrong on the server.", error_id=error_id)
