"""The other workers of a server that consists of several processes, as the HTTP layer sees them."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

RequestHandler = Callable[[int, bytes], Awaitable[bytes]]
"""Called with the number of the worker that sends a request, and its payload. Returns the response."""


class NoResponse(Exception):
    """Another worker has not responded. `is_gone` if it has ended or is still starting; otherwise it hangs, or failed."""

    def __init__(self, message: str, *, is_gone: bool) -> None:
        super().__init__(message)
        self.is_gone = is_gone


class OtherWorkers(Protocol):
    """The other workers of a server. A server that consists of one process has no such object."""

    @property
    def worker(self) -> int:
        """The number of this worker, which no other worker of the server ever has."""

    @property
    def directory(self) -> Path:
        """A private directory that all workers of the server share. It is deleted when the server ends."""

    def serve(self, requests: Mapping[str, RequestHandler]) -> None:
        """Add handlers of requests of other workers, by the kind of the request."""

    async def ask(self, worker: int, kind: str, payload: bytes = b"", *, timeout: float | None) -> bytes:
        """Return the response of another worker within `timeout` seconds. Raises `NoResponse`."""

    async def ask_all(
        self, kind: str, payload: bytes = b"", *, timeout: float
    ) -> dict[int, bytes | NoResponse]:
        """Return the response or the failure of every other worker, by its number."""
