"""Add security headers for browsers to every response that does not set them itself."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

Header = tuple[bytes, bytes]

NOTHING_RUNS: Final = b"default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of responses that are not pages: they may load and run nothing."""
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", NOTHING_RUNS),
)
_OF_DOCUMENTS: Final[tuple[Header, ...]] = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
)
_RESOURCE_POLICY: Final = b"cross-origin-resource-policy"
_VARY: Final = b"vary"
_CONTENT_TYPE: Final = b"content-type"
_DATA: Final = (b"application/json", b"application/graphql-response+json", b"text/event-stream")
"""Media types that browsers do not render as pages, so that headers for pages have no effect."""


class HeaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of security headers."""

    hsts_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="For how many seconds browsers must use only HTTPS for this site (Strict-Transport-Security). "
            "With 0 the header is not sent; a proxy that terminates TLS may add it.",
        ),
    ] = 0
    hsts_subdomains: Annotated[
        bool, Meta(description="Strict-Transport-Security also applies to all subdomains.")
    ] = False
    cross_origin_resource_policy: Annotated[
        str,
        Meta(
            pattern="^(same-origin|same-site|cross-origin)$",
            description="Which sites may embed responses (Cross-Origin-Resource-Policy).",
        ),
    ] = "same-origin"


class SecurityHeaders:
    """Adds the security headers that a response lacks."""

    def __init__(self, settings: HeaderSettings, *, varies_by_origin: bool) -> None:
        """With `varies_by_origin`, `Vary` of every response contains `Origin` (CORS)."""
        headers: list[Header] = [
            *_ALWAYS,
            (_RESOURCE_POLICY, settings.cross_origin_resource_policy.encode("ascii")),
        ]
        if settings.hsts_seconds:
            subdomains = "; includeSubDomains" if settings.hsts_subdomains else ""
            headers.append(
                (b"strict-transport-security", f"max-age={settings.hsts_seconds}{subdomains}".encode("ascii"))
            )
        self._of_data = headers
        self._of_documents = [*headers, *_OF_DOCUMENTS]
        self._varies_by_origin = varies_by_origin

    def added(self, headers: list[Header]) -> list[Header]:
        """Return the headers of a response together with the security headers that it lacks. Names are in lower case.

        Data responses set no security headers themselves and get only those that affect them, without a check: each
        header that is sent costs more than a microsecond.
        """
        for name, value in headers:
            if name == _CONTENT_TYPE:
                is_data = value.startswith(_DATA)
                break
        else:
            is_data = True
        if is_data:
            added = headers + self._of_data
        else:
            present = {name for name, _ in headers}
            added = headers + [header for header in self._of_documents if header[0] not in present]
        return _with_vary_origin(added) if self._varies_by_origin else added

    def added_to_not_modified(self, headers: list[Header]) -> list[Header]:
        """Return the headers of a 304. The stored response has the security headers, but takes `Vary` from the 304."""
        return _with_vary_origin(headers) if self._varies_by_origin else headers


def _with_vary_origin(headers: list[Header]) -> list[Header]:
    """Return the headers with `Origin` in `Vary` (RFC 9110, 12.5.5)."""
    vary = b", ".join(value for name, value in headers if name == _VARY)
    if b"origin" in (part.strip() for part in vary.lower().split(b",")):
        return headers
    others = [header for header in headers if header[0] != _VARY]
    return [*others, (_VARY, vary + b", Origin" if vary else b"Origin")]
