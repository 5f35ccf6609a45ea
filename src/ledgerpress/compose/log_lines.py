"""How the program logs: a line of JSON for each event where machines read along, a plain line where a person does.

Every line of a request carries its id and its trace. Lengths are bounded, control characters are escaped, and what looks
like a credential is left out, whoever logged it.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ledgerpress.graphql.exchange import CURRENT
from ledgerpress.http.access_log import FIELDS, LOGGER

MOST_MESSAGE: Final = 4_000
"""Characters of a message."""
MOST_EXCEPTION: Final = 20_000
"""Characters of a traceback, of which the end is kept: it says what happened."""

# C0 and C1 controls, line separators, and what turns the direction of writing round.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CREDENTIAL: Final = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*", re.IGNORECASE
)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged, and how."""

    format: Annotated[
        Literal["json", "plain"], Meta(description="A line of JSON for each event, or plain lines.")
    ] = "json"
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is logged.")
    ] = "info"
    access: Annotated[bool, Meta(description="A line for each request (at the level `info`).")] = True

    @classmethod
    def development(cls) -> "LogSettings":
        """Return the settings where a person looks on: nothing is said while all goes well."""
        return cls(format="plain", level="warning", access=False)


def set_up(settings: LogSettings) -> None:
    """Log to standard error from now on, uvicorn's lines too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else PlainLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger(LOGGER).setLevel(logging.INFO if settings.access else logging.CRITICAL)
    logging.captureWarnings(True)
    # What uvicorn has to say of its own coming and going is said by us already.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, root.level))


class JsonLines(logging.Formatter):
    """Makes a line of JSON of each record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without the end of line."""
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cleaned(_message(record), MOST_MESSAGE),
        }
        if exchange := CURRENT.get():
            line["request_id"] = exchange.id
            if exchange.trace_id:
                line["trace_id"] = exchange.trace_id
        if (error_id := getattr(record, "error_id", None)) is not None:
            line["error_id"] = str(error_id)
        if fields := getattr(record, FIELDS, None):
            line |= fields
        if record.exc_info and record.exc_info[0]:
            line["exception"] = {
                "type": record.exc_info[0].__qualname__,
                "traceback": _cleaned(
                    self.formatException(record.exc_info)[-MOST_EXCEPTION:], MOST_EXCEPTION
                ),
            }
        return _escaped(_encode(line))


class PlainLines(logging.Formatter):
    """Makes a line for a person of each record; an exception follows below, line by line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without the end of line."""
        text = _escaped(_cleaned(_message(record), MOST_MESSAGE))
        known = (getattr(record, "error_id", None), *(getattr(record, FIELDS, None) or {}).values())
        extras = "".join(f" {_escaped(_cleaned(str(one), 200))}" for one in known if one is not None)
        line = f"{record.levelname.lower()}: {record.name}: {text}{extras}"
        if record.exc_info and record.exc_info[0]:
            trace = _cleaned(self.formatException(record.exc_info)[-MOST_EXCEPTION:], MOST_EXCEPTION)
            line += "".join(f"\n  {_escaped(one)}" for one in trace.splitlines())
        return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit the message: better half a line than none
        return str(record.msg)


def _cleaned(text: str, most: int) -> str:
    """Return text without credentials, and not longer than `most` characters."""
    text = _CREDENTIAL.sub(lambda found: f"{found['scheme'] or ''}(left out)", text)
    return text if len(text) <= most else f"{text[:most]}…"


def _escaped(text: str) -> str:
    """Return text in which no character moves a terminal's cursor or begins a line of its own."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _encode(line: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=str).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which a client may send
        sound = {key: _sound(value) for key, value in line.items()}
        return msgspec.json.encode(sound, enc_hook=str).decode()


def _sound(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sound(one) for key, one in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
