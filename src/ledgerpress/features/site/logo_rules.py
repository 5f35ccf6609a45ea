"""Rules for the logo of the site: where its picture may be, and the text that stands for it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection

MAX_URL: Final = 2_000
_URL_CHARACTERS: Final = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
"""What a URL consists of (RFC 3986): no spaces, quotation marks, backslashes, or letters outside ASCII."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The logo of the site: an https URL or a path on the site, and the text that stands for the picture."""

    url: str
    text: str


def checked_logo(logo: Logo) -> Logo:
    """Return a logo in the form in which it is recorded. Raises `Rejection` if its URL or its text is invalid."""
    try:
        text = text_rules.line(logo.text, field="alternativeText", limit=text_rules.MAX_NAME)
        return Logo(url=https_url_or_path(logo.url, field="url"), text=text)
    except Rejection as rejection:
        rejection.field = ("logo", *rejection.field)
        raise


def https_url_or_path(value: str, *, field: str) -> str:
    """Return an https URL with a host, or a path on the site. Raises `Rejection` for anything else.

    A path begins with one slash: two would begin the name of a host. It stays below the address of the site, which may
    have a path of its own.
    """
    url = text_rules.line(value, field=field, limit=MAX_URL)
    if not _is_https_url_or_path(url):
        raise Rejection(
            ErrorCode.INVALID_VALUE,
            f"The {field} must begin with https:// and a host, or be a path on this site that begins with one slash. "
            "Write spaces and letters outside ASCII in percent-encoding.",
            field=(field,),
        )
    return url


def _is_https_url_or_path(url: str) -> bool:
    if not _URL_CHARACTERS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme:
        return (
            parts.scheme == "https" and url.startswith("https://") and bool(host) and "@" not in parts.netloc
        )
    return url.startswith("/") and not url.startswith("//") and not {".", ".."} & set(parts.path.split("/"))
