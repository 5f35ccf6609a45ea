"""The public corrections of all articles, and the published edits without one, in the order of their positions.

A correction is listed at the position at which it was recorded, and an edit at that of its publication. Both are listed
only while their article is public. Retracting a correction, or adding one, changes what is listed.
"""

from dataclasses import dataclass
from typing import Final

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.corrections.queries import Correction
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.revision_queries import Revision, RevisionKind
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_CANDIDATES: Final = """
    SELECT position FROM (
        SELECT position FROM correction
        WHERE position BETWEEN ?1 AND ?2 AND from_pos <= ?3 AND to_pos > ?3 AND retracted_at IS NULL
        ORDER BY position {order} LIMIT ?4
    )
    UNION SELECT position FROM (
        SELECT position FROM publication WHERE number > 1 AND position BETWEEN ?1 AND ?2 AND ?5
        ORDER BY position {order} LIMIT ?4
    )
    ORDER BY position {order} LIMIT ?4
"""
_NEWEST_FIRST: Final = _CANDIDATES.format(order="DESC")
_OLDEST_FIRST: Final = _CANDIDATES.format(order="ASC")
_CORRECTED_POST: Final = "SELECT post_id FROM correction WHERE position = ?1 LIMIT 1"
_PUBLISHED_POST: Final = "SELECT post_id FROM publication WHERE position = ?1"


@dataclass(frozen=True, slots=True)
class CorrectionEntry:
    """A correction, or an edit without one: then `correction` is `None`. `revision` is what it corrected or edited."""

    position: int
    article: Article
    correction: Correction | None
    revision: Revision | None

    @property
    def recorded_at(self) -> int:
        """When it was recorded or published, in microseconds since 1970, UTC."""
        if self.correction is not None:
            return self.correction.recorded_at
        return self.revision.publication.recorded_at if self.revision else 0


def positions(
    snapshot: Snapshot, low: int, high: int, limit: int, *, newest_first: bool = True, with_edits: bool
) -> list[int]:
    """Return the first `limit` positions from `low` to `high` at which something is listed.

    Without `with_edits`, only corrections are listed.
    """
    listed: list[int] = []
    query, size = _NEWEST_FIRST if newest_first else _OLDEST_FIRST, limit
    while len(listed) < limit:
        values = (low, min(high, snapshot.position), snapshot.position, size, with_edits)
        candidates = [position for (position,) in snapshot.db.execute(query, values)]
        listed += [position for position in candidates if entry(snapshot, position, with_edits=with_edits)]
        if len(candidates) < size:
            break
        low, high = (low, candidates[-1] - 1) if newest_first else (candidates[-1] + 1, high)
        size *= 2
    return listed[:limit]


def entry(snapshot: Snapshot, position: int, *, with_edits: bool) -> CorrectionEntry | None:
    """Return what is listed at a position, `None` if nothing is."""
    db = snapshot.db
    row = db.execute(_CORRECTED_POST, (position,)).fetchone()
    if row is not None:
        article = article_queries.by_id(snapshot, row[0])
        corrections = correction_queries.of_article(snapshot, article.id) if article else []
        correction = next((each for each in corrections if each.position == position), None)
        if article and correction:
            revision = revision_queries.of_correction(snapshot, article.id, correction)
            return CorrectionEntry(position, article, correction, revision)
    row = db.execute(_PUBLISHED_POST, (position,)).fetchone() if with_edits else None
    article = article_queries.by_id(snapshot, row[0]) if row else None
    revision = revision_queries.by_position(snapshot, article.id, position) if article else None
    if article and revision and revision.kind is RevisionKind.EDITED:
        return CorrectionEntry(position, article, None, revision)
    return None
