"""Short reads on the thread of the event loop: a switch to another thread takes longer than they do.

A read ends after a limited number of events and bytes, and never waits for a lock. The connection of the reader, which
has its own thread, reads what is left, waits for locks, and finds the reason of a failure.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import (
    read_head,
    read_stream_rows,
    with_record,
)
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.sqlite.connection import open_to_read

MAX_EVENTS: Final = 100
MAX_BYTES: Final = 256 * 1024
"""A read ends with the event whose payload brings the total to this size."""


class ShortReads:
    """A read-only connection for the thread on which it was created."""

    def __init__(self, path: Path, publication: str) -> None:
        """Open the log at `path`. Raises `sqlite3.Error`."""
        # Opened once: a connection that is opened later may be to another file.
        self._db = open_to_read(path, timeout=0)
        self._publication = publication

    def head(self) -> int | None:
        """Return the position of the last event, `None` if it cannot be read now."""
        try:
            return read_head(self._db)
        except sqlite3.Error:
            return None

    def stream(self, stream: str, after: int) -> tuple[list[StoredEvent], bool]:
        """Return events of a stream with versions greater than `after`, and whether these are all.

        If the file cannot be read now, there are none.
        """
        events: list[StoredEvent] = []
        size = 0
        try:
            with closing(read_stream_rows(self._db, stream, after)) as rows:
                for row in rows:
                    if len(events) == MAX_EVENTS or size >= MAX_BYTES:
                        return events, False
                    event = with_record(self._db, StoredEvent.of_row(row, self._publication))
                    if event.payload is not None:
                        size += len(event.payload.plaintext)
                    events.append(event)
        except sqlite3.Error:
            return [], False
        return events, True

    def close(self) -> None:
        self._db.close()
