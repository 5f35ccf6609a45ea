"""Settings: how they are declared, loaded and documented. Importing this package alone loads none of the sections."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "LEDGERPRESS_"
FILE: Final = Path("ledgerpress.toml")
"""The file that is read if it exists and no other file is named."""
FILE_VARIABLE: Final = f"{PREFIX}CONFIG"
LOG_VARIABLE: Final = f"{PREFIX}LOG"
PROFILE_VARIABLE: Final = f"{PREFIX}PROFILE"


class InvalidSettings(Exception):
    """The settings are invalid; `mistakes` holds a line for each mistake."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def in_environment(environment: Mapping[str, str], variable: str) -> str | None:
    """Return the text of a variable without line ends after it; `None` if it is not set.

    Values from files with CRLF end with a carriage return, and secrets of containers often with a line feed.
    """
    text = environment.get(variable)
    return None if text is None else text.rstrip("\r\n")


def file_content(path: Path) -> dict[str, Any]:
    """Return the content of a settings file, which may begin with a byte order mark. Raises `OSError`, `ValueError`."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: save it as UTF-8") from error
    import tomllib  # noqa: PLC0415 - only if there is a file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error
