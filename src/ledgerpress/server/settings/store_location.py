"""The settings `server.data` and `server.log`, for commands that need no other setting.

Without a settings file, these commands need not import the sections of all settings.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.settings import FILE, FILE_VARIABLE, LOG_VARIABLE, PREFIX, InvalidSettings
from ledgerpress.server.settings.server_section import ServerSettings

DATA_VARIABLE = f"{PREFIX}DATA"
_UNSYNCED_VARIABLE = f"{PREFIX}ALLOW_UNSYNCED"
_SIMPLE = frozenset({"data", "log"})


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


def _values(environment: Mapping[str, str]) -> Mapping[str, object]:
    """Return the values of `data`, `log` and `allow_unsynced` that are set."""
    values = _of_simple_file(environment)
    if values is None or _UNSYNCED_VARIABLE in environment:
        from ledgerpress.server.settings.loading import store_settings  # noqa: PLC0415 - imports every section

        return store_settings(environment)
    variables = {"data": DATA_VARIABLE, "log": LOG_VARIABLE}
    return values | {
        name: environment[variable] for name, variable in variables.items() if variable in environment
    }


def _of_simple_file(environment: Mapping[str, str]) -> dict[str, object] | None:
    """Return the values in the settings file; `None` if it sets more than `server.data` and `server.log`."""
    file = environment.get(FILE_VARIABLE)
    try:
        content = tomllib.loads((Path(file) if file else FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None if file else {}
    except (OSError, ValueError):
        return None
    server = content.get("server", {})
    is_simple = (
        content.keys() <= {"server"}
        and isinstance(server, dict)
        and server.keys() <= _SIMPLE
        and all(isinstance(value, str) for value in server.values())
    )
    return server if is_simple else None
