"""Runs an application in this process until it is told to stop, and then finishes what is under way.

On SIGTERM or SIGINT: `/health/ready` says 503, and subscriptions are told to end; after the delay that the settings
name, no connection is taken any more; requests under way are answered, for a bounded time; then it ends. A second
signal ends that wait.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.server.process.file_descriptor_limit import room_for_connections
from ledgerpress.server.process.limited_protocol import ConnectionLimits, limited_protocol
from ledgerpress.server.process.slow_body_limit import SlowBodyLimit
from ledgerpress.server.process.socket_options import set_send_timeout
from ledgerpress.server.settings.server_section import ServerSettings

logger = logging.getLogger(__name__)

WEBSOCKET_CLOSE_SECONDS: Final = 1.0
"""How long WebSockets may take to be closed by the application, before the server closes them by itself."""
SEND_TIMEOUT_SECONDS: Final = 30
"""How long a client may take nothing of what was written to it until its connection is ended."""
OPERATOR_CONNECTIONS: Final = 50
"""How many connections there may be on the second socket."""
BACKLOG: Final = 2048
"""Connections that may wait to be taken."""
_LOOK: Final = 0.02
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _SignalFreeServer(uvicorn.Server):
    """Leaves signals to whoever runs it: there may be two of it in one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class ServerProcess:
    """An application on its socket, and perhaps another, for operators, on a second one."""

    def __init__(self, settings: ServerSettings, live: SubscriptionSettings, stopping: asyncio.Event) -> None:
        self._settings = settings
        self._live = live
        self._stopping = stopping
        self._servers: list[_SignalFreeServer] = []
        self._going: asyncio.Task[None] | None = None

    async def run(self, *apps: tuple[ASGIApp, socket.socket]) -> None:
        """Serve until a signal comes, and return when all has been answered that is going to be."""
        # What is there now stays: looking through it again and again for garbage would stop everything meanwhile.
        gc.collect()
        gc.freeze()
        room = room_for_connections(self._settings.max_connections)
        rooms = (room, *(OPERATOR_CONNECTIONS for _ in apps[1:]))
        self._servers = [
            _SignalFreeServer(self._config(app, room)) for (app, _), room in zip(apps, rooms, strict=True)
        ]
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop)
        sockets: Sequence[socket.socket] = [one for _, one in apps]
        try:
            async with asyncio.TaskGroup() as group:
                for server, listener in zip(self._servers, sockets, strict=True):
                    group.create_task(server.serve(sockets=[listener]))
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _config(self, app: ASGIApp, connections: int) -> uvicorn.Config:
        proxies = self._settings.trusted_proxies
        bounds = ConnectionLimits(
            head_bytes=self._settings.max_head_bytes,
            head_seconds=self._settings.head_seconds,
            connections=connections,
            unfinished=SlowBodyLimit(self._settings.max_unfinished_bodies),
        )
        return uvicorn.Config(
            app,
            http=limited_protocol(bounds),
            ws="websockets-sansio",
            ws_max_size=self._live.max_message_bytes,
            ws_ping_interval=self._live.keep_alive_seconds,
            ws_ping_timeout=self._live.keep_alive_seconds,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=self._settings.stop_seconds,
        )

    def _stop(self) -> None:
        if self._going is None:
            logger.info("stopping: requests under way are finished")
            self._going = asyncio.create_task(self._leave(), name="stopping")
            return
        for server in self._servers:
            server.should_exit = server.force_exit = True

    async def _leave(self) -> None:
        self._stopping.set()
        await asyncio.sleep(self._settings.stop_delay_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(WEBSOCKET_CLOSE_SECONDS):
                while self._has_websockets():  # noqa: ASYNC110 - uvicorn tells nobody
                    await asyncio.sleep(_LOOK)
        for server in self._servers:
            server.should_exit = True

    def _has_websockets(self) -> bool:
        return any(
            hasattr(connection, "handshake_complete")
            for server in self._servers
            for connection in server.server_state.connections
        )


def bind(host: str, port: int) -> socket.socket:
    """Return a socket for that address; both kinds of it where `host` is `::`. Raises `OSError`.

    Nobody can connect before `begin_to_listen`: whoever looks whether there is a server finds none until it can answer.
    """
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        set_send_timeout(listener, SEND_TIMEOUT_SECONDS)
    except OSError:
        listener.close()
        raise
    return listener


def begin_to_listen(listener: socket.socket) -> None:
    """Let clients connect. Raises `OSError`, as where another program was faster."""
    listener.listen(BACKLOG)


def base_of(listener: socket.socket) -> str:
    """Return the address of a listening socket, as the beginning of a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
