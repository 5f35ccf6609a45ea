"""The exit codes of the program. docs/reference/cli.md describes them."""

from typing import Final

REFUSED: Final = 1
"""Rejected or failed."""
MISUSED: Final = 2
"""Invalid arguments, or a file cannot be read."""
UNUSABLE: Final = 3
"""The data directory, the log or standard output cannot be used."""
INCOMPLETE: Final = 4
"""A log was copied, but events have been recorded in the source since."""
UNCONFIRMED: Final = 5
"""A question was not answered with yes."""
