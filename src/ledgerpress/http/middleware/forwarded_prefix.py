"""Accept `X-Forwarded-Prefix` from trusted proxies: the prefix that a proxy has removed from the path of a request.

The prefix becomes part of `root_path`, so that links, assets and pages have one source for it. The middleware must see
the address of the proxy: it belongs outside any middleware that replaces this address with the client's.
"""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.http.middleware.trusted_proxies import TrustedProxies

HEADER: Final = b"x-forwarded-prefix"
MAX_BYTES: Final = 256
"""A longer prefix is ignored."""
# Unreserved characters only (RFC 3986, 2.3), so that pages need not escape the prefix in links. Empty segments, `.` and
# `..` are not allowed.
_PREFIX: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


class ForwardedPrefix:
    """ASGI middleware. A trusted proxy must replace or remove the header that its clients send.

    If there are several proxies, each appends its prefix after a comma, the outermost first: `/a, /b` means `/a/b`.
    Values that are not paths of unreserved characters are ignored.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the prefix in `root_path` and `path`."""
        # This must be a coroutine function: uvicorn recognises an ASGI 3 application by that.
        if scope["type"] != "lifespan":
            value = b",".join(value for name, value in scope["headers"] if name == HEADER)
            if value and _address(scope) in self._trusted and (prefix := forwarded_prefix(value)):
                scope = {
                    **scope,
                    "root_path": prefix + scope.get("root_path", ""),
                    "path": prefix + scope["path"],
                }
        await self._app(scope, receive, send)


def _address(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def forwarded_prefix(value: bytes) -> str:
    """Return the prefix in the value of the header, without a slash at its end; empty for `/` and invalid values."""
    parts = [part.strip(b" \t").rstrip(b"/") for part in value.split(b",")]
    prefix = b"".join(parts)
    if len(prefix) > MAX_BYTES or not _PREFIX.fullmatch(prefix):
        return ""
    return prefix.decode("ascii")
