"""Splits URLs that may have several hosts, and recognizes loopback hosts."""

import ipaddress
import re
import unicodedata
from typing import Final
from urllib.parse import SplitResult

_PARTS: Final = re.compile(
    r"(?P<scheme>[a-z]+):(?://(?P<netloc>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_DELIMITERS: Final = "/?#@:"


def split(url: str) -> SplitResult:
    """Return the parts of a URL (RFC 3986, appendix B). Raises `ValueError` if the text is not a URL.

    `urllib.parse.urlsplit` cannot be used: the versions that check for misplaced brackets reject several hosts if one
    is an IPv6 address. Like `urlsplit`, this function rejects characters that Unicode normalization turns into a
    delimiter.
    """
    if (parts := _PARTS.fullmatch(url)) is None:
        raise ValueError("not a URL")
    netloc = parts["netloc"] or ""
    normalized = unicodedata.normalize("NFKC", "".join([char for char in netloc if not char.isascii()]))
    if any(delimiter in normalized for delimiter in _DELIMITERS):
        raise ValueError("not a host")
    return SplitResult(
        parts["scheme"].lower(), netloc, parts["path"], parts["query"] or "", parts["fragment"] or ""
    )


def is_loopback(host: str) -> bool:
    """Return whether `host` can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
