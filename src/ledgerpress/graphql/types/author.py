"""Authors, and the articles under their name."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from ledgerpress.graphql import ids
from ledgerpress.graphql.context import Moment
from ledgerpress.graphql.types.connection import Connection
from ledgerpress.graphql.types.node import Node
from ledgerpress.readmodels import people
from ledgerpress.readmodels.paging import PageRequest

if TYPE_CHECKING:
    from ledgerpress.graphql.types.article import Article


@strawberry.type(description="Whose name stands above an article.")
class Author(Node):
    """Whose name stands above an article."""

    seq: strawberry.Private[int]
    moment: strawberry.Private[Moment]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    name: str

    @strawberry.field(description="The articles under this name, newest first.")
    def articles(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Annotated["Article", strawberry.lazy("ledgerpress.graphql.types.article")]]:
        """Return a page of the author's articles."""
        from ledgerpress.graphql.types.article import listed_articles  # noqa: PLC0415 - articles have authors

        return listed_articles(self.moment, [self.seq], PageRequest(first, after, last, before))


def author_of(record: people.Author, moment: Moment) -> Author:
    """Return the author that a record of `moment` holds."""
    return Author(
        id=ids.encode("Author", record.id),
        seq=record.seq,
        moment=moment,
        version=record.version,
        name=record.name,
    )
