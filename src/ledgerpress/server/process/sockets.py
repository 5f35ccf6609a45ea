"""Listening sockets: bind an address, begin to listen, and return the URL."""

import socket
from typing import Final

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


def set_send_timeout(listener: socket.socket, seconds: float) -> None:
    """Let the system close connections whose client accepts no data for `seconds` (RFC 5482).

    Without this timeout, the last data for a client that never reads would stay in memory. Only Linux has
    the option; accepted connections inherit it.
    """
    if _TCP_USER_TIMEOUT is not None:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(seconds * 1_000))


def begin_to_listen(listener: socket.socket) -> None:
    """Let clients connect. Raises `AddressTaken`."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise AddressTaken(
            f"{url_of(listener)} cannot be used ({error.strerror}): another program is using this address: "
            "stop it, or choose another port"
        ) from error


def url_of(listener: socket.socket) -> str:
    """Return the address of a listening socket as the beginning of a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
