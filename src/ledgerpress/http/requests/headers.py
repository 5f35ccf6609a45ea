"""Read the headers of a GraphQL request, and check them before the body is read."""

from collections.abc import Mapping
from typing import Final

from ledgerpress.http.content_negotiation import is_json
from ledgerpress.http.errors import HttpError
from ledgerpress.http.settings import HttpSettings

# Lists may be sent in several lines, which mean one (RFC 9110, 5.3). Of these, two would be ambiguous.
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


def check_query_string(query_string: bytes, settings: HttpSettings) -> None:
    """Raise `HttpError` for a query string that is too long."""
    if len(query_string) > settings.max_query_string_bytes:
        raise HttpError(
            414,
            "URI_TOO_LONG",
            f"The query string is longer than {settings.max_query_string_bytes:,} bytes: use POST.",
        )


def check_post(headers: Mapping[bytes, bytes], settings: HttpSettings) -> None:
    """Raise `HttpError` for a POST request whose headers announce a body that is not accepted."""
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not is_json(content_type):
        raise HttpError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "Send the request with the content type application/json, in UTF-8.",
            (b"accept-post", b"application/json"),
        )
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"identity", b""}:
        raise HttpError(
            415,
            "UNSUPPORTED_CONTENT_ENCODING",
            "Send the body of the request as it is, without a Content-Encoding.",
            (b"accept-encoding", b"identity"),
        )
    length = headers.get(b"content-length")
    if length is None:
        return
    if not length.isdigit():
        raise HttpError(400, "BAD_REQUEST", "The header Content-Length is not a number.")
    if len(length) > 15 or int(length) > settings.max_body_bytes:
        raise too_large(settings.max_body_bytes)


def too_large(max_bytes: int) -> HttpError:
    """Return the error for a body that is larger than `max_bytes`."""
    return HttpError(413, "REQUEST_TOO_LARGE", f"The body of the request is larger than {max_bytes:,} bytes.")
