"""Errors for requests that are not executed, with a status, code, message and headers."""

import re
from typing import Final

import msgspec

from ledgerpress.commands.client_identity import Unauthenticated
from ledgerpress.graphql.errors import VIEWS_UNAVAILABLE, VIEWS_UNAVAILABLE_MESSAGE

Header = tuple[bytes, bytes]

UNAUTHENTICATED: Final = 401
# Characters that error_description must not contain (RFC 6750, section 3).
_NOT_ALLOWED: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


class HttpError(Exception):
    """A rejected request: the HTTP status, a code for programs, and a message that states what to do."""

    def __init__(
        self, status: int, code: str, message: str, *headers: Header, error_id: str | None = None
    ) -> None:
        """`error_id` identifies an error of the server in its logging."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers
        self.error_id = error_id

    @property
    def body(self) -> bytes:
        """A well-formed GraphQL response with one error (GraphQL, section 7.1.2)."""
        extensions = {"code": self.code} | ({"errorId": self.error_id} if self.error_id else {})
        return msgspec.json.encode({"errors": [{"message": str(self), "extensions": extensions}]})


def retry_after(seconds: float) -> Header:
    """Return a Retry-After header (RFC 9110, 10.2.3), rounded up to whole seconds, at least one."""
    return b"retry-after", b"%d" % max(1, int(-(-seconds // 1)))


def views_unavailable() -> HttpError:
    """Return the error for a request that needs the views while they cannot be read."""
    return HttpError(503, VIEWS_UNAVAILABLE, VIEWS_UNAVAILABLE_MESSAGE, retry_after(1))


def invalid_token(error: Unauthenticated) -> HttpError:
    """Return the error for invalid credentials, with a challenge (RFC 6750, section 3)."""
    description = _NOT_ALLOWED.sub("'", str(error))
    value = f'Bearer realm="LedgerPress", error="invalid_token", error_description="{description}"'
    return HttpError(
        UNAUTHENTICATED, "UNAUTHENTICATED", str(error), (b"www-authenticate", value.encode("ascii"))
    )
