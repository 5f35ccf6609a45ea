"""Listening sockets: bind an address or a path, begin to listen, and return the URL."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ledgerpress.network_names import address_of

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""
SEND_TIMEOUT: Final = 30.0
"""Seconds until a connection is closed whose client accepts no data."""
_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)


class AddressTaken(Exception):
    """Another program listens on the address."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address; to IPv6 and IPv4 if `host` is `::`. Raises `OSError`.

    Clients cannot connect before `begin_to_listen`, which is called when the server can answer.
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
        set_send_timeout(listener, SEND_TIMEOUT)
    except OSError:
        listener.close()
        raise
    return listener


class UnixListener(socket.socket):
    """A Unix socket, which knows its file."""

    def __init__(self, path: Path) -> None:
        """Bind to `path`. Every user of the machine may connect, as to a port. Raises `OSError`."""
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.bind(str(path))
            self._path, self._file = path, path.stat()
            path.chmod(0o666)
        except OSError:
            self.close()
            raise

    def has_file(self) -> bool:
        """Return whether the file still exists and belongs to this socket."""
        try:
            return os.path.samestat(self._path.stat(), self._file)
        except OSError:
            return False


@contextmanager
def bound_to_path(path: Path) -> Iterator[UnixListener]:
    """Yield a Unix socket that is bound to `path`; delete the file at the end. Raises `OSError` and `AddressTaken`.

    A file on which no process listens is replaced: a killed process has left it, or another server is starting. The
    latter notices it in `begin_to_listen`.
    """
    _delete_unused(path)
    with UnixListener(path) as listener:
        try:
            yield listener
        finally:
            if listener.has_file():
                with suppress(OSError):
                    path.unlink()


def _delete_unused(path: Path) -> None:
    """Delete a Unix socket on which no process listens. Raises `AddressTaken`."""
    try:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            if is_socket:
                client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    problem = "another program is using this Unix socket: stop it" if is_socket else "it is not a Unix socket"
    raise AddressTaken(f"{path} cannot be used: {problem}, or choose another path")


def set_send_timeout(listener: socket.socket, seconds: float) -> None:
    """Let the system close connections whose client accepts no data for `seconds` (RFC 5482).

    Without this timeout, the last data for a client that never reads would stay in memory. Only Linux has
    the option; accepted connections inherit it.
    """
    if _TCP_USER_TIMEOUT is not None:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(seconds * 1_000))


def begin_to_listen(listener: socket.socket) -> None:
    """Let clients connect. Raises `AddressTaken`, also if another program has replaced the file of a Unix socket."""
    try:
        if isinstance(listener, UnixListener) and not listener.has_file():
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        listener.listen(BACKLOG)
    except OSError as error:
        raise AddressTaken(
            f"{url_of(listener)} cannot be used ({error.strerror}): another program is using this address: "
            "stop it, or choose another port"
        ) from error


def url_of(listener: socket.socket) -> str:
    """Return the address of a listening socket as the beginning of a URL."""
    if listener.family == socket.AF_UNIX:
        return f"http+unix://{quote(listener.getsockname(), safe='')}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def unmapped(client: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return the address of a client, without the IPv6 form of an IPv4 address that listeners for both have."""
    if client is None or not client[0].startswith("::ffff:"):
        return client
    return str(address_of(client[0]) or client[0]), client[1]
