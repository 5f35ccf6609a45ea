"""CORS (Fetch standard, section 3.2): decides which other sites' pages may read responses; by default, none.

Credentials are never allowed: clients send their token in a header, and LedgerPress uses no cookies.
"""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY: Final = "*"
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")


class CorsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of CORS: which pages of other sites may read responses."""

    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="The sites whose pages may read responses, such as `https://www.example.org`. `*` means all. "
            "By default, only the server's own pages can read them."
        ),
    ] = ()
    request_headers: Annotated[tuple[str, ...], Meta(description="The headers that such pages may send.")] = (
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
        tuple[str, ...], Meta(description="The response headers that such pages may read.")
    ] = ("ETag", "LedgerPress-Position", "Retry-After")
    preflight_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400,
            description="How long a browser may cache the result of a preflight request, in seconds.",
        ),
    ] = 600

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != ANY and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} in origins is not an origin: use a scheme, a host in lower case and, if needed, a "
                    "port, without a path, such as https://www.example.org"
                )


class Cors:
    """ASGI middleware that answers preflight requests and lets pages of allowed sites read responses."""

    METHODS: Final = "GET, HEAD, POST, PUT, DELETE"

    def __init__(self, app: ASGIApp, settings: CorsSettings) -> None:
        self._app = app
        self._origins = frozenset(settings.origins)
        self._exposed = ", ".join(settings.exposed_headers).encode("ascii")
        self._preflight = {
            "Access-Control-Allow-Methods": self.METHODS,
            "Access-Control-Allow-Headers": ", ".join(settings.request_headers),
            "Access-Control-Max-Age": str(settings.preflight_seconds),
            "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = self._allowed(origin) if origin else None
        if origin and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            response = (
                PlainTextResponse(
                    "", status_code=204, headers={**self._preflight, "Access-Control-Allow-Origin": allowed}
                )
                if allowed
                else PlainTextResponse(
                    "This origin is not allowed.\n", status_code=403, headers={"Vary": "Origin"}
                )
            )
            await response(scope, receive, send)
        elif allowed is None:
            await self._app(scope, receive, send)
        else:
            added = (
                (b"access-control-allow-origin", allowed.encode("latin-1")),
                (b"access-control-expose-headers", self._exposed),
            )

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), *added]
                await send(message)

            await self._app(scope, receive, sending)

    def _allowed(self, origin: str) -> str | None:
        if ANY in self._origins:
            return ANY
        return origin if origin in self._origins else None
