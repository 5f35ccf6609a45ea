"""Which names the server may be asked for by: the check that keeps foreign pages from a server they have a name for.

A page of another site may give its own name this machine's address (DNS rebinding), and then counts as the same site to
the browser. The Host header still has that name (RFC 9110, 7.2).
"""

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.http.errors import HttpError
from ledgerpress.http.responses import send_refusal

ANY: Final = "*"
REMEMBERED: Final = 1_000
"""How many values of the header are remembered as good, at most: with ports and under `*.` there may be many."""


class TrustedHosts:
    """Refuses requests for any other host than those that are allowed: names, addresses, `*.` and a name, or `*`."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._any = ANY in allowed
        self._names = frozenset(name.lower().strip("[]") for name in allowed)
        self._below = tuple(name[1:].lower() for name in allowed if name.startswith("*."))
        self._good: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if self._any or self._is_good(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
        else:
            message = "This server is not known by the name that the request is for (Host)."
            await send_refusal(send, HttpError(400, "UNKNOWN_HOST", message))

    def _is_good(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"host":
                return value in self._good or self._found_good(value)
        return False

    def _found_good(self, value: bytes) -> bool:
        host = host_of(value.decode("latin-1").lower())
        if host not in self._names and not host.endswith(self._below or ("\n",)):
            return False
        if len(self._good) < REMEMBERED:
            self._good.add(value)
        return True


def host_of(value: str) -> str:
    """Return the host in the value of a Host header, without the port and the brackets of an IPv6 address."""
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0]
