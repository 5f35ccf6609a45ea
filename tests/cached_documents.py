"""Execute a document with a cached executor, as the HTTP endpoint does, or without anything that was read before."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from graphql import OperationType

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.documents import RequestError
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.results import EncodedResult, encoded
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@contextmanager
def nothing_remembered() -> Iterator[None]:
    """Read everything from the views file, within this context, as if nothing had been read before."""

    def read_again(
        snapshot: Snapshot,
        _key: Hashable,
        read: Callable[[Snapshot], Any],
        size_of: Callable[[Any], int] | None = None,
    ) -> Any:
        return read(snapshot)

    with patch.object(Snapshot, "once", read_again):
        yield


async def execute_cached(
    cached_executor: CachedExecutor,
    store: CacheableStore,
    query: str,
    *,
    operation_name: str | None = None,
    variables: Mapping[str, Any] | None = None,
    identity: Identity = LOCAL_OPERATOR,
    open_past: bool = False,
) -> EncodedResult:
    """Return the result of a request; only queries use the cache."""
    try:
        operation = await cached_executor.executor.documents.resolve(query, operation_name)
    except RequestError as error:
        cached_executor.counts.executed += 1
        return encoded(cached_executor.executor.reject(store, error))
    if operation.type is OperationType.QUERY:
        return await cached_executor.execute(
            store, operation, variables=variables, identity=identity, open_past=open_past
        )
    cached_executor.counts.executed += 1
    return encoded(
        await cached_executor.executor.execute(
            store, operation, variables=variables, identity=identity, open_past=open_past
        )
    )
