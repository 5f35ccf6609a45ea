"""Send a complete response as bytes to uvicorn, and as ASGI messages to any other server.

uvicorn searches every header that it sends for forbidden characters, with two regular expressions each. For a cached
response, this takes longer than everything else. This module checks and encodes a header, or a whole head, only once,
with uvicorn's own expressions, even if it is sent many times.

It uses private attributes of uvicorn's request class. With a version that is not supported (`http/uvicorn_internals.py`),
without httptools, and with any other server, it sends ASGI messages. The bytes on the wire are the same in both cases
(`tests/integration/test_fast_path.py`).
"""

from functools import lru_cache
from typing import Any, Final

from starlette.types import Message, Send

from ledgerpress.http.request_rejection_error import Header
from ledgerpress.http.responses import NOT_MODIFIED
from ledgerpress.http.uvicorn_internals import uvicorn_module

_FRAMING: Final = frozenset({b"connection", b"transfer-encoding"})
_LENGTH: Final = b"content-length"
_END: Final = b"\r\n"
_CLOSE_END: Final = b"connection: close\r\n\r\n"


_INTERNALS: Final = uvicorn_module("uvicorn.protocols.http.httptools_impl")
_CYCLE: Final = getattr(_INTERNALS, "RequestResponseCycle", None)


class EncodedHead:
    """The status and the headers of a response, with their encoding for uvicorn."""

    __slots__ = ("_is_ready", "_lines", "_status_line", "headers", "status")

    def __init__(self, status: int, headers: list[Header]) -> None:
        """`headers` are the headers of a response with a body: `content-length` is the length of the body."""
        self.status = status
        self.headers = headers
        self._status_line = b""
        self._lines: bytes | None = None
        self._is_ready = False

    def of(self, cycle: Any) -> bytes | None:
        """Return the complete head as uvicorn would send it, or `None` if uvicorn has to send it itself."""
        if not self._is_ready:
            self._is_ready = True
            if _INTERNALS is not None:
                self._status_line = _INTERNALS.STATUS_LINE[self.status]
                self._lines = _lines(self.headers)
        if self._lines is None or cycle.access_log or cycle.response_started:
            return None
        return _head(cycle, self._status_line, self._lines)


def send_now(send: Send, head: EncodedHead, body: bytes) -> bool:
    """Send a response like `send_encoded` and return true, or return false if that has to wait."""
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is not _CYCLE or cycle.flow.write_paused or (lines := head.of(cycle)) is None:
        return False
    if not cycle.disconnected:
        _write(cycle, lines, b"" if head.status == NOT_MODIFIED else body)
    return True


async def send_encoded(send: Send, head: EncodedHead, body: bytes) -> None:
    """Send a response. The method of the request MUST NOT be HEAD. A 304 is sent without a body."""
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


def is_sent_at_once(send: Send, start: Message) -> bool:
    """Return whether `send_complete` can send the head of a response together with its body, without waiting."""
    cycle: Any = getattr(send, "__self__", None)
    if (
        type(cycle) is not _CYCLE
        or cycle.access_log
        or cycle.response_started
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    return start["status"] == NOT_MODIFIED or any(name == _LENGTH for name, _ in start["headers"])


async def send_complete(send: Send, start: Message, message: Message) -> None:
    """Send the head of a response for which `is_sent_at_once` is true, and the first message with its body."""
    cycle: Any = getattr(send, "__self__", None)
    body, headers = message.get("body", b""), start["headers"]
    lines = None
    if message["type"] == "http.response.body" and not message.get("more_body"):
        lengths = [value for name, value in headers if name == _LENGTH]
        if lengths == ([] if start["status"] == NOT_MODIFIED and not body else [b"%d" % len(body)]):
            lines = _lines(headers)
    if lines is None:
        await send(start)
        await send(message)
        return
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if not cycle.disconnected:
        _write(cycle, _head(cycle, _INTERNALS.STATUS_LINE[start["status"]], lines), body)


def _lines(headers: list[Header]) -> bytes | None:
    """Return the encoded headers, or `None` if uvicorn has to send one of them itself."""
    lines = [_line(name, value) for name, value in headers]
    return None if None in lines else b"".join(lines)  # type: ignore[arg-type]


@lru_cache(maxsize=1_024)
def _line(name: bytes, value: bytes) -> bytes | None:
    name = name.lower()
    return b"%s: %s\r\n" % (name, value) if _is_plain(name, value) else None


def _head(cycle: Any, status_line: bytes, lines: bytes) -> bytes:
    defaults = [b"%s: %s\r\n" % header for header in cycle.default_headers]
    return b"".join((status_line, *defaults, lines, _END if cycle.keep_alive else _CLOSE_END))


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
