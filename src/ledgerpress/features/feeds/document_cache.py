"""Cache documents until something that they were read from changes, and answer conditional requests.

The rules are those of cached GraphQL responses (docs/decisions/0018-exact-caching.md).
"""

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.graphql.response_cache import CacheableStore, ResponseCache
from ledgerpress.graphql.results import EncodedResult, Result, ResultKind
from ledgerpress.http.responses import NOT_MODIFIED, POSITION_HEADER, client_has
from ledgerpress.views.snapshot_and_cache_dependencies import END_OF_TIME, CacheDependencies, Snapshot

_MAX_BYTES: Final = 32 * 2**20


class WriteDocument(Protocol):
    """Writes a document from a snapshot, which records what the document depends on. `now` is the current time."""

    def __call__(self, today: Snapshot, now: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class DocumentType:
    """The media type of documents, and whether search engines may index them."""

    media_type: str
    is_indexed: bool = True


class DocumentCache:
    """The cached documents of one store."""

    def __init__(self, store: CacheableStore) -> None:
        self._store = store
        self._cache = ResponseCache(_MAX_BYTES)
        store.caches.append(self._cache.clear)
        self.written = 0
        """How many documents were written, and not taken from the cache."""

    def get(self, key: Hashable, write: WriteDocument) -> EncodedResult:
        """Return the document with a key, from the cache or written now. Raises what `write` raises."""
        store, cache = self._store, self._cache
        if cache.catch_up(store) and (cached := cache.get(key, store.clock)) is not None:
            return cached
        reads = CacheDependencies()
        with store.snapshot() as opened:
            today = Snapshot(opened.connection, opened.position, opened.only, reads, opened.remembered)
            body = write(today, store.clock.now())
        self.written += 1
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        expires_at = None if reads.until == END_OF_TIME else reads.until
        result = Result(ResultKind.COMPLETE, body, today.position, digest, expires_at)
        # Another process may have withdrawn a text since the snapshot was opened.
        epoch = cache.epoch
        if reads.cacheable and not reads.internal and cache.catch_up(store) and cache.epoch == epoch:
            cache.put(key, result, reads, len(repr(key)))
        return result


def document_response(request: Request, result: EncodedResult, type_: DocumentType) -> Response:
    """Return the response to a GET or HEAD: the document, or 304 if the client has it.

    Caches must revalidate it, since a withdrawal or an unpublished article must reach all readers.
    """
    tag = f'"{result.etag}"'
    headers = {POSITION_HEADER: str(result.position), "ETag": tag, "Cache-Control": "public, no-cache"}
    if not type_.is_indexed:
        headers["X-Robots-Tag"] = "noindex"
    if client_has(request, tag):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    headers |= {
        "Content-Type": f"{type_.media_type}; charset=utf-8",
        "Content-Length": str(len(result.body)),
    }
    return Response(b"" if request.method == "HEAD" else result.body, headers=headers)
