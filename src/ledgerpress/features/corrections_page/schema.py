"""The GraphQL query for the corrections of all articles."""

from typing import Final

import strawberry

from ledgerpress.features.corrections_page import entry_queries
from ledgerpress.features.corrections_page.entry_queries import CorrectionEntry
from ledgerpress.features.posts.schema import Article, Correction, article_of
from ledgerpress.features.posts.schema.corrections import corrections_of
from ledgerpress.features.public_history.schema import (
    ArticleRevision,
    article_revision_of,
    may_read_history,
)
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.relay.connection import Connection, connect, read_page_by_position
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.views.paging import PageRequest


@strawberry.type(
    name="CorrectionEntry",
    description="A correction of an article, or a published edit without a note: then `correction` is null.",
)
class CorrectionEntryType:
    listed: strawberry.Private[CorrectionEntry]
    moment: strawberry.Private[PointInTime]
    has_history: strawberry.Private[bool]
    at: DateTime = strawberry.field(
        description="When the correction was recorded, or the edit was published."
    )

    @strawberry.field
    def article(self) -> Article:
        return article_of(self.listed.article, self.moment)

    @strawberry.field(description="The public note; null if the edit has none.")
    def correction(self) -> Correction | None:
        if self.listed.correction is None:
            return None
        return corrections_of([self.listed.correction], self.moment, self.listed.article.seq)[0]

    @strawberry.field(
        description="The published revision that was corrected or edited; null if the viewer may not read the history of"
        " articles."
    )
    def revision(self) -> ArticleRevision | None:
        revision = self.listed.revision
        if revision is None or not self.has_history:
            return None
        return article_revision_of(revision, article_of(self.listed.article, self.moment))


@strawberry.type
class CorrectionQueries:
    @strawberry.field(
        description="The corrections of all articles, newest first. Viewers who may read the history of articles also"
        " get published edits without a note."
    )
    def corrections(
        self,
        info: RequestInfo,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        as_of: AsOf | None = None,
    ) -> Connection[CorrectionEntryType]:
        moment, has_history = moment_of(info.context, as_of), may_read_history(info.context)
        snapshot = moment.snapshot

        def positions(low: int, high: int, limit: int, newest_first: bool) -> list[int]:
            return entry_queries.positions(
                snapshot, low, high, limit, newest_first=newest_first, with_edits=has_history
            )

        page = read_page_by_position(
            positions, PageRequest(first, after, last, before), high=snapshot.position
        )
        entries = [entry_queries.entry(snapshot, key.post, with_edits=has_history) for key in page.entries]
        nodes = [
            CorrectionEntryType(
                listed=listed, moment=moment, has_history=has_history, at=DateTime(listed.recorded_at)
            )
            if listed
            else None
            for listed in entries
        ]
        return connect(page, nodes, lambda: len(positions(1, snapshot.position, snapshot.position, True)))


SCHEMA: Final = SchemaContribution(
    query=CorrectionQueries,
    permissions={"Query.corrections": None},
    objects={"CorrectionEntry": None},
    weights={"Query.corrections": 20.0, "CorrectionEntryConnection.totalCount": 100.0},
)
