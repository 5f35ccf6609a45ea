"""The articles that are public today, and how many of those of a past moment are not.

An answer about the past that is for readers shows no article that is hidden today. Pages leave hidden ones out as they
are read (`ledgerpress.views.paging`); counts are looked up as ever, and the hidden ones subtracted. These are
worked out from the posts that were public once and are not today, which are few, once for each position asked about.
"""

import json
import sqlite3
from collections.abc import Iterable
from typing import Final, TypeAlias

from ledgerpress.views.listings.keys import EVERY_ARTICLE, NO_LONGER_PUBLIC
from ledgerpress.views.listings.queries import members

_Hidden: TypeAlias = dict[int, set[int]]

_PUBLIC: Final = """
    SELECT value FROM json_each(?1)
    WHERE EXISTS (SELECT 1 FROM article WHERE seq = value AND from_pos <= ?2 AND to_pos > ?2)
"""
# What was public then, of the posts of ?1, with the listings that it was in: those of categories and of authors.
_HIDDEN: Final = """
    WITH hidden AS MATERIALIZED (
        SELECT seq, content FROM json_each(?1) JOIN article ON seq = value WHERE from_pos <= ?2 AND to_pos > ?2
    )
    SELECT ?3, seq FROM hidden
    UNION ALL
    SELECT category.seq, hidden.seq FROM hidden
    CROSS JOIN post_category AS inside ON inside.seq = hidden.seq
    CROSS JOIN category ON category.id = inside.category_id
    WHERE inside.from_pos <= ?2 AND inside.to_pos > ?2
    UNION ALL
    SELECT author.seq, hidden.seq FROM hidden
    CROSS JOIN content ON content.position = hidden.content
    CROSS JOIN json_each(content.author_ids) AS one
    CROSS JOIN author ON author.id = one.value
"""


class PublicFilter:
    """The articles that are public as of `today`, a position. It serves one request, in whose transaction `db` is."""

    def __init__(self, db: sqlite3.Connection, today: int) -> None:
        self._db = db
        self._today = today
        self._hidden: dict[int, _Hidden] = {}
        self._candidates: str | None = None

    def among(self, posts: Iterable[int]) -> set[int]:
        """Return which of the posts, given by the positions of their creation, are public today."""
        return {seq for (seq,) in self._db.execute(_PUBLIC, (json.dumps(list(posts)), self._today))}

    def count_hidden(self, ks: Iterable[int], position: int) -> int:
        """Return how many articles of the listings `ks` together, as of `position`, are not public today."""
        if position not in self._hidden:
            self._hidden[position] = self._hidden_at(position)
        hidden = self._hidden[position]
        return len(set().union(*(hidden[k] for k in ks if k in hidden)))

    def _hidden_at(self, position: int) -> _Hidden:
        if self._candidates is None:
            self._candidates = json.dumps(
                [post for k in NO_LONGER_PUBLIC for post in members(self._db, k, self._today)]
            )
        found: _Hidden = {}
        for k, seq in self._db.execute(_HIDDEN, (self._candidates, position, EVERY_ARTICLE)):
            found.setdefault(k, set()).add(seq)
        return found
