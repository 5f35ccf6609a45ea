"""Execute GraphQL operations on an open store in the caller's process. Loaded on first use: it imports strawberry."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Self

import msgspec
from graphql import GraphQLError, OperationType

from ledgerpress.commands.client_identity import Identity
from ledgerpress.feature import FeatureSet
from ledgerpress.graphql.documents import Operation, RequestError
from ledgerpress.graphql.errors import client_errors
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.results import ResponseMap, encoded
from ledgerpress.graphql.schema import Schema
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, SubscriptionEnded
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.graphql.subscriptions.subscriber import Subscriber
from ledgerpress.rest_of_started_coroutine import start
from ledgerpress.server.store import Store

_NO_LIMIT: Final = 2**40
"""A limit that is never reached: of subscribers, of their lag in positions, of seconds until they take a message."""


@dataclass(frozen=True, slots=True)
class GraphQLResult:
    """The result of an operation, in the shape of the GraphQL specification, section 7.

    `data` is `None` if the operation was not executed, or if an error made all of it null. Each of `errors` is a map
    with `message` and usually `extensions.code`. `data` is as of the log position `position`.
    """

    data: dict[str, Any] | None
    errors: list[dict[str, Any]] = field(default_factory=list)
    position: int = 0


def global_id(type: str, id: str) -> str:
    """Return the `id` that GraphQL uses for an object, such as `global_id("Post", result.subject_id)`."""
    return str(global_ids.encode(type, id))


@lru_cache(maxsize=4)
def _schema_of(features: FeatureSet) -> Schema:
    return features.graphql_schema()


class GraphQLExecution:
    """An executor of operations on one store, within `limits`. Results are not cached."""

    def __init__(self, store: Store, limits: Limits, schema: Schema | None = None) -> None:
        """Without `schema`, use the schema of the store's features. Raises `SchemaError`."""
        self._store = store
        self._executor = Executor(schema or _schema_of(store.features), limits=limits)
        # A subscriber in this process is only a position: while it is busy, no messages are lost or buffered.
        unlimited = SubscriptionSettings(
            max_subscriptions=_NO_LIMIT, max_lag=_NO_LIMIT, send_seconds=_NO_LIMIT
        )
        self._hub = SubscriptionHub(self._executor, store, unlimited)
        self._subscriptions: set[_Subscription] = set()
        self._has_ended = False

    async def execute(
        self,
        document: str,
        variables: Mapping[str, Any] | None,
        *,
        identity: Identity,
        operation_name: str | None,
    ) -> GraphQLResult:
        """Execute a query or a mutation. Every failure is in the result's `errors`."""
        try:
            operation = await self._resolve(document, operation_name, is_subscription=False)
        except RequestError as error:
            return self._rejected(error)
        result = await self._executor.execute(self._store, operation, variables=variables, identity=identity)
        return _result_of(encoded(result).body, result.position)

    async def subscribe(
        self,
        document: str,
        variables: Mapping[str, Any] | None,
        *,
        identity: Identity,
        operation_name: str | None,
    ) -> AsyncGenerator[GraphQLResult, None]:
        """Execute a subscription, and yield its results. If it ends with errors, its last result contains them."""
        if self._has_ended:
            return
        subscription = _Subscription()
        try:
            operation = await self._resolve(document, operation_name, is_subscription=True)
            operation.admit(variables)
            subscription.subscriber = await self._hub.subscribe(
                operation, variables or {}, identity, subscription
            )
        except RequestError as error:
            yield self._rejected(error)
            return
        except SubscriptionEnded as end:
            yield GraphQLResult(None, end.errors, end.position or 0)
            return
        self._subscriptions.add(subscription)
        try:
            while (result := await subscription.next()) is not None:
                yield result
        finally:
            self._subscriptions.discard(subscription)
            subscription.subscriber.cancel()

    def end_subscriptions(self) -> None:
        """End all subscriptions: their iterators end, and those that have not begun yield nothing."""
        self._has_ended = True
        for subscription in self._subscriptions:
            subscription.close()

    async def _resolve(self, document: str, name: str | None, *, is_subscription: bool) -> Operation:
        """Return the operation that a request selects. Raises `RequestError`."""
        operation = await self._executor.documents.resolve(document, name)
        if (operation.type is OperationType.SUBSCRIPTION) is not is_subscription:
            method = "graphql()" if is_subscription else "subscribe()"
            raise RequestError(GraphQLError(f"This is a {operation.type.value}: pass it to {method}."))
        return operation

    def _rejected(self, error: RequestError) -> GraphQLResult:
        suggestions = self._executor.limits.suggestions
        return GraphQLResult(None, client_errors(error.errors, suggestions=suggestions), self._store.position)


class _Subscription:
    """A subscription: the sink of a subscriber, which waits until the caller has taken each result."""

    def __init__(self) -> None:
        self.subscriber: Subscriber | None = None
        self._results = asyncio.Queue[GraphQLResult | None](maxsize=1)

    async def next(self) -> GraphQLResult | None:
        """Return the next result, or `None` if the subscription has ended."""
        return await self._results.get()

    @property
    def sender(self) -> Self:
        return self

    def send(self, event: ResultMessage) -> Awaitable[None] | None:
        return start(self._results.put(_result_of(event.payload.encode(), event.position)))

    async def end(self, end: SubscriptionEnded) -> None:
        if end.errors:
            await self._results.put(GraphQLResult(None, end.errors, end.position or 0))
        await self._results.put(None)

    def abandon(self) -> None:
        """End the subscription without an error: the caller did not take its results within the timeout."""
        self.close()

    def close(self) -> None:
        if self.subscriber is not None:
            self.subscriber.cancel()
        while not self._results.empty():
            self._results.get_nowait()
        self._results.put_nowait(None)


def _result_of(body: bytes, position: int) -> GraphQLResult:
    # Decoded from JSON, so that a caller gets the same plain values as a client.
    response: ResponseMap = msgspec.json.decode(body)
    return GraphQLResult(response.get("data"), response.get("errors", []), position)
