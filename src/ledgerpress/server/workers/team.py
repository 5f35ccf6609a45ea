"""The place of a worker among the others of its server: one of them applies events to the views and records all appends.

It is the one that holds a file lock. The others ask it to record their appends, and learn from it what it has committed
to the views.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.server.workers.channel import WorkerChannel
from ledgerpress.server.workers.forwarding_log import APPEND, ForwardingLog
from ledgerpress.server.workers.memory_marks import MemoryMark
from ledgerpress.server.workers.writer_lock import WriterLock
from ledgerpress.views.projection.views_writer_role import ViewsAdvance

logger = logging.getLogger(__name__)

ELECTION_INTERVAL: Final = 0.05
"""Seconds between two attempts to take the place of the worker that applies events."""
_ADVANCE: Final = "views.advance"
_ELECTED: Final = "views.writer"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(ViewsAdvance).decode


class Team:
    """The other workers, from the view of this one. It is a `ViewsWriterRole`."""

    def __init__(self, channel: WorkerChannel, lock: WriterLock, mark: MemoryMark) -> None:
        self.channel = channel
        self._mark = mark
        self._lock = lock
        self._elected = asyncio.Event()
        self._writer: int | None = None
        self._hanging: int | None = None
        self._log: ForwardingLog | None = None

    @classmethod
    @asynccontextmanager
    async def joined(cls, directory: Path, worker: int, views: str) -> "AsyncIterator[Team]":
        """Join the workers that use `directory`. `views` identifies the set of views that this worker uses.

        Workers with other views, as after a reload with new code, have another writer. Raises `OSError`.
        """
        async with WorkerChannel(directory, worker) as channel:
            with (
                WriterLock(directory / f"writer-{views}", worker) as lock,
                MemoryMark(directory, worker) as mark,
            ):
                yield cls(channel, lock, mark)

    @property
    def is_writer(self) -> bool:
        """Whether this worker applies events, and records the appends of all workers."""
        return self._lock.is_held

    async def becomes_writer(self, timeout: float) -> bool:
        """Wait for at most `timeout` seconds until this worker is the writer; return whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._elected.wait()
        return self.is_writer

    def committed(self, advance: ViewsAdvance) -> None:
        """Report to the other workers what this one has committed."""
        self.channel.broadcast(_ADVANCE, _encode(advance))

    def forgot(self, position: int) -> None:
        """State that nothing is in memory that was withdrawn up to `position`."""
        with suppress(OSError):  # a withdrawal reports this worker then
            self._mark.set(position)

    @property
    def other(self) -> int | None:
        """The number of the writer; `None` if it is this worker, if it hangs, or if it is unknown."""
        return None if self.is_writer or self._writer == self._hanging else self._writer

    @property
    def has_writer(self) -> bool:
        """Whether there is a writer that responds."""
        return self.is_writer or self.other is not None

    def hangs(self, worker: int) -> None:
        """Note that a worker does not respond. Until it does, this one does the work of the writer itself."""
        if worker == self._writer:
            logger.info("worker %d does not respond", worker)
            self._hanging = worker

    async def request(self, worker: int, kind: str, payload: bytes, *, timeout: float) -> bytes:
        """Return the response of a worker. Raises `WorkerError`."""
        return await self.channel.request(worker, kind, payload, timeout=timeout)

    def shared(self, log: OpenedLog, recorded: Callable[[Sequence[StreamWrite], int], None]) -> ForwardingLog:
        """Return the log whose appends the writer records, in shared groups.

        `recorded` is called with each append that this worker has recorded for another one, and its last position.
        """
        self._log = ForwardingLog(log, self, recorded)
        return self._log

    @asynccontextmanager
    async def following(self, note: Callable[[ViewsAdvance], None]) -> AsyncIterator[None]:
        """Take part in the election, and call `note` with what other workers commit to the views."""
        if self._log is not None:
            self.channel.serve(requests={APPEND: self._log.record_for})
        self.channel.serve(
            broadcasts={
                _ADVANCE: partial(self._advanced, note),
                _ELECTED: lambda worker, _: self._note_writer(worker),
            }
        )
        self._try()
        electing = asyncio.create_task(self._elect(), name="election of the writer")
        try:
            yield
        finally:
            electing.cancel()
            await asyncio.wait([electing])
            # Before the store is closed: no request may reach it then, and another worker can take this one's place.
            await self.channel.close()
            self._lock.close()

    def _advanced(self, note: Callable[[ViewsAdvance], None], worker: int, payload: bytes) -> None:
        if worker == self._hanging:
            self._hanging = None
        note(_decode(payload))

    async def _elect(self) -> None:
        while not self._try():  # noqa: ASYNC110 - no event shows that a lock is released
            await asyncio.sleep(ELECTION_INTERVAL)

    def _try(self) -> bool:
        if self._lock.acquire():
            if not self._elected.is_set():
                self._elected.set()
                self.channel.broadcast(_ELECTED)
            return True
        self._note_writer(self._lock.holder)
        return False

    def _note_writer(self, worker: int | None) -> None:
        self._writer = worker
