"""Tasks of an operator, independent of the terminal: verify, rebuild, back up, copy, withdraw, report the status."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the amount of work that is done and the total amount."""


Confirm: TypeAlias = Callable[[T], Awaitable[None]]
"""Called, while the store is open, with what a task is about to do. If it raises an error, nothing is changed."""


class TaskFailed(Exception):
    """A task failed. The message contains the reason."""
