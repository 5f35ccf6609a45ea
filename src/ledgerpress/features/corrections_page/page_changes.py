"""When the page of corrections changed, as far as readers may see that today.

It changes where a correction is recorded or reworded, and where an edit is published, while the article is public.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ledgerpress.features.corrections_page.entry_queries import entry
from ledgerpress.features.posts.corrections.model import REWORDED
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.views.snapshot_and_cache_dependencies import ItemFilter, Snapshot

_MAX_COMPARISONS: Final = 64
"""How many publications without a change are skipped in search of a change. Then one of them is returned."""

_IS_PUBLIC: Final = """
    {position} < (
        SELECT article.to_pos FROM post CROSS JOIN article USING (seq)
        WHERE post.id = {post_id} AND article.from_pos <= {position} ORDER BY article.from_pos DESC LIMIT 1
    )
"""
_IS_SEEN: Final = f"""
    {_IS_PUBLIC.format(post_id="correction.post_id", position=":today")}
    AND {_IS_PUBLIC.format(post_id="correction.post_id", position="correction.from_pos")}
    AND NOT EXISTS (
        SELECT 1 FROM correction AS now WHERE now.id = correction.id
            AND now.from_pos <= :today AND now.to_pos > :today AND now.retracted_at IS NOT NULL
    )
"""  # noqa: S608
# Corrections that were recorded, those that were reworded, and publications. A text that is published again has the same
# content, unless the post was edited in between.
_CHANGES: Final = f"""
    SELECT {{choice}}(position) FROM (
        SELECT * FROM (
            SELECT position FROM correction
            WHERE position BETWEEN :low AND :high AND from_pos = position AND {_IS_SEEN}
            ORDER BY position {{order}} LIMIT 1
        ) UNION ALL SELECT * FROM (
            SELECT record.position FROM change_key AS type
            CROSS JOIN change AS record ON record.type = type.k
            CROSS JOIN change_key AS subject ON subject.k = record.subject
            CROSS JOIN correction ON correction.post_id = substr(subject.name, length('post.') + 1)
                AND correction.from_pos = record.position
            WHERE type.name = '{REWORDED.name}' AND record.position BETWEEN :low AND :high AND {_IS_SEEN}
            ORDER BY record.position {{order}} LIMIT 1
        ) UNION ALL SELECT * FROM (
            SELECT publication.position FROM publication
            CROSS JOIN post ON post.id = publication.post_id
            CROSS JOIN article ON article.seq = post.seq AND article.from_pos = publication.position
            WHERE :with_edits AND number > 1 AND publication.position BETWEEN :low AND :high
                AND {_IS_PUBLIC.format(post_id="publication.post_id", position=":today")}
                AND article.content <> (
                    SELECT earlier.content FROM publication AS former
                    CROSS JOIN article AS earlier ON earlier.seq = post.seq AND earlier.from_pos = former.position
                    WHERE former.post_id = publication.post_id AND former.number = publication.number - 1
                )
            ORDER BY publication.position {{order}} LIMIT 1
        )
    )
"""  # noqa: S608
_LAST: Final = _CHANGES.format(choice="max", order="DESC")
_FIRST: Final = _CHANGES.format(choice="min", order="ASC")
_IS_OF_CORRECTION: Final = "SELECT EXISTS (SELECT 1 FROM correction WHERE from_pos = ?)"


@dataclass(frozen=True, slots=True)
class CorrectionsPageChanges:
    """The changes of the page of corrections. With `with_edits`, published edits without a note are listed on it."""

    today: Snapshot
    public: ItemFilter
    with_edits: bool

    @property
    def key(self) -> tuple[str, bool]:
        return "corrections", self.with_edits

    def last(self, before: int) -> int | None:
        """Return the last position before a position at which the page changed."""
        return self._first_seen(before, self.about_last)

    def first(self, after: int) -> int | None:
        """Return the first position after a position at which the page changed."""
        return self._first_seen(after, lambda after: self._change(_FIRST, after + 1, self.today.position))

    def about_last(self, before: int) -> int | None:
        """Return the same as `last`, or a later position at which an edit that changes nothing was published."""
        return self._change(_LAST, 1, min(before - 1, self.today.position))

    def _first_seen(self, start: int, following: Callable[[int], int | None]) -> int | None:
        for _ in range(_MAX_COMPARISONS):
            position = following(start)
            if position is None or self._is_seen(position):
                return position
            start = position
        return start

    def _is_seen(self, position: int) -> bool:
        (is_of_correction,) = self.today.db.execute(_IS_OF_CORRECTION, (position,)).fetchone()
        if is_of_correction:
            return True
        return entry(self.today.at(position, only=self.public), position, with_edits=True) is not None

    def _change(self, query: str, low: int, high: int) -> int | None:
        values = {"low": low, "high": high, "today": self.today.position, "with_edits": self.with_edits}
        (position,) = self.today.db.execute(query, values).fetchone()
        return None if position is None else int(position)


def corrections_page_changes(moment: PageMoment, _: Mapping[str, str]) -> PageChanges:
    """Return the changes of the page of corrections."""
    return CorrectionsPageChanges(moment.today, moment.public, moment.public_history)
