"""A connection to the servers, made again for ever when it breaks. Every question over it has a bound in time.

Answers come to one inbox of its own: nats-py's `request` would cost more for each than all else that an append does.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.url import Login, NatsUrl
from ledgerpress.eventlog.errors import EventLogError, LogClosed, LogUnavailable, LogUnusable

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
"""For the first connection; later ones are tried for ever."""
RECONNECT_SECONDS: Final = 0.25
"""Between two attempts to reach the same server again."""
REOPEN_SECONDS: Final = 1.0
STUCK_SECONDS: Final = 20.0
"""After so long without a connection another client is tried: what nats-py does not foresee ends its reconnecting for ever."""
CLOSE_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 0.1
PING_SECONDS: Final = 2
FLUSH_SECONDS: Final = 10
_STATUS: Final = "Status"
_NO_RESPONDERS: Final = "503"
_DENIED: Final = re.compile(r"permissions violation for publish to \"([^\"]+)\"", re.IGNORECASE)
_REFUSED: Final = re.compile(r"authorization violation|authentication", re.IGNORECASE)


class NotSent(Exception):
    """A message did not leave, or nobody was there to take it."""


class Unanswered(Exception):
    """A message left, and no answer came: in time, or before the connection broke."""


class Denied(EventLogError):
    """The servers do not let this user send to a subject. Nothing came of it."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"this NATS user may not publish to {subject}: see docs/how-to/jetstream.md for what it needs"
        )


class Connection:
    """Messages to the servers and their answers."""

    def __init__(self, address: NatsUrl, login: Login, name: str) -> None:
        self._address = address
        self._login = login
        self._name = name
        self._client = Client()
        self._loop = asyncio.get_running_loop()
        self._inbox = self._client.new_inbox() + "."
        self._asked = 0
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._collecting: dict[str, list[Msg]] = {}
        self._asking: dict[str, str] = {}
        self._deadlines: dict[str, float] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._subscribed: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = [
            (self._inbox + "*", self._answered)
        ]
        self._connected = asyncio.Event()
        self._refused = asyncio.Event()
        self._why = ""
        self._closed = False
        self._reopening: asyncio.Task[None] | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self.reconnects = 0
        """How often the connection was made anew."""

    @classmethod
    async def open(cls, address: NatsUrl, login: Login, name: str) -> "Connection":
        """Connect. Raises `LogUnusable` where the servers refuse the user, else `LogUnavailable`."""
        self = cls(address, login, name)
        try:
            await self._connect()
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def client(self) -> Client:
        """The client itself."""
        return self._client

    async def close(self) -> None:
        """Let go of it. Whoever still waits, and whoever asks later, gets `LogClosed`."""
        self._closed = True
        self._fail_all(LogClosed("the log was closed"))
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._stuck is not None:
            self._stuck.cancel()
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.wait([self._reopening])
        # A client that has not got so far as to connect cannot be closed.
        with suppress(AssertionError):
            await self._client.close()

    async def _connect(self) -> None:
        connecting = asyncio.ensure_future(self._connect_client())
        refused = asyncio.ensure_future(self._refused.wait())
        try:
            await asyncio.wait(
                [connecting, refused], timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if connecting.done():
                await connecting
                return
            why = self._why or "no answer in time"
        except (OSError, errors.Error) as error:
            why = self._why or str(error)
        except ModuleNotFoundError as error:
            raise LogUnusable("a file of credentials needs a package: pip install nkeys") from error
        finally:
            connecting.cancel()
            refused.cancel()
            await asyncio.wait([connecting, refused])
        if self._refused.is_set():
            raise LogUnusable(
                f"the NATS servers refuse the user {self._login.user or 'without a name'}: {why}"
            )
        raise LogUnavailable(f"no NATS server of {', '.join(self._address.servers)} answers: {why}")

    async def _connect_client(self) -> None:
        client = self._client

        def of_this(hear: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            async def heard(*what: Exception) -> None:
                # One that was given up may still have something to say.
                if client is self._client:
                    await hear(*what)

            return heard

        self._login.check()
        await client.connect(
            servers=list(self._address.servers),
            name=self._name,
            user=self._login.user or None,
            password=self._login.password or None,
            user_credentials=self._login.credentials or None,
            tls=self._address.tls(),
            connect_timeout=2,
            reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=2,
            pending_size=0,
            error_cb=of_this(self._failed),
            disconnected_cb=of_this(self._lost),
            reconnected_cb=of_this(self._found),
            closed_cb=of_this(self._shut),
        )
        for subject, heard in self._subscribed:
            await client.subscribe(subject, cb=heard)
        self._connected.set()

    async def connected(self, seconds: float) -> bool:
        """Wait until there is a connection, for `seconds` at most; return whether there is."""
        if not self._connected.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._connected.wait(), seconds)
        return self._connected.is_set()

    async def subscribe(self, subject: str, heard: Callable[[Msg], Awaitable[None]]) -> None:
        """Have `heard` called with each message on a subject, from now on and on every later connection."""
        self._subscribed.append((subject, heard))
        await self._client.subscribe(subject, cb=heard)

    def give_up_waiting(self, why: str) -> None:
        """Let nobody wait any longer for answers to what was sent so far: that raises `Unanswered`."""
        self._fail_all(Unanswered(why))

    async def send(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        """Send a message. Raises `NotSent`, and `LogClosed`."""
        if self._closed:
            raise LogClosed("the log was closed")
        if not self._connected.is_set():
            raise NotSent(self._why or "there is no connection")
        try:
            await self._client.publish(subject, data, reply, headers)  # type: ignore[arg-type]
        except errors.Error as error:
            raise NotSent(str(error)) from error

    async def flush(self) -> None:
        """Wait until the server has read what was sent, so that not too much waits to be sent. Raises `NotSent`."""
        try:
            await self._client.flush(FLUSH_SECONDS)
        except errors.Error as error:
            raise NotSent(str(error)) from error

    async def ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, seconds: float
    ) -> Msg:
        """Send a message and return the answer. Raises `NotSent`, `Unanswered` or `Denied`."""
        self._asked += 1
        token = str(self._asked)
        waiting: asyncio.Future[Msg] = self._loop.create_future()
        self._waiting[token] = waiting
        self._asking[token] = subject
        self._deadlines[token] = self._loop.time() + seconds
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        try:
            await self.send(subject, data, headers, self._inbox + token)
            answer = await waiting
        finally:
            del self._waiting[token], self._asking[token], self._deadlines[token]
            _let_go(waiting)
        if answer.headers and answer.headers.get(_STATUS) == _NO_RESPONDERS:
            raise NotSent("no server of the cluster is responsible now")
        return answer

    async def collect(self, subject: str, data: bytes, *, seconds: float) -> tuple[list[Msg], dict[str, str]]:
        """Send a message, and return the answers up to the one with a status, and the headers of that one.

        `seconds` bounds the time between two answers. Raises `NotSent`, `Unanswered` or `Denied`.
        """
        self._asked += 1
        token = str(self._asked)
        waiting: asyncio.Future[Msg] = self._loop.create_future()
        answers: list[Msg] = []
        self._waiting[token] = waiting
        self._collecting[token] = answers
        self._asking[token] = subject
        try:
            await self.send(subject, data, None, self._inbox + token)
            seen = -1
            while len(answers) > seen and not waiting.done():
                seen = len(answers)
                await asyncio.wait([waiting], timeout=seconds)
            if not waiting.done():
                raise Unanswered(f"no answer within {seconds:g} seconds")
            last = waiting.result()
        finally:
            del self._waiting[token], self._asking[token], self._collecting[token]
            _let_go(waiting)
        headers = last.headers or {}
        if headers.get(_STATUS) == _NO_RESPONDERS:
            raise NotSent("no server of the cluster is responsible now")
        return answers, headers

    async def _answered(self, message: Msg) -> None:
        token = message.subject[len(self._inbox) :]
        waiting = self._waiting.get(token)
        if waiting is None or waiting.done():
            return
        answers = self._collecting.get(token)
        if answers is None or (message.headers and _STATUS in message.headers):
            waiting.set_result(message)
        else:
            answers.append(message)

    async def _failed(self, error: Exception) -> None:
        self._why = str(error) or type(error).__name__
        if denied := _DENIED.search(self._why):
            for token, subject in self._asking.items():
                # nats-py gives what the server says in lower case.
                if subject.lower() == denied[1] and not self._waiting[token].done():
                    self._waiting[token].set_exception(Denied(subject))
        if not self._connected.is_set() and _REFUSED.search(self._why):
            self._refused.set()
        logger.debug("NATS: %s", self._why)

    async def _lost(self) -> None:
        if self._connected.is_set() and not self._closed:
            logger.warning("The connection to NATS is lost: %s", self._why or "it was closed")
        self._connected.clear()
        self._fail_all(Unanswered("the connection broke"))
        if self._stuck is None and not self._closed:
            self._stuck = self._loop.call_later(STUCK_SECONDS, self._begin_again)

    async def _found(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._connected.set()
        self.reconnects += 1
        logger.info("NATS is connected again")

    async def _shut(self) -> None:
        """The client has given up, which it does on some errors that a server sends: begin with another."""
        self._begin_again()

    def _begin_again(self) -> None:
        if not self._closed and self._reopening is None:
            self._connected.clear()
            self._reopening = self._loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        said = ""
        while not self._connected.is_set():
            former, self._client = self._client, Client()
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await former.close()
            await asyncio.sleep(REOPEN_SECONDS)
            try:
                await self._connect()
                await self._found()
            except Exception as error:  # noqa: BLE001 - whatever nats-py raises, it is tried again
                if str(error) != said:
                    logger.warning("NATS cannot be connected again: %s", error)
                said = str(error)
        self._reopening = None

    def _sweep(self) -> None:
        """Give up on what waits for too long. One timer for all: one each would cost more than the rest of an answer."""
        now = self._loop.time()
        for token, deadline in self._deadlines.items():
            if deadline < now and not self._waiting[token].done():
                self._waiting[token].set_exception(Unanswered("no answer in time"))
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._deadlines else None

    def _fail_all(self, why: Exception) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(why)


def _let_go(waiting: asyncio.Future[Msg]) -> None:
    """Take note of how it ended, for whoever was called off before they could: else asyncio complains."""
    if waiting.done() and not waiting.cancelled():
        waiting.exception()
