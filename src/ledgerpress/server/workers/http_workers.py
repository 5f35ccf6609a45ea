"""Gives the HTTP layer access to the channel between workers."""

from collections.abc import Mapping
from pathlib import Path

from ledgerpress.http.other_workers import NoResponse, RequestHandler
from ledgerpress.server.workers.channel import WorkerChannel
from ledgerpress.server.workers.errors import RequestNotHandled, WorkerEnded, WorkerError, WorkerLost


class HttpWorkers:
    """The other workers, as `ledgerpress.http.other_workers` describes them."""

    def __init__(self, channel: WorkerChannel) -> None:
        self._channel = channel
        self._kinds = set[str]()

    @property
    def worker(self) -> int:
        return self._channel.worker

    @property
    def directory(self) -> Path:
        return self._channel.directory

    def serve(self, requests: Mapping[str, RequestHandler]) -> None:
        self._channel.serve(requests)
        self._kinds.update(requests)

    def close(self) -> None:
        """Handle no further requests of other workers: the store is about to be closed."""
        self._channel.end_serving(self._kinds)

    async def ask(self, worker: int, kind: str, payload: bytes = b"", *, timeout: float | None) -> bytes:
        try:
            return await self._channel.request(worker, kind, payload, timeout=timeout)
        except WorkerError as error:
            raise _no_response(error) from error

    async def ask_all(
        self, kind: str, payload: bytes = b"", *, timeout: float
    ) -> dict[int, bytes | NoResponse]:
        results = await self._channel.request_all(kind, payload, timeout=timeout)
        return {
            worker: _no_response(result) if isinstance(result, WorkerError) else result
            for worker, result in results.items()
        }


def _no_response(error: WorkerError) -> NoResponse:
    return NoResponse(str(error), is_gone=isinstance(error, WorkerEnded | WorkerLost | RequestNotHandled))
