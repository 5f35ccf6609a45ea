"""Group commit: all waiting appends are recorded in one transaction, so that they share one sync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from ledgerpress.eventlog.envelope import Row
from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite, first_writes

MAX_COMMANDS: Final = 1_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""The maximum size of the payloads in a group, in bytes; a group of one command may exceed it."""

AppendResult: TypeAlias = int | EventLogError
"""The position of a command's last event, or the error because of which the command was not recorded."""
ReportResults: TypeAlias = Callable[[Sequence["AppendResult"]], None]
"""Takes the result of each command of a group, in order."""


class AppendRequest(msgspec.Struct, frozen=True, gc=False):
    """The checked writes of one append, the payload commitments of their events in order, and their size in bytes."""

    writes: Sequence[StreamWrite]
    commitments: Sequence[bytes]
    size: int

    @classmethod
    def of(cls, writes: Sequence[StreamWrite]) -> "AppendRequest":
        """Compute everything that does not depend on the state of the log."""
        commitments, size = [], 0
        for write in writes:
            for event in write.events:
                commitments.append(event.payload.commitment_digest())
                size += len(event.payload.plaintext)
        return cls(writes, commitments, size)


class AppendGroup:
    """The rows of the commands admitted to a group so far; they follow the last event of the log."""

    def __init__(
        self,
        head: int,
        *,
        version_of: Callable[[str], int],
        is_recorded: Callable[[str], bool] | None,
        trusts_expected: bool = False,
    ) -> None:
        """Start an empty group after the position `head`.

        `version_of` returns the version of a stream, and `is_recorded` whether an event id is in the log. Their results
        MUST remain true until the transaction ends. Without `is_recorded`, the database must reject duplicate events.
        With `trusts_expected`, an exact expected version of a stream that gets events counts as its version: then the
        database must reject events of wrong versions.
        """
        self.before = head
        self.rows: list[Row] = []
        self._version_of = version_of
        self._is_recorded = is_recorded
        self._trusts_expected = trusts_expected
        self._versions: dict[str, int] = {}
        self._event_ids: set[str] = set()

    def admit(self, command: AppendRequest) -> AppendResult:
        """Add the rows of `command` and return its last position; if it is rejected, add none and return the error."""
        for write in first_writes(command.writes):
            if (actual := self._versions.get(write.stream)) is None:
                if self._trusts_expected and write.events and write.expected != ANY_VERSION:
                    continue  # the database checks it if the command is not rejected
                actual = self._versions[write.stream] = self._version_of(write.stream)
            if write.expected not in (ANY_VERSION, actual):
                return WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=actual)
        if self._is_recorded is not None and (event_id := self._duplicate_id(command, self._is_recorded)):
            return DuplicateEvent(event_id=event_id)
        commitments = iter(command.commitments)
        position = self.before + len(self.rows)
        for write in command.writes:
            stream, version = write.stream, self._versions.get(write.stream, write.expected)
            for event in write.events:
                version += 1
                position += 1
                self.rows.append(event.row(next(commitments), position, stream, version))
            self._versions[stream] = version
        return position

    def _duplicate_id(self, command: AppendRequest, is_recorded: Callable[[str], bool]) -> str | None:
        command_ids: set[str] = set()
        for event_id in [event.event_id for write in command.writes for event in write.events]:
            if event_id in self._event_ids or event_id in command_ids or is_recorded(event_id):
                return event_id
            command_ids.add(event_id)
        self._event_ids |= command_ids
        return None


class Recorder(Protocol):
    """A recorder of groups of commands, one group at a time."""

    def begin(self, commands: Sequence[AppendRequest], report: ReportResults) -> None:
        """Begin to record `commands` in one transaction, and return immediately.

        `report` MUST be called in the event loop with the result of each command, in order, even after a failure.
        """
        ...


class _PendingAppend(NamedTuple):
    command: AppendRequest
    position: asyncio.Future[int]


class GroupCommit:
    """The only writer of a log in this process. It records commands in the order in which they arrive."""

    def __init__(self, recorder: Recorder, committed: Callable[[int], None]) -> None:
        """Record with `recorder`; after each group, call `committed` with its greatest position, or 0 if none."""
        self._recorder = recorder
        self._committed = committed
        self._queue: deque[_PendingAppend] = deque()
        self._group: Sequence[_PendingAppend] = ()
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self._finished: asyncio.Future[None] | None = None
        self.groups = 0
        """The number of groups that were recorded, or that have failed."""

    @property
    def is_writing(self) -> bool:
        """Whether a command has not got its result yet."""
        return self._writing

    def record(self, command: AppendRequest) -> asyncio.Future[int]:
        """Return a future for the position of the command's last event, which is set once the command is durable.

        It fails with `WrongExpectedVersion`, `DuplicateEvent`, or `EventLogError` if the whole group failed. If it is
        cancelled, the command may or may not be recorded.
        """
        position: asyncio.Future[int] = self._loop.create_future()
        self._queue.append(_PendingAppend(command, position))
        if not self._writing:
            self._writing = True
            # Deferred, so that the group contains all appends of this iteration of the event loop.
            self._loop.call_soon(self._write)
        return position

    async def finish(self) -> None:
        """Wait until every accepted command has its result."""
        if self._writing:
            self._finished = self._finished or self._loop.create_future()
            await asyncio.shield(self._finished)

    def _write(self) -> None:
        self._group = self._next_group()
        if self._group:
            self.groups += 1
            self._recorder.begin([pending.command for pending in self._group], self._report)
        else:
            self._writing = False
            if self._finished is not None:
                self._finished.set_result(None)
                self._finished = None

    def _next_group(self) -> list[_PendingAppend]:
        group: list[_PendingAppend] = []
        size = 0
        while self._queue and len(group) < MAX_COMMANDS:
            size += self._queue[0].command.size
            if group and size > MAX_BYTES:
                break
            group.append(self._queue.popleft())
        return group

    def _report(self, results: Sequence[AppendResult]) -> None:
        head = 0
        for (_, position), result in zip(self._group, results, strict=True):
            if isinstance(result, int):
                head = result
                if not position.done():
                    position.set_result(result)
            elif not position.done():
                position.set_exception(result)
        self._committed(head)
        self._write()
