"""What every answer tells browsers not to do, unless it says so itself: raw, since every request passes here."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

Header = tuple[bytes, bytes]

NOTHING_RUNS: Final = b"default-src 'none'; frame-ancestors 'none'"
"""The policy of what is not a page: whatever it turns out to be, it loads and runs nothing."""
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
"""The media types of answers that no browser makes a page of: what is said of pages would be idle there."""


class HeaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer tells browsers."""

    hsts_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="For how long browsers are to ask for this site by HTTPS only (Strict-Transport-Security). 0: the "
            "server does not say so; a proxy that ends TLS may.",
        ),
    ] = 0
    hsts_subdomains: Annotated[bool, Meta(description="The same goes for all names below this one.")] = False
    cross_origin_resource_policy: Annotated[
        str,
        Meta(
            pattern="^(same-origin|same-site|cross-origin)$",
            description="Which sites may embed what is served (Cross-Origin-Resource-Policy).",
        ),
    ] = "same-origin"


class SecurityHeaders:
    """The headers that are added to an answer where it does not have them."""

    def __init__(self, settings: HeaderSettings, *, varies_by_origin: bool) -> None:
        """With `varies_by_origin`, every answer says that it may differ by who asks (CORS)."""
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
        """Return the headers of an answer with those added that it lacks. Names are in lower case.

        Data gets the three that matter there, and has none of them before: the server checks every header that is
        sent, and each costs more than a microsecond.
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
            added = headers + [one for one in self._of_documents if one[0] not in present]
        return self.varying(added)

    def varying(self, headers: list[Header]) -> list[Header]:
        """Return the headers, with what all answers vary by."""
        return _varying(headers) if self._varies_by_origin else headers


def _varying(headers: list[Header]) -> list[Header]:
    """Return the headers with `Origin` in `Vary` (RFC 9110, 12.5.5)."""
    said = b", ".join(value for name, value in headers if name == _VARY)
    if b"origin" in (part.strip() for part in said.lower().split(b",")):
        return headers
    others = [one for one in headers if one[0] != _VARY]
    return [*others, (_VARY, said + b", Origin" if said else b"Origin")]
