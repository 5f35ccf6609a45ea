"""What is said to a client whose request is not executed."""

import msgspec

Header = tuple[bytes, bytes]


class HttpError(Exception):
    """A request that is refused, with the status, a code for programs, and a message that says what to do."""

    def __init__(
        self, status: int, code: str, message: str, *headers: Header, error_id: str | None = None
    ) -> None:
        """`error_id` is what the log has more under."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers
        self.error_id = error_id

    @property
    def body(self) -> bytes:
        """The answer: a well-formed GraphQL response of one error (GraphQL, section 7.1.2)."""
        extensions = {"code": self.code} | ({"errorId": self.error_id} if self.error_id else {})
        return msgspec.json.encode({"errors": [{"message": str(self), "extensions": extensions}]})


def retry_after(seconds: float) -> Header:
    """Return the header that says when to try again (RFC 9110, 10.2.3): in whole seconds, at least one."""
    return b"retry-after", b"%d" % max(1, int(-(-seconds // 1)))
