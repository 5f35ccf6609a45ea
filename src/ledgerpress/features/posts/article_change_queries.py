"""The positions at which what a slug leads readers to appears, changes or disappears.

Only what readers could see counts: nothing tells of drafts, nor of what is done to a post while it is not public.
"""

from dataclasses import replace
from typing import Final

from ledgerpress.features.posts import article_queries
from ledgerpress.views.snapshot import Snapshot

# An article changes where a row of it begins or ends: that of the slug, of the text, or of a category it is in.
_CANDIDATES: Final = """
    WITH owner AS (
        SELECT seq, from_pos, to_pos, public_from FROM post_slug WHERE slug = ?1 AND public_from IS NOT NULL
    )
    SELECT from_pos AS position FROM owner WHERE from_pos BETWEEN ?2 AND ?3
    UNION SELECT to_pos FROM owner WHERE to_pos BETWEEN ?2 AND ?3
    UNION SELECT public_from FROM owner WHERE public_from BETWEEN ?2 AND ?3
    UNION SELECT article.from_pos FROM owner JOIN article USING (seq) WHERE article.from_pos BETWEEN ?2 AND ?3
    UNION SELECT article.to_pos FROM owner JOIN article USING (seq) WHERE article.to_pos BETWEEN ?2 AND ?3
    UNION SELECT inside.from_pos FROM owner JOIN post_category AS inside USING (seq)
        WHERE inside.from_pos BETWEEN ?2 AND ?3
    UNION SELECT inside.to_pos FROM owner JOIN post_category AS inside USING (seq)
        WHERE inside.to_pos BETWEEN ?2 AND ?3
    ORDER BY position
"""


def next_change(snapshot: Snapshot, slug: str, after: int) -> int | None:
    """Return the first position beyond `after` at which readers were led elsewhere by `slug`, or to something changed."""
    rows = snapshot.db.execute(_CANDIDATES, (slug, after + 1, snapshot.position)).fetchall()
    for (position,) in rows:
        if any(
            article_queries.by_slug(replace(snapshot, position=at), slug) for at in (position - 1, position)
        ):
            return int(position)
    return None
