"""Follows views to which another process applies events: it learns of each commit, and applies nothing itself.

It learns of a commit by a message of that process, or by reading the checkpoints. If the other process hangs, this one
applies events in its place.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, check_gapless
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.progress import ProjectionProgress
from ledgerpress.views.projection.views_writer_role import ViewsAdvance, ViewsWriterRole
from ledgerpress.views.projection.withdrawal_erasure import withdrawals_in

READ_INTERVAL: Final = 0.1
"""Seconds between two reads of the checkpoints, in case a message was lost."""
HANG_SECONDS: Final = 1.0
"""Seconds for which the views may stay behind the log until this process applies events."""


class ViewsFollower:
    """Notes what other processes have committed to a views file."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        role: ViewsWriterRole,
        progress: ProjectionProgress,
        *,
        read: Callable[[], dict[str, Checkpoint]],
        step: Callable[[], Awaitable[bool]],
        forget: Callable[[Collection[int]], None],
        batch_size: int,
    ) -> None:
        """`read` reads the checkpoints, and `step` applies one batch and returns whether there were events.

        `forget` is called with the positions of withdrawn payloads: caches in memory may contain them.
        """
        self._log = log
        self._codec = codec
        self._role = role
        self._progress = progress
        self._read = read
        self._step = step
        self._forget = forget
        self._batch_size = batch_size
        self._check_at = 0.0
        self._behind_since: int | None = None

    async def follow(self) -> None:
        """Wait for a short time; then make sure that no commit was missed, and that a process applies events."""
        changes = self._progress.changes
        if not self._role.has_writer:
            await self._log.wait_beyond(self._progress.reached, READ_INTERVAL)
        elif await self._role.becomes_writer(READ_INTERVAL) or self._progress.changes != changes:
            return
        if not await self._note_missed() and (not self._role.has_writer or await self._is_left_behind()):
            while await self._step():
                pass

    def note(self, advance: ViewsAdvance) -> None:
        """Note a commit of another process. If earlier ones were missed, the next read of the checkpoints finds it."""
        if advance.erased:
            self._forget(advance.erased)
        progress = self._progress
        if advance.after > progress.read_to or advance.read_to < progress.read_to:
            return
        progress.read_to = advance.read_to
        progress.note(advance.points(progress.points))

    async def _note_missed(self) -> bool:
        """Read the checkpoints, and note them if they have changed; return whether they have."""
        progress = self._progress
        points = self._read()
        if points == progress.points:
            return False
        changes, end = progress.changes, max(point.position for point in points.values())
        while (after := progress.read_to) < end:
            batch = await self._log.read(after, min(self._batch_size, end - after))
            check_gapless(batch, after)
            if not batch:
                break
            if withdrawals := withdrawals_in(self._codec, batch):
                self._forget({withdrawal.position for withdrawal in withdrawals})
            progress.read_to = max(progress.read_to, batch[-1].position)
        # A message that has arrived meanwhile is newer.
        if progress.changes == changes:
            progress.note(points)
        return True

    async def _is_left_behind(self) -> bool:
        """Return whether no other process has applied anything for a while, although there are events."""
        if time.monotonic() < self._check_at or self._progress.all_paused:
            return False
        self._check_at = time.monotonic() + HANG_SECONDS
        changes = self._progress.changes
        is_behind = await self._log.head() > self._progress.reached
        was_behind, self._behind_since = self._behind_since, changes if is_behind else None
        return is_behind and was_behind == changes
