"""A server of several workers: what the supervisor does before and after it supervises them."""

import asyncio
from collections.abc import Callable, Sequence
from socket import socket

from ledgerpress.server.data_directory import check_data_directory, check_node_directory
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.logging import log_to_standard_error
from ledgerpress.server.process.stop_signals import CLOSE_SECONDS
from ledgerpress.server.settings.sections import Settings
from ledgerpress.server.settings.server_section import ServerSettings
from ledgerpress.server.workers.fork_server_process import this_command
from ledgerpress.server.workers.socket_directory import socket_directory
from ledgerpress.server.workers.supervisor import Supervisor

_END_SECONDS = 1.0
"""Seconds in which a process ends after it has closed the store, or decided not to wait for that."""


def store_of(server: ServerSettings) -> str:
    """Return where the store of a server is."""
    return f"{server.data.absolute()} {server.log}"


def supervise(
    settings: Settings, listeners: Sequence[socket], announce: Callable[[int, str | None], None]
) -> int:
    """Start workers that serve on bound sockets, supervise them until a signal, and return the exit code.

    Raises `LogUnusable` if the data directory cannot be used.
    """
    log_to_standard_error(settings.logs, is_shared=True)
    server = settings.server
    if LogUrl.parse(server.log).is_local:
        check_data_directory(server.data, create=True)
    else:
        check_node_directory(server.data)
    with socket_directory(server.data) as sockets:
        supervisor = Supervisor(
            this_command(),
            listeners,
            sockets,
            store_of(server),
            workers=server.worker_count,
            hang_seconds=server.worker_hang_seconds,
            stop_seconds=server.stop_delay_seconds + server.stop_seconds + CLOSE_SECONDS + _END_SECONDS,
            announce=announce,
        )
        return asyncio.run(supervisor.run())
