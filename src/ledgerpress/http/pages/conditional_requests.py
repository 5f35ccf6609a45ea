"""Pages that clients revalidate: the response has an entity tag, and is 304 if the client already has the page."""

import hashlib
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.http.responses import client_has


def revalidated(request: Request, page: Response) -> Response:
    """Return a complete page with an entity tag of its content, or 304 if the client already has that content.

    The page is rendered in any case, so a withdrawal or an unpublished article always reaches the client. Only a page
    with status 200 gets a tag.
    """
    if page.status_code != HTTPStatus.OK:
        return page
    page.headers["ETag"] = tag = f'"{hashlib.blake2b(page.body, digest_size=16).hexdigest()}"'
    if not client_has(request, tag):
        return page
    headers = {name: value for name, value in page.headers.items() if not name.startswith("content-")}
    if policy := page.headers.get("Content-Security-Policy"):
        headers["Content-Security-Policy"] = policy
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
