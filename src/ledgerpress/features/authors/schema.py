"""Authors, and the articles under their name."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from ledgerpress.features.authors import queries as authors_queries
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection
from ledgerpress.graphql.relay.node import Node
from ledgerpress.views.paging import PageRequest

if TYPE_CHECKING:
    from ledgerpress.features.posts.schema.article import Article


@strawberry.type(description="Whose name stands above an article.")
class Author(Node):
    """Whose name stands above an article."""

    seq: strawberry.Private[int]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    name: str

    @strawberry.field(description="The articles under this name, newest first.")
    def articles(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Annotated["Article", strawberry.lazy("ledgerpress.features.posts.schema.article")]]:
        """Return a page of the author's articles."""
        from ledgerpress.features.posts.schema.article import listed_articles  # noqa: PLC0415 - articles have authors

        return listed_articles(self.moment, [self.seq], PageRequest(first, after, last, before))


def author_of(record: authors_queries.Author, moment: PointInTime) -> Author:
    """Return the author that a record of `moment` holds."""
    return Author(
        id=global_ids.encode("Author", record.id),
        seq=record.seq,
        moment=moment,
        version=record.version,
        name=record.name,
    )
