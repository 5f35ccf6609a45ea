"""Recorded time: converts a time to a position of the log, and a position to a time.

The recorded time at a position is the greatest recorded time of the events up to that position, so it never decreases,
even if a clock was set back. A response as of a time is the response that the store would have given at that time. The
recorded time of an event is `recorded_at` in its header, unless a `clock.corrected` event corrects it. As of a position
before the correction, the recorded times are those of the headers.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import ClockCorrected
from ledgerpress.views.projection.projector_interface_and_composition import (
    ProjectorBatch,
    no_text_to_erase,
    write_all,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from ledgerpress.views.temporal_and_step_rows import OPEN

_BEFORE_EVERY_TIME: Final = -OPEN
_CORRECTIONS: Final = "SELECT position FROM clock_correction ORDER BY position"
_FIRST_BEYOND: Final = """
    SELECT position FROM moment
    WHERE from_pos = ? AND to_pos = ? AND recorded_time > ? ORDER BY recorded_time LIMIT 1
"""
_LAST: Final = """
    SELECT recorded_time FROM moment
    WHERE from_pos = ? AND to_pos = ? AND position <= ? ORDER BY position DESC LIMIT 1
"""
# Rows with the same range are in the order of both their positions and their times. Only the times have an index in a build.
_NEWEST: Final = """
    SELECT position, recorded_time FROM moment
    WHERE from_pos = ? AND to_pos = ? ORDER BY recorded_time DESC LIMIT 1
"""
_NEWEST_IF_UNCORRECTED: Final = f"""
    SELECT EXISTS (SELECT 1 FROM clock_correction),
        (SELECT max(recorded_time) FROM moment WHERE from_pos = 0 AND to_pos = {OPEN})
"""  # noqa: S608
_STEPS: Final = """
    SELECT position, recorded_time FROM moment
    WHERE from_pos = 0 AND position >= (SELECT max(position) FROM moment WHERE from_pos = 0 AND position <= ?1)
        AND position <= ?2
    ORDER BY position
"""
_SHIFT: Final = """
    SELECT shift FROM clock_correction AS clock
    WHERE clock.first_position <= {recorded} AND clock.last_position >= {recorded} AND clock.position <= {now}
    ORDER BY clock.position DESC LIMIT 1
"""


def corrected_sql(time: str, recorded: str, now: str) -> str:
    """Return the SQL expression for a recorded time with the corrections of clocks as of a position.

    `time` is the SQL of `recorded_at` in the header of the event at the position `recorded`; if that is NULL, the time
    did not come from a clock and stays as it is. `now` is the SQL of the position as of which the time is read.
    """
    return f"({time} + coalesce(({_SHIFT.format(recorded=recorded, now=now)}), 0))"


_CORRECTED: Final = f"SELECT {corrected_sql('?1', '?2', '?3')}"


def corrected_time(snapshot: Snapshot, recorded_at: int, position: int) -> int:
    """Return the recorded time of the event at `position`, as of the snapshot; `recorded_at` is that in its header."""
    row = snapshot.about().execute(_CORRECTED, (recorded_at, position, snapshot.position)).fetchone()
    return int(row[0])


def position_at(snapshot: Snapshot, time: int) -> int:
    """Return the last position recorded by `time` (microseconds since 1970, UTC); 0 before the first event."""
    db = snapshot.about()
    rows = [db.execute(_FIRST_BEYOND, (*span, time)).fetchone() for span in _valid_spans(snapshot)]
    if (later := min((row[0] for row in rows if row), default=OPEN)) <= snapshot.position:
        return int(later) - 1  # A later event exists, so only a correction of a clock changes this result.
    snapshot.depends_on_position()
    return snapshot.position


def time_of(snapshot: Snapshot) -> int | None:
    """Return the recorded time at the snapshot's position; `None` before the first event."""
    snapshot.depends_on_position()
    return time_at(snapshot, snapshot.position)


def time_at(snapshot: Snapshot, position: int) -> int | None:
    """Return the recorded time at a position, with the corrections of clocks as of the snapshot."""
    db = snapshot.about()
    rows = [db.execute(_LAST, (*span, position)).fetchone() for span in _valid_spans(snapshot)]
    return max((int(row[0]) for row in rows if row), default=None)


def _valid_spans(snapshot: Snapshot) -> Iterator[tuple[int, int]]:
    """Yield the values of `from_pos` and `to_pos` that rows of `moment` may have if they are valid at the snapshot."""
    corrections = [position for (position,) in snapshot.about().execute(_CORRECTIONS)]
    now = bisect_right(corrections, snapshot.position)
    for from_pos in (0, *corrections[:now]):
        for to_pos in (*corrections[now:], OPEN):
            yield from_pos, to_pos


class ClockCorrection(NamedTuple):
    """A correction, recorded at `position`, of the clock that recorded the events from `first` to `last`."""

    position: int
    first: int
    last: int
    shift: int


def clock_corrections(snapshot: Snapshot) -> list[ClockCorrection]:
    """Return the corrections of clocks as of the snapshot, in the order of their positions."""
    query = "SELECT * FROM clock_correction WHERE position <= ? ORDER BY position"
    return [ClockCorrection(*row) for row in snapshot.about().execute(query, (snapshot.position,))]


class ClockCorrections:
    """Corrections of clocks, in the order of their positions. The last correction of an event counts."""

    def __init__(self, corrections: Iterable[ClockCorrection] = ()) -> None:
        self._corrections = list(corrections)

    def shift(self, position: int) -> int:
        """Return the difference between the recorded time of the event at `position` and that in its header."""
        for _, first, last, shift in reversed(self._corrections):
            if first <= position <= last:
                return shift
        return 0

    def boundaries(self) -> Iterator[int]:
        """Yield each position at which the shift may differ from that of the position before."""
        for _, first, last, _ in self._corrections:
            yield from (first, last + 1)


_Time: TypeAlias = tuple[int, int]
"""A position and a time."""


class MomentsProjector:
    """A projector that writes a row whenever recorded time advances, with the position of that event.

    A correction of a clock ends the rows from the first corrected position on, and writes new ones. They follow from
    the recorded times in the headers: those of the rows with `from_pos` 0, each up to the next, except for the events in
    `earlier_time`.
    """

    name: Final = "moments"
    version: Final = 2
    schema: Final = """
        CREATE TABLE moment (
            from_pos INTEGER NOT NULL,                -- the position of the correction that wrote it; otherwise 0
            to_pos INTEGER NOT NULL,                  -- the position of the correction that ended it
            recorded_time INTEGER NOT NULL,           -- microseconds since 1970, UTC
            position INTEGER NOT NULL,
            PRIMARY KEY (from_pos, to_pos, recorded_time)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE earlier_time (
            position INTEGER PRIMARY KEY,             -- of an event that was recorded before the row of `moment` before it
            recorded_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE clock_correction (
            position INTEGER PRIMARY KEY, first_position INTEGER NOT NULL, last_position INTEGER NOT NULL,
            shift INTEGER NOT NULL                    -- microseconds
        ) STRICT;
    """
    indexes: Final = "CREATE UNIQUE INDEX moment_at ON moment (from_pos, to_pos, position);"

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return _Moments(db)

    erase = no_text_to_erase


class _Moments:
    """The rows of one transaction, the recorded time, and the last time of a row with `from_pos` 0."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows: list[_Time] = []
        self._earlier: list[_Time] = []
        is_corrected, time = db.execute(_NEWEST_IF_UNCORRECTED).fetchone()
        if not is_corrected:
            self._time: int = _BEFORE_EVERY_TIME if time is None else time
            self._last: int = self._time
            return
        corrections = [position for (position,) in db.execute(_CORRECTIONS)]
        valid = [db.execute(_NEWEST, (from_pos, OPEN)).fetchone() for from_pos in (0, *corrections)]
        uncorrected = [db.execute(_NEWEST, (0, to_pos)).fetchone() for to_pos in (*corrections, OPEN)]
        self._time = max(filter(None, valid), default=(0, _BEFORE_EVERY_TIME))[1]
        self._last = max(filter(None, uncorrected), default=(0, _BEFORE_EVERY_TIME))[1]

    def apply(self, recorded: Recorded[Event]) -> None:
        header = recorded.header
        time, position = header.recorded_at, header.position
        if time > self._time:
            self._time = self._last = time
            self._rows.append((time, position))
        elif time != self._last:
            self._earlier.append((position, time))
        if isinstance(recorded.event, ClockCorrected):
            self._correct(position, recorded.event)

    def flush(self) -> None:
        write_all(self._db, f"INSERT INTO moment VALUES (0, {OPEN}, ?, ?)", self._rows)  # noqa: S608
        write_all(self._db, "INSERT INTO earlier_time VALUES (?, ?)", self._earlier)
        self._rows, self._earlier = [], []

    def _correct(self, now: int, event: ClockCorrected) -> None:
        """Write the rows as of the position `now` of a correction."""
        self.flush()
        db, first = self._db, event.first_position
        db.execute(
            "INSERT INTO clock_correction VALUES (?, ?, ?, ?)",
            (now, first, min(event.last_position, now), event.shift),
        )
        (before,) = db.execute(
            "SELECT coalesce(max(recorded_time), ?) FROM moment WHERE to_pos = ? AND position < ?",
            (_BEFORE_EVERY_TIME, OPEN, first),
        ).fetchone()
        db.execute("UPDATE moment SET to_pos = ? WHERE to_pos = ? AND position >= ?", (now, OPEN, first))
        rows = [
            ClockCorrection(*row) for row in db.execute("SELECT * FROM clock_correction ORDER BY position")
        ]
        self._time = before
        new_rows: list[_Time] = []
        for position, time in self._corrected(first, now, ClockCorrections(rows)):
            if time > self._time:
                self._time = time
                new_rows.append((time, position))
        write_all(db, f"INSERT INTO moment VALUES ({now:d}, {OPEN}, ?, ?)", new_rows)  # noqa: S608

    def _corrected(self, first: int, now: int, corrections: ClockCorrections) -> Iterator[_Time]:
        """Yield the corrected recorded time of each event from `first` to `now` whose time may exceed the one before."""
        db = self._db
        steps = db.execute(_STEPS, (first, now)).fetchall()
        earlier = dict(db.execute("SELECT * FROM earlier_time WHERE position BETWEEN ? AND ?", (first, now)))
        positions = {first, *earlier, *(position + 1 for position in earlier), *corrections.boundaries()}
        positions.update(position for position, _ in steps)
        last, index = _BEFORE_EVERY_TIME, 0
        for position in sorted(positions):
            while index < len(steps) and steps[index][0] <= position:
                last, index = steps[index][1], index + 1
            if first <= position <= now:
                yield position, earlier.get(position, last) + corrections.shift(position)
