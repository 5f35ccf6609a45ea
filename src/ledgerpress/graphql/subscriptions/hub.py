"""All subscriptions of a process. Equal subscriptions are shared, and polled when the views have changed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec
from graphql import ArgumentNode, VariableNode, Visitor, visit

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.client_identity import Identity
from ledgerpress.eventlog.errors import LogReplaced
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.subscriptions.result_messages import rejected
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.graphql.subscriptions.shared_subscription import (
    RETRY_SECONDS,
    EndedTokens,
    EventCache,
    SharedSubscription,
    size_of_step,
)
from ledgerpress.graphql.subscriptions.subscriber import Sink, Subscriber
from ledgerpress.views.files.views_health import ViewsUnavailable

logger = logging.getLogger(__name__)

_START_ARGUMENT: Final = "fromPosition"
"""The argument that sets where a subscription begins. It does not distinguish shared subscriptions."""
_DECLARED_AND_USED: Final = 2
_WAIT_SECONDS: Final = 5.0


@dataclass(eq=False)
class SubscriptionHub:
    """The subscriptions of one process on one store."""

    executor: Executor
    store: CacheableStore
    settings: SubscriptionSettings
    open_past: bool = False
    tokens: EndedTokens | None = None
    executing: int = 0
    """The number of queries and mutations of streaming connections that are being executed."""

    def __post_init__(self) -> None:
        self._cache: EventCache = BoundedCache(
            max_bytes=self.settings.kept_bytes, max_entry_bytes=self.settings.kept_bytes, size_of=size_of_step
        )
        self._shared: dict[tuple[object, ...], SharedSubscription] = {}
        self._tasks: dict[tuple[object, ...], asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._token_ends: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self._count = 0
        self._step_lock = asyncio.Lock()

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of subscriptions, groups of equal subscriptions, tasks and cached events."""
        return {
            "subscriptions": self._count,
            "groups": len(self._shared),
            "tasks": len(self._tasks) + (self._watching is not None),
            "kept_events": len(self._cache),
        }

    async def subscribe(
        self,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        identity: Identity,
        sink: Sink,
        *,
        after: int | None = None,
    ) -> Subscriber:
        """Begin a subscription. Raises `SubscriptionEnded` if it cannot begin.

        `after` is the position after which to resume a subscription that can be resumed. It takes precedence over the
        position in the operation.
        """
        if self._count >= self.settings.max_subscriptions:
            message = "The server has reached its limit of subscriptions. Try again later."
            raise rejected(message, "TOO_MANY_SUBSCRIPTIONS")
        variables = variables or {}
        key = (operation.text, operation.name, _distinguishing(operation, variables), identity.scope)
        shared = self._shared.get(key)
        if shared is None:
            shared = SharedSubscription(
                self.executor,
                self.store,
                self.settings,
                self._cache,
                self._step_lock,
                operation,
                variables,
                identity,
                self.open_past,
                self.tokens,
                self._token_ended,
            )
        begins_at = await shared.beginning(variables)
        if after is not None and shared.is_resumable:
            begins_at = await self._checked(after)
        # In the meantime, another client may have begun an equal subscription, or all others may have left.
        shared = self._shared.setdefault(key, shared)
        if key not in self._tasks:
            shared.is_closed = False
            self._tasks[key] = asyncio.create_task(shared.run(), name="subscribers")
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="subscriptions")
        self._count += 1
        return Subscriber(shared, sink, begins_at, lambda _: self._left(key), identity)

    def end_of_token(self, token_id: str) -> asyncio.Event:
        """Return the event that is set when a subscription ends because its token has ended."""
        return self._token_ends.setdefault(token_id, asyncio.Event())

    def _token_ended(self, token_id: str) -> None:
        if event := self._token_ends.get(token_id):
            event.set()

    async def _checked(self, after: int) -> int:
        if after <= self.store.position:
            return after
        head = await self.store.log.head()
        if after > head:
            raise rejected(f"Position {after} is in the future: the log is at {head}.", "BAD_USER_INPUT")
        return after

    def _left(self, key: tuple[object, ...]) -> None:
        self._count -= 1
        shared = self._shared.get(key)
        if shared is not None and shared.is_empty:
            del self._shared[key]
            shared.is_closed = True
            self._tasks.pop(key).cancel()
        if not self._shared and self._watching is not None:
            self._watching.cancel()
            self._watching = None
            self._cache.clear()

    def _wake_after(self, position: int) -> int:
        """Wake the shared subscriptions if the views have left `position`; return their position.

        Otherwise, only subscriptions that have ended are woken: another projection may be paused.
        """
        with self.store.snapshot() as snapshot:
            reached = snapshot.position
            for shared in self._shared.values():
                if reached != position or shared.has_ended(snapshot):
                    shared.wake(reached)
        return reached

    async def _watch(self) -> None:
        """Wake the shared subscriptions as soon as the views have changed."""
        position, last_error = -1, ""
        # The views use `asyncio.wait_for`, which may lose a cancellation before Python 3.12.
        while self._watching is asyncio.current_task():
            try:
                changes = self.store.views.changes
                position = self._wake_after(position)
                if not await self.store.views.wait_for(position + 1, _WAIT_SECONDS):
                    # `wait_for` does not wait for a paused projection.
                    await self.store.views.wait_for_change(changes, _WAIT_SECONDS)
                last_error = ""
            except LogReplaced:  # logged elsewhere; the shared subscriptions report it to their subscribers
                for shared in self._shared.values():
                    shared.wake(position)
                await asyncio.sleep(_WAIT_SECONDS)
            except ViewsUnavailable:  # logged elsewhere; subscribers wait until the views can be read
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # after an error of any class, subscribers must be notified again
                if str(error) != last_error:
                    logger.exception("subscribers cannot be notified at the moment; trying again")
                last_error = str(error)
                await asyncio.sleep(_WAIT_SECONDS)


def _distinguishing(operation: Operation, variables: Mapping[str, Any]) -> bytes:
    """Return the variables that distinguish subscriptions, as JSON: all except those that set where one begins."""
    names = {definition.variable.name.value for definition in operation.node.variable_definitions or ()}
    names -= _start_variables(operation)
    known = {name: value for name, value in variables.items() if name in names}
    return msgspec.json.encode(known, order="deterministic")


def _start_variables(operation: Operation) -> set[str]:
    """Return the variables that are used as `fromPosition`, and for nothing else."""
    uses = _VariableUses()
    visit(operation.document, uses)
    return {name for name in uses.as_start if uses.counts[name] == _DECLARED_AND_USED}


class _VariableUses(Visitor):
    """The number of occurrences of each variable, and the variables that are used as `fromPosition`."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[str]()
        self.as_start: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.counts[node.name.value] += 1

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        if node.name.value == _START_ARGUMENT and isinstance(node.value, VariableNode):
            self.as_start.add(node.value.name.value)
