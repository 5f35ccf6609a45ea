"""A connection to the NATS servers, which is reopened without limit when it breaks. Every request has a timeout.

All answers arrive in one inbox per connection, since nats-py's own `request` costs more than the rest of an append.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.url import Login, NatsUrl
from ledgerpress.eventlog.errors import EventLogError, LogClosed, LogUnavailable, LogUnusable

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT: Final = 5.0
"""Seconds for one attempt to connect. The first connection has one attempt; reconnecting is retried without limit."""
RECONNECT_DELAY: Final = 0.25
"""Seconds between two attempts to reach the same server."""
REOPEN_DELAY: Final = 1.0
"""Seconds before each attempt with a new client."""
STUCK_TIMEOUT: Final = 20.0
"""Seconds without a connection after which a new client is created: nats-py stops reconnecting on unexpected errors."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds to close a client: it may wait until a silent server has read all sent data."""
SWEEP_INTERVAL: Final = 0.1
"""Seconds between two searches for expired requests."""
PING_INTERVAL: Final = 2
"""Seconds between two pings."""
FLUSH_TIMEOUT: Final = 10
"""Seconds to wait for a flush."""
_BROKEN: Final = (OSError, RuntimeError)
"""What nats-py raises when it writes to a connection that has just broken. It may send the data after it reconnects."""
_STATUS: Final = "Status"
_NO_RESPONDERS: Final = "503"
_PUBLISH_DENIED: Final = re.compile(r"permissions violation for publish to \"([^\"]+)\"", re.IGNORECASE)
_LOGIN_DENIED: Final = re.compile(r"authorization violation|authentication", re.IGNORECASE)


class NotSent(Exception):
    """A message was not sent, or had no receiver."""


class Unanswered(Exception):
    """A message was or may have been sent, but no answer arrived in time or before the connection broke."""


class Denied(EventLogError):
    """The servers do not permit this user to publish to a subject. The message had no effect."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"this NATS user is not permitted to publish to {subject}: see docs/how-to/jetstream.md for the "
            "permissions it needs"
        )


@dataclass(slots=True)
class _PendingRequest:
    subject: str
    answer: asyncio.Future[Msg]
    deadline: float = inf
    batch: list[Msg] | None = None
    """For a request with many answers: all answers before the last one."""

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Connection:
    """Sends messages and requests to the servers."""

    def __init__(self, url: NatsUrl, login: Login, name: str) -> None:
        self._url = url
        self._login = login
        self._name = name
        self._client = Client()
        self._loop = asyncio.get_running_loop()
        self._inbox = self._client.new_inbox() + "."
        self._requests = 0
        self._pending: dict[str, _PendingRequest] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._subscriptions: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = [
            (self._inbox + "*", self._on_answer)
        ]
        self._connected = asyncio.Event()
        self._login_denied = asyncio.Event()
        self._last_error = ""
        self._closed = False
        self._reopening: asyncio.Task[None] | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None
        self.reconnects = 0
        """Number of times that the connection was reopened."""

    @classmethod
    async def open(cls, url: NatsUrl, login: Login, name: str) -> "Connection":
        """Connect to the servers.

        Raises `LogUnusable` if they reject the user or its file cannot be used, and `LogUnavailable` if no
        server answers.
        """
        self = cls(url, login, name)
        try:
            await self._connect()
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def client(self) -> Client:
        return self._client

    async def close(self) -> None:
        """Close the connection. Pending and later requests raise `LogClosed`."""
        self._closed = True
        self._fail_all(LogClosed("the log was closed"))
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait([self._reopening])
        await _close_client(self._client)

    async def _connect(self) -> None:
        connect = asyncio.ensure_future(self._connect_client())
        denied = asyncio.ensure_future(self._login_denied.wait())
        try:
            await asyncio.wait(
                [connect, denied], timeout=CONNECT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
            )
            if connect.done():
                await connect
                return
            reason = self._last_error or "no answer in time"
        except (errors.Error, *_BROKEN) as error:
            reason = self._last_error or str(error)
        except ModuleNotFoundError as error:
            raise LogUnusable(
                "a credentials file or nkey file needs a package that is not installed: pip install ledgerpress[jetstream]"
            ) from error
        finally:
            connect.cancel()
            denied.cancel()
            await asyncio.wait([connect, denied])
        if self._login_denied.is_set():
            raise LogUnusable(f"the NATS servers reject the user {self._login}: {reason}")
        raise LogUnavailable(f"no NATS server answers at {', '.join(self._url.servers)}: {reason}")

    async def _connect_client(self) -> None:
        client = self._client

        def if_current(callback: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            async def call(*arguments: Exception) -> None:
                # A client that was replaced may still call back.
                if client is self._client:
                    await callback(*arguments)

            return call

        self._login.check()
        await client.connect(
            servers=list(self._url.servers),
            name=self._name,
            user=self._login.user or None,
            password=self._login.password or None,
            user_credentials=self._login.credentials or None,
            nkeys_seed=self._login.nkey_file or None,
            tls=self._url.tls(),
            connect_timeout=2,
            reconnect_time_wait=RECONNECT_DELAY,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            ping_interval=PING_INTERVAL,
            max_outstanding_pings=2,
            pending_size=0,
            error_cb=if_current(self._on_error),
            disconnected_cb=if_current(self._on_disconnected),
            reconnected_cb=if_current(self._on_reconnected),
            closed_cb=if_current(self._on_client_closed),
        )
        for subject, callback in self._subscriptions:
            await client.subscribe(subject, cb=callback)
        self._connected.set()

    async def wait_connected(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a connection; return whether there is one."""
        if not self._connected.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._connected.wait(), timeout)
        return self._connected.is_set()

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> None:
        """Call `callback` with each message on a subject, on this connection and after each reconnect.

        Raises `LogUnavailable` if the connection is broken now.
        """
        self._subscriptions.append((subject, callback))
        try:
            await self._client.subscribe(subject, cb=callback)
        except (errors.Error, *_BROKEN) as error:
            raise LogUnavailable(f"the connection to NATS broke: {error}") from error

    def fail_pending(self, reason: str) -> None:
        self._fail_all(Unanswered(reason))

    async def send(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        """Send a message.

        Raises `NotSent` without a connection, `Unanswered` if the connection has just broken, so that the message may
        still be sent after a reconnect, and `LogClosed` after `close`.
        """
        if self._closed:
            raise LogClosed("the log was closed")
        if not self._connected.is_set():
            raise NotSent(self._last_error or "there is no connection")
        try:
            await self._client.publish(subject, data, reply, headers)  # type: ignore[arg-type]
        except errors.Error as error:
            if not self._client.is_connected:
                # nats-py calls back only after it has closed the socket, for which it may wait a long time.
                await self._on_disconnected()
            raise NotSent(str(error)) from error
        except _BROKEN as error:
            raise Unanswered(f"the connection broke: {error}") from error

    async def flush(self) -> None:
        """Wait until the server has read all sent data, to limit the amount of buffered data. Raises `NotSent`."""
        try:
            await self._client.flush(FLUSH_TIMEOUT)
        except (errors.Error, *_BROKEN) as error:
            raise NotSent(str(error)) from error

    async def request(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Msg:
        """Send a message and return its answer within `timeout` seconds. Raises `NotSent`, `Unanswered`, `Denied`."""
        token, pending = self._add_pending(
            _PendingRequest(subject, self._loop.create_future(), self._loop.time() + timeout)
        )
        if self._sweep_timer is None:
            self._sweep_timer = self._loop.call_later(SWEEP_INTERVAL, self._sweep)
        try:
            await self.send(subject, data, headers, self._inbox + token)
            answer = await pending.answer
        finally:
            self._remove_pending(token)
        _check_responder(answer)
        return answer

    async def request_batch(
        self, subject: str, data: bytes, *, timeout: float
    ) -> tuple[list[Msg], dict[str, str]]:
        """Send a message; return all answers before the final one, and the final one's headers, which have a status.

        `timeout` is the maximum number of seconds between two answers. Raises `NotSent`, `Unanswered` or `Denied`.
        """
        answers: list[Msg] = []
        token, pending = self._add_pending(
            _PendingRequest(subject, self._loop.create_future(), batch=answers)
        )
        try:
            await self.send(subject, data, None, self._inbox + token)
            received = -1
            while len(answers) > received and not pending.answer.done():
                received = len(answers)
                await asyncio.wait([pending.answer], timeout=timeout)
            if not pending.answer.done():
                raise Unanswered(f"no answer within {timeout:g} seconds")
            last = pending.answer.result()
        finally:
            self._remove_pending(token)
        _check_responder(last)
        return answers, last.headers or {}

    def _add_pending(self, pending: _PendingRequest) -> tuple[str, _PendingRequest]:
        self._requests += 1
        token = str(self._requests)
        self._pending[token] = pending
        return token, pending

    def _remove_pending(self, token: str) -> None:
        answer = self._pending.pop(token).answer
        if answer.done() and not answer.cancelled():
            # Retrieve the exception of an abandoned request; otherwise asyncio logs an error.
            answer.exception()

    async def _on_answer(self, message: Msg) -> None:
        pending = self._pending.get(message.subject[len(self._inbox) :])
        if pending is None or pending.answer.done():
            return
        if pending.batch is None or (message.headers and _STATUS in message.headers):
            pending.answer.set_result(message)
        else:
            pending.batch.append(message)

    async def _on_error(self, error: Exception) -> None:
        self._last_error = str(error) or type(error).__name__
        if denied := _PUBLISH_DENIED.search(self._last_error):
            for pending in self._pending.values():
                # nats-py converts the server's message to lower case.
                if pending.subject.lower() == denied[1]:
                    pending.fail(Denied(pending.subject))
        if not self._connected.is_set() and _LOGIN_DENIED.search(self._last_error):
            self._login_denied.set()
        logger.debug("NATS: %s", self._last_error)

    async def _on_disconnected(self) -> None:
        if self._connected.is_set() and not self._closed:
            logger.warning("The connection to NATS was lost: %s", self._last_error or "it was closed")
        self._connected.clear()
        self._fail_all(Unanswered("the connection broke"))
        if self._stuck_timer is None and not self._closed:
            self._stuck_timer = self._loop.call_later(STUCK_TIMEOUT, self._on_stuck)

    async def _on_reconnected(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None
        self._connected.set()
        self.reconnects += 1
        logger.info("NATS is connected again")

    async def _on_client_closed(self) -> None:
        """Start to reconnect with a new client: nats-py closes the old one after some server errors."""
        self._start_reopening()

    def _on_stuck(self) -> None:
        self._stuck_timer = None
        self._start_reopening()

    def _start_reopening(self) -> None:
        if not self._closed and self._reopening is None:
            self._connected.clear()
            self._reopening = self._loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        last_logged = ""
        while not self._connected.is_set():
            old_client, self._client = self._client, Client()
            await _close_client(old_client)
            await asyncio.sleep(REOPEN_DELAY)
            try:
                await self._connect()
                await self._on_reconnected()
            except Exception as error:  # noqa: BLE001 - retry after any error of nats-py
                if str(error) != last_logged:
                    logger.warning("Cannot reconnect to NATS: %s", error)
                last_logged = str(error)
        self._reopening = None

    def _sweep(self) -> None:
        """Fail expired requests. All requests share one timer: a timer for each would cost more than the rest of it."""
        now = self._loop.time()
        for pending in self._pending.values():
            if pending.deadline < now:
                pending.fail(Unanswered("no answer in time"))
        self._sweep_timer = self._loop.call_later(SWEEP_INTERVAL, self._sweep) if self._pending else None

    def _fail_all(self, error: Exception) -> None:
        for pending in self._pending.values():
            pending.fail(error)


async def _close_client(client: Client) -> None:
    # nats-py raises many classes: for a client that has never started to connect, or whose connection has just broken.
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await client.close()


def _check_responder(answer: Msg) -> None:
    if answer.headers and answer.headers.get(_STATUS) == _NO_RESPONDERS:
        raise NotSent("no server of the cluster handles this subject at the moment")
