"""CORS (Fetch standard, section 3.2): decides which other sites' pages may read responses; by default, none.

Credentials are never allowed: clients send their token in a header, and LedgerPress uses no cookies.
"""

import logging
from typing import TYPE_CHECKING, Annotated, Final, Self

import msgspec
from msgspec import Meta

from ledgerpress.http.middleware.access_log import MAX_CHARACTERS
from ledgerpress.network_names import ANY, LOCALHOST, HeaderName, OriginOrAny, is_allowed_origin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class CorsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of CORS: which pages of other sites may read responses."""

    origins: Annotated[
        tuple[OriginOrAny, ...],
        Meta(
            description="The sites whose pages may read responses, such as `https://www.example.org`. `*` means all. "
            "By default, only the server's own pages can read them."
        ),
    ] = ()
    request_headers: Annotated[
        tuple[HeaderName, ...], Meta(description="The headers that such pages may send.")
    ] = (
        "Accept",
        "Apollo-Require-Preflight",
        "Authorization",
        "Content-Type",
        "GraphQL-Require-Preflight",
        "If-None-Match",
        "Last-Event-ID",
        "LedgerPress-Causation-Id",
        "LedgerPress-Correlation-Id",
        "LedgerPress-Min-Position",
        "X-Apollo-Operation-Name",
        "X-GraphQL-Event-Stream-Token",
        "X-Requested-With",
        "traceparent",
        "tracestate",
    )
    exposed_headers: Annotated[
        tuple[HeaderName, ...], Meta(description="The response headers that such pages may read.")
    ] = ("ETag", "LedgerPress-Position", "Retry-After")
    preflight_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="How long a browser may cache the result of a preflight request, in seconds.",
        ),
    ] = 600

    @classmethod
    def development(cls) -> Self:
        """Return the settings for development: pages of other servers on this machine may read responses."""
        return cls(origins=(LOCALHOST,))


class Cors:
    """ASGI middleware that answers preflight requests and lets pages of allowed sites read responses."""

    METHODS: Final = "GET, HEAD, POST, PUT, DELETE"

    def __init__(self, app: "ASGIApp", settings: CorsSettings) -> None:
        self._app = app
        self._origins = frozenset(settings.origins)
        self._exposed = ", ".join(settings.exposed_headers).encode("ascii")
        self._preflight = {
            "Access-Control-Allow-Methods": self.METHODS,
            "Access-Control-Allow-Headers": ", ".join(settings.request_headers),
            "Access-Control-Max-Age": str(settings.preflight_seconds),
            "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        }

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(reversed(list(scope["headers"])))  # of several headers with one name, the first counts
        origin = headers.get(b"origin", b"").decode("latin-1")
        allowed = self._allowed(origin) if origin else None
        if origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await self._preflight_response(origin, allowed)(scope, receive, send)
        elif allowed is None:
            await self._app(scope, receive, send)
        else:
            added = (
                (b"access-control-allow-origin", allowed.encode("latin-1")),
                (b"access-control-expose-headers", self._exposed),
            )

            async def sending(message: "Message") -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), *added]
                await send(message)

            await self._app(scope, receive, sending)

    def _preflight_response(self, origin: str, allowed: str | None) -> "ASGIApp":
        from starlette.responses import PlainTextResponse  # noqa: PLC0415 - `ledgerpress settings` needs no response

        if allowed:
            headers = {**self._preflight, "Access-Control-Allow-Origin": allowed}
            return PlainTextResponse("", status_code=204, headers=headers)
        logger.warning(
            "a preflight request of a page of %s was rejected: add the origin to cors.origins if the page is yours",
            origin[:MAX_CHARACTERS],
        )
        return PlainTextResponse("This origin is not allowed.\n", status_code=403, headers={"Vary": "Origin"})

    def _allowed(self, origin: str) -> str | None:
        if ANY in self._origins:
            return ANY
        return origin if is_allowed_origin(origin, self._origins) else None
