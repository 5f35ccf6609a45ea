"""The channel between the workers of one server: requests with responses, and broadcasts.

Each worker listens on a Unix socket in a private directory. A worker that starts connects to all others; both then use
the connection. Messages of one worker arrive in the order in which it sent them.

- A request to a worker that has ended fails at once, and states whether the worker may have handled it.
- A broadcast reaches the workers that are connected. After `connected` and `lost`, messages may have been missed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Self

from ledgerpress.retry import Backoff
from ledgerpress.server.workers.errors import WorkerEnded, WorkerError, WorkerTimeout, WorkerUnavailable
from ledgerpress.server.workers.frames import Broadcast, Failure, Request, Response, encoded
from ledgerpress.server.workers.peer_connection import PeerConnection
from ledgerpress.server.workers.socket_directory import delete_socket, socket_path, workers_in

logger = logging.getLogger(__name__)

RequestHandler = Callable[[int, bytes], Awaitable[bytes]]
"""Called with the number of the sender and the payload. Returns the payload of the response."""
BroadcastHandler = Callable[[int, bytes], None]
"""Called with the number of the sender and the payload, in the order in which the sender has sent them."""
PeerCallback = Callable[[int], None]
"""Called with the number of another worker."""

CONNECT_TIMEOUT: Final = 1.0
"""Seconds for a connection to another worker, with `Hello` in both directions."""
_RECONNECTS: Final = Backoff(first=0.02, longest=1.0)


class WorkerChannel:
    """The connections of one worker to all others. `worker` is its number, which no other worker ever has."""

    def __init__(self, directory: Path, worker: int) -> None:
        self.worker = worker
        self.directory = directory
        self._requests: dict[str, RequestHandler] = {}
        self._broadcasts: dict[str, BroadcastHandler] = {}
        self._on_connected: list[PeerCallback] = []
        self._on_lost: list[PeerCallback] = []
        self._peers: dict[int, list[PeerConnection]] = {}
        self._connections: set[PeerConnection] = set()
        self._connecting: dict[int, asyncio.Task[PeerConnection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def peers(self) -> tuple[int, ...]:
        """The other workers that are connected, in ascending order."""
        return tuple(sorted(self._peers))

    def serve(
        self,
        requests: Mapping[str, RequestHandler] | None = None,
        broadcasts: Mapping[str, BroadcastHandler] | None = None,
    ) -> None:
        """Add handlers of messages by their kind. Add those before `open` that other workers need from the start."""
        for kinds, added in ((self._requests, requests or {}), (self._broadcasts, broadcasts or {})):
            if repeated := kinds.keys() & added.keys():
                raise ValueError(f"handlers of {', '.join(sorted(repeated))} exist already")
        self._requests.update(requests or {})
        self._broadcasts.update(broadcasts or {})

    def end_serving(self, kinds: Iterable[str]) -> None:
        """Remove the handlers of requests: what they need is about to be closed."""
        for kind in kinds:
            self._requests.pop(kind, None)

    def watch(self, *, connected: PeerCallback | None = None, lost: PeerCallback | None = None) -> None:
        """Call `connected` and `lost` when a connection to another worker begins and ends."""
        if connected is not None:
            self._on_connected.append(connected)
        if lost is not None:
            self._on_lost.append(lost)

    async def open(self) -> None:
        """Listen, and connect to the workers that listen. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        path = socket_path(self.directory, self.worker)
        self._server = await loop.create_unix_server(self._new_connection, str(path))
        others = [worker for worker in workers_in(self.directory) if worker != self.worker]
        results = await asyncio.gather(*map(self._connected, others), return_exceptions=True)
        for worker, result in zip(others, results, strict=True):
            if isinstance(result, WorkerUnavailable) and not isinstance(result, WorkerEnded):
                self._start(self._reconnect(worker))  # it is busy, for example because it starts, too

    async def close(self) -> None:
        """End all connections and the handlers that run. Requests of other workers fail with an unknown outcome."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            delete_socket(self.directory, self.worker)
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._connections):
            connection.close()
        if running := [*self._tasks, *self._connecting.values()]:
            await asyncio.wait(running)

    async def request(self, worker: int, kind: str, payload: bytes = b"", *, timeout: float | None) -> bytes:
        """Return the response of another worker within `timeout` seconds, or whenever it comes if that is `None`.

        Raises a `WorkerError`, whose `is_outcome_unknown` states whether the worker may have handled the request.
        """
        is_sent = False
        try:
            async with asyncio.timeout(timeout):
                connection = await self._connected(worker)
                is_sent = True
                response = await connection.request(kind, payload)
        except TimeoutError:
            error = WorkerTimeout if is_sent else WorkerUnavailable
            raise error(f"worker {worker} has not responded within {timeout} seconds") from None
        if response is None:
            raise WorkerEnded(f"worker {worker} has ended")
        return response

    async def request_all(
        self, kind: str, payload: bytes = b"", *, timeout: float
    ) -> dict[int, bytes | WorkerError]:
        """Return the response or the error of every other worker that is connected, by its number."""
        peers = self.peers
        results = await asyncio.gather(*(self._result(worker, kind, payload, timeout) for worker in peers))
        return dict(zip(peers, results, strict=True))

    def broadcast(self, kind: str, payload: bytes = b"") -> None:
        """Send a message to all other workers that are connected. No response shows whether it has arrived."""
        if self._peers:
            frame = encoded(Broadcast(kind, payload))
            for connections in tuple(self._peers.values()):
                connections[0].send(frame)

    async def _result(self, worker: int, kind: str, payload: bytes, timeout: float) -> bytes | WorkerError:
        try:
            return await self.request(worker, kind, payload, timeout=timeout)
        except WorkerError as error:
            return error

    async def _connected(self, worker: int) -> PeerConnection:
        """Return a connection to a worker. Raises `WorkerUnavailable`."""
        if connections := self._peers.get(worker):
            return connections[0]
        connecting = self._connecting.get(worker)
        if connecting is None:
            if self._server is None:
                raise WorkerUnavailable("the channel is closed")
            connecting = asyncio.create_task(self._connect(worker))
            self._connecting[worker] = connecting
            connecting.add_done_callback(lambda task: self._end_connecting(worker, task))
        return await asyncio.shield(connecting)

    def _end_connecting(self, worker: int, task: asyncio.Task[PeerConnection]) -> None:
        self._connecting.pop(worker, None)
        if not task.cancelled():
            task.exception()  # it was raised where a caller waits, if one still does

    async def _connect(self, worker: int) -> PeerConnection:
        path = socket_path(self.directory, worker)
        connection: PeerConnection | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                _, connection = await asyncio.get_running_loop().create_unix_connection(
                    self._new_connection, str(path)
                )
                is_greeted = await asyncio.shield(connection.hello)
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise WorkerEnded(f"worker {worker} has ended") from error
        except OSError as error:
            if connection is not None:
                connection.abort()
            raise WorkerUnavailable(f"worker {worker} cannot be reached: it hangs or has ended") from error
        if not is_greeted or self._server is None:
            connection.abort()
            raise WorkerEnded(f"worker {worker} has ended the connection")
        return connection

    async def _reconnect(self, worker: int) -> None:
        """Connect to a worker that listens but did not respond or read its messages for a while."""
        for delay in _RECONNECTS.delays():
            await asyncio.sleep(delay)
            if worker in self._peers:
                return
            try:
                await self._connected(worker)
            except WorkerEnded:
                return
            except WorkerUnavailable:
                continue

    def _new_connection(self) -> PeerConnection:
        connection = PeerConnection(
            self.worker,
            connected=self._add,
            lost=self._remove,
            requested=self._handle,
            received=self._receive,
        )
        self._connections.add(connection)
        return connection

    def _add(self, connection: PeerConnection) -> None:
        self._peers.setdefault(connection.peer, []).append(connection)
        for callback in self._on_connected:
            callback(connection.peer)

    def _remove(self, connection: PeerConnection) -> None:
        self._connections.discard(connection)
        connections = self._peers.get(connection.peer, [])
        if connection not in connections:
            return
        connections.remove(connection)
        if not connections:
            del self._peers[connection.peer]
        if self._server is None:
            return
        for callback in self._on_lost:
            callback(connection.peer)
        if connections:
            for callback in self._on_connected:
                callback(connection.peer)
        else:
            self._start(self._reconnect(connection.peer))

    def _handle(self, connection: PeerConnection, request: Request) -> None:
        self._start(self._respond(connection, request))

    async def _respond(self, connection: PeerConnection, request: Request) -> None:
        number, kind = request.number, request.kind
        handler = self._requests.get(kind)
        not_handled = Failure(number, f"it does not handle {kind}", has_handler=False)
        if handler is None:
            connection.send(encoded(not_handled))
            return
        try:
            frame = encoded(Response(number, await handler(connection.peer, request.payload)))
        except Exception as error:
            if self._requests.get(kind) is not handler:  # what it needs was closed meanwhile
                frame = encoded(not_handled)
            else:
                logger.exception("a request of worker %d failed: %s", connection.peer, kind)
                frame = encoded(Failure(number, f"{type(error).__name__}: {error}"))
        connection.send(frame)

    def _receive(self, connection: PeerConnection, broadcast: Broadcast) -> None:
        handler = self._broadcasts.get(broadcast.kind)
        if handler is None:
            return
        try:
            handler(connection.peer, broadcast.payload)
        except Exception:
            logger.exception("a broadcast of worker %d failed: %s", connection.peer, broadcast.kind)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
