"""What a listening socket asks of the connections that it will accept."""

import socket

_OPTION = getattr(socket, "TCP_USER_TIMEOUT", None)


def set_send_timeout(listener: socket.socket, seconds: float) -> None:
    """Have the system end connections whose other side takes nothing of what was written for so long (RFC 5482).

    Without it, a client that keeps its connection and never reads would keep what was written last in memory. Linux
    alone has it; accepted connections have it from the socket that listens.
    """
    if _OPTION is not None:
        listener.setsockopt(socket.IPPROTO_TCP, _OPTION, int(seconds * 1_000))
