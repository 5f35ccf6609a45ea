"""Where log lines go: to standard error, in the form that the settings name, uvicorn's as well as our own."""

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

WAIT_SECONDS: Final = 0.1
"""How long a line of the access log waits for others, at most."""
WAITING_LINES: Final = 1_000
"""How many of them wait, at most."""


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
        """Return the settings where a person looks on: nothing is said while all goes well."""
        return cls(format="plain", level="warning", access=False)


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines as they come, but for those of the access log: they wait for one another, and for any other line.

    A write costs more than many an answer. What waits is written when the program ends, unless it is killed.
    """

    def __init__(self, stream: TextIO, form: JsonFormatter | TextFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(form)
        self._form = form
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def access(self, message: str, fields: dict[str, Any]) -> None:
        """Let a line of the access log wait. To be called in the thread of the event loop."""
        self._waiting.append(self._form.access(time.time(), message, fields))  # noqa: TID251 - a log tells the real time
        if len(self._waiting) >= WAITING_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record's line, behind those that wait."""
        try:
            self._waiting.append(self.format(record))
            self.flush()
        except Exception:  # noqa: BLE001 - as every handler does: a line that fails fails nothing else
            self.handleError(record)

    def flush(self) -> None:
        """Write what waits."""
        with self.lock or nullcontext():
            timer, self._timer = self._timer, None
            lines, self._waiting = self._waiting, []
        if timer is not None:
            timer.cancel()
        with suppress(OSError, ValueError):  # whoever read along has gone; requests go on
            if lines:
                self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()


def set_up(settings: LogSettings) -> AccessLog | None:
    """Log to standard error from now on, uvicorn's lines too, and return the access log, if there is to be one."""
    lines = Lines(sys.stderr, JsonFormatter() if settings.format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [lines]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    # What uvicorn has to say of its own coming and going is said by us already.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, root.level))
    return AccessLog(lines.access) if settings.access else None
