"""The headers of pages, with their content security policies."""

from typing import Final

from starlette.responses import Response

from ledgerpress.http.responses import POSITION_HEADER

# The body of an article may show images from other sites. Nothing else comes from other sites. Scripts and forms are
# allowed only on pages that have some, and only those of this site.
_SITE_POLICY: Final = (
    "default-src 'self'; script-src {scripts}; connect-src 'none'; img-src 'self' https: http:; "
    "object-src 'none'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
)
SITE_POLICY: Final = _SITE_POLICY.format(scripts="'none'", forms="'none'")
FORM_POLICY: Final = _SITE_POLICY.format(scripts="'none'", forms="'self'")
"""The policy of a page with a form, which is sent to this site only. It gets no script, unless a part has one."""
INTERACTIVE_POLICY: Final = _SITE_POLICY.format(scripts="'self'", forms="'self'")
# GraphiQL's style sheet contains its fonts and small images. Its editor, Monaco, runs web workers, inserts style
# elements, to which explorer-environment.js adds the nonce, and writes style attributes. No other style is accepted.
GRAPHIQL_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def page_headers(position: int, policy: str = SITE_POLICY) -> dict[str, str]:
    """Return the headers of a page that was read at a position of the log."""
    return {
        POSITION_HEADER: str(position),
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def not_indexed(page: Response) -> Response:
    """Ask search engines not to show the page: the current one is at its address without a moment."""
    page.headers["X-Robots-Tag"] = "noindex"
    return page
