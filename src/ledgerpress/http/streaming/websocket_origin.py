"""Which pages may open a WebSocket: browsers ask nobody, and send cookies along (cross-site WebSocket hijacking)."""

from collections.abc import Collection

from starlette.types import Scope


def is_allowed_origin(scope: Scope, allowed: Collection[str]) -> bool:
    """Return whether a handshake comes from a program, a page of this server's, or one of the `allowed` origins.

    Browsers always send `Origin` (RFC 6455, 4.1). The scheme is not compared with our own, which a proxy may hide.
    """
    headers = dict(scope["headers"])
    if b"origin" not in headers:
        return True
    origin = headers[b"origin"].decode("latin-1").lower()
    if origin in (one.lower() for one in allowed):
        return True
    scheme, _, host = origin.partition("://")
    return scheme in {"http", "https"} and host == headers.get(b"host", b"").decode("latin-1").lower()
