"""Runs the first step of a coroutine synchronously, and awaits the rest."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StartedCoroutine(Generic[T]):
    """An awaitable for the rest of a coroutine that was started with `send(None)` and yielded `waits_for`."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    result = yield waits_for
                except BaseException as error:  # noqa: BLE001  # such as a cancellation; the coroutine handles it
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(result)
        except StopIteration as end:
            value: T = end.value
            return value


def start(coroutine: Coroutine[Any, Any, None]) -> StartedCoroutine[None] | None:
    """Run a coroutine until it waits. Return an awaitable for the rest, or `None` if it has finished."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return StartedCoroutine(coroutine, waits_for)
