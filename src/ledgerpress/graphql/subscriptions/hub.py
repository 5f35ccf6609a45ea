"""All subscriptions of a process: who asks the same is put together, and told when the views have moved."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from graphql import ArgumentNode, VariableNode, Visitor, visit

from ledgerpress.commands.identity import Identity
from ledgerpress.eventlog.errors import LogReplaced
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.subscriptions.event_cache import EventCache
from ledgerpress.graphql.subscriptions.messages import SubscriptionEnded
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.graphql.subscriptions.shared_subscription import SharedSubscription
from ledgerpress.graphql.subscriptions.subscriber import Sink, Subscriber

logger = logging.getLogger(__name__)

_RESUMES: Final = "fromPosition"
"""The argument that tells subscribers apart only by where they begin."""
_DECLARED_AND_USED: Final = 2
_LOOK_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.1


class SubscriptionHub:
    """The subscriptions of one process on one store."""

    def __init__(
        self, engine: Executor, store: Store, settings: SubscriptionSettings, *, open_past: bool = False
    ) -> None:
        self.engine = engine
        self.store = store
        self.settings = settings
        self.open_past = open_past
        self._kept = EventCache(settings.kept_bytes)
        self._groups: dict[tuple[object, ...], SharedSubscription] = {}
        self._running: dict[tuple[object, ...], asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._count = 0
        self._turn = asyncio.Lock()
        self.executing = 0
        """How many queries and mutations are under way that came by connections that stay open."""

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of what subscribers need."""
        return {
            "subscriptions": self._count,
            "groups": len(self._groups),
            "tasks": len(self._running) + (self._watching is not None),
            "kept_events": len(self._kept),
        }

    async def subscribe(
        self,
        operation: Operation,
        text: str,
        variables: Mapping[str, Any] | None,
        identity: Identity,
        sink: Sink,
        *,
        after: int | None = None,
    ) -> Subscriber:
        """Begin a subscription to an operation of the document `text`. Raises `SubscriptionEnded` where it cannot begin.

        `after` is where to resume, which overrules the position that the operation names; it is for those that can be
        resumed.
        """
        if self._count >= self.settings.max_subscriptions:
            raise _too_many()
        variables = variables or {}
        key = (text, operation.name, _telling_apart(operation, variables), identity.scope)
        group = self._groups.get(key)
        if group is None:
            group = SharedSubscription(
                self.engine,
                self.store,
                self.settings,
                self._kept,
                self._turn,
                operation,
                variables,
                identity,
                open_past=self.open_past,
            )
        begins_at = await group.beginning(variables)
        if after is not None and group.is_resumable:
            begins_at = await self._checked(after)
        # Meanwhile somebody else may have begun the same, or all others have left.
        group = self._groups.setdefault(key, group)
        if key not in self._running:
            group.open()
            self._running[key] = asyncio.create_task(group.run(), name="subscribers")
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="subscriptions")
        self._count += 1
        return Subscriber(group, sink, begins_at, lambda _: self._left(key))

    async def _checked(self, after: int) -> int:
        if after <= self.store.position:
            return after
        head = await self.store.log.head()
        if after > head:
            message = f"Position {after} lies in the future: the log is at {head}."
            raise SubscriptionEnded([{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}])
        return after

    def _left(self, key: tuple[object, ...]) -> None:
        self._count -= 1
        group = self._groups.get(key)
        if group is not None and group.is_empty:
            del self._groups[key]
            group.close()
            self._running.pop(key).cancel()
        if not self._groups and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        """Wake the groups as soon as the views have moved, whoever wrote what moved them."""
        position = -1
        # Before Python 3.12, `asyncio.wait_for` may lose a cancellation, and the views wait by it.
        while self._watching is asyncio.current_task():
            try:
                with self.store.snapshot() as snapshot:
                    reached = snapshot.position
                if reached != position:
                    position = reached
                    for group in self._groups.values():
                        group.wake(reached)
                if not await self.store.views.wait_for(position + 1, _LOOK_SECONDS):
                    await asyncio.sleep(_AGAIN_SECONDS)  # a projection may be paused, which is not waited for
            except (
                LogReplaced
            ):  # Whoever watches the log has said so. Those who subscribe are told by their groups.
                for group in self._groups.values():
                    group.wake(position)
                await asyncio.sleep(_LOOK_SECONDS)
            except Exception:
                logger.exception("subscribers cannot be told for the moment")
                await asyncio.sleep(_LOOK_SECONDS)


def _telling_apart(operation: Operation, variables: Mapping[str, Any]) -> bytes:
    """Return the variables as far as they tell one subscription from another: not by where it begins."""
    names = {definition.variable.name.value for definition in operation.node.variable_definitions or ()}
    names -= _only_where_to_begin(operation)
    known = {name: value for name, value in variables.items() if name in names}
    return msgspec.json.encode(known, order="deterministic")


def _only_where_to_begin(operation: Operation) -> set[str]:
    """Return the variable that is used as `fromPosition`, and for nothing else."""
    uses = _Uses()
    visit(operation.document, uses)
    return {name for name in uses.where_to_begin if uses.found[name] == _DECLARED_AND_USED}


class _Uses(Visitor):
    """How often each variable occurs, and which are used as `fromPosition`."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Counter[str]()
        self.where_to_begin: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        """Count a variable."""
        self.found[node.name.value] += 1

    def enter_argument(self, node: ArgumentNode, *_: object) -> None:
        """Note the variable that is an argument."""
        if node.name.value == _RESUMES and isinstance(node.value, VariableNode):
            self.where_to_begin.add(node.value.name.value)


def _too_many() -> SubscriptionEnded:
    return SubscriptionEnded(
        [
            {
                "message": "The server carries as many subscriptions as it can: try again later.",
                "extensions": {"code": "TOO_MANY_SUBSCRIPTIONS"},
            }
        ]
    )
