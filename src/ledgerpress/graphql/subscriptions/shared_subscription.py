"""A subscription that all equal subscribers share: each event is executed once for them.

Executed steps are cached for subscribers at different positions.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.commands.client_identity import Identity
from ledgerpress.eventlog.clock_randomness_ids import Clock
from ledgerpress.eventlog.errors import LogReplaced, LogUnavailable
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.errors import is_unavailable, masked_error
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.graphql.subscriptions.result_messages import (
    ResultMessage,
    SubscriptionEnded,
    failed,
    interrupted,
    message_of,
    rejected,
)
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.graphql.subscriptions.step_and_signals_for_resolvers import Kind, Step, SubscriptionContext
from ledgerpress.views.files.views_health import ViewsUnavailable
from ledgerpress.views.snapshot_and_cache_dependencies import END_OF_TIME, Snapshot

_COPIES: Final = 3
"""The memory of an event in multiples of its text: the payload, the frame of a transport, and the send buffer."""
_ENTRY_BYTES: Final = 500
"""The approximate memory of an entry in addition to its text, in bytes."""


@dataclass(frozen=True, slots=True)
class CachedStep:
    """The result of a step on the views at `position`. `withdrawn` was the position of the last withdrawal then."""

    message: ResultMessage | None
    kind: Kind
    position: int
    withdrawn: int
    until: int = END_OF_TIME
    """The time at which an age in the result changes, in microseconds since 1970, UTC."""

    def holds(self, position: int, withdrawn: int, now: int) -> bool:
        """Return whether the step would have the same result on the views at `position`."""
        if self.withdrawn != withdrawn or now >= self.until:
            return False
        return position == self.position or (self.kind is Kind.LOG and self.message is not None)


EventCache: TypeAlias = BoundedCache[tuple[int, int], CachedStep]
"""Steps by the number of the shared subscription and the position. The cache MUST be cleared after a withdrawal."""


def size_of_step(_: tuple[int, int], step: CachedStep) -> int:
    """Return the approximate memory of a cached step, in bytes."""
    return _ENTRY_BYTES + (0 if step.message is None else _COPIES * len(step.message.payload))


MIN_POLL_SECONDS: Final = 1.0
"""The minimum delay between two polls of the current state without an event."""
RETRY_SECONDS: Final = 0.5
"""The delay before a retry of an event, if the views cannot be read, or if it needs a log that cannot be reached."""
_SENDS_PER_TURN: Final = 64
"""The number of subscribers that are sent an event before other tasks run."""
_STATE: Final = -1
"""The key of the current state in the event cache."""


@runtime_checkable
class EndedTokens(Protocol):
    """An authenticator that knows which tokens have ended: those that were revoked, and those without a secret."""

    def ended_tokens(self, snapshot: Snapshot, token_ids: Collection[str]) -> Mapping[str, int]:
        """Return those of `token_ids` that have ended, each with the position of the revocation, 0 if it is unknown."""
        ...


class Receiver(Protocol):
    """A subscriber, as the shared subscription sees it."""

    state: str | None
    identity: Identity

    def check_lag(self, head: int) -> None:
        """End the subscription if it has fallen too far behind."""

    def lacks(self, event: ResultMessage) -> bool:
        """Return whether the subscriber has not been sent an event."""

    def offer(self, event: ResultMessage) -> None:
        """Send an event, unless it has been sent."""

    def end(self, end: SubscriptionEnded) -> None:
        """End the subscription, and send the reason."""


class Progress(NamedTuple):
    """The result of a step: the position up to which events were searched, and the next event, if there is one.

    `ended` are the tokens of subscribers that have ended by now, with the positions of their revocations.
    """

    reached: int
    message: ResultMessage | None
    ended: Mapping[str, int]

    def rejection(self, identity: Identity, clock: Clock) -> SubscriptionEnded | None:
        """Return the end of a subscription whose credentials are not valid for the event, `None` if they are valid."""
        end = None if identity.token_id is None else self.ended.get(identity.token_id)
        if end is not None and (self.message is None or self.message.position > end):
            return token_ended(self.reached)
        if identity.expires_at is not None and identity.expires_at <= clock.now():
            return rejected("The token has expired. Connect again with another one.", "UNAUTHENTICATED")
        return None


@dataclass(slots=True, eq=False)
class SharedSubscription:
    """A group of equal subscribers. Those at the front wait for the next event; those behind are catching up."""

    executor: Executor
    store: CacheableStore
    settings: SubscriptionSettings
    cache: EventCache
    step_lock: asyncio.Lock
    operation: Operation
    variables: Mapping[str, Any]
    identity: Identity
    open_past: bool
    tokens: EndedTokens | None = None
    token_ended: Callable[[str], None] = lambda _: None
    """Called with the id of a token that has ended, after its subscriptions have ended."""
    is_closed: bool = False
    """Whether the last subscriber has left."""
    at_front: set[Receiver] = field(default_factory=set)
    behind: set[Receiver] = field(default_factory=set)
    _token_ids: Counter[str] = field(default_factory=Counter)
    """The tokens of all subscribers, with their numbers of subscribers."""
    _expiring: int = 0
    """The number of subscribers whose credentials expire."""
    _number: int = field(default_factory=count().__next__)
    _kind: Kind | None = None
    _front: int = 0
    _front_state: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _head: int = 0
    _until: int = END_OF_TIME

    @property
    def is_empty(self) -> bool:
        return not self.at_front and not self.behind

    def join(self, subscriber: Receiver) -> None:
        """Add a subscriber, which is behind."""
        self.behind.add(subscriber)
        self._count(subscriber.identity, 1)

    def leave(self, subscriber: Receiver) -> None:
        """Remove a subscriber."""
        self.at_front.discard(subscriber)
        self.behind.discard(subscriber)
        self._count(subscriber.identity, -1)

    def _count(self, identity: Identity, change: int) -> None:
        self._expiring += change * (identity.expires_at is not None)
        if (token_id := identity.token_id) is not None:
            self._token_ids[token_id] += change
            if not self._token_ids[token_id]:
                del self._token_ids[token_id]

    async def beginning(self, variables: Mapping[str, Any]) -> int:
        """Return the position after which a subscription with `variables` begins.

        Raises `SubscriptionEnded` if it cannot begin.
        """
        step = Step(None)
        async with self.step_lock:
            context = self._context(step)
            try:
                position = context.today.snapshot.position
                result = await self.executor.step(self.operation, variables, context)
                if result.errors:
                    context.check_views(result.errors)
            finally:
                context.close()
        if not step.nothing:
            raise failed(result)
        self._kind = step.kind
        return position if step.begins_at is None else step.begins_at

    @property
    def is_resumable(self) -> bool:
        """Whether a subscription can resume from a past position."""
        return self._kind is Kind.LOG

    async def next(self, after: int, state: str | None) -> Progress:
        """Search for the next event after `after`.

        If the events are states, only a state that differs from `state` is returned. Raises `SubscriptionEnded`, and
        `LogUnavailable` or `ViewsUnavailable` if the event cannot be read at the moment; the caller retries.
        """
        # One step at a time in the whole process, so that other requests can run in between.
        async with self.step_lock:
            context = self._context(step := Step(after))
            try:
                snapshot = context.today.snapshot
                key = self._number, _STATE if self._kind is Kind.STATE else after
                cached = self.cache.get(key)
                withdrawn = self.store.last_withdrawal(snapshot)
                if cached is None or not cached.holds(snapshot.position, withdrawn, self.store.clock.now()):
                    if cached is not None and cached.withdrawn != withdrawn:
                        self.cache.clear()
                    message = await self._execute(context, step)
                    await asyncio.sleep(0)
                    self._until = context.reads.until if step.kind is Kind.STATE else END_OF_TIME
                    cached = CachedStep(message, step.kind, snapshot.position, withdrawn, self._until)
                    self.cache.put(key, cached)
                message = cached.message
                if message is not None and self._kind is Kind.STATE and message.state == state:
                    message = None
                return Progress(snapshot.position, message, self._ended(snapshot))
            finally:
                context.close()

    def _ended(self, snapshot: Snapshot) -> Mapping[str, int]:
        if self.tokens is None or not self._token_ids:
            return {}
        return self.tokens.ended_tokens(replace(snapshot, reads=None), self._token_ids.keys())

    def has_ended(self, snapshot: Snapshot) -> bool:
        """Return whether the token of a subscriber has ended."""
        return bool(self._ended(snapshot))

    def _poll_seconds(self) -> float:
        """Return the delay before a poll without an event, in seconds: the current state may contain an age."""
        if self._until == END_OF_TIME:
            return self.settings.clock_seconds
        left = (self._until - self.store.clock.now()) / 1_000_000
        return min(max(left, MIN_POLL_SECONDS), self.settings.clock_seconds)

    def admit(self, subscriber: Receiver, reached: int) -> bool:
        """Move a subscriber to the front, unless the front is ahead of it. Return whether it was moved.

        The subscriber was sent everything up to `reached`.
        """
        if not self.at_front:
            self._front, self._front_state = reached, subscriber.state
        elif self._front > reached:
            return False
        elif self._front_state != subscriber.state:
            self._front_state = None
        self.behind.discard(subscriber)
        self.at_front.add(subscriber)
        # The views may have changed since the last poll, while the front was empty.
        self._changed.set()
        return True

    def wake(self, head: int) -> None:
        """Start a poll: the views have reached `head`."""
        self._head = head
        self._changed.set()

    async def run(self) -> None:
        """Send events to the subscribers at the front until the shared subscription is closed."""
        while not self.is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds()):
                    await self._changed.wait()
            self._changed.clear()
            for subscriber in list(self.behind):
                subscriber.check_lag(self._head)
            try:
                await self._advance()
            except SubscriptionEnded as end:
                self._end_all(end)
            except LogReplaced as replaced:
                self._end_all(log_replaced(replaced))
            except (LogUnavailable, ViewsUnavailable):
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()
            except Exception as failure:  # noqa: BLE001 - clients get no details of any failure
                self._end_all(internal_error(failure, self._front))

    async def _advance(self) -> None:
        while self.at_front:
            progress = await self.next(self._front, self._front_state)
            message = progress.message
            if message is None:
                self._front = max(self._front, progress.reached)
                if progress.ended:
                    for subscriber in list(self.at_front):
                        self._end_invalid(subscriber, progress)
                return
            self._front, self._front_state = message.position, message.state
            await self._send(message, progress)
            if message.position >= progress.reached and not progress.ended:
                return  # there was no further event; a later one has set `_changed`

    async def _send(self, message: ResultMessage, progress: Progress) -> None:
        """Send an event to the subscribers at the front."""
        at_front, may_end = self.at_front, bool(progress.ended) or self._expiring > 0
        for number, subscriber in enumerate(list(at_front), 1):
            if subscriber in at_front and not (
                may_end and subscriber.lacks(message) and self._end_invalid(subscriber, progress)
            ):
                subscriber.offer(message)
            if number % _SENDS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _end_invalid(self, subscriber: Receiver, progress: Progress) -> bool:
        """End the subscription if its credentials are not valid for the event of `progress`; return whether it ended."""
        end = progress.rejection(subscriber.identity, self.store.clock)
        if end is None:
            return False
        subscriber.end(end)
        if subscriber.identity.token_id is not None:
            self.token_ended(subscriber.identity.token_id)
        return True

    async def _execute(self, context: SubscriptionContext, step: Step) -> ResultMessage | None:
        result = await self.executor.step(self.operation, self.variables, context)
        if result.errors:
            context.check_views(result.errors)
        if step.nothing:
            return None
        if step.finished:
            raise SubscriptionEnded([])
        if step.position is None:
            raise failed(result)
        if any(is_unavailable(error) for error in result.errors or ()):
            # An event is sent only when it is complete.
            raise LogUnavailable("an event cannot be read from the log")
        self._kind = step.kind
        return message_of(result, step.position, is_state=step.kind is Kind.STATE)

    def _end_all(self, end: SubscriptionEnded) -> None:
        for subscriber in list(self.at_front):
            subscriber.end(end)

    def _context(self, step: Step) -> SubscriptionContext:
        return SubscriptionContext(self.store, self.identity, step, open_past=self.open_past)


def token_ended(position: int) -> SubscriptionEnded:
    """Return the end of a subscription whose token was revoked, or whose creation was withdrawn."""
    return interrupted("The token has been revoked.", "UNAUTHENTICATED", position)


def internal_error(failure: Exception, position: int) -> SubscriptionEnded:
    """Return the end of a subscription that failed on the server, with the id of the logged error."""
    error = masked_error(failure)
    return SubscriptionEnded(
        [{**error, "extensions": {**error["extensions"], "position": position}}], position
    )


def log_replaced(replaced: LogReplaced) -> SubscriptionEnded:
    """Return the end of a subscription to a log that was replaced: it cannot be resumed."""
    return SubscriptionEnded([masked_error(replaced)])
