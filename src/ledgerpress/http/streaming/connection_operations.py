"""The operations that one connection carries at a time, whatever its protocol."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from graphql import OperationType

from ledgerpress.commands.identity import Identity
from ledgerpress.graphql.documents import Operation, RequestError
from ledgerpress.graphql.errors import client_errors, masked_error
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.messages import ResultMessage, SubscriptionEnded, to_json
from ledgerpress.graphql.subscriptions.subscriber import Subscriber
from ledgerpress.http.documents.persisted_documents import FoundDocument, PersistedDocuments
from ledgerpress.http.errors import HttpError
from ledgerpress.http.graphql.minimum_position import minimum_position, wait_for_position
from ledgerpress.http.graphql.request_parsing import GraphQLRequest
from ledgerpress.http.settings import HttpSettings

LONGEST_ID: Final = 255
"""Characters of an operation's id, which stands in every message to the client."""


class Channel(Protocol):
    """What carries operations: each message goes to the operation with that id."""

    async def next(self, id_: str, event: ResultMessage) -> None:
        """Send a result; it returns when the connection has taken it. Raises `OSError` where that is gone."""
        ...

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Send that an operation has ended with errors."""
        ...

    async def complete(self, id_: str) -> None:
        """Send that an operation has ended."""
        ...

    def abandon(self) -> None:
        """End the connection, which takes nothing more."""
        ...


class ConnectionOperations:
    """The operations under way on one connection, by their ids."""

    def __init__(
        self,
        live: SubscriptionHub,
        channel: Channel,
        persisted: PersistedDocuments,
        settings: HttpSettings,
        *,
        admit: Callable[[GraphQLRequest, Identity], object] | None = None,
    ) -> None:
        """Take what carries them. `admit` raises `HttpError` for an operation that may not begin just now."""
        self._admit = admit
        self._settings = settings
        self._persisted = persisted
        self._live = live
        self._channel = channel
        self._under_way: dict[str, _Operation] = {}

    def __contains__(self, id_: object) -> bool:
        return id_ in self._under_way

    def start(
        self,
        id_: str,
        request: GraphQLRequest,
        identity: Identity,
        *,
        after: int | None = None,
        headers: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Begin an operation, whose id is free. `after` is where a subscription resumes; `headers` are the request's."""
        operation = _Operation(self, id_)
        self._under_way[id_] = operation
        refusal = None
        try:
            if self._admit is not None:
                self._admit(request, identity)
            if len(self._under_way) > self._live.settings.max_operations:
                raise _too_many(self._live.settings.max_operations)
        except HttpError as error:
            refusal = error
        operation.begin(operation.carry_out(request, identity, after, headers or {}, refusal))

    async def admitted(
        self, request: GraphQLRequest, headers: Mapping[bytes, bytes]
    ) -> tuple[FoundDocument, Operation]:
        """Return what a request asks for, once it may be done. Raises `RequestError` and `HttpError`."""
        if position := minimum_position(headers, request.extensions):
            await wait_for_position(self._live.store, position, self._settings.min_position_seconds)
        document, documents = self._persisted.find(request), self._live.engine.documents
        await documents.prepare(document.text)
        operation = documents.operation(document.text, request.operation_name)
        operation.admit(request.variables)
        is_subscription = operation.type is OperationType.SUBSCRIPTION
        if not is_subscription and self._live.executing >= self._settings.max_concurrent_requests:
            raise HttpError(503, "TOO_BUSY", "As many requests are under way as can be: try again later.")
        return document, operation

    def keep(self, document: FoundDocument) -> None:
        """Keep a document whose operation has been executed, where its sender wants that."""
        self._persisted.keep(document)

    def stop(self, id_: str) -> None:
        """End an operation without a word, if it is under way. What a mutation does is done all the same."""
        operation = self._under_way.pop(id_, None)
        if operation is not None:
            operation.stop()

    def stop_all(self) -> None:
        """End all operations without a word."""
        for id_ in list(self._under_way):
            self.stop(id_)


class _Operation:
    """One operation; it is the sink of a subscription."""

    def __init__(self, operations: ConnectionOperations, id_: str) -> None:
        self._operations = operations
        self._channel = operations._channel
        self._live = operations._live
        self._id = id_
        self._task: asyncio.Task[None] | None = None
        self._subscriber: Subscriber | None = None
        self._stopped = False
        self.is_mutation: bool | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(work, name="operation")

    def stop(self) -> None:
        self._stopped = True
        if self._subscriber is not None:
            self._subscriber.cancel()
        if self._task is not None and self.is_mutation is False:
            self._task.cancel()

    async def execute(self, text: str, request: GraphQLRequest, identity: Identity) -> None:
        live = self._live
        live.executing += 1
        try:
            answer = await live.engine.execute(
                live.store,
                text,
                variables=request.variables,
                operation_name=request.operation_name,
                identity=identity,
                open_past=live.open_past,
            )
        finally:
            live.executing -= 1
        if self._stopped:
            return
        if not answer.executed:
            await self._errors(answer.body["errors"])
            return
        extensions = {**answer.body.get("extensions", {}), "position": answer.position}
        payload = to_json({**answer.body, "extensions": extensions})
        async with asyncio.timeout(live.settings.send_seconds):
            await self._channel.next(self._id, ResultMessage(answer.position, payload))
        await self._complete()

    async def subscribe(
        self,
        operation: Operation,
        text: str,
        request: GraphQLRequest,
        identity: Identity,
        after: int | None,
    ) -> None:
        try:
            self._subscriber = await self._live.subscribe(
                operation, text, request.variables, identity, self, after=after
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

    async def carry_out(
        self,
        request: GraphQLRequest,
        identity: Identity,
        after: int | None,
        headers: Mapping[bytes, bytes],
        refusal: HttpError | None,
    ) -> None:
        try:
            try:
                if refusal is not None:
                    raise refusal
                document, found = await self._operations.admitted(request, headers)
            except RequestError as error:
                await self._errors(client_errors(error.errors, suggestions=False))
                return
            except HttpError as error:
                await self._errors([{"message": str(error), "extensions": {"code": error.code}}])
                return
            self.is_mutation = found.type is OperationType.MUTATION
            if self._stopped and not self.is_mutation:
                return
            if found.type is OperationType.SUBSCRIPTION:
                await self.subscribe(found, document.text, request, identity, after)
            else:
                await self.execute(document.text, request, identity)
            self._operations.keep(document)
        except OSError:  # the connection is gone, or takes nothing any more
            self._channel.abandon()
        except Exception as failure:  # noqa: BLE001 - whatever fails, no client is told how
            await self._errors([masked_error(failure)])

    async def _errors(self, errors: list[dict[str, Any]]) -> None:
        if self._forget():
            await self._channel.errors(self._id, errors)

    async def _complete(self) -> None:
        if self._forget():
            await self._channel.complete(self._id)

    def _forget(self) -> bool:
        """Free the id; return whether it was in use: whoever asked is still to be told."""
        under_way = self._operations._under_way
        if under_way.get(self._id) is not self:
            return False
        del under_way[self._id]
        return True


def _too_many(most: int) -> HttpError:
    message = f"At most {most} operations may be under way on one connection: end one, or open another."
    return HttpError(503, "TOO_MANY_OPERATIONS", message)
