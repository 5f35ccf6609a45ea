"""The headers of a request, each name once."""

from typing import Final

from ledgerpress.http.errors import HttpError

# Lists may be sent in several lines, which mean one (RFC 9110, 5.3). Of these, two would mean two things.
_SINGLE: Final = frozenset(
    {b"authorization", b"content-length", b"content-type", b"host", b"ledgerpress-min-position"}
)


def request_headers(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return a request's headers by their names in lower case. Raises `HttpError`."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    headers.clear()
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise HttpError(400, "BAD_REQUEST", f"The request has the header {name.decode('ascii')} twice.")
        else:
            headers[name] += b", " + value
    return headers
