"""Corrections as of a snapshot, as readers and as editors see them."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.corrections.model import EVENTS, CorrectionKind
from ledgerpress.features.posts.corrections.passages import Text, applies, contains
from ledgerpress.features.posts.model import POSTS
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.projector import ContentRow
from ledgerpress.views.feature_declarations import DependencyRule, HiddenRule, RecentEvent
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import RECORD_BYTES, Snapshot, Topic

__all__ = [
    "Correction",
    "PublishedTexts",
    "added_by",
    "by_id",
    "corrections_topic",
    "of_article",
    "of_post",
]

_SELECT: Final = f"""
    SELECT correction.id, correction.post_id, correction.position,
        {corrected_sql("recorded_at", "correction.position", "?2")}, revision, kind, noted.note, quoted.passage,
        {corrected_sql("reworded_at", "reworded_by", "?2")}, {corrected_sql("retracted_at", "retracted_by", "?2")}
    FROM correction
    JOIN correction_text AS noted ON noted.position = correction.note
    LEFT JOIN correction_text AS quoted ON quoted.position = correction.passage
    WHERE {{condition}}
    ORDER BY correction.position
"""  # noqa: S608
_AS_OF: Final = "from_pos <= ?2 AND to_pos > ?2"
_OF_POST: Final = _SELECT.format(condition=f"post_id = ?1 AND {_AS_OF}")
_BY_ID: Final = _SELECT.format(condition=f"correction.id = ?1 AND {_AS_OF}")
_AFTER_EVENT: Final = _SELECT.format(condition="post_id = ?1 AND from_pos = ?2")
_BEFORE_EVENT: Final = _SELECT.format(condition="post_id = ?1 AND to_pos = ?2")
_ADDED_BY: Final = (
    "SELECT id FROM correction WHERE post_id = ? AND position <= ? ORDER BY position DESC LIMIT 1"
)
_CHANGED: Final = """
    SELECT DISTINCT post_id, correction.id FROM json_each(?1) CROSS JOIN correction ON post_id = value WHERE from_pos > ?2
"""
_PUBLIC: Final = """
    SELECT correction.position FROM json_each(?1) CROSS JOIN correction ON position = value
    WHERE from_pos <= ?2 AND to_pos > ?2 AND retracted_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction. Times are in microseconds since 1970, UTC. `position` is that of the event that recorded it."""

    id: str
    post_id: str
    position: int
    recorded_at: int
    revision: int
    kind: CorrectionKind
    note: str
    passage: str | None
    reworded_at: int | None
    retracted_at: int | None


def corrections_topic(post_id: str) -> Topic:
    """Return the topic of the corrections of an article."""
    return Topic("corrections", post_id)


def correction_topic(correction_id: str) -> Topic:
    """Return the topic of a correction, which may be of a post that is not public."""
    return Topic("correction", correction_id, internal=True)


def of_article(snapshot: Snapshot, post_id: str) -> Sequence[Correction]:
    """Return the corrections that readers of an article see, oldest first: all that are not retracted.

    Readers of the past do not see what is retracted today.
    """
    key = "corrections of an article", post_id
    public = snapshot.once(key, lambda snapshot: _not_retracted(snapshot, post_id), _size_of)
    if snapshot.only and public:
        positions = snapshot.only.among([correction.position for correction in public])
        return [correction for correction in public if correction.position in positions]
    return public


def _not_retracted(snapshot: Snapshot, post_id: str) -> tuple[Correction, ...]:
    return tuple(correction for correction in of_post(snapshot, post_id) if correction.retracted_at is None)


def _size_of(corrections: Sequence[Correction]) -> int:
    texts = sum(len(each.note) + len(each.passage or "") for each in corrections)
    return RECORD_BYTES * (len(corrections) + 1) + 4 * texts


def of_post(snapshot: Snapshot, post_id: str) -> list[Correction]:
    """Return all corrections of a post, oldest first. Callers that show them must check permissions."""
    db = snapshot.about(corrections_topic(post_id))
    return list(map(_correction, db.execute(_OF_POST, (post_id, snapshot.position))))


def by_id(snapshot: Snapshot, correction_id: str) -> Correction | None:
    """Return a correction by id. Callers that show it must check whether it is public."""
    db = snapshot.about(correction_topic(correction_id))
    row = db.execute(_BY_ID, (correction_id, snapshot.position)).fetchone()
    return _correction(row) if row else None


def added_by(snapshot: Snapshot, post_id: str, position: int) -> str | None:
    """Return the id of the correction that a command on a post added, whose last event is at `position`."""
    row = snapshot.about(corrections_topic(post_id)).execute(_ADDED_BY, (post_id, position)).fetchone()
    return row[0] if row else None


def around_event(snapshot: Snapshot, post_id: str) -> tuple[list[Correction], list[Correction]]:
    """Return the corrections that the event of the post at the snapshot's position changed, before and after it."""
    db, values = snapshot.about(corrections_topic(post_id)), (post_id, snapshot.position)
    before, after = (
        list(map(_correction, db.execute(query, values))) for query in (_BEFORE_EVENT, _AFTER_EVENT)
    )
    return before, after


class PublishedTexts:
    """The texts of the published revisions of a post as of a snapshot, which are read when they are needed."""

    def __init__(self, snapshot: Snapshot, seq: int) -> None:
        self._snapshot = snapshot
        self._seq = seq

    def are_corrected_by(self, correction: Correction) -> bool:
        """Return whether a correction applies to the revision published last (see `passages.applies`)."""
        live = self._revisions[-1][0] if self._revisions else correction.revision
        if correction.revision == live:
            return True
        return applies(self._texts, live, correction.revision, correction.passage)

    def have_now(self, passage: str) -> bool:
        """Return whether the article, as readers see it now, has a passage."""
        return self._live is not None and contains(self._live, passage)

    @cached_property
    def _live(self) -> Text | None:
        article = article_queries.by_seq(self._snapshot, self._seq)
        if article is None:
            return None
        return Text(article.title, article.teaser, markdown(self._snapshot, article.body))

    @cached_property
    def _revisions(self) -> list[tuple[int, ContentRow]]:
        return article_queries.published_revisions(self._snapshot, self._seq)

    @cached_property
    def _texts(self) -> list[tuple[int, Text]]:
        texts = {
            revision: Text(content.title, content.teaser, markdown(self._snapshot, content.body))
            for revision, content in self._revisions
        }
        return sorted(texts.items(), key=lambda item: item[0])


def _correction(row: Sequence[Any]) -> Correction:
    id_, post_id, position, recorded_at, revision, kind, *others = row
    return Correction(id_, post_id, position, recorded_at, revision, CorrectionKind(kind), *others)


def _invalidated(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> set[Topic]:
    post_ids = {event.subject_id for event in events if event.subject.startswith(f"{POSTS.prefix}.")}
    if not post_ids:
        return set()
    rows = snapshot.about().execute(_CHANGED, (json.dumps(list(post_ids)), after)).fetchall()
    return {topic for post_id, id_ in rows for topic in (corrections_topic(post_id), correction_topic(id_))}


def _public(db: sqlite3.Connection, positions: Sequence[int], position: int) -> Collection[int]:
    return [public for (public,) in db.execute(_PUBLIC, (json.dumps(positions), position))]


def _no_longer_listed(db: sqlite3.Connection, position: int) -> tuple[int, ...]:
    """Return nothing: no listing contains corrections, so no count has to subtract them."""
    return ()


DEPENDENCIES: Final = DependencyRule(frozenset(event.name for event in EVENTS), _invalidated)
HIDDEN: Final = HiddenRule(public=_public, no_longer_public=_no_longer_listed)
"""Readers of the past do not see corrections that are retracted today."""
