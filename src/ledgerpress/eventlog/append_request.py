"""An append as an adapter takes it: checked, with everything prepared that needs no look at the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ledgerpress.eventlog.errors import DuplicateEvent, EventLogError, WrongExpectedVersion
from ledgerpress.eventlog.log import StreamWrite

AppendError: TypeAlias = WrongExpectedVersion | DuplicateEvent
AppendResult: TypeAlias = int | EventLogError
"""The position of a command's last event, or why the command was not recorded: a `AppendError`, or a failure of the log."""


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """The writes of one append, checked, with the payload commitments of their events in order, and its bytes."""

    writes: Sequence[StreamWrite]
    commitments: Sequence[bytes]
    size: int

    @classmethod
    def of(cls, writes: Sequence[StreamWrite]) -> "AppendRequest":
        """Prepare all that needs no look at the log."""
        payloads = [event.payload for write in writes for event in write.events]
        commitments = [bytes.fromhex(payload.commitment()) for payload in payloads]
        return cls(writes, commitments, sum([len(payload.plaintext) for payload in payloads]))
