"""The parts of a URL that may name several hosts."""

import re
import unicodedata
from typing import Final
from urllib.parse import SplitResult

_PARTS: Final = re.compile(
    r"(?P<scheme>[a-z]+):(?://(?P<netloc>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_DIVIDES: Final = "/?#@:"


def split(url: str) -> SplitResult:
    """Return the parts of a URL (RFC 3986, appendix B). Raises `ValueError` for a text that is none.

    `urllib.parse.urlsplit` refuses several hosts of which one is an IPv6 address, in all versions that were secured
    against brackets at other places. As there, a character that is another form of one that divides a URL is refused.
    """
    if (found := _PARTS.fullmatch(url)) is None:
        raise ValueError("no URL")
    netloc = found["netloc"] or ""
    others = unicodedata.normalize("NFKC", "".join([one for one in netloc if not one.isascii()]))
    if any(one in others for one in _DIVIDES):
        raise ValueError("no host")
    return SplitResult(
        found["scheme"].lower(), netloc, found["path"], found["query"] or "", found["fragment"] or ""
    )
