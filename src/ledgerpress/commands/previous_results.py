"""Which commands have been carried out, and whether a category is in use: what deciding needs of the views."""

from typing import NamedTuple

from ledgerpress.views.snapshot import Snapshot


class PreviousCommand(NamedTuple):
    """A command that has been carried out. `last_position` is that of its last event."""

    fingerprint: str | None
    subject_id: str
    last_position: int


def previous_result(snapshot: Snapshot, command_id: str) -> PreviousCommand | None:
    """Return the command with that id, if it has been carried out."""
    row = snapshot.db.execute(
        "SELECT fingerprint, subject_id, last_position FROM command WHERE id = ?", (command_id,)
    ).fetchone()
    return PreviousCommand(*row) if row else None


def category_in_use(snapshot: Snapshot, category_ids: frozenset[str]) -> bool:
    """Return whether any post, published or not, is in one of the categories."""
    query = "SELECT 1 FROM listed_in JOIN listed_category USING (k) WHERE id = ? LIMIT 1"
    return any(snapshot.db.execute(query, (category_id,)).fetchone() for category_id in sorted(category_ids))
