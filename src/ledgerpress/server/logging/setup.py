"""Set up logging to standard error, in the configured format, for uvicorn's messages too."""

import asyncio
import logging
import sys
import time
from contextlib import nullcontext, suppress
from typing import Annotated, Any, Final, Literal, TextIO

import msgspec
from msgspec import Meta

from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.server.logging.formatters import JsonFormatter, TextFormatter

FLUSH_INTERVAL: Final = 0.1
"""Seconds that a line of the access log is buffered at most."""
MAX_BUFFERED_LINES: Final = 1_000


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged, and how."""

    format: Annotated[
        Literal["json", "plain"], Meta(description="A line of JSON for each event, or plain lines.")
    ] = "json"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    access: Annotated[bool, Meta(description="A line for each request.")] = True

    @classmethod
    def development(cls) -> "LogSettings":
        """Return the settings for a person at a terminal: nothing is logged if all is well."""
        return cls(format="plain", level="warning", access=False)


class BufferedHandler(logging.StreamHandler[TextIO]):
    """Writes lines at once, except those of the access log, which are buffered: a write costs more than many a response.

    The buffer is written with any other line, and when the program ends, unless it is killed.
    """

    def __init__(self, stream: TextIO, formatter: JsonFormatter | TextFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(formatter)
        self._formatter = formatter
        self._buffer: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def access(self, message: str, fields: dict[str, Any]) -> None:
        """Buffer a line of the access log. MUST be called in the thread of the event loop."""
        self._buffer.append(self._formatter.access(time.time(), message, fields))  # noqa: TID251 - logging uses the real time
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
        with suppress(OSError, ValueError):  # the reader of standard error is gone; requests go on
            if lines:
                self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()


def set_up(settings: LogSettings) -> AccessLog | None:
    """Log to standard error from now on; return the access log, if it is enabled."""
    handler = BufferedHandler(sys.stderr, JsonFormatter() if settings.format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    # We log ourselves that the server starts and stops.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, root.level))
    return AccessLog(handler.access) if settings.access else None
