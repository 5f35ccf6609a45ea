"""The published revisions of an article as of a snapshot: what readers could read, from which position on.

Callers MUST check that the article is public, and that its history may be read. A revision has no reason and no actor,
and the number of its publication, not that of its content, since drafts raise that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ledgerpress.features.posts.article_queries import article_topic
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.corrections.queries import Correction
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.projector import COLUMNS, ContentRow, values_of_row
from ledgerpress.views.recorded_time_positions import corrected_sql, time_at
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

FIELDS: Final = ("title", "teaser", "body", "author_ids", "slug")
"""The fields of the content, in the order in which pages name their changes."""

_SELECT: Final = f"""
    SELECT publication.number, publication.position, state.revision,
        {corrected_sql("publication.recorded_at", "publication.position", "?2")}, article.content, {COLUMNS}
    FROM publication
    JOIN post ON post.id = publication.post_id
    JOIN article ON article.seq = post.seq AND article.from_pos = publication.position
    JOIN post_state AS state ON state.seq = post.seq AND state.from_pos = publication.position
    JOIN content ON content.position = article.content
    WHERE publication.post_id = ?1 AND publication.position <= ?2 AND {{condition}}
"""  # noqa: S608
_NEWEST_FIRST: Final = _SELECT.format(
    condition="publication.number BETWEEN ?3 AND ?4 ORDER BY publication.number DESC LIMIT ?5"
)
_OLDEST_FIRST: Final = _SELECT.format(
    condition="publication.number BETWEEN ?3 AND ?4 ORDER BY publication.number LIMIT ?5"
)
_COUNT: Final = "SELECT count(*) FROM publication WHERE post_id = ? AND position <= ?"
_LAST_TITLE: Final = """
    SELECT content.title
    FROM publication
    JOIN post ON post.id = publication.post_id
    JOIN article ON article.seq = post.seq AND article.from_pos = publication.position
    JOIN content ON content.position = article.content
    WHERE publication.post_id = ? AND publication.position <= ? ORDER BY publication.number DESC LIMIT 1
"""
_NUMBER_AT: Final = "SELECT number FROM publication WHERE post_id = ? AND position = ?"
_POSITION_OF: Final = "SELECT position FROM publication WHERE post_id = ? AND number = ? AND position <= ?"
_FIRST_OF_REVISION: Final = """
    SELECT min(number) FROM publication JOIN post ON post.id = publication.post_id
    JOIN post_state AS state ON state.seq = post.seq AND state.from_pos = publication.position
    WHERE publication.post_id = ? AND state.revision = ? AND publication.position <= ?
"""
# The events of one append have one recorded time.
_PUBLISHED_WITH: Final = """
    SELECT publication.position FROM correction
    JOIN post ON post.id = correction.post_id
    JOIN publication ON publication.position = (
        SELECT max(article.from_pos) FROM article WHERE article.seq = post.seq AND article.from_pos <= ?1
    )
    WHERE correction.position = ?1 AND publication.recorded_at = correction.recorded_at LIMIT 1
"""
# The end of the row before is earlier if the article was not public in between.
_PUBLIC_UNTIL: Final = """
    SELECT article.to_pos FROM post JOIN article USING (seq)
    WHERE post.id = ? AND article.from_pos < ? ORDER BY article.from_pos DESC LIMIT 1
"""
_TIMES: Final = f"""
    SELECT number, {corrected_sql("recorded_at", "position", "?2")} FROM publication
    WHERE post_id = ?1 AND position <= ?2 ORDER BY number DESC
"""  # noqa: S608
_PUBLICATIONS_AMONG: Final = (
    "SELECT position FROM publication WHERE post_id = ? AND position IN (SELECT value FROM json_each(?))"
)


class RevisionKind(StrEnum):
    """What a published revision is to readers."""

    FIRST = "FIRST"
    CORRECTED = "CORRECTED"
    EDITED = "EDITED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class Publication:
    """The text that one publication made public. `recorded_at` is in microseconds since 1970, UTC.

    `content_revision` MUST NOT be shown. If `is_incomplete`, a part of the text was withdrawn since, and what was public
    before takes its place.
    """

    number: int
    position: int
    content_revision: int
    recorded_at: int
    content: ContentRow
    is_incomplete: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """A publication, with the public notes on it and its difference from the publication before."""

    publication: Publication
    kind: RevisionKind
    changed: tuple[str, ...]
    corrections: tuple[Correction, ...]

    @property
    def number(self) -> int:
        return self.publication.number

    @property
    def position(self) -> int:
        return self.publication.position


def count(snapshot: Snapshot, post_id: str) -> int:
    """Return the number of published revisions of an article, which is also the number of the last one."""
    row = snapshot.about(article_topic(post_id)).execute(_COUNT, (post_id, snapshot.position)).fetchone()
    return int(row[0])


def last_title(snapshot: Snapshot, post_id: str) -> str:
    """Return the title with which an article was published last; empty if it was withdrawn."""
    db = snapshot.about(article_topic(post_id))
    row = db.execute(_LAST_TITLE, (post_id, snapshot.position)).fetchone()
    return str(row[0]) if row else ""


def revisions(
    snapshot: Snapshot, post_id: str, low: int, high: int, limit: int, *, newest_first: bool = True
) -> list[Revision]:
    """Return the first `limit` published revisions of an article with numbers from `low` to `high`."""
    query = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    values = (post_id, snapshot.position, low, high, limit)
    rows = snapshot.about(article_topic(post_id)).execute(query, values)
    publications = [_publication(row) for row in rows.fetchall()]
    if not publications:
        return []
    known = {publication.number: publication for publication in publications}
    if (before := min(known) - 1) and before not in known:
        values = (post_id, snapshot.position, before, before, 1)
        row = snapshot.about(article_topic(post_id)).execute(_NEWEST_FIRST, values).fetchone()
        if row is not None:
            known[before] = _publication(row)
    notes = _Notes(snapshot, post_id)
    return [notes.revision(publication, known.get(publication.number - 1)) for publication in publications]


def by_number(snapshot: Snapshot, post_id: str, number: int) -> Revision | None:
    """Return the published revision with a number, `None` if there is none."""
    return next(iter(revisions(snapshot, post_id, number, number, 1)), None)


def by_position(snapshot: Snapshot, post_id: str, position: int) -> Revision | None:
    """Return the revision that was published at a position, `None` if there is none."""
    row = snapshot.about(article_topic(post_id)).execute(_NUMBER_AT, (post_id, position)).fetchone()
    return by_number(snapshot, post_id, row[0]) if row and position <= snapshot.position else None


def position_of(snapshot: Snapshot, post_id: str, number: int) -> int | None:
    """Return the position of the published revision with a number, `None` if there is none."""
    values = (post_id, number, snapshot.position)
    row = snapshot.about(article_topic(post_id)).execute(_POSITION_OF, values).fetchone()
    return row[0] if row else None


def of_correction(snapshot: Snapshot, post_id: str, correction: Correction) -> Revision | None:
    """Return the published revision on which a correction is shown."""
    db = snapshot.about(article_topic(post_id))
    row = db.execute(_NUMBER_AT, (post_id, correction.position)).fetchone()
    if row is None or correction.position > snapshot.position:
        values = (post_id, correction.revision, snapshot.position)
        row = db.execute(_FIRST_OF_REVISION, values).fetchone()
    return None if row is None or row[0] is None else by_number(snapshot, post_id, row[0])


def published_with(snapshot: Snapshot, correction: Correction) -> Revision | None:
    """Return the revision whose publication recorded a correction, `None` if none did: if it was added later."""
    db = snapshot.about(article_topic(correction.post_id))
    row = db.execute(_PUBLISHED_WITH, (correction.position,)).fetchone()
    return by_position(snapshot, correction.post_id, row[0]) if row else None


def hidden_before(snapshot: Snapshot, post_id: str, position: int) -> tuple[int, int] | None:
    """Return from when to when the article was not public before its publication at a position, `None` if it was.

    Both are in microseconds since 1970, UTC. Before the first publication, nothing was public that could be hidden.
    """
    row = snapshot.about(article_topic(post_id)).execute(_PUBLIC_UNTIL, (post_id, position)).fetchone()
    if row is None or row[0] >= position:
        return None
    begin, end = (time_at(snapshot, at) for at in (row[0], position))
    return None if begin is None or end is None else (begin, end)


def times(snapshot: Snapshot, post_id: str) -> list[tuple[int, int]]:
    """Return the numbers of all published revisions, newest first, each with its time in microseconds since 1970, UTC."""
    rows = snapshot.about(article_topic(post_id)).execute(_TIMES, (post_id, snapshot.position))
    return [(number, time) for number, time in rows]


def changed_fields(snapshot: Snapshot, old: ContentRow, new: ContentRow) -> tuple[str, ...]:
    """Return the names of the fields that differ between two published texts."""
    changed = [name for name in FIELDS if getattr(old, name) != getattr(new, name)]
    if "body" in changed and markdown(snapshot, old.body) == markdown(snapshot, new.body):
        changed.remove("body")
    return tuple(changed)


class _Notes:
    """The public corrections of an article, by the publication on which they are shown.

    A correction that was published with the text belongs to that publication. One that was added later belongs to the
    first publication of its revision.
    """

    def __init__(self, snapshot: Snapshot, post_id: str) -> None:
        self._snapshot = snapshot
        corrections = correction_queries.of_article(snapshot, post_id)
        positions = json.dumps([correction.position for correction in corrections])
        rows = snapshot.about(article_topic(post_id)).execute(_PUBLICATIONS_AMONG, (post_id, positions))
        published = {position for (position,) in rows}
        self._at = {each.position: each for each in corrections if each.position in published}
        self._later = [each for each in corrections if each.position not in published]

    def revision(self, publication: Publication, before: Publication | None) -> Revision:
        """Return a publication as a revision. `before` is the publication before it, if there is one."""
        notes = [self._at[publication.position]] if publication.position in self._at else []
        if before is None or before.content_revision != publication.content_revision:
            notes += [each for each in self._later if each.revision == publication.content_revision]
        changed = changed_fields(self._snapshot, before.content, publication.content) if before else ()
        if before is None:
            kind = RevisionKind.FIRST
        elif notes:
            kind = RevisionKind.CORRECTED
        else:
            kind = RevisionKind.EDITED if changed else RevisionKind.UNCHANGED
        return Revision(publication, kind, changed, tuple(notes))


def _publication(row: Sequence[Any]) -> Publication:
    number, position, revision, recorded_at, content_position, *values = row
    return Publication(
        number=number,
        position=position,
        content_revision=revision,
        recorded_at=recorded_at,
        content=ContentRow(**values_of_row(values)),
        is_incomplete=content_position == position,
    )
