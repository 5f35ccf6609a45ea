"""Whether the versions of every stream run on from 1, in bounded memory however many streams there are."""

import sqlite3
from collections.abc import Iterable


class StreamVersions:
    """The version that each stream has reached, in a database of its own that SQLite keeps on disk once it is large."""

    def __init__(self) -> None:
        """Begin with no stream."""
        # An empty name makes a temporary file that nobody else sees (https://sqlite.org/inmemorydb.html).
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE reached (stream TEXT PRIMARY KEY, version INTEGER) WITHOUT ROWID")
        self._recent: dict[str, int] = {}

    def begin_batch(self, streams: Iterable[str]) -> None:
        """Have the versions of `streams` at hand, and put those of the batch before away."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO reached VALUES (?, ?)", self._recent.items())
        self._db.execute("COMMIT")
        self._recent = {}
        for stream in set(streams):
            row = self._db.execute("SELECT version FROM reached WHERE stream = ?", (stream,)).fetchone()
            self._recent[stream] = row[0] if row else 0

    def next_of(self, stream: str) -> int:
        """Return the version that the next event of a stream of the batch must have."""
        return self._recent[stream] + 1

    def advance(self, stream: str) -> None:
        """Note that a stream of the batch has one event more."""
        self._recent[stream] += 1

    def close(self) -> None:
        """Let the database go."""
        self._db.close()
