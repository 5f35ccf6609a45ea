"""The published revisions of an article as of a snapshot: what readers could read, from which position on.

Callers MUST check that the article is public, and that its history may be read. A revision has no reason and no actor,
and the number of its publication, not that of its content, since drafts raise that.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import msgspec

from ledgerpress.features.posts.article_queries import article_topic
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.corrections.queries import Correction
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.projector import COLUMNS, ContentRow, values_of_row
from ledgerpress.views.recorded_time_positions import corrected_sql
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot

FIELDS: Final = ("title", "teaser", "body", "author_ids", "slug")
"""The fields of the content, in the order in which pages name their changes."""

_SELECT: Final = f"""
    SELECT publication.number, publication.position, state.revision,
        {corrected_sql("publication.recorded_at", "publication.position", "?2")}, {COLUMNS}
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
_NUMBER_AT: Final = "SELECT number FROM publication WHERE post_id = ? AND position = ?"
_FIRST_OF_REVISION: Final = """
    SELECT min(number) FROM publication JOIN post ON post.id = publication.post_id
    JOIN post_state AS state ON state.seq = post.seq AND state.from_pos = publication.position
    WHERE publication.post_id = ? AND state.revision = ? AND publication.position <= ?
"""
_PUBLICATIONS_AMONG: Final = (
    "SELECT position FROM publication WHERE post_id = ? AND position IN (SELECT value FROM json_each(?))"
)


# The events of a post whose text was withdrawn, each with the position of its withdrawal. Withdrawals are rare: the events
# of a post are read only if it has any.
_HAS_WITHDRAWALS: Final = """
    SELECT 1 FROM change
    WHERE type = (SELECT k FROM change_key WHERE name = 'payload.withdrawn')
        AND +subject = (SELECT k FROM change_key WHERE name = ?) LIMIT 1
"""
_WITHDRAWN: Final = """
    SELECT position, withdrawn FROM change
    WHERE subject = (SELECT k FROM change_key WHERE name = ?) AND withdrawn IS NOT NULL AND type IN (
        SELECT k FROM change_key WHERE name IN ('post.created', 'post.edited', 'post.restored', 'post.reverted')
    )
"""


_EMPTY: Final[dict[str, Any]] = {"title": "", "teaser": None, "body": NO_POSITION, "slug": ""}
"""The values of fields whose text was withdrawn. Authors are not text."""


class RevisionKind(StrEnum):
    """What a published revision is to readers."""

    FIRST = "FIRST"
    CORRECTED = "CORRECTED"
    EDITED = "EDITED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True)
class Publication:
    """The text that one publication made public. `recorded_at` is in microseconds since 1970, UTC.

    `content_revision` MUST NOT be shown. If `is_incomplete`, text on which it depended was withdrawn since; fields that
    are then not known to have been public are empty.
    """

    number: int
    position: int
    content_revision: int
    recorded_at: int
    content: ContentRow
    is_incomplete: bool = False


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


def revisions(
    snapshot: Snapshot, post_id: str, low: int, high: int, limit: int, *, newest_first: bool = True
) -> list[Revision]:
    """Return the first `limit` published revisions of an article with numbers from `low` to `high`."""
    query = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    values = (post_id, snapshot.position, low, high, limit)
    rows = snapshot.about(article_topic(post_id)).execute(query, values)
    publications = _without_drafts(snapshot, post_id, [_publication(row) for row in rows.fetchall()])
    if not publications:
        return []
    known = {publication.number: publication for publication in publications}
    if (before := min(known) - 1) and before not in known:
        values = (post_id, snapshot.position, before, before, 1)
        row = snapshot.about(article_topic(post_id)).execute(_NEWEST_FIRST, values).fetchone()
        if row is not None:
            (known[before],) = _without_drafts(snapshot, post_id, [_publication(row)])
    notes = _Notes(snapshot, post_id)
    return [notes.revision(publication, known.get(publication.number - 1)) for publication in publications]


def by_number(snapshot: Snapshot, post_id: str, number: int) -> Revision | None:
    """Return the published revision with a number, `None` if there is none."""
    return next(iter(revisions(snapshot, post_id, number, number, 1)), None)


def by_position(snapshot: Snapshot, post_id: str, position: int) -> Revision | None:
    """Return the revision that was published at a position, `None` if there is none."""
    row = snapshot.about(article_topic(post_id)).execute(_NUMBER_AT, (post_id, position)).fetchone()
    return by_number(snapshot, post_id, row[0]) if row and position <= snapshot.position else None


def of_correction(snapshot: Snapshot, post_id: str, correction: Correction) -> Revision | None:
    """Return the published revision on which a correction is shown."""
    revision = by_position(snapshot, post_id, correction.position)
    if revision is not None:
        return revision
    values = (post_id, correction.revision, snapshot.position)
    row = snapshot.about(article_topic(post_id)).execute(_FIRST_OF_REVISION, values).fetchone()
    return by_number(snapshot, post_id, row[0]) if row and row[0] else None


def body_of(snapshot: Snapshot, content: ContentRow) -> str:
    """Return the Markdown of a published text; empty if it was withdrawn."""
    return markdown(snapshot, content.body) if content.body else ""


def _without_drafts(
    snapshot: Snapshot, post_id: str, publications: Sequence[Publication]
) -> list[Publication]:
    """Empty the fields that a withdrawal may have replaced by the text of a draft.

    If the text of an edit is withdrawn, the post has the text from before, also as of the publications between the edit
    and the withdrawal. That text may never have been public. So such a publication shows a field only if its value was
    public in a publication that no withdrawal concerns.
    """
    subject = f"post.{post_id}"
    if snapshot.db.execute(_HAS_WITHDRAWALS, (subject,)).fetchone() is None:
        return list(publications)
    withdrawn = snapshot.db.execute(_WITHDRAWN, (subject,)).fetchall()

    def concerns(publication: Publication) -> bool:
        return any(event <= publication.position < record for event, record in withdrawn)

    if not any(map(concerns, publications)):
        return list(publications)
    rows = snapshot.db.execute(_OLDEST_FIRST, (post_id, snapshot.position, 1, 2**53, -1)).fetchall()
    certain = [each.content for each in map(_publication, rows) if not concerns(each)]
    return [_reduced(each, certain) if concerns(each) else each for each in publications]


def _reduced(publication: Publication, certain: Sequence[ContentRow]) -> Publication:
    """Return a publication with only those fields whose values are in `certain`."""

    def known(name: str) -> bool:
        value = getattr(publication.content, name)
        return any(getattr(content, name) == value for content in certain)

    unknown = {name: value for name, value in _EMPTY.items() if not known(name)}
    return replace(
        publication, content=msgspec.structs.replace(publication.content, **unknown), is_incomplete=True
    )


def changed_fields(snapshot: Snapshot, old: ContentRow, new: ContentRow) -> tuple[str, ...]:
    """Return the names of the fields that differ between two published texts."""
    changed = [name for name in FIELDS if getattr(old, name) != getattr(new, name)]
    if "body" in changed and body_of(snapshot, old) == body_of(snapshot, new):
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
    number, position, revision, recorded_at, *content = row
    return Publication(number, position, revision, recorded_at, ContentRow(**values_of_row(content)))
