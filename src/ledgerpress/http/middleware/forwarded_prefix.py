"""Accept `X-Forwarded-Prefix` from trusted proxies: the prefix that a proxy has removed from the path of a request.

The prefix becomes part of `root_path`, so that links, assets and pages have one source for it. The middleware must see
the address of the proxy: it belongs outside any middleware that replaces this address with the client's.
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
# Unreserved characters only (RFC 3986, 2.3), so that pages need not escape the prefix in links. Empty segments, `.` and
# `..` are not allowed.
_PREFIX: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


class ForwardedPrefix:
    """ASGI middleware. `trusted` are addresses and networks of proxies, or `*`.

    Any other entry is compared with the client's address as text, since servers may report a name instead. A trusted
    proxy must replace or remove the header that its clients send. If there are several proxies, each appends its prefix
    after a comma, the outermost first: `/a, /b` means `/a/b`. Values that are not paths of unreserved characters are
    ignored.
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
        """Pass a request on with the prefix in `root_path` and `path`."""
        # This must be a coroutine function: uvicorn recognises an ASGI 3 application by that.
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
        is_trusted = self._addresses.get(host)
        if is_trusted is None:
            is_trusted = self._is_in_networks(host)
            self._addresses.put(host, is_trusted)
        return is_trusted

    def _is_in_networks(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return host in self._names
        return any(address in network for network in self._networks)


def forwarded_prefix(value: bytes) -> str:
    """Return the prefix in the value of the header, without a slash at its end; empty for `/` and invalid values."""
    parts = [part.strip(b" \t").rstrip(b"/") for part in value.split(b",")]
    prefix = b"".join(parts)
    if len(prefix) > MAX_BYTES or not _PREFIX.fullmatch(prefix):
        return ""
    return prefix.decode("ascii")
