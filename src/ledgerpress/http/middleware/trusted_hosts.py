"""Reject requests for hosts that are not allowed, so that pages of other sites cannot reach a local server.

Requests with several Host headers, or with one that is not a host and a port, are rejected too: a proxy may read it in
another way (RFC 9112, 3.2).

Another site can point its own name to this machine's address (DNS rebinding). The browser then treats this server as
part of that site. But the Host header still contains the site's name (RFC 9110, 7.2).
"""

import logging
import re
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.health.probes import UNKNOWN_HOST
from ledgerpress.http.middleware.access_log import MAX_CHARACTERS
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.headers_and_body import repeated_header
from ledgerpress.http.requests.url_prefix_and_route_path import route_path
from ledgerpress.http.responses import send_error
from ledgerpress.network_names import ANY

logger = logging.getLogger(__name__)

EVERY_HOST: Final = frozenset({"/health/live", "/health/ready"})
"""Paths for which every Host header is allowed: probes use the address of a container, or no name at all."""
MAX_VALUES: Final = 1_000
"""How many allowed Host values are cached. Ports and subdomains (`*.`) can make them many."""

_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Za-z:.%_~-]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
"""A host with or without a port (RFC 9110, 7.2, and RFC 3986, 3.2.2)."""
_INVALID: Final = HttpError(
    400, "BAD_REQUEST", "The Host header is not a host, or a host and a port. Send it as in the URL."
)


class TrustedHosts:
    """ASGI middleware. `allowed` are names, addresses, `*.` and a name for its subdomains, or `*` for every host."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self._app = app
        self._allows_every_host = ANY in allowed
        self._names = frozenset(name.lower().strip("[]") for name in allowed)
        self._below = tuple(name[1:].lower() for name in allowed if name.startswith("*."))
        self._allowed = BoundedCache[bytes, bool](max_entries=MAX_VALUES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [value for name, value in scope.get("headers", ()) if name == b"host"]
        if len(hosts) > 1:
            await self._reject(scope, send, repeated_header(b"host"), "its Host header is repeated")
        elif hosts and not _HOST.fullmatch(hosts[0]):
            await self._reject(scope, send, _INVALID, "its Host header is not a host and a port")
        elif self._allows_every_host or (hosts and (self._allowed.get(hosts[0]) or self._check(hosts[0]))):
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and route_path(scope) in EVERY_HOST:
            await self._app({**scope, UNKNOWN_HOST: True}, receive, send)
        else:
            message = "The Host header is not an allowed name of this server. Use one of its names."
            host = b"".join(hosts).decode("latin-1")[:MAX_CHARACTERS]
            reason = f"the Host header {host} is not in server.allowed_hosts"
            await self._reject(scope, send, HttpError(400, "UNKNOWN_HOST", message), reason)

    async def _reject(self, scope: Scope, send: Send, error: HttpError, reason: str) -> None:
        if scope["type"] != "websocket":
            await send_error(send, error)
            return
        logger.warning("a WebSocket was rejected: %s", reason)
        await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})

    def _check(self, value: bytes) -> bool:
        host = host_of(value.decode("latin-1").lower())
        is_allowed = host in self._names or (bool(self._below) and host.endswith(self._below))
        if is_allowed:
            self._allowed.put(value, True)
        return is_allowed


def host_of(value: str) -> str:
    """Return the host in the value of a Host header, without a port and without the brackets of an IPv6 address."""
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0]
