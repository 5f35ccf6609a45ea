"""The short way: a request whose very bytes came before, and whose answer is still kept, is answered at once.

Around everything else. What all the layers below made of a request for a kept answer is remembered by method, query
string, headers and body, together with the head of the answer: it follows from those, from the settings, and from which
answer it is. What else may change is looked up for each request: whether the answer is still true, whom the
door takes somebody without a token for, whether the document is still known by its hash, how often the client may ask, and whether there is room. Wherever one of these is otherwise,
the request goes the long way as if nothing had been tried.
"""

import time
from collections.abc import Hashable
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerpress.commands.identity import Authenticator, Identity
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.request_context import CURRENT, OperationInfo, RequestContext
from ledgerpress.graphql.response_cache import CacheableStore, EncodedResponse
from ledgerpress.http.documents.persisted_documents import PersistedDocuments
from ledgerpress.http.errors import Header, HttpError
from ledgerpress.http.fast_path.fast_path_key import NOTE, FastPathKey
from ledgerpress.http.fast_path.uvicorn_fast_send import EncodedHead, send_encoded
from ledgerpress.http.graphql.request_body import BufferedReceive
from ledgerpress.http.graphql.request_parsing import GraphQLRequest
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.limits.concurrency_limit import ConcurrencySlots
from ledgerpress.http.limits.rate_limit import RateLimiter
from ledgerpress.http.middleware.access_log import AccessLog

PATH: Final = "/graphql"
MOST_BYTES: Final = 4 * 2**20
"""What remembered requests may take, roughly."""
_LARGEST: Final = 8_192
"""Larger requests, in bytes, go the long way each time."""
_ENTRY_BYTES: Final = 3_000
"""What a request that is remembered takes beside its bytes, roughly."""
_OF_NO_MEANING: Final = frozenset(
    {b"forwarded", b"user-agent", b"via", b"x-forwarded-for", b"x-real-ip", b"x-request-id"}
)
"""Headers that nothing here reads, and of which clients and proxies send many: an address is taken from the scope."""
_ABORTED: Final = 499


class _KnownRequest(NamedTuple):
    """A request as it was answered before: by which answer, with which head."""

    key: Hashable
    etag: str | None
    position: int
    identity: Identity
    text: str
    named: GraphQLRequest | None
    asked: OperationInfo
    head: EncodedHead


class _KnownHeaders:
    """Requests that are the same but for their bodies."""

    __slots__ = ("by_body", "bytes")

    def __init__(self, size: int) -> None:
        self.by_body: dict[bytes, _KnownRequest] = {}
        self.bytes = size


class FastPath:
    """ASGI middleware, the outermost. Who shows a token is not answered here, nor who is told how often it may still ask."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        answers: CachedExecutor,
        store: CacheableStore,
        persisted: PersistedDocuments,
        rates: RateLimiter,
        door: Authenticator,
        places: ConcurrencySlots,
        metrics: Metrics | None,
        access_log: AccessLog | None,
        prefix: str,
    ) -> None:
        """`prefix` begins the id of each request that is answered here."""
        self._app = app
        self._answers = answers
        self._store = store
        self._persisted = persisted
        self._rates = rates
        self._door = door
        self._places = places
        self._metrics = metrics
        self._access_log = access_log
        self._prefix = prefix
        self._number = 0
        self._recent: dict[Hashable, _KnownHeaders] = {}
        self._former: dict[Hashable, _KnownHeaders] = {}
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        bytes_of_it = (
            scope["method"],
            scope["query_string"],
            *[one for one in scope["headers"] if one[0] not in _OF_NO_MEANING],
        )
        try:
            alike = self._recent.get(bytes_of_it) or self._again(bytes_of_it)
        except TypeError:  # a server may give headers that cannot be looked up
            await self._app(scope, receive, send)
            return
        if alike is not None:
            body: bytes | None = b""
            if bytes_of_it[0] == "POST":
                begun = BufferedReceive(receive)
                receive = begun
                body = begun.whole
            seen = None if body is None else alike.by_body.get(body)
            if seen is not None:
                ready = await self._still(seen, scope)
                if ready is not None:
                    await self._send(seen, ready, scope, send, started)
                    return
        await self._app(scope, receive, _Recorder(self, bytes_of_it, scope, send))

    async def _still(self, seen: _KnownRequest, scope: Scope) -> EncodedResponse | None:
        """Return the answer, if all is as it was. The request has been counted then, and only then."""
        try:
            identity = await self._door.identify(None)
            ready = self._answers.kept(self._store, seen.key)
        except Exception:  # noqa: BLE001 - the long way meets it as well, and tells of it
            return None
        if (
            ready is None
            or ready.position != seen.position
            or ready.etag != seen.etag
            or identity != seen.identity
            or self._places.taken >= self._places.at_most
        ):
            return None
        try:
            if seen.named is not None:
                found = self._persisted.find(seen.named)
                if found.to_keep or found.text != seen.text:
                    return None
            self._rates.take(scope, seen.identity)
        except HttpError:
            return None
        self._answers.counts.hits += 1
        return ready

    async def _send(
        self, seen: _KnownRequest, ready: EncodedResponse, scope: Scope, send: Send, started: float
    ) -> None:
        places, status = self._places, _ABORTED
        places.taken += 1
        try:
            await send_encoded(send, seen.head, ready.body)
            status = seen.head.status
        finally:
            places.taken -= 1
            seconds = time.perf_counter() - started
            if self._metrics:
                self._metrics.request(seen.asked.type.value, status, seconds)
            if self._access_log:
                self._number += 1
                exchange = RequestContext(f"{self._prefix}{self._number:x}", operation=seen.asked)
                self._access_log.note(exchange, scope, status, seconds)

    def _again(self, bytes_of_it: Hashable) -> _KnownHeaders | None:
        alike = self._former.pop(bytes_of_it, None)
        if alike is not None:
            self._keep(bytes_of_it, alike)
        return alike

    def _keep(self, bytes_of_it: Hashable, alike: _KnownHeaders) -> None:
        if self._bytes + alike.bytes > MOST_BYTES // 2:
            self._former, self._recent, self._bytes = self._recent, {}, 0
        self._recent[bytes_of_it] = alike
        self._bytes += alike.bytes

    def learn(
        self, bytes_of_it: tuple[object, ...], scope: Scope, status: int, headers: list[Header]
    ) -> None:
        """Remember how a request was answered, if it is noted that it may be answered so again."""
        note: FastPathKey | None = scope.get(NOTE)
        exchange = CURRENT.get()
        if note is None or exchange is None or exchange.operation is None:
            return
        size = len(note.body) + sum(len(name) + len(value) for name, value in scope["headers"])
        size += len(scope["query_string"])
        if size > _LARGEST:
            return
        alike = self._recent.pop(bytes_of_it, None)
        if alike is None:
            alike = _KnownHeaders(size)
        else:
            self._bytes -= alike.bytes
        if note.body not in alike.by_body:
            if alike.bytes > MOST_BYTES // 8:
                alike = _KnownHeaders(size)
            alike.bytes += _ENTRY_BYTES + 2 * len(note.body)
        asked = OperationInfo(exchange.operation.type, exchange.operation.name)
        alike.by_body[note.body] = _KnownRequest(
            note.key,
            note.ready.etag,
            note.ready.position,
            note.identity,
            note.text,
            note.named,
            asked,
            EncodedHead(status, headers),
        )
        self._keep(bytes_of_it, alike)


class _Recorder:
    """The way out of an answer: what the layers below have made of its head is what is sent."""

    __slots__ = ("_bytes_of_it", "_scope", "_send", "_short_way")

    def __init__(
        self, short_way: FastPath, bytes_of_it: tuple[object, ...], scope: Scope, send: Send
    ) -> None:
        self._short_way = short_way
        self._bytes_of_it = bytes_of_it
        self._scope = scope
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and NOTE in self._scope:
            self._short_way.learn(self._bytes_of_it, self._scope, message["status"], list(message["headers"]))
        await self._send(message)
