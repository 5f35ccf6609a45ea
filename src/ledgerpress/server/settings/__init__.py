"""Settings: how they are declared, loaded and documented. Importing this package alone loads none of the sections."""

from pathlib import Path
from typing import Final

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
