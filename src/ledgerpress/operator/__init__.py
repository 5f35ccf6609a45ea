"""Tasks of an operator, independent of the terminal: verify, rebuild, back up, copy, withdraw, report the status."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the amount of work that is done and the total amount."""


class TaskFailed(Exception):
    """A task failed. The message contains the reason."""
