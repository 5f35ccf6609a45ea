"""One subscriber: a position up to which everything has been told, and where to send what comes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Final, Protocol

from ledgerpress.eventlog.errors import LogReplaced, LogUnavailable
from ledgerpress.graphql.subscriptions.messages import ResultMessage, SubscriptionEnded, broken
from ledgerpress.graphql.subscriptions.shared_subscription import (
    LOG_AGAIN,
    SharedSubscription,
    broken_inside,
    of_another_log,
)

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where a subscriber's events go."""

    def send(self, event: ResultMessage) -> Coroutine[Any, Any, None]:
        """Send an event; it returns when the connection has taken it, whole. Raises `OSError` where that is gone."""
        ...

    async def end(self, end: SubscriptionEnded) -> None:
        """Send that there will be no more, and why."""
        ...

    def abandon(self) -> None:
        """End the connection: it does not even take that."""
        ...


class Subscriber:
    """One subscription of one client.

    At the front it has no task: what comes is sent from that of its group. Only where its connection does not take it
    at once, or where it has to catch up, it goes on in a task of its own.
    """

    __slots__ = ("_group", "_lagging", "_leave", "_sink", "_task", "_was_at_front", "position", "seen")

    def __init__(
        self, group: SharedSubscription, sink: Sink, position: int, leave: Callable[["Subscriber"], None]
    ) -> None:
        """Begin after `position`. `leave` is called once, when it has ended."""
        self._group = group
        self._sink = sink
        self._leave: Callable[[Subscriber], None] | None = leave
        self.position = position
        self.seen: str | None = None
        self._was_at_front = False
        self._lagging = False
        self._task: asyncio.Task[None] | None = None
        self._go_on(None)

    def cancel(self) -> None:
        """End it: nothing more is sent."""
        self._lagging = False
        if self._task:
            self._task.cancel()
        self._left()

    def end(self, end: SubscriptionEnded) -> None:
        """End it, and say why."""
        if self._leave is not None:
            self._left()
            self._task = asyncio.create_task(self._say(end))

    def lacks(self, event: ResultMessage) -> bool:
        """Return whether it has not been told of an event."""
        if event.state is not None:
            return event.position >= self.position and event.state != self.seen
        return event.position > self.position

    def check_lag(self, head: int) -> None:
        """End it where it had caught up, and has fallen too far behind since."""
        if self._was_at_front and head - self.position > self._group.settings.max_lag and not self._lagging:
            self._lagging = True
            if self._task:
                self._task.cancel()

    def offer(self, event: ResultMessage) -> None:
        """Send an event if the connection takes it at once; else go on in a task."""
        sending = self._sink.send(event)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            self._took(event)
        except OSError:
            self._left()
        except Exception:
            logger.exception("an event could not be sent")
            self._left()
        else:
            self._go_on(_rest(sending, waits_for), event)

    def _go_on(self, pending: Awaitable[None] | None, event: ResultMessage | None = None) -> None:
        self._group.at_front.discard(self)
        self._group.behind.add(self)
        self._task = asyncio.create_task(self._catch_up(pending, event))

    async def _catch_up(self, pending: Awaitable[None] | None, event: ResultMessage | None) -> None:
        try:
            if pending is not None and event is not None:
                await self._send(pending, event)
            while True:
                reached, event = await self._next()
                if self._is_over():  # a cancellation may get lost on the way
                    return
                if event is not None:
                    await self._send(self._sink.send(event), event)
                elif self._group.admit(self, reached):
                    self.position = max(self.position, reached)
                    self._was_at_front = True
                    self._task = None
                    return
        except asyncio.CancelledError:
            if not self._lagging:
                raise
            _uncancel()
            await self._finish(self._too_slow())
        except SubscriptionEnded as end:
            await self._finish(end)
        except OSError:
            self._left()
        except Exception as failure:  # noqa: BLE001 - whatever fails, no client is told how
            await self._finish(broken_inside(failure, self.position))

    async def _next(self) -> tuple[int, ResultMessage | None]:
        while True:
            try:
                return await self._group.next(self.position, self.seen)
            except LogReplaced as replaced:
                raise of_another_log(replaced) from replaced
            except LogUnavailable:
                await asyncio.sleep(LOG_AGAIN)

    async def _send(self, sending: Awaitable[None], event: ResultMessage) -> None:
        try:
            async with asyncio.timeout(self._group.settings.send_seconds):
                await sending
        except TimeoutError:
            raise self._too_slow() from None
        self._took(event)

    def _took(self, event: ResultMessage) -> None:
        self.position, self.seen = event.position, event.state

    def _too_slow(self) -> SubscriptionEnded:
        return broken(
            f"The connection does not take events as fast as they come. Resume from position {self.position}.",
            "SLOW_CONSUMER",
            self.position,
        )

    async def _finish(self, end: SubscriptionEnded) -> None:
        self._left()
        await self._say(end)

    async def _say(self, end: SubscriptionEnded) -> None:
        try:
            async with asyncio.timeout(self._group.settings.send_seconds):
                await self._sink.end(end)
        except OSError:  # a time-out is one, too
            self._sink.abandon()

    def _is_over(self) -> bool:
        return self._leave is None

    def _left(self) -> None:
        self._group.at_front.discard(self)
        self._group.behind.discard(self)
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(self)


@coroutine
def _rest(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was begun elsewhere, and waits for `waits_for`."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
            step = _step(begun.throw, error)
        else:
            step = _step(begun.send, value)
        if step is _ENDED:
            return
        waits_for = step


_ENDED: Final = object()


def _step(go_on: Callable[[Any], Any], what: Any) -> Any:
    try:
        return go_on(what)
    except StopIteration:
        return _ENDED


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
