"""The operations in progress on one connection, for all protocols."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, Protocol

from graphql import OperationType

from ledgerpress.commands.roles_and_permissions import Identity
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.errors import client_errors, masked_error
from ledgerpress.graphql.request_telemetry import CURRENT
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, SubscriptionEnded, to_json
from ledgerpress.graphql.subscriptions.subscriber import Subscriber
from ledgerpress.http.errors import HttpError
from ledgerpress.http.persisted_documents import PersistedDocuments, RequestedDocument
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from ledgerpress.http.requests.minimum_position import minimum_position, wait_for_position
from ledgerpress.http.settings import HttpSettings

MAX_ID_CHARACTERS: Final = 255
"""An operation's id is part of every message to the client."""


class Channel(Protocol):
    """A connection that carries operations: each message goes to the operation with that id."""

    async def next(self, id_: str, event: ResultMessage) -> None:
        """Send a result; return when the connection has taken it. Raises `OSError` where the connection is lost."""

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Send that an operation has ended with errors."""

    async def complete(self, id_: str) -> None:
        """Send that an operation has ended."""

    def abandon(self) -> None:
        """End the connection, which takes nothing more."""


class ResolvedRequest(NamedTuple):
    """The document and the operation of a request."""

    document: RequestedDocument
    operation: Operation


async def resolve(
    request: GraphQLRequest, persisted: PersistedDocuments, documents: Documents
) -> ResolvedRequest:
    """Return the document and the operation of a request. Raises `RequestError` and `HttpError`."""
    document = persisted.find(request)
    return ResolvedRequest(document, await documents.resolve(document.text, request.operation_name))


class ConnectionOperations:
    """The operations in progress on one connection, by their ids."""

    def __init__(
        self,
        hub: SubscriptionHub,
        channel: Channel,
        persisted: PersistedDocuments,
        settings: HttpSettings,
        *,
        admit: Callable[[GraphQLRequest, Identity], object] | None = None,
    ) -> None:
        """`admit` raises `HttpError` for an operation that may not begin now."""
        self.hub = hub
        self.channel = channel
        self.persisted = persisted
        self.settings = settings
        self._admit = admit
        self._operations: dict[str, _Operation] = {}

    def __contains__(self, id_: object) -> bool:
        return id_ in self._operations

    def start(
        self,
        id_: str,
        request: GraphQLRequest,
        identity: Identity,
        *,
        after: int | None = None,
        headers: Mapping[bytes, bytes] | None = None,
        resolved: ResolvedRequest | None = None,
    ) -> None:
        """Begin an operation, whose id is not in use.

        `after` is where a subscription resumes; `headers` are those of the request. A request that is not yet resolved
        is resolved here.
        """
        operation = _Operation(self, id_, request, identity)
        self._operations[id_] = operation
        rejection = None
        try:
            if self._admit is not None:
                self._admit(request, identity)
            if len(self._operations) > self.hub.settings.max_operations:
                raise _too_many(self.hub.settings.max_operations)
        except HttpError as error:
            rejection = error
        operation.begin(operation.run(after, headers or {}, resolved, rejection))

    def stop(self, id_: str) -> None:
        """End an operation without a message, if it is in progress. A mutation is completed all the same."""
        operation = self._operations.pop(id_, None)
        if operation is not None:
            operation.stop()

    def stop_all(self) -> None:
        """End all operations without a message."""
        for id_ in list(self._operations):
            self.stop(id_)

    def release(self, id_: str, operation: "_Operation") -> bool:
        """Free the id of an operation that ends; return whether the client still expects its end."""
        if self._operations.get(id_) is not operation:
            return False
        del self._operations[id_]
        return True


class _Operation:
    """One operation; it is the sink of a subscription."""

    def __init__(
        self, operations: ConnectionOperations, id_: str, request: GraphQLRequest, identity: Identity
    ) -> None:
        self._operations = operations
        self._channel = operations.channel
        self._hub = operations.hub
        self._id = id_
        self._request = request
        self._identity = identity
        self._task: asyncio.Task[None] | None = None
        self._subscriber: Subscriber | None = None
        self._stopped = False
        self._is_mutation: bool | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(work, name="operation")

    def stop(self) -> None:
        self._stopped = True
        if self._subscriber is not None:
            self._subscriber.cancel()
        if self._task is not None and self._is_mutation is False:
            self._task.cancel()

    async def run(
        self,
        after: int | None,
        headers: Mapping[bytes, bytes],
        resolved: ResolvedRequest | None,
        rejection: HttpError | None,
    ) -> None:
        try:
            try:
                if rejection is not None:
                    raise rejection
                document, operation = await self._admitted(headers, resolved)
            except RequestError as error:
                await self._errors(client_errors(error.errors, suggestions=False))
                return
            except HttpError as error:
                await self._errors([{"message": str(error), "extensions": {"code": error.code}}])
                return
            self._is_mutation = operation.type is OperationType.MUTATION
            if self._stopped and not self._is_mutation:
                return
            if operation.type is OperationType.SUBSCRIPTION:
                await self._subscribe(operation, after)
            else:
                await self._execute(operation)
            self._operations.persisted.register(document)
        except OSError:  # the connection is lost, or takes nothing any more
            self._channel.abandon()
        except Exception as failure:  # noqa: BLE001 - whatever fails, clients get no details
            await self._errors([masked_error(failure)])

    async def _admitted(
        self, headers: Mapping[bytes, bytes], resolved: ResolvedRequest | None
    ) -> ResolvedRequest:
        """Return the document and the operation, once it may begin. Raises `RequestError` and `HttpError`."""
        settings, request = self._operations.settings, self._request
        if position := minimum_position(headers, request.extensions):
            await wait_for_position(self._hub.store, position, settings.min_position_seconds)
        if resolved is None:
            resolved = await resolve(request, self._operations.persisted, self._hub.executor.documents)
        operation = resolved.operation
        operation.admit(request.variables)
        is_subscription = operation.type is OperationType.SUBSCRIPTION
        if not is_subscription and self._hub.executing >= settings.max_concurrent_requests:
            raise HttpError(503, "TOO_BUSY", "As many requests are under way as can be: try again later.")
        return resolved

    async def _execute(self, operation: Operation) -> None:
        hub = self._hub
        if request := CURRENT.get():
            request.operation = operation
        hub.executing += 1
        try:
            result = await hub.executor.execute(
                hub.store,
                operation,
                variables=self._request.variables,
                identity=self._identity,
                open_past=hub.open_past,
            )
        finally:
            hub.executing -= 1
        if self._stopped:
            return
        if not result.executed:
            await self._errors(result.body["errors"])
            return
        extensions = {**result.body.get("extensions", {}), "position": result.position}
        payload = to_json({**result.body, "extensions": extensions})
        async with asyncio.timeout(hub.settings.send_seconds):
            await self._channel.next(self._id, ResultMessage(result.position, payload))
        await self._complete()

    async def _subscribe(self, operation: Operation, after: int | None) -> None:
        try:
            self._subscriber = await self._hub.subscribe(
                operation, self._request.variables, self._identity, self, after=after
            )
        except SubscriptionEnded as end:
            await self.end(end)

    async def send(self, event: ResultMessage) -> None:
        """Send an event of the subscription."""
        await self._channel.next(self._id, event)

    async def end(self, end: SubscriptionEnded) -> None:
        """Send that the subscription has ended."""
        if end.errors:
            await self._errors(end.errors)
        else:
            await self._complete()

    def abandon(self) -> None:
        """End the connection."""
        self._channel.abandon()

    async def _errors(self, errors: list[dict[str, Any]]) -> None:
        if self._operations.release(self._id, self):
            await self._channel.errors(self._id, errors)

    async def _complete(self) -> None:
        if self._operations.release(self._id, self):
            await self._channel.complete(self._id)


def _too_many(most: int) -> HttpError:
    message = f"At most {most} operations may be under way on one connection: end one, or open another."
    return HttpError(503, "TOO_MANY_OPERATIONS", message)
