"""The settings `server.data`, `server.log` and the limits of the clock, for commands that need no other setting.

Only the section `server` of the settings file is checked: the others would import the server, and a mistake in them must
not stop a withdrawal. A server and `ledgerpress settings` report it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Final

from ledgerpress.eventlog.clock_guard import ClockLimits
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.settings import (
    FILE,
    FILE_VARIABLE,
    LOG_VARIABLE,
    PREFIX,
    InvalidSettings,
    file_content,
    in_environment,
)
from ledgerpress.server.settings.server_section import ServerSettings

_DATA_VARIABLE: Final = f"{PREFIX}DATA"
_UNSYNCED_VARIABLE: Final = f"{PREFIX}ALLOW_UNSYNCED"
_JUMP_VARIABLE: Final = f"{PREFIX}MAX_CLOCK_JUMP_SECONDS"
_AHEAD_VARIABLE: Final = f"{PREFIX}MAX_CLOCK_AHEAD_DAYS"
_TYPES: Final[dict[str, type | UnionType]] = {
    "data": str,
    "log": str,
    "allow_unsynced": bool,
    "max_clock_jump_seconds": int | float,
    "max_clock_ahead_days": int | float,
}


def data_directory(environment: Mapping[str, str]) -> Path:
    """Return the setting `server.data`. Raises `InvalidSettings`."""
    return Path(str(_values(environment).get("data", ServerSettings().data)))


def log_url(environment: Mapping[str, str], log: str | None = None) -> str:
    """Return the setting `server.log`. Raises `InvalidSettings`.

    `log` is the URL from the command line, which takes precedence.
    """
    values = _values(environment)
    try:
        url = LogUrl.parse(str(values.get("log", ServerSettings().log)) if log is None else log)
    except LogUnusable as error:
        raise InvalidSettings(str(error)) from error
    return (url.allowing_unsynced() if values.get("allow_unsynced") else url).text


def clock_limits(environment: Mapping[str, str]) -> ClockLimits:
    """Return the limits of the clock. Raises `InvalidSettings`."""
    values, defaults = _values(environment), ServerSettings()
    numbers = [
        values.get(name, getattr(defaults, name))
        for name in ("max_clock_jump_seconds", "max_clock_ahead_days")
    ]
    try:
        jump, ahead = (float(str(number)) for number in numbers)
        return ClockLimits.of(jump, ahead)
    except ValueError:
        raise InvalidSettings(
            "server.max_clock_jump_seconds and server.max_clock_ahead_days must be numbers above 0"
        ) from None


def _values(environment: Mapping[str, str]) -> Mapping[str, object]:
    """Return the values of `_TYPES` that are set."""
    values = _of_file(environment)
    if values is None or _UNSYNCED_VARIABLE in environment:
        from ledgerpress.server.settings.loading import store_settings  # noqa: PLC0415 - imports every section

        return store_settings(environment)
    variables = {
        "data": _DATA_VARIABLE,
        "log": LOG_VARIABLE,
        "max_clock_jump_seconds": _JUMP_VARIABLE,
        "max_clock_ahead_days": _AHEAD_VARIABLE,
    }
    return values | {
        name: text
        for name, variable in variables.items()
        if (text := in_environment(environment, variable)) is not None
    }


def _of_file(environment: Mapping[str, str]) -> dict[str, object] | None:
    """Return the values in the settings file; `None` if it has a mistake, which `store_settings` reports."""
    file = in_environment(environment, FILE_VARIABLE)
    try:
        content = file_content(Path(file) if file else FILE)
    except FileNotFoundError:
        return None if file else {}
    except (OSError, ValueError):
        return None
    server = content.get("server", {})
    if not isinstance(server, dict) or server.keys() - set(ServerSettings.__struct_fields__):
        return None
    values = {name: value for name, value in server.items() if name in _TYPES}
    return values if all(isinstance(value, _TYPES[name]) for name, value in values.items()) else None
