"""Send a response with a prepared head: as bytes to uvicorn, and as ASGI messages to any other server.

uvicorn searches every header that it sends for forbidden characters, with two regular expressions each. For a cached
response that takes longer than everything else. A head that is sent repeatedly is searched once, here, by uvicorn's own
expressions, and encoded.

This uses private attributes of uvicorn's class for a request, in the version named here. With any other version, without
httptools, and with any other server, ASGI messages are sent. The bytes on the wire are the same in both cases:
`tests/integration/test_fast_path.py`.
"""

import importlib
from typing import Any, Final

import uvicorn
from starlette.types import Send

from ledgerpress.http.request_rejection_error import Header
from ledgerpress.http.responses import NOT_MODIFIED

_VERSION: Final = "0.54."
_FRAMING: Final = frozenset({b"connection", b"transfer-encoding"})
_END: Final = b"\r\n"
_CLOSE_END: Final = b"connection: close\r\n\r\n"


def _uvicorn_internals() -> Any:
    """Return uvicorn's module for httptools in a supported version, or `None`."""
    if not uvicorn.__version__.startswith(_VERSION):
        return None
    try:
        return importlib.import_module("uvicorn.protocols.http.httptools_impl")
    except ImportError:
        return None


_INTERNALS: Final = _uvicorn_internals()
_CYCLE: Final = getattr(_INTERNALS, "RequestResponseCycle", None)


class EncodedHead:
    """The status and the headers of a response, also encoded, without the end of the head."""

    __slots__ = ("_is_ready", "_lines", "_status_line", "headers", "status")

    def __init__(self, status: int, headers: list[Header]) -> None:
        """`headers` are those of the response with its body: `content-length` is the length of the body."""
        self.status = status
        self.headers = headers
        self._status_line = b""
        self._lines: bytes | None = None
        self._is_ready = False

    def of(self, cycle: Any) -> bytes | None:
        """Return the whole head as uvicorn would send it for a request, `None` where uvicorn has to do so itself."""
        if not self._is_ready:
            self._is_ready = True
            if _INTERNALS is not None and all(_is_plain(*header) for header in self.headers):
                self._status_line = _INTERNALS.STATUS_LINE[self.status]
                self._lines = b"".join(b"%s: %s\r\n" % header for header in self.headers)
        if self._lines is None or cycle.access_log or cycle.response_started:
            return None
        defaults = [b"%s: %s\r\n" % header for header in cycle.default_headers]
        return b"".join((self._status_line, *defaults, self._lines, _END if cycle.keep_alive else _CLOSE_END))


async def send_encoded(send: Send, head: EncodedHead, body: bytes) -> None:
    """Send the response to a request with another method than HEAD. A 304 has no body."""
    if head.status == NOT_MODIFIED:
        body = b""
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is _CYCLE and (lines := head.of(cycle)) is not None:
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if not cycle.disconnected:
            _write(cycle, lines, body)
        return
    await send({"type": "http.response.start", "status": head.status, "headers": list(head.headers)})
    await send({"type": "http.response.body", "body": body})


def _write(cycle: Any, lines: bytes, body: bytes) -> None:
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(lines)
    if body:
        cycle.transport.write(body)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def _is_plain(name: bytes, value: bytes) -> bool:
    return (
        name not in _FRAMING
        and not _INTERNALS.HEADER_RE.search(name)
        and not _INTERNALS.HEADER_VALUE_RE.search(value)
    )
