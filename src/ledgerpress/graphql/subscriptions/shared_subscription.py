"""All who subscribe to one document with the same variables and see the same: each event is executed once for them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ledgerpress.commands.identity import Identity
from ledgerpress.eventlog.errors import LogReplaced, LogUnavailable
from ledgerpress.features.history import queries as changes
from ledgerpress.features.history.queries import ChangeQuery
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.errors import is_unavailable, masked_error
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.subscriptions.event_cache import CachedStep, EventCache
from ledgerpress.graphql.subscriptions.messages import ResultMessage, SubscriptionEnded, failed, message_of
from ledgerpress.graphql.subscriptions.poll_step import Kind, Step, SubscriptionContext
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.views.cache_dependencies import FOREVER
from ledgerpress.views.snapshot import Snapshot

if TYPE_CHECKING:
    from ledgerpress.graphql.subscriptions.subscriber import Subscriber

SHORTEST_LOOK: Final = 1.0
"""Seconds between two looks at the present state without an event, at least."""
LOG_AGAIN: Final = 0.5
"""Seconds until an event is tried again of which something is in a log that cannot be reached."""
_AT_ONCE: Final = 64
"""So many are told before others have a turn."""
_NOW: Final = -1
"""Where the present state is kept, which comes after no position."""


class SharedSubscription:
    """The subscribers who are told the same. Those at `front` wait for what comes next; others are on their way there."""

    def __init__(
        self,
        engine: Executor,
        store: Store,
        settings: SubscriptionSettings,
        kept: EventCache,
        turn: asyncio.Lock,
        operation: Operation,
        variables: Mapping[str, Any],
        identity: Identity,
        *,
        open_past: bool,
    ) -> None:
        self._engine = engine
        self._store = store
        self.settings = settings
        self._operation = operation
        self._variables = variables
        self._identity = identity
        self._open_past = open_past
        self._turn = turn
        self._kept = kept
        self._kind: Kind | None = None
        self._front = 0
        self._front_seen: str | None = None
        self.at_front: set[Subscriber] = set()
        self.behind: set[Subscriber] = set()
        self._closed = False
        self._moved = asyncio.Event()
        self._head = 0
        self._until = FOREVER

    @property
    def is_empty(self) -> bool:
        """Whether nobody subscribes any more."""
        return not self.at_front and not self.behind

    def open(self) -> None:
        """Expect somebody."""
        self._closed = False

    def close(self) -> None:
        """Let go of what is kept for it: nobody is left."""
        self._closed = True
        self._kept.forget(id(self))

    async def beginning(self, variables: Mapping[str, Any]) -> int:
        """Return the position after which a subscription with `variables` begins. Raises `SubscriptionEnded` where it cannot."""
        step = Step(None)
        async with self._turn:
            context = self._context(step)
            try:
                position = context.today.snapshot.position
                result = await self._engine.step(self._operation, variables, context)
            finally:
                context.close()
        if not step.nothing:
            raise failed(result)
        self._kind = step.kind
        return position if step.begins_at is None else step.begins_at

    @property
    def is_resumable(self) -> bool:
        """Whether a subscription can go on from a position of the past."""
        return self._kind is Kind.LOG

    async def next(self, after: int, seen: str | None) -> tuple[int, ResultMessage | None]:
        """Return the next event beyond `after`, if there is one, and the position up to which was looked.

        Of the present state, one that differs from `seen` is returned. Raises `SubscriptionEnded`, and `LogUnavailable` where the
        event asks for more than the views hold: it is to be asked for again.
        """
        # One step of all groups at a time: others' requests go on in between, however many groups there are.
        async with self._turn:
            context = self._context(step := Step(after))
            try:
                snapshot = context.today.snapshot
                key = _NOW if self._kind is Kind.STATE else after
                kept = self._kept.get(id(self), key)
                withdrawn = _last_withdrawal(snapshot)
                if kept is None or not kept.holds(snapshot.position, withdrawn, self._store.clock.now()):
                    if kept is not None and kept.withdrawn != withdrawn:
                        self._kept.forget(id(self))
                    found = await self._execute(context, step)
                    await asyncio.sleep(0)
                    self._until = context.reads.until if step.kind is Kind.STATE else FOREVER
                    kept = CachedStep(found, step.kind, snapshot.position, withdrawn, self._until)
                    self._kept.keep(id(self), key, kept)
                found = kept.told
                if found is not None and self._kind is Kind.STATE and found.state == seen:
                    found = None
                return snapshot.position, found
            finally:
                context.close()

    def _seconds_to_look(self) -> float:
        """Return when to look again without an event: the present state may tell an age."""
        if self._until == FOREVER:
            return self.settings.clock_seconds
        left = (self._until - self._store.clock.now()) / 1_000_000
        return min(max(left, SHORTEST_LOOK), self.settings.clock_seconds)

    def admit(self, subscriber: "Subscriber", reached: int) -> bool:
        """Let somebody who has been told everything up to `reached` wait at the front, unless that has moved on."""
        if not self.at_front:
            self._front, self._front_seen = reached, subscriber.seen
        elif self._front > reached:
            return False
        elif self._front_seen != subscriber.seen:
            self._front_seen = None
        self.behind.discard(subscriber)
        self.at_front.add(subscriber)
        # The views may have moved since they were looked at, while nobody was here.
        self._moved.set()
        return True

    def wake(self, head: int) -> None:
        """Take notice that the views have come to `head`."""
        self._head = head
        self._moved.set()

    async def run(self) -> None:
        """Tell those at the front what comes, until it is closed."""
        while not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_look()):
                    await self._moved.wait()
            self._moved.clear()
            for subscriber in list(self.behind):
                subscriber.check_lag(self._head)
            try:
                await self._advance()
            except SubscriptionEnded as end:
                self._end_all(end)
            except LogReplaced as replaced:
                self._end_all(of_another_log(replaced))
            except LogUnavailable:
                await asyncio.sleep(LOG_AGAIN)
                self._moved.set()
            except Exception as failure:  # noqa: BLE001 - whatever fails, subscribers are not told how
                self._end_all(broken_inside(failure, self._front))

    async def _advance(self) -> None:
        while self.at_front:
            reached, found = await self.next(self._front, self._front_seen)
            if found is None:
                self._front = max(self._front, reached)
                return
            self._front, self._front_seen = found.position, found.state
            for number, subscriber in enumerate(list(self.at_front), 1):
                if subscriber in self.at_front and subscriber.lacks(found):
                    subscriber.offer(found)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _execute(self, context: SubscriptionContext, step: Step) -> ResultMessage | None:
        result = await self._engine.step(self._operation, self._variables, context)
        if step.nothing:
            return None
        if step.finished:
            raise SubscriptionEnded([])
        if step.found is None:
            raise failed(result)
        if any(is_unavailable(error) for error in result.errors or ()):
            # It is told when it can be told whole.
            raise LogUnavailable("what an event says cannot be read")
        self._kind = step.kind
        return message_of(result, step.found, is_state=step.kind is Kind.STATE)

    def _end_all(self, end: SubscriptionEnded) -> None:
        for subscriber in list(self.at_front):
            subscriber.end(end)

    def _context(self, step: Step) -> SubscriptionContext:
        return SubscriptionContext(self._store, self._identity, step, open_past=self._open_past)


def broken_inside(failure: Exception, position: int) -> SubscriptionEnded:
    """Return the end of a subscription that failed on the server: told with an id that the log has, too."""
    error = masked_error(failure)
    return SubscriptionEnded(
        [{**error, "extensions": {**error["extensions"], "position": position}}], position
    )


def of_another_log(replaced: LogReplaced) -> SubscriptionEnded:
    """Return the end of a subscription to a log that is not there any more: nothing is left to resume from."""
    return SubscriptionEnded([masked_error(replaced)])


def _last_withdrawal(snapshot: Snapshot) -> int:
    """Return the last position by which a payload was withdrawn: what was made before that may hold it."""
    found = changes.positions(snapshot, ChangeQuery(types=("payload.withdrawn",)), limit=1, newest_first=True)
    return found[0] if found else 0
