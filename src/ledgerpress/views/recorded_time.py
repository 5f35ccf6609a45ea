"""From a time to a position and back. A time means recorded time: what the store would have answered then."""

from ledgerpress.views.snapshot import Snapshot


def position_at(snapshot: Snapshot, time: int) -> int:
    """Return the last position that had been recorded by `time` (microseconds since 1970, UTC); 0 before the first."""
    row = (
        snapshot.about()
        .execute(
            "SELECT position FROM moment WHERE recorded_time > ? ORDER BY recorded_time LIMIT 1", (time,)
        )
        .fetchone()
    )
    if row and row[0] <= snapshot.position:
        return int(row[0]) - 1  # Something was recorded later, so it stays so.
    snapshot.depends_on_position()
    return snapshot.position


def time_of(snapshot: Snapshot) -> int | None:
    """Return the recorded time at the snapshot's position; `None` before the first event."""
    row = snapshot.db.execute(
        "SELECT recorded_time FROM moment WHERE position <= ? ORDER BY position DESC LIMIT 1",
        (snapshot.position,),
    ).fetchone()
    return int(row[0]) if row else None
