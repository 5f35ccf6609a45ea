"""Whole answers, with heads that were made before: given to uvicorn as bytes where it is uvicorn, and by messages otherwise.

uvicorn searches every header that it is to send for forbidden characters, with two regular expressions each: for the
nine of an answer that takes longer than all else that a kept answer needs. A head that is sent again and again is
searched once, here, by uvicorn's own expressions, and made bytes.

This reaches into uvicorn's class for a request, of the version that is named here; any other version, and any other
server, is given messages as ASGI has them. What is sent is the same, byte for byte: `tests/integration/test_fast_path.py`.
"""

from typing import Any, Final

import uvicorn
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from ledgerpress.http.errors import Header

_IS_KNOWN: Final = uvicorn.__version__.startswith("0.54.")
NOT_MODIFIED: Final = 304
_FRAMING: Final = frozenset({b"connection", b"transfer-encoding"})
_END: Final = b"\r\n"
_CLOSE_END: Final = b"connection: close\r\n\r\n"


class EncodedHead:
    """The status and the headers of an answer, also as bytes, without the end of the head."""

    __slots__ = ("_is_ready", "_lines", "_status_line", "headers", "status")

    def __init__(self, status: int, headers: list[Header]) -> None:
        """Take what is sent with the whole body: `content-length` is its length."""
        self.status = status
        self.headers = headers
        self._status_line = STATUS_LINE[status]
        self._lines: bytes | None = None
        self._is_ready = False

    def of(self, cycle: Any) -> bytes | None:
        """Return the whole head as uvicorn would send it for a request, `None` where it has to do so itself."""
        if not self._is_ready:
            self._is_ready = True
            if _IS_KNOWN and all(_is_plain(*one) for one in self.headers):
                self._lines = b"".join(b"%s: %s\r\n" % one for one in self.headers)
        if self._lines is None or cycle.access_log or cycle.response_started:
            return None
        said = [b"%s: %s\r\n" % one for one in cycle.default_headers]
        return b"".join((self._status_line, *said, self._lines, _END if cycle.keep_alive else _CLOSE_END))


async def send_encoded(send: Send, head: EncodedHead, body: bytes) -> None:
    """Send an answer to a request with another method than HEAD. Where the status has none, `body` is not sent."""
    if head.status == NOT_MODIFIED:
        body = b""
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is RequestResponseCycle and (lines := head.of(cycle)) is not None:
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
    return name not in _FRAMING and not HEADER_RE.search(name) and not HEADER_VALUE_RE.search(value)
