"""Awaits the rest of a coroutine whose first step ran synchronously."""

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
