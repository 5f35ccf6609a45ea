"""The posts that one actor wrote, as of a snapshot, in the order in which they were written.

They are found by the index of changes: who wrote a post is who recorded its first event, and that event's position is
the post's own. So they need no listing, and are as of any position what they then were.
"""

from typing import Final

from ledgerpress.features.posts.model import PostStatus
from ledgerpress.views.snapshot import Snapshot

_OWN: Final = """
    FROM change
    WHERE actor = (SELECT k FROM change_key WHERE name = :actor)
        AND type = (SELECT k FROM change_key WHERE name = 'post.created')
        AND position BETWEEN :low AND :high
"""
_OF_STATUS: Final = """
        AND (
            SELECT status FROM post_state WHERE seq = change.position AND from_pos <= :now ORDER BY from_pos DESC LIMIT 1
        ) = :status
"""


def positions(
    snapshot: Snapshot,
    actor_id: str,
    status: PostStatus | None,
    *,
    low: int,
    high: int,
    limit: int,
    newest_first: bool,
) -> list[int]:
    """Return the positions of the first `limit` posts that the actor wrote from `low` to `high`."""
    order = "DESC" if newest_first else "ASC"
    query = f"SELECT position {_OWN}{_OF_STATUS if status else ''} ORDER BY position {order} LIMIT :limit"
    rows = snapshot.db.execute(query, {**_values(snapshot, actor_id, status, low, high), "limit": limit})
    return [position for (position,) in rows]


def count(snapshot: Snapshot, actor_id: str, status: PostStatus | None) -> int:
    """Return how many posts the actor wrote; it looks at each of them."""
    query = f"SELECT count(*) {_OWN}{_OF_STATUS if status else ''}"
    values = _values(snapshot, actor_id, status, 1, snapshot.position)
    (found,) = snapshot.db.execute(query, values).fetchone()
    return int(found)


def _values(
    snapshot: Snapshot, actor_id: str, status: PostStatus | None, low: int, high: int
) -> dict[str, object]:
    values: dict[str, object] = {"actor": actor_id, "low": low, "high": min(high, snapshot.position)}
    return {**values, "now": snapshot.position, "status": status.value} if status else values
