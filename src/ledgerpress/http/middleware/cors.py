"""CORS (Fetch standard, section 3.2): which pages of other sites may read responses. None by default.

Credentials are never allowed: clients send their token in a header, and nothing here uses cookies.
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
    """Which pages of other sites may read responses."""

    origins: Annotated[
        tuple[str, ...],
        Meta(
            description="The sites whose pages may read the answers, such as `https://www.example.org`. `*`: all. "
            "Nothing: none but the server's own."
        ),
    ] = ()
    request_headers: Annotated[
        tuple[str, ...], Meta(description="The headers that such a page may send.")
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
        tuple[str, ...], Meta(description="The headers of an answer that such a page may read.")
    ] = ("ETag", "LedgerPress-Position", "Retry-After")
    preflight_seconds: Annotated[
        int, Meta(ge=0, le=86_400, description="How long a browser may remember what it was allowed.")
    ] = 600

    def __post_init__(self) -> None:
        for origin in self.origins:
            if origin != ANY and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} in origins is no origin: it is a scheme and a host in lower case, perhaps a port, and "
                    "nothing behind, such as https://www.example.org"
                )


class Cors:
    """ASGI middleware. Answers preflight requests, and lets pages of allowed sites read responses."""

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
