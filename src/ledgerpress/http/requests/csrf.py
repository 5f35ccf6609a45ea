"""Reject GET requests that a page of another site can make a visitor's browser send (CSRF).

A browser lets any page send a "simple" request anywhere, and asks the server first (a CORS preflight) before it sends
any other (Fetch standard, 3.3). So simple requests are rejected. A POST is not simple, since it has the content type
application/json. A GET is not simple if it has a header that a page cannot add by itself.
"""

from collections.abc import Mapping
from typing import Final

from ledgerpress.http.content_negotiation import is_json
from ledgerpress.http.errors import HttpError

# None of these can be in a simple request. The first is the specification's example, the next two Apollo's.
_PREFLIGHT_HEADERS: Final = (
    b"graphql-require-preflight",
    b"apollo-require-preflight",
    b"x-apollo-operation-name",
    b"ledgerpress-min-position",
)
_SAME_SITE: Final = frozenset({b"same-origin", b"none"})


def require_preflight(headers: Mapping[bytes, bytes]) -> None:
    """Raise `HttpError` for a GET request that a page of another site can send."""
    for name in _PREFLIGHT_HEADERS:
        if name in headers:
            return
    # A page of this site, or an address that was typed: browsers set this header, and pages cannot.
    if headers.get(b"sec-fetch-site") in _SAME_SITE:
        return
    # Browsers add credentials by themselves for other schemes.
    if headers.get(b"authorization", b"")[:7].lower() == b"bearer ":
        return
    if is_json(headers.get(b"content-type", b"")):
        return
    raise HttpError(
        403,
        "PREFLIGHT_REQUIRED",
        "A GET request could come from a foreign web page (CSRF). Send the header GraphQL-Require-Preflight: 1 as well, "
        "or use POST with the content type application/json.",
    )
