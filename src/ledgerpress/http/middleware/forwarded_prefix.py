"""Accept `X-Forwarded-Prefix` from trusted proxies: the prefix that a proxy has removed from the path of a request.

It becomes part of `root_path`, so that links, assets and pages have one source for the prefix. The middleware must see the
address of the proxy: it belongs outside of a middleware that replaces it with the address of the client.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.bounded_cache import BoundedCache

HEADER: Final = b"x-forwarded-prefix"
ANY: Final = "*"
"""Trusts every client, for applications that only a proxy can reach, such as those on a Unix socket."""
MAX_BYTES: Final = 256
"""A longer prefix is ignored."""
_MAX_ADDRESSES: Final = 1_000
# Unreserved characters (RFC 3986, 2.3): whatever a page puts before its links needs no escape. No empty segments, no dots
# alone.
_PREFIX: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


class ForwardedPrefix:
    """ASGI middleware. `trusted` are addresses and networks of proxies, or `*`. Anything else is a name that servers give.

    A proxy that is trusted must replace or remove the header that its clients send. Of several proxies, each adds its own
    prefix before a comma: `/a, /b` is `/a/b`. Values that are not paths of unreserved characters are ignored.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusts_any = ANY in trusted
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: set[str] = set()
        for entry in trusted:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry)
        self._addresses = BoundedCache[str, bool](max_entries=_MAX_ADDRESSES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the prefix in `root_path` and `path`."""
        # A coroutine function: by that, uvicorn recognises an ASGI 3 application.
        if scope["type"] != "lifespan":
            value = b",".join(value for name, value in scope["headers"] if name == HEADER)
            if value and self._is_trusted(scope) and (prefix := forwarded_prefix(value)):
                scope = {
                    **scope,
                    "root_path": prefix + scope.get("root_path", ""),
                    "path": prefix + scope["path"],
                }
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        client = scope.get("client")
        if self._trusts_any or not client:
            return self._trusts_any
        host: str = client[0]
        known = self._addresses.get(host)
        if known is None:
            known = self._is_in_networks(host)
            self._addresses.put(host, known)
        return known

    def _is_in_networks(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return host in self._names
        return any(address in network for network in self._networks)


def forwarded_prefix(value: bytes) -> str:
    """Return the prefix that a header names, without a slash at its end; nothing for `/` and for invalid values."""
    parts = [part.strip(b" \t").rstrip(b"/") for part in value.split(b",")]
    prefix = b"".join(parts)
    if len(prefix) > MAX_BYTES or not _PREFIX.fullmatch(prefix):
        return ""
    return prefix.decode("ascii")
