"""Run an application in this process until a signal, then finish the requests in progress.

After SIGTERM, SIGINT or SIGHUP, `/health/ready` returns 503 and subscriptions end. After `stop_delay_seconds`, the
server no longer accepts connections. Requests in progress have at most `stop_seconds` to finish; then `run` returns. A second
signal ends this wait. If another process has taken the place of this one, `/health/ready` does not change, and
connections that are kept alive end with the next response. `StopSignals` ends the process if that, or closing the store, takes longer.
"""

import asyncio
import contextlib
import gc
import logging
import resource
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.middleware.forwarded_prefix import ForwardedPrefix
from ledgerpress.http.middleware.trusted_proxies import TrustedProxies
from ledgerpress.retry import poll
from ledgerpress.server.process.limited_protocol import ConnectionLimits, SlowBodyLimit, limited_protocol
from ledgerpress.server.process.shared_listener import SharedListener
from ledgerpress.server.process.stop_signals import StopSignals
from ledgerpress.server.process.websocket_protocol import WebSocketProtocol
from ledgerpress.server.settings.server_section import ServerSettings

logger = logging.getLogger(__name__)

WEBSOCKET_CLOSE_TIMEOUT: Final = 1.0
"""Seconds in which the application closes WebSockets, before the server closes them."""
WEBSOCKET_POLL_INTERVAL: Final = 0.02
"""Seconds between two checks whether WebSockets are open: uvicorn does not report it."""
GARBAGE_THRESHOLDS: Final = (20_000, 20, 50)
"""When Python searches for garbage (`gc.set_threshold`): less often than by default, because few objects form cycles, and
each search interrupts all requests."""
LAST_SECONDS: Final = 1.0
"""Seconds of the time for stopping in which connections are closed that were not used since it began."""
OPERATOR_CONNECTIONS: Final = 50
"""The limit of connections on the second socket."""
RESERVED_FILES: Final = 200
"""Open files for everything else: the store, the operators' port, and connections that are being rejected."""
SWITCH_SECONDS: Final = 0.0001
"""Seconds after which a thread that checks a document lets the event loop continue; Python's default is 0.005."""


class _SignalFreeServer(uvicorn.Server):
    """A server that leaves signals to `ServerProcess`, which may run two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _SharingServer(_SignalFreeServer):
    """A server on sockets on which other processes accept connections as well."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])

        def create_protocol() -> Any:
            return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn does
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )

        connections = self.server_state.connections
        self.servers: list[Any] = [
            SharedListener(listener, create_protocol, lambda: len(connections)) for listener in sockets or ()
        ]


class ServerProcess:
    """An application on a socket, and optionally a second one, for operators, on another socket."""

    def __init__(
        self,
        settings: ServerSettings,
        subscriptions: SubscriptionSettings,
        stopping: asyncio.Event,
        signals: StopSignals,
        is_replaced: Callable[[], bool] = lambda: False,
        *,
        is_shared: bool = False,
    ) -> None:
        """With `is_shared`, other processes accept connections on the same sockets.

        `is_replaced` returns whether another process accepts the connections from now on, at a signal.
        """
        self._is_replaced = is_replaced
        self._server_class = _SharingServer if is_shared else _SignalFreeServer
        self._limits: list[ConnectionLimits] = []
        self._settings = settings
        self._subscriptions = subscriptions
        self._stopping = stopping
        self._signals = signals
        self._servers: list[_SignalFreeServer] = []
        self._shutdown: asyncio.Task[None] | None = None

    async def run(self, *apps: tuple[ASGIApp, socket.socket]) -> None:
        """Serve until a signal, and return when the requests in progress are finished."""
        # Objects that exist now stay: searching them for garbage would only interrupt requests.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        limits = (
            available_connections(self._settings.max_connections),
            *(OPERATOR_CONNECTIONS for _ in apps[1:]),
        )
        prefixes = (self._settings.root_path, *("" for _ in apps[1:]))
        self._servers = [
            self._server_class(self._config(app, limit, prefix))
            for (app, _), limit, prefix in zip(apps, limits, prefixes, strict=True)
        ]
        self._signals.on_signal(self._stop)
        async with asyncio.TaskGroup() as group:
            for server, (_, listener) in zip(self._servers, apps, strict=True):
                group.create_task(server.serve(sockets=[listener]))

    def _config(self, app: ASGIApp, connections: int, root_path: str) -> uvicorn.Config:
        limits = ConnectionLimits(
            head_bytes=self._settings.max_head_bytes,
            head_seconds=self._settings.head_seconds,
            connections=connections,
            slow_bodies=SlowBodyLimit(self._settings.max_unfinished_bodies),
        )
        self._limits.append(limits)
        return uvicorn.Config(
            _behind_proxies(app, self._settings.trusted_proxies),
            http=limited_protocol(limits),
            ws=WebSocketProtocol,
            root_path=root_path,
            ws_max_size=self._subscriptions.max_message_bytes,
            ws_ping_interval=self._subscriptions.keep_alive_seconds,
            ws_ping_timeout=self._subscriptions.keep_alive_seconds,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,
        )

    def _stop(self) -> None:
        if self._shutdown is None:
            logger.info("stopping: waiting for requests in progress")
            self._shutdown = asyncio.create_task(self._shut_down(), name="stopping")
            return
        for server in self._servers:
            server.should_exit = server.force_exit = True

    async def _shut_down(self) -> None:
        is_replaced = self._is_replaced()
        self._stopping.set()
        if not is_replaced:
            await asyncio.sleep(self._settings.stop_delay_seconds)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.stop_seconds
        if is_replaced:
            await self._end_connections(deadline - LAST_SECONDS - loop.time())
        await poll(self._has_no_websockets, interval=WEBSOCKET_POLL_INTERVAL, timeout=WEBSOCKET_CLOSE_TIMEOUT)
        for server in self._servers:
            # uvicorn reads it when it begins to wait.
            server.config.timeout_graceful_shutdown = max(0.0, deadline - loop.time())  # type: ignore[assignment]
            server.should_exit = True

    async def _end_connections(self, timeout: float) -> None:
        """Stop accepting connections, and end those that are open with their next response, within `timeout` seconds.

        A client may send a request at any time on a connection that is kept alive. So closing such a connection without
        a response that announces it could lose a request.
        """
        for server in self._servers:
            for listening in server.servers:
                listening.close()
        for limits in self._limits:
            limits.end_after_responses()

        async def has_no_connections() -> bool | None:
            return None if any(server.server_state.connections for server in self._servers) else True

        await poll(has_no_connections, interval=WEBSOCKET_POLL_INTERVAL, timeout=timeout)

    async def _has_no_websockets(self) -> bool | None:
        has_any = any(
            hasattr(connection, "handshake_complete")
            for server in self._servers
            for connection in server.server_state.connections
        )
        return None if has_any else True


def _behind_proxies(app: ASGIApp, proxies: Sequence[str]) -> ASGIApp:
    """Return the application, behind middleware that accepts the headers of trusted proxies."""
    if not proxies:
        return app
    # `ForwardedPrefix` runs first: it checks the address of the proxy, which `ProxyHeadersMiddleware` replaces.
    trusted = TrustedProxies(proxies)
    clients: Any = ProxyHeadersMiddleware(app)  # type: ignore[arg-type]  # uvicorn's own types
    clients.trusted_hosts = trusted  # uvicorn's own `*` trusts the address that the client has chosen
    return ForwardedPrefix(clients, trusted)


def switch_threads_sooner() -> None:
    """Shorten the switch interval of threads in this process, so that the event loop continues sooner."""
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))


def available_connections(limit: int) -> int:
    """Return the number of possible connections, at most `limit`; raise the soft limit on open files if needed.

    A process may raise its soft limit up to the hard one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = limit + RESERVED_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return limit
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):  # The system may allow less than the hard limit.
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(min(limit, soft - RESERVED_FILES), soft // 4)
