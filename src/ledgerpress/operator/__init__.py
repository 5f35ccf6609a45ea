"""Tasks of an operator, without the terminal: verify, rebuild, back up, copy, withdraw, report the status."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Takes what is done so far, and the total."""


class TaskFailed(Exception):
    """A task cannot be done; the message says why."""
