"""Pages that clients revalidate: the response has an entity tag, and is 304 if the client already has the page."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.http.responses import NOT_MODIFIED, is_known

_KEPT = ("cache-control", "content-location", "etag", "ledgerpress-position", "vary")
"""The headers of a page that a 304 repeats (RFC 9110, 15.4.5)."""


def revalidated(request: Request, page: Response) -> Response:
    """Return a complete page with an entity tag, or 304 if the client already has exactly this page.

    Only a page with status 200 gets a tag: what was withdrawn or is no longer public never matches.
    """
    if page.status_code != 200:
        return page
    tag = f'"{hashlib.blake2b(bytes(page.body), digest_size=16).hexdigest()}"'
    page.headers["ETag"] = tag
    condition = request.headers.get("if-none-match")
    if condition is None or not is_known(condition.encode("latin-1"), tag.encode("ascii")):
        return page
    headers = {name: value for name, value in page.headers.items() if name.lower() in _KEPT}
    return Response(status_code=NOT_MODIFIED, headers=headers)
