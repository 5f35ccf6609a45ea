"""What whoever watches the program is told of commands: how long each part took, and how much was recorded."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol


class Instrumentation(Protocol):
    """Is told what happens."""

    def span(self, name: str) -> AbstractContextManager[object]:
        """Take the time of what happens inside the context. `name` is one of a few: it holds nothing that was given."""
        ...

    def appended(self, events: int) -> None:
        """Note that so many events were recorded."""
        ...


class _NoInstrumentation:
    """Tells nobody."""

    def span(self, name: str) -> AbstractContextManager[object]:
        return _NO_SPAN

    def appended(self, events: int) -> None:
        pass


_NO_SPAN: Final = nullcontext()
NO_INSTRUMENTATION: Final[Instrumentation] = _NoInstrumentation()
