"""The operations that one connection carries at a time, whatever its protocol."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from graphql import OperationType

from ledgerpress.application.access import Identity
from ledgerpress.graphql.documents import Operation, Refused
from ledgerpress.graphql.errors import all_presentable
from ledgerpress.graphql.live.hub import Live
from ledgerpress.graphql.live.subscriber import Subscriber
from ledgerpress.graphql.live.told import Ended, Told, to_json
from ledgerpress.http.graphql_requests import GraphQLRequest
from ledgerpress.http.persisted_documents import PersistedDocuments
from ledgerpress.http.refusals import Refusal

logger = logging.getLogger(__name__)


class Channel(Protocol):
    """What carries operations: each message goes to the operation with that id."""

    async def next(self, id_: str, event: Told) -> None:
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


class Operations:
    """The operations under way on one connection, by their ids."""

    def __init__(
        self,
        live: Live,
        channel: Channel,
        persisted: PersistedDocuments,
        admit: Callable[[Identity], object] | None = None,
    ) -> None:
        """Take what carries them. `admit` raises `Refusal` for whoever may begin none just now."""
        self._admit = admit
        self._persisted = persisted
        self._live = live
        self._channel = channel
        self._under_way: dict[str, _Operation] = {}

    def __contains__(self, id_: object) -> bool:
        return id_ in self._under_way

    def start(
        self, id_: str, request: GraphQLRequest, identity: Identity, *, after: int | None = None
    ) -> None:
        """Begin an operation, whose id is free. `after` is where a subscription resumes."""
        operation = _Operation(self, id_)
        self._under_way[id_] = operation
        try:
            if self._admit is not None:
                self._admit(identity)
            if len(self._under_way) > self._live.settings.max_operations:
                raise _too_many(self._live.settings.max_operations)
            document = self._persisted.find(request)
            found = self._live.engine.documents.operation(document.text, request.operation_name)
            found.admit(request.variables)
        except Refused as refusal:
            operation.begin(operation.refuse, all_presentable(refusal.errors))
        except Refusal as refusal:
            errors = [{"message": str(refusal), "extensions": {"code": refusal.code}}]
            operation.begin(operation.refuse, errors)
        else:
            self._persisted.keep(document)
            operation.is_mutation = found.type is OperationType.MUTATION
            if found.type is OperationType.SUBSCRIPTION:
                operation.begin(operation.subscribe, found, document.text, request, identity, after)
            else:
                operation.begin(operation.execute, document.text, request, identity)

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

    def __init__(self, operations: Operations, id_: str) -> None:
        self._operations = operations
        self._channel = operations._channel
        self._live = operations._live
        self._id = id_
        self._task: asyncio.Task[None] | None = None
        self._subscriber: Subscriber | None = None
        self._stopped = False
        self.is_mutation = False

    def begin(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        self._task = asyncio.create_task(self._carry_out(work, arguments), name="operation")

    def stop(self) -> None:
        self._stopped = True
        if self._subscriber is not None:
            self._subscriber.cancel()
        if self._task is not None and not self.is_mutation:
            self._task.cancel()

    async def refuse(self, errors: list[dict[str, Any]]) -> None:
        await self._errors(errors)

    async def execute(self, text: str, request: GraphQLRequest, identity: Identity) -> None:
        live = self._live
        answer = await live.engine.execute(
            live.store,
            text,
            variables=request.variables,
            operation_name=request.operation_name,
            identity=identity,
            open_past=live.open_past,
        )
        if self._stopped:
            return
        if not answer.executed:
            await self._errors(answer.body["errors"])
            return
        extensions = {**answer.body.get("extensions", {}), "position": answer.position}
        payload = to_json({**answer.body, "extensions": extensions})
        async with asyncio.timeout(live.settings.send_seconds):
            await self._channel.next(self._id, Told(answer.position, payload))
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
        except Ended as end:
            await self.end(end)

    async def send(self, event: Told) -> None:
        """Send an event of the subscription."""
        await self._channel.next(self._id, event)

    async def end(self, end: Ended) -> None:
        """Send that the subscription has ended."""
        if end.errors:
            await self._errors(end.errors)
        else:
            await self._complete()

    def abandon(self) -> None:
        """End the connection."""
        self._channel.abandon()

    async def _carry_out(self, work: Callable[..., Awaitable[None]], arguments: tuple[Any, ...]) -> None:
        try:
            await work(*arguments)
        except OSError:  # the connection is gone, or takes nothing any more
            self._channel.abandon()
        except Exception:
            logger.exception("an operation failed")
            await self._errors([{"message": "Something went wrong on the server."}])

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


def _too_many(most: int) -> Refusal:
    message = f"At most {most} operations may be under way on one connection: end one, or open another."
    return Refusal(503, "TOO_MANY_OPERATIONS", message)
