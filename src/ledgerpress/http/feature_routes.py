"""Routes that features add. Unlike pages, they can use any method and return any response."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ledgerpress.commands.client_identity import Authenticator, Identity, Unauthenticated
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import PermissionDenied
from ledgerpress.graphql.response_cache import CacheableStore
from ledgerpress.http.pages.interface_texts.translations import Translations
from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.http.request_rejection_error import invalid_token
from ledgerpress.http.requests.url_prefix_and_route_path import absolute_url, url_prefix


@dataclass(frozen=True, slots=True)
class RouteContext:
    """The context of a feature's routes. `settings` are those of the feature, `None` if it declares none.

    `words` returns the words of the site in a language, a tag of BCP 47, with the translations of all features. If `open_past` is true, everyone may see the past of what is public today. `base_url` is the address of the site, without
    a slash at its end; empty if it is that of the request.
    """

    store: CacheableStore
    authenticator: Authenticator
    settings: msgspec.Struct | None = None
    open_past: bool = False
    base_url: str = ""
    words: Callable[[str], Words] = Translations().words

    async def identify(self, request: Request) -> Identity:
        """Return the identity of the client. The route has to check the client's permissions itself.

        Raises `Unauthenticated` for an invalid token; the application turns it into a response with status 401.
        """
        return await self.authenticator.identify(request.headers.get("authorization"))

    def url(self, request: Request, path: str) -> str:
        """Return the URL path of a page or a route, including the prefix under which the application is mounted."""
        return url_prefix(request.scope) + path

    def absolute_url(self, request: Request, path: str) -> str:
        """Return the permanent address of a page or a route, for readers who are not on the site."""
        return absolute_url(request, path, self.base_url)


async def unauthenticated(_: Request, error: Any) -> Response:
    """Return the response for an invalid token: 401, with a challenge (RFC 6750, section 3)."""
    rejected = invalid_token(error)
    headers = {name.decode("ascii"): value.decode("ascii") for name, value in rejected.headers}
    return JSONResponse({"error": str(error)}, rejected.status, headers)


async def forbidden(_: Request, error: Exception) -> Response:
    """Return the response for a client that lacks a permission: 403."""
    return JSONResponse({"error": str(error)}, 403)


async def rejection(_: Request, error: Any) -> Response:
    """Return the response for a rejected command: 422, or 404 if there is no such object."""
    status = 404 if error.code == ErrorCode.NOT_FOUND else 422
    return JSONResponse({"error": error.message, "code": error.code, "field": error.field}, status)


ERRORS: Final[Mapping[type[Exception], Callable[[Request, Any], Awaitable[Response]]]] = {
    Unauthenticated: unauthenticated,
    PermissionDenied: forbidden,
    Rejection: rejection,
}
"""Exception handlers for the errors that a route raises."""
Routes: TypeAlias = Callable[[RouteContext], Sequence[BaseRoute]]
"""Returns the routes of a feature. They come after LedgerPress's own routes and before its pages."""
