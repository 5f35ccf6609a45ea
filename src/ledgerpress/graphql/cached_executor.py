"""Execute queries once for all equal requests, and cache the results as long as they are valid.

A result depends on the operation, the variables, the viewer's scope and the data that was read
(docs/decisions/0018-exact-caching.md). So the cached bytes are served until an event changes something that was read,
or until an age in them changes.
"""

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import RolePermissions
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.executor import Executor, PendingResult
from ledgerpress.graphql.limits.settings import CacheSettings
from ledgerpress.graphql.response_cache import CacheableStore, Invalidation, ResponseCache
from ledgerpress.graphql.results import EncodedResult, ResponseMap, Result, encoded
from ledgerpress.graphql.schema import Schema
from ledgerpress.views.cache_invalidation import invalidated_topics
from ledgerpress.views.snapshot_and_cache_dependencies import END_OF_TIME, CacheDependencies

_CLIENT_ERRORS: Final = frozenset({"BAD_USER_INPUT", "FORBIDDEN", "UNAUTHENTICATED"})
"""Codes of errors that depend only on the request and on the data read. Results with other errors are not cached."""


@dataclass(slots=True)
class CacheCounts:
    """The numbers of requests that were cached, that shared an execution, and that were executed."""

    hits: int = 0
    shared: int = 0
    executed: int = 0


_Begin: TypeAlias = Callable[..., Result[ResponseMap] | PendingResult]
"""`Executor.begin` of one request, without the argument `reads`."""


class _Execution(NamedTuple):
    """A finished execution. `reads` are its dependencies, `None` if the result is for one request only."""

    result: EncodedResult
    reads: CacheDependencies | None


@dataclass(slots=True)
class _SharedExecution:
    """An execution in progress, and the number of requests that wait for it.

    `began` is the epoch of the cache and the position at which the execution began.
    """

    task: "asyncio.Task[_Execution]"
    began: tuple[int, int]
    waiting: int = 0


class CachedExecutor:
    """A cache of results in front of `executor`, for one store at a time."""

    def __init__(
        self,
        executor: Executor,
        settings: CacheSettings | None = None,
        *,
        invalidation: Invalidation = invalidated_topics,
    ) -> None:
        self.executor = executor
        self._max_bytes = (settings or CacheSettings()).max_bytes
        self._invalidation = invalidation
        schema = executor.schema
        self._roles = schema.declarations.roles if isinstance(schema, Schema) else RolePermissions()
        self._cache = ResponseCache(self._max_bytes, invalidation)
        self._shared: dict[Hashable, _SharedExecution] = {}
        self._store: CacheableStore | None = None
        self.counts = CacheCounts()

    @property
    def bytes(self) -> int:
        """The approximate memory of the cached results, in bytes."""
        return self._cache.bytes

    async def execute(
        self,
        store: CacheableStore,
        operation: Operation,
        *,
        variables: Mapping[str, Any] | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
    ) -> EncodedResult:
        """Return the result of a query that `Executor.execute` would return now."""
        begin = partial(
            self.executor.begin,
            store,
            operation,
            variables=variables,
            identity=identity,
            open_past=open_past,
        )
        key = self.key_of(operation, variables, identity, open_past=open_past)
        if key is None:
            return (await self._uncached(begin, identity)).result
        if store is not self._store:
            self._adopt(store)
        while self._cache.catch_up(store):
            result = self._cache.get(key, store.clock)
            if result is not None:
                self.counts.hits += 1
                return result
            shared = self._shared.get(key)
            # An execution that began before the last event may read outdated data.
            if shared is None or shared.began != (self._cache.epoch, self._cache.position):
                return (await self._execute(store, key, begin, identity)).result
            execution = await self._wait(key, shared)
            if execution.reads is None:
                break
            if execution.reads.since <= store.clock.now() < execution.reads.until:
                self.counts.shared += 1
                return execution.result
        return (await self._uncached(begin, identity)).result

    def key_of(
        self,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        identity: Identity,
        *,
        open_past: bool,
    ) -> Hashable | None:
        """Return the key of a query's result, `None` if the result is not cached."""
        if not self._max_bytes or self.executor.has_extensions:
            return None
        values = _canonical(variables) if variables else b""
        if values is None:
            return None
        return (operation.text, operation.name, values, _scope(identity), open_past)

    def get(self, store: CacheableStore, key: Hashable) -> EncodedResult | None:
        """Return the cached result for `key` if it is valid now, otherwise `None`. The caller counts the hit."""
        if store is not self._store or not self._cache.catch_up(store):
            return None
        return self._cache.get(key, store.clock)

    def clear(self) -> None:
        """Remove every result. New requests do not share executions that are in progress."""
        self._cache.clear()
        self._shared.clear()

    def _adopt(self, store: CacheableStore) -> None:
        if self._store is not None:
            self._store.caches.remove(self.clear)
        self.clear()
        self._cache = ResponseCache(self._max_bytes, self._invalidation)
        self._store = store
        store.caches.append(self.clear)

    async def _execute(
        self, store: CacheableStore, key: Hashable, begin: _Begin, identity: Identity
    ) -> _Execution:
        """Execute, and cache the result if possible. While the execution waits, equal requests share it."""
        cache, epoch = self._cache, self._cache.epoch
        began = epoch, cache.position
        reads = CacheDependencies()
        self.counts.executed += 1

        def cached(response: Result[ResponseMap]) -> _Execution:
            execution = self._executed(response, reads, identity, is_cached=True)
            # The cache may have been cleared while the execution waited.
            if execution.reads is not None and cache.catch_up(store) and cache.epoch == epoch:
                cache.put(key, execution.result, execution.reads, _size_of(key))
            return execution

        result = begin(reads=reads)
        if isinstance(result, Result):
            return cached(result)

        async def rest() -> _Execution:
            return cached(await result)

        shared = self._shared[key] = _SharedExecution(asyncio.create_task(rest(), name="answer"), began)

        def end(_: object) -> None:
            result.close()
            self._remove(key, shared)

        shared.task.add_done_callback(end)
        return await self._wait(key, shared)

    async def _wait(self, key: Hashable, shared: _SharedExecution) -> _Execution:
        """Wait for an execution. It continues if a waiting request is cancelled, and is cancelled with the last one."""
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                shared.task.cancel()
                self._remove(key, shared)

    def _remove(self, key: Hashable, shared: _SharedExecution) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]

    async def _uncached(self, begin: _Begin, identity: Identity) -> _Execution:
        self.counts.executed += 1
        reads = CacheDependencies()
        result = begin(reads=reads)
        response = result if isinstance(result, Result) else await result
        return self._executed(response, reads, identity, is_cached=False)

    def _executed(
        self,
        response: Result[ResponseMap],
        reads: CacheDependencies,
        identity: Identity,
        *,
        is_cached: bool,
    ) -> _Execution:
        """Encode a result. It gets an entity tag if it `is_cached`.

        If changes that are not public can invalidate a result, it is cached only for clients who may see these
        changes. Otherwise a missing entry would reveal that there was a change.
        """
        result = encoded(response)
        if not is_cached and reads.until == END_OF_TIME:
            return _Execution(result, None)
        reveals = reads.internal and not self._sees_internal(identity)
        if reveals or not (reads.cacheable and result.executed and _has_client_errors_only(response.body)):
            return _Execution(result, None)
        etag = hashlib.blake2b(result.body, digest_size=16).hexdigest() if is_cached else None
        expires_at = None if reads.until == END_OF_TIME else reads.until
        return _Execution(Result(result.kind, result.body, result.position, etag, expires_at), reads)

    def _sees_internal(self, identity: Identity) -> bool:
        required = self._roles.showing_internal
        return bool(required) and all(map(identity.may, required))


def _canonical(variables: Mapping[str, Any]) -> bytes | None:
    """Return the same bytes for equal variables, `None` if they are not JSON. Null differs from absent."""
    try:
        return msgspec.json.encode(variables, order="sorted")
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _has_client_errors_only(body: ResponseMap) -> bool:
    errors = body.get("errors", ())
    return all((error.get("extensions") or {}).get("code") in _CLIENT_ERRORS for error in errors)


def _size_of(key: Hashable) -> int:
    return sum(len(part) for part in key if isinstance(part, str | bytes)) if isinstance(key, tuple) else 0


@lru_cache(maxsize=1024)
def _scope(identity: Identity) -> tuple[object, ...]:
    return identity.scope
