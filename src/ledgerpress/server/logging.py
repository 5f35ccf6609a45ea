"""Logging to standard error, in JSON for programs or in plain text for people; for uvicorn's messages too.

Every line of a request contains the ids of the request and its trace. Lengths are limited, control characters are
escaped, and anything that looks like a credential is removed, whatever code logged it.
"""

import asyncio
import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import lru_cache
from select import PIPE_BUF
from typing import Annotated, Any, Final, Literal, TextIO

import msgspec
from msgspec import Meta

from ledgerpress.grapheme_clusters import cut_start, shortened
from ledgerpress.graphql.request_telemetry_record import CURRENT
from ledgerpress.http.middleware.access_log import LOGGER, AccessLog

FLUSH_INTERVAL: Final = 0.1
"""Maximum seconds for which a line of the access log is buffered."""
MAX_BUFFERED_LINES: Final = 1_000
MAX_MESSAGE_LENGTH: Final = 4_000
"""Characters of a message."""
MAX_EXCEPTION_LENGTH: Final = 20_000
"""Characters of a traceback. Its end is logged, because it names the error."""

# C0 and C1 controls, line separators, and characters that change the direction of text.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CREDENTIAL: Final = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+|\blp_[\w-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*", re.IGNORECASE
)
_encoder: Final = msgspec.json.Encoder(enc_hook=str)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the server logs, and in which format."""

    format: Annotated[
        Literal["json", "plain"], Meta(description="One JSON object per line, or plain text.")
    ] = "json"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The lowest level that is logged.")
    ] = "info"
    access: Annotated[bool, Meta(description="Whether each request is logged.")] = True

    @classmethod
    def development(cls) -> "LogSettings":
        """Return the settings for a person at a terminal: only warnings and errors are logged."""
        return cls(format="plain", level="warning", access=False)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without the end of line."""
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cleaned(_message(record), MAX_MESSAGE_LENGTH),
        }
        if exchange := CURRENT.get():
            line["request_id"] = exchange.id
            if exchange.trace_id:
                line["trace_id"] = exchange.trace_id
        if (error_id := getattr(record, "error_id", None)) is not None:
            line["error_id"] = str(error_id)
        if record.exc_info and record.exc_info[0]:
            line["exception"] = {
                "type": record.exc_info[0].__qualname__,
                "traceback": _cleaned_end(self.formatException(record.exc_info)),
            }
        return _escaped(_encode(line))

    def access(self, seconds: float, message: str, fields: dict[str, Any]) -> str:
        """Return the line of a request, without the end of line. `seconds` is the time since 1970, UTC."""
        line = {"time": _time(seconds), "level": "info", "logger": LOGGER, "message": message, **fields}
        return _escaped(_without_credentials(_encode(line)))


class TextFormatter(logging.Formatter):
    """A formatter that returns a plain line for each record, followed by the lines of its exception."""

    def format(self, record: logging.LogRecord) -> str:
        text = _escaped(_cleaned(_message(record), MAX_MESSAGE_LENGTH))
        line = f"{record.levelname.lower()}: {record.name}: {text}"
        if (error_id := getattr(record, "error_id", None)) is not None:
            line += f" (error {_escaped(str(error_id))})"
        if record.exc_info and record.exc_info[0]:
            trace = _cleaned_end(self.formatException(record.exc_info))
            line += "".join(f"\n  {_escaped(text)}" for text in trace.splitlines())
        return line

    def access(self, seconds: float, message: str, fields: dict[str, Any]) -> str:
        words = (message, f"{fields['ms']} ms", fields.get("operation"), fields.get("operation_name"))
        return _escaped(_without_credentials(" ".join(str(word) for word in words if word)))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # the arguments do not fit: log the message without them
        return str(record.msg)


def _cleaned(text: str, max_length: int) -> str:
    """Return text without credentials, with at most `max_length` characters."""
    text = _without_credentials(text)
    return shortened(text, max_length)


def _cleaned_end(trace: str) -> str:
    trace = _without_credentials(trace)
    return trace if len(trace) <= MAX_EXCEPTION_LENGTH else f"…{cut_start(trace, MAX_EXCEPTION_LENGTH)}"


def _without_credentials(text: str) -> str:
    lower = text.lower()
    if not any(word in lower for word in ("bearer", "basic", "lp_", "eyj")):  # faster than the pattern
        return text
    return _CREDENTIAL.sub(lambda match: f"{match['scheme'] or ''}(left out)", text)


def _escaped(text: str) -> str:
    """Return text in which no character moves a terminal's cursor or begins a new line."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _encode(line: dict[str, Any]) -> str:
    try:
        return _encoder.encode(line).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which a client may send
        return _encoder.encode({key: _without_surrogates(value) for key, value in line.items()}).decode()


def _without_surrogates(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _time(seconds: float) -> str:
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1_000):03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class BufferedHandler(logging.StreamHandler[TextIO]):
    """A handler that writes immediately, but buffers the access log: a write can cost more than a response.

    The buffer is written together with any other line, and when the program ends, unless it is killed.
    """

    def __init__(
        self, stream: TextIO, formatter: JsonFormatter | TextFormatter, max_write_bytes: int | None = None
    ) -> None:
        """Write at most `max_write_bytes` at a time, in whole lines; a longer line is written alone."""
        super().__init__(stream)
        self._max_write_bytes = max_write_bytes
        self.setFormatter(formatter)
        self._formatter = formatter
        self._buffer: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def access(self, message: str, fields: dict[str, Any]) -> None:
        """Buffer a line of the access log. MUST be called in the thread of the event loop."""
        self._buffer.append(self._formatter.access(time.time(), message, fields))  # noqa: TID251 - the real time
        if len(self._buffer) >= MAX_BUFFERED_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_INTERVAL, self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line, after those in the buffer."""
        try:
            self._buffer.append(self.format(record))
            self.flush()
        except Exception:  # noqa: BLE001 - as every handler does: logging never fails its caller
            self.handleError(record)

    def flush(self) -> None:
        with self.lock or nullcontext():
            timer, self._timer = self._timer, None
            lines, self._buffer = self._buffer, []
        if timer is not None:
            timer.cancel()
        with suppress(OSError, ValueError):  # the reader of standard error is gone; requests continue
            for part in _parts(lines, self._max_write_bytes):
                self.stream.write(part)
                self.stream.flush()


def _parts(lines: list[str], max_bytes: int | None) -> Iterator[str]:
    """Yield the lines in parts of at most `max_bytes`, or in one part if that is `None`."""
    part, size = list[str](), 0
    for line in lines:
        length = len(line.encode("utf-8", "backslashreplace")) + 1 if max_bytes is not None else 0
        if part and max_bytes is not None and size + length > max_bytes:
            yield "\n".join(part) + "\n"
            part, size = [], 0
        part.append(line)
        size += length
    if part:
        yield "\n".join(part) + "\n"


def log_to_standard_error(settings: LogSettings, *, is_shared: bool = False) -> AccessLog | None:
    """Log to standard error from now on; return the access log, if it is enabled.

    If several processes share it (`is_shared`), their lines are not mixed, as long as each has at most `PIPE_BUF` bytes.
    """
    formatter = JsonFormatter() if settings.format == "json" else TextFormatter()
    handler = BufferedHandler(sys.stderr, formatter, PIPE_BUF if is_shared else None)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    # LedgerPress itself logs that the server starts and stops.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, root.level))
    return AccessLog(handler.access) if settings.access else None
