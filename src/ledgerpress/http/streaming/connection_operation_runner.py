"""Run the operations of one connection; WebSocket and server-sent events share this code."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from graphql import OperationType

from ledgerpress.commands.client_identity import Identity
from ledgerpress.graphql.documents import Documents, Operation, RequestError
from ledgerpress.graphql.errors import client_errors, masked_error
from ledgerpress.graphql.request_telemetry_record import executing
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, SubscriptionEnded, to_json
from ledgerpress.graphql.subscriptions.subscriber import Sender, Subscriber
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.persisted_documents import PersistedDocuments, RequestedDocument
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from ledgerpress.http.requests.minimum_position import minimum_position, wait_for_position

MAX_ID_CHARACTERS: Final = 255
"""The longest id of an operation: every message to the client contains the id."""


class Channel(Protocol):
    """A connection that carries operations, each with an id."""

    def sender(self, id_: str) -> Sender:
        """Return an object that sends the results of an operation."""

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Report that an operation has ended with errors."""

    async def complete(self, id_: str) -> None:
        """Report that an operation has ended."""

    def abandon(self) -> None:
        """Close the connection: its client no longer accepts messages."""


class ResolvedRequest(NamedTuple):
    """The document and the operation of a request."""

    document: RequestedDocument
    operation: Operation


async def resolve(
    request: GraphQLRequest, persisted: PersistedDocuments, documents: Documents
) -> ResolvedRequest:
    """Return the document and the operation of a request. Raises `RequestError` and `HttpError`."""
    document = await persisted.find_in_all_workers(request)
    return ResolvedRequest(document, await documents.resolve(document.text, request.operation_name))


@dataclass(slots=True, eq=False)
class ConnectionOperations:
    """The operations in progress on one connection, by their ids.

    `admit` raises `HttpError` for an operation that is not allowed to start now.
    """

    hub: SubscriptionHub
    channel: Channel
    persisted: PersistedDocuments
    settings: HttpSettings
    admit: Callable[[GraphQLRequest, Identity], object] | None = None
    _operations: "dict[str, _Operation]" = field(default_factory=dict)

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
        """Start an operation. Its id must not be in use.

        `after` is the position after which a subscription resumes; `headers` are the headers of the request. If
        `resolved` is `None`, the operation resolves the request itself.
        """
        operation = _Operation(self, id_, request, identity, self.channel.sender(id_))
        self._operations[id_] = operation
        rejection = None
        try:
            if self.admit is not None:
                self.admit(request, identity)
            if len(self._operations) > (limit := self.hub.settings.max_operations):
                message = (
                    f"One connection carries at most {limit} operations. End one, or open another connection."
                )
                raise HttpError(503, "TOO_MANY_OPERATIONS", message)
        except HttpError as error:
            rejection = error
        work = operation.run(after, headers or {}, resolved, rejection)
        operation.task = asyncio.create_task(work, name="operation")

    def stop(self, id_: str) -> None:
        """End an operation without a message, if it is in progress. A mutation still runs to its end."""
        operation = self._operations.pop(id_, None)
        if operation is not None:
            operation.stop()

    def stop_all(self) -> None:
        for id_ in list(self._operations):
            self.stop(id_)

    def release(self, id_: str, operation: "_Operation") -> bool:
        """Free the id of an operation that ends. Return whether the client still expects a message about its end."""
        if self._operations.get(id_) is not operation:
            return False
        del self._operations[id_]
        return True


@dataclass(slots=True, eq=False)
class _Operation:
    """An operation in progress. It is also the sink of its subscription."""

    operations: ConnectionOperations
    id: str
    request: GraphQLRequest
    identity: Identity
    sender: Sender
    task: asyncio.Task[None] | None = None
    subscriber: Subscriber | None = None
    stopped: bool = False
    is_mutation: bool | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.subscriber is not None:
            self.subscriber.cancel()
        if self.task is not None and self.is_mutation is False:
            self.task.cancel()

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
            self.is_mutation = operation.type is OperationType.MUTATION
            if self.stopped and not self.is_mutation:
                return
            if operation.type is OperationType.SUBSCRIPTION:
                await self._subscribe(operation, after)
            else:
                await self._execute(operation)
            self.operations.persisted.register(document)
        except OSError:  # the connection is lost, or its client no longer accepts messages
            self.operations.channel.abandon()
        except Exception as failure:  # noqa: BLE001 - clients get no details of any failure
            await self._errors([masked_error(failure)])

    async def _admitted(
        self, headers: Mapping[bytes, bytes], resolved: ResolvedRequest | None
    ) -> ResolvedRequest:
        """Check whether the operation may start, and return it. Raises `RequestError` and `HttpError`."""
        settings, request = self.operations.settings, self.request
        if position := minimum_position(headers, request.extensions):
            await wait_for_position(self.operations.hub.store, position, settings.min_position_seconds)
        if resolved is None:
            resolved = await resolve(
                request, self.operations.persisted, self.operations.hub.executor.documents
            )
        operation = resolved.operation
        operation.admit(request.variables)
        is_subscription = operation.type is OperationType.SUBSCRIPTION
        if not is_subscription and self.operations.hub.executing >= settings.max_concurrent_requests:
            raise HttpError(503, "TOO_BUSY", "The server has too many requests in progress. Try again later.")
        return resolved

    async def _execute(self, operation: Operation) -> None:
        hub = self.operations.hub
        hub.executing += 1
        try:
            with executing(operation):
                result = await hub.executor.execute(
                    hub.store,
                    operation,
                    variables=self.request.variables,
                    identity=self.identity,
                    open_past=hub.open_past,
                )
        finally:
            hub.executing -= 1
        if self.stopped:
            return
        if not result.executed:
            await self._errors(result.body["errors"])
            return
        extensions = {**result.body.get("extensions", {}), "position": result.position}
        payload = to_json({**result.body, "extensions": extensions})
        rest = self.sender.send(ResultMessage(result.position, payload))
        if rest is not None:
            async with asyncio.timeout(hub.settings.send_seconds):
                await rest
        await self._complete()

    async def _subscribe(self, operation: Operation, after: int | None) -> None:
        try:
            self.subscriber = await self.operations.hub.subscribe(
                operation, self.request.variables, self.identity, self, after=after
            )
        except SubscriptionEnded as end:
            await self.end(end)

    async def end(self, end: SubscriptionEnded) -> None:
        if end.errors:
            await self._errors(end.errors)
        else:
            await self._complete()

    def abandon(self) -> None:
        self.operations.channel.abandon()

    async def _errors(self, errors: list[dict[str, Any]]) -> None:
        if self.operations.release(self.id, self):
            await self.operations.channel.errors(self.id, errors)

    async def _complete(self) -> None:
        if self.operations.release(self.id, self):
            await self.operations.channel.complete(self.id)
