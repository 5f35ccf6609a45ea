"""The GraphQL type of corrections, as readers and as editors see them."""

from collections.abc import Sequence

import strawberry

from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.corrections import queries
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.schema.visibility import sees_post, sees_posts
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, described_enum

CorrectionKindEnum = described_enum(
    CorrectionKind,
    name="CorrectionKind",
    description="The kind of a correction.",
    values={
        CorrectionKind.CORRECTION: "Something was wrong.",
        CorrectionKind.CLARIFICATION: "Something was not wrong, but unclear or incomplete.",
        CorrectionKind.UPDATE: "Something has happened since.",
    },
)


@strawberry.type(description="A public note on what was corrected, clarified or updated in an article.")
class Correction(Node):
    record: strawberry.Private[queries.Correction]
    seq: strawberry.Private[int]
    texts: strawberry.Private[queries.PublishedTexts]
    moment: strawberry.Private[PointInTime]
    at: DateTime = strawberry.field(description="When it was recorded.")
    kind: CorrectionKindEnum  # type: ignore[valid-type]
    note: str
    passage: str | None = strawberry.field(
        description="A quotation of the words that the note is about, or of those that were replaced."
    )
    reworded_at: DateTime | None = strawberry.field(
        description="When it got its present wording; null if it was never reworded."
    )
    retracted_at: DateTime | None = strawberry.field(
        description="When it was retracted; null if it was not. Only editors see a correction that was retracted."
    )

    @strawberry.field(
        description="Whether it applies to the article as published last. It no longer does if the article has lost the"
        " passage, or has the replaced passage again; without a passage, if the article has the text of a revision that"
        " was published before the corrected one."
    )
    def applies_to_article(self) -> bool:
        return self.texts.are_corrected_by(self.record)

    @strawberry.field(
        description="The published revision that it belongs to, as `publishedRevision` in the history of the post; null if"
        " the viewer may not see the post."
    )
    def revision(self) -> int | None:
        return self.record.revision if sees_post(self.moment, self.seq) else None


def corrections_of(records: Sequence[queries.Correction], moment: PointInTime, seq: int) -> list[Correction]:
    """Return the GraphQL corrections of the post created at position `seq`."""
    texts = queries.PublishedTexts(moment.snapshot, seq)
    return [
        Correction(
            id=global_ids.id_of(moment, "Correction", record.id),
            record=record,
            seq=seq,
            texts=texts,
            moment=moment,
            at=DateTime(record.recorded_at),
            kind=record.kind,
            note=record.note,
            passage=record.passage,
            reworded_at=None if record.reworded_at is None else DateTime(record.reworded_at),
            retracted_at=None if record.retracted_at is None else DateTime(record.retracted_at),
        )
        for record in records
    ]


def load_correction(moment: PointInTime, correction_id: str) -> Correction | None:
    """Return the correction with an id, if it is public, or if the viewer may see its post."""
    snapshot = moment.snapshot
    record = queries.by_id(snapshot, correction_id)
    if record is None:
        return None
    article = article_queries.by_id(snapshot, record.post_id)
    if article and record in queries.of_article(snapshot, record.post_id):
        return corrections_of([record], moment, article.seq)[0]
    post = post_queries.by_id(snapshot, record.post_id) if sees_posts(moment.viewer) else None
    return corrections_of([record], moment, post.seq)[0] if post and sees_post(moment, post.seq) else None
