"""Answers as bytes: executed once for all who ask for the same, and kept for as long as they are true.

What is told to a request depends on the document, the operation, the variables, what the viewer may see, and what was
read (DESIGN.md, decision 11). So an answer is given again, byte for byte, until an event touches something that it was
read from, and not a moment longer; not beyond the moment, either, at which an age in it changes.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from graphql import OperationType

from ledgerpress.commands.identity import LOCAL_OPERATOR, Identity, Permission
from ledgerpress.graphql.context import Trace
from ledgerpress.graphql.documents import Documents, RequestError
from ledgerpress.graphql.executor import ExecutionResponse, Executor
from ledgerpress.graphql.response_cache import CacheableStore, EncodedResponse, Invalidation, ResponseCache
from ledgerpress.views.cache_dependencies import FOREVER, CacheDependencies
from ledgerpress.views.cache_invalidation import invalidated_topics

_OF_THE_CLIENTS_MAKING: Final = frozenset({"BAD_USER_INPUT", "FORBIDDEN", "UNAUTHENTICATED"})
"""Codes of errors that follow from the request and from what was read. An answer with any other error is not kept."""


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much memory answers may take."""

    max_bytes: Annotated[
        int, msgspec.Meta(ge=0, description="Bytes of memory for answers that are kept; 0 keeps none.")
    ] = 64 * 2**20


@dataclass(slots=True)
class CacheCounts:
    """How many requests were answered from what was kept, or by another's execution, and how many were executed."""

    hits: int = 0
    shared: int = 0
    executed: int = 0


@dataclass(slots=True)
class _SharedExecution:
    """An execution under way, and how many wait for it. It `began` at an epoch of the kept answers and a position."""

    task: "asyncio.Task[_ExecutedResponse]"
    began: tuple[int, int]
    waiting: int = 0


class _ExecutedResponse(NamedTuple):
    """What an execution came to; `reads` is what it depends on, `None` where it is for one request alone."""

    ready: EncodedResponse
    reads: CacheDependencies | None


class CachedExecutor:
    """Answers requests on one store at a time by `engine`, or by what it answered before."""

    def __init__(
        self,
        engine: Executor,
        settings: CacheSettings | None = None,
        *,
        touching: Invalidation = invalidated_topics,
    ) -> None:
        """Take what executes, and what tells which topics events have touched."""
        self._engine = engine
        self._max_bytes = (settings or CacheSettings()).max_bytes
        self._touching = touching
        self._kept = ResponseCache(self._max_bytes, touching)
        self._flights: dict[Hashable, _SharedExecution] = {}
        self._store: CacheableStore | None = None
        self.counts = CacheCounts()

    @property
    def documents(self) -> Documents:
        """The documents that requests are of."""
        return self._engine.documents

    @property
    def bytes(self) -> int:
        """How much memory the kept answers take, roughly."""
        return self._kept.bytes

    async def answer(
        self,
        store: CacheableStore,
        query: str,
        *,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        identity: Identity = LOCAL_OPERATOR,
        open_past: bool = False,
        trace: Trace | None = None,
    ) -> EncodedResponse:
        """Return the answer to a request, as `Executor.execute` gives it at this moment."""
        execute = partial(
            self._engine.execute,
            store,
            query,
            variables=variables,
            operation_name=operation_name,
            identity=identity,
            open_past=open_past,
            trace=trace,
        )
        key = self.key_of(query, variables, operation_name, identity, open_past=open_past)
        if key is None:
            return (await self._land(execute, identity)).ready
        if store is not self._store:
            self._adopt(store)
        while self._kept.catch_up(store):
            found = self._kept.find(key, store.clock)
            if found is not None:
                self.counts.hits += 1
                return found
            if not self._is_query(query, operation_name):
                break
            flight = self._flights.get(key)
            # One that began before the last event may read what is no longer true.
            if flight is None or flight.began != (self._kept.epoch, self._kept.position):
                started = self._start(store, key, partial(self._land, execute, identity))
                return (await self._wait(key, started)).ready
            landed = await self._wait(key, flight)
            if landed.reads is None:
                break
            if landed.reads.since <= store.clock.now() < landed.reads.until:
                self.counts.shared += 1
                return landed.ready
        return (await self._land(execute, identity)).ready

    def key_of(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        operation_name: str | None,
        identity: Identity,
        *,
        open_past: bool,
    ) -> Hashable | None:
        """Return what an answer to a request is kept under, `None` where none is kept."""
        given = _canonical(variables)
        if not self._max_bytes or given is None:
            return None
        return (query, operation_name, given, _scope(identity), open_past)

    def kept(self, store: CacheableStore, key: Hashable) -> EncodedResponse | None:
        """Return the answer that is kept under `key`, if it is true at this moment. Whoever gives it counts the hit."""
        if store is not self._store or not self._kept.catch_up(store):
            return None
        return self._kept.find(key, store.clock)

    def forget(self) -> None:
        """Drop every answer, and let nobody wait any more for one that is being read."""
        self._kept.forget()
        self._flights.clear()

    def _adopt(self, store: CacheableStore) -> None:
        if self._store is not None:
            self._store.caches.remove(self.forget)
        self.forget()
        self._kept = ResponseCache(self._max_bytes, self._touching)
        self._store = store
        store.caches.append(self.forget)

    def _is_query(self, query: str, operation_name: str | None) -> bool:
        try:
            return self._engine.documents.operation(query, operation_name).type is OperationType.QUERY
        except RequestError:
            return False

    def _start(
        self, store: CacheableStore, key: Hashable, land: Callable[[], Awaitable[_ExecutedResponse]]
    ) -> _SharedExecution:
        kept, epoch = self._kept, self._kept.epoch

        async def fly() -> _ExecutedResponse:
            landed = await land()
            if landed.reads is not None and kept.catch_up(store) and kept.epoch == epoch:
                kept.keep(key, landed.ready, landed.reads, _size_of(key))
            return landed

        began = epoch, kept.position
        flight = self._flights[key] = _SharedExecution(asyncio.create_task(fly(), name="answer"), began)
        flight.task.add_done_callback(lambda _: self._leave(key, flight))
        return flight

    async def _wait(self, key: Hashable, flight: _SharedExecution) -> _ExecutedResponse:
        """Wait for an execution. It goes on when one of those who wait gives up, and ends when the last one does."""
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._leave(key, flight)

    def _leave(self, key: Hashable, flight: _SharedExecution) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _land(
        self, execute: Callable[..., Awaitable[ExecutionResponse]], identity: Identity
    ) -> _ExecutedResponse:
        """Execute, and make bytes of the answer.

        What drafts may touch is not kept for who does not see them: that it was gone would tell that one was worked on.
        """
        self.counts.executed += 1
        reads = CacheDependencies()
        answer = await execute(reads=reads)
        body = encode(answer.body)
        tells = reads.internal and not identity.may(Permission.READ_POSTS)
        if tells or not (reads.cacheable and answer.executed and _follows_from_the_request(answer.body)):
            return _ExecutedResponse(EncodedResponse(body, answer.position, answer.executed), None)
        etag = hashlib.blake2b(body, digest_size=16).hexdigest()
        expires_at = None if reads.until == FOREVER else reads.until
        return _ExecutedResponse(
            EncodedResponse(body, answer.position, answer.executed, etag, expires_at), reads
        )


def encode(body: dict[str, Any]) -> bytes:
    """Return a response as JSON."""
    try:
        return msgspec.json.encode(body, enc_hook=str)
    except UnicodeEncodeError:  # an error message may quote what a client sent, and that need not be Unicode
        return json.dumps(body, default=str).encode("ascii")


def _canonical(variables: Mapping[str, Any] | None) -> bytes | None:
    """Return the same bytes for the same variables, `None` for what is no JSON. Null is not the same as absent."""
    if not variables:
        return b""
    try:
        return msgspec.json.encode(variables, order="sorted")
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return None


def _follows_from_the_request(body: Mapping[str, Any]) -> bool:
    errors = body.get("errors", ())
    return all((one.get("extensions") or {}).get("code") in _OF_THE_CLIENTS_MAKING for one in errors)


def _size_of(key: Hashable) -> int:
    return sum(len(part) for part in key if isinstance(part, str | bytes)) if isinstance(key, tuple) else 0


@lru_cache(maxsize=1024)
def _scope(identity: Identity) -> tuple[object, ...]:
    return identity.scope
