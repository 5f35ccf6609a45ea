"""Instrumentation of commands: the time that each part takes, and the number of recorded events."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol


class Instrumentation(Protocol):
    """Receives measurements for traces and metrics."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """Measure the time inside the context. `name` is one of a few, and contains no input."""
        ...

    def appended(self, events: int) -> None:
        """Count recorded events."""
        ...


class _NoInstrumentation:
    """Discards all measurements."""

    def span(self, name: str) -> AbstractContextManager[object]:
        return _NO_SPAN

    def appended(self, events: int) -> None:
        pass


_NO_SPAN: Final = nullcontext()
NO_INSTRUMENTATION: Final[Instrumentation] = _NoInstrumentation()
