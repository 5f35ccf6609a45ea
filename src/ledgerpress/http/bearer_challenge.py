"""The answer to credentials that are not good (RFC 6750, section 3)."""

import re
from typing import Final

from ledgerpress.commands.identity import Unauthenticated
from ledgerpress.http.errors import HttpError

UNAUTHENTICATED: Final = 401
"""The status of that answer."""

# What may stand in error_description.
_NOT_ALLOWED: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def challenge(error: Unauthenticated) -> HttpError:
    """Return what is said of credentials that are not good."""
    description = _NOT_ALLOWED.sub("'", str(error))
    value = f'Bearer realm="LedgerPress", error="invalid_token", error_description="{description}"'
    return HttpError(
        UNAUTHENTICATED, "UNAUTHENTICATED", str(error), (b"www-authenticate", value.encode("ascii"))
    )
