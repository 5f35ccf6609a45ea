"""One subscriber: the position up to which everything has been sent, and the connection to send to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ledgerpress.commands.client_identity import Identity
from ledgerpress.eventlog.errors import LogReplaced, LogUnavailable
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, SubscriptionEnded, interrupted
from ledgerpress.graphql.subscriptions.shared_subscription import (
    RETRY_SECONDS,
    Progress,
    SharedSubscription,
    internal_error,
    log_replaced,
)
from ledgerpress.views.files.views_health import ViewsUnavailable

logger = logging.getLogger(__name__)


class Sender(Protocol):
    """Sends the events of one subscription to its connection."""

    def send(self, event: ResultMessage) -> Awaitable[None] | None:
        """Send an event. Return `None` if the connection has accepted all of it, otherwise an awaitable for the rest.

        Both raise `OSError` if the connection is lost.
        """


class Sink(Protocol):
    """The connection of a subscriber."""

    @property
    def sender(self) -> Sender:
        """The sender, which is always the same."""

    async def end(self, end: SubscriptionEnded) -> None:
        """Send the end of the subscription, with its reason."""

    def abandon(self) -> None:
        """Close the connection. It accepts no data after that."""


class Subscriber:
    """One subscription of one client.

    At the front it has no task: the task of the shared subscription sends its events. It has a task of its own while it
    catches up, and while its connection does not accept an event at once.
    """

    __slots__ = (
        "_lagging", "_leave", "_sender", "_shared", "_sink", "_task", "_was_at_front", "identity", "position", "state",
    )  # fmt: skip

    def __init__(
        self,
        shared: SharedSubscription,
        sink: Sink,
        position: int,
        leave: Callable[["Subscriber"], None],
        identity: Identity,
    ) -> None:
        """Begin after `position`. `leave` is called once, when the subscription has ended."""
        self._shared = shared
        self._sink = sink
        self._sender = sink.sender
        self._leave: Callable[[Subscriber], None] | None = leave
        self.identity = identity
        self.position = position
        self.state: str | None = None
        self._was_at_front = False
        self._lagging = False
        self._task: asyncio.Task[None] | None = None
        shared.join(self)
        self._continue(None)

    def cancel(self) -> None:
        """End the subscription without a message."""
        self._lagging = False
        if self._task:
            self._task.cancel()
        self._remove()

    def end(self, end: SubscriptionEnded) -> None:
        """End the subscription, and send the reason."""
        if self._leave is not None:
            self._remove()
            self._task = asyncio.create_task(self._send_end(end))

    def lacks(self, event: ResultMessage) -> bool:
        """Return whether the subscriber has not been sent an event."""
        if event.state is not None:
            return event.position >= self.position and event.state != self.state
        return event.position > self.position

    def check_lag(self, head: int) -> None:
        """End the subscription if it had caught up and has fallen too far behind since."""
        if self._was_at_front and head - self.position > self._shared.settings.max_lag and not self._lagging:
            self._lagging = True
            if self._task:
                self._task.cancel()

    def offer(self, event: ResultMessage) -> None:
        """Send an event, unless it has been sent. If the connection does not accept it at once, continue in a task."""
        if not self.lacks(event):
            return
        try:
            rest = self._sender.send(event)
        except OSError:
            self._remove()
        except Exception:
            logger.exception("an event could not be sent")
            self._remove()
        else:
            if rest is None:
                self.position, self.state = event.position, event.state
            else:
                self._continue(rest, event)

    def _continue(self, rest: Awaitable[None] | None, event: ResultMessage | None = None) -> None:
        self._shared.at_front.discard(self)
        self._shared.behind.add(self)
        self._task = asyncio.create_task(self._catch_up(rest, event))

    async def _catch_up(self, rest: Awaitable[None] | None, event: ResultMessage | None) -> None:
        try:
            if event is not None:
                await self._finish_sending(rest, event)
            while True:
                progress = await self._next()
                reached, event, _ = progress
                if self._leave is None:  # it has ended: a cancellation may have been lost
                    return
                self._check_credentials(progress)
                if event is not None:
                    await self._finish_sending(self._sender.send(event), event)
                elif self._shared.admit(self, reached):
                    self.position = max(self.position, reached)
                    self._was_at_front = True
                    self._task = None
                    return
        except asyncio.CancelledError:
            if not self._lagging:
                raise
            if task := asyncio.current_task():
                task.uncancel()
            await self._finish(self._too_slow())
        except SubscriptionEnded as end:
            await self._finish(end)
        except OSError:
            self._remove()
        except Exception as failure:  # noqa: BLE001 - clients get no details of any failure
            await self._finish(internal_error(failure, self.position))

    def _check_credentials(self, progress: Progress) -> None:
        """Raise `SubscriptionEnded` if the credentials are not valid for the next event.

        A subscriber that had not caught up before the revocation of its token gets no further event at all.
        """
        if not self._was_at_front:
            progress = progress._replace(message=None)
        end = progress.rejection(self.identity, self._shared.store.clock)
        if end is not None:
            if self.identity.token_id is not None:
                self._shared.token_ended(self.identity.token_id)
            raise end

    async def _next(self) -> Progress:
        while True:
            try:
                return await self._shared.next(self.position, self.state)
            except LogReplaced as replaced:
                raise log_replaced(replaced) from replaced
            except (LogUnavailable, ViewsUnavailable):
                await asyncio.sleep(RETRY_SECONDS)

    async def _finish_sending(self, rest: Awaitable[None] | None, event: ResultMessage) -> None:
        if rest is not None:
            try:
                async with asyncio.timeout(self._shared.settings.send_seconds):
                    await rest
            except TimeoutError:
                raise self._too_slow() from None
        self.position, self.state = event.position, event.state

    def _too_slow(self) -> SubscriptionEnded:
        return interrupted(
            f"The connection is too slow for the events. Resume from position {self.position}.",
            "SLOW_CONSUMER",
            self.position,
        )

    async def _finish(self, end: SubscriptionEnded) -> None:
        self._remove()
        await self._send_end(end)

    async def _send_end(self, end: SubscriptionEnded) -> None:
        try:
            async with asyncio.timeout(self._shared.settings.send_seconds):
                await self._sink.end(end)
        except OSError:  # includes `TimeoutError`
            self._sink.abandon()

    def _remove(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            self._shared.leave(self)
            leave(self)
