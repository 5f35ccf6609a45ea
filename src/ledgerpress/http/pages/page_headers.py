"""The headers of a page: Content Security Policy (Level 3), caching and position."""

from typing import Final

from ledgerpress.http.responses import POSITION_HEADER

# Pictures may come from elsewhere: an article's body may show them. Nothing else does, and nothing runs.
SITE_POLICY: Final = (
    "default-src 'self'; script-src 'none'; connect-src 'none'; img-src 'self' https: http:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# GraphiQL's style sheet holds its fonts and small pictures. Its dialogs would also write a style element, to keep
# the page behind them from scrolling; that page does not scroll, so the element is left blocked.
GRAPHIQL_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_headers(position: int, policy: str = SITE_POLICY) -> dict[str, str]:
    """Return the headers of a page that was read at `position` of the log."""
    return {
        POSITION_HEADER: str(position),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
