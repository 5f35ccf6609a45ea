"""The GraphQL type of articles: posts as readers see them."""

from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from ledgerpress.features.authors.schema import Author
from ledgerpress.features.categories.schema.category import Category
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.body.rendering import teaser_of
from ledgerpress.features.posts.content_rows import ContentRow
from ledgerpress.features.posts.schema.article_batch_loading import ArticlePage
from ledgerpress.features.posts.schema.body import Body
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect, read_page
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.views.paging import PageRequest


@strawberry.type(description="A public note on what was corrected in an article.")
class Correction:
    at: DateTime
    note: str


@strawberry.type
class ContentFields:
    """The content fields that posts and articles show alike."""

    slug: str
    title: str


def content_fields(record: ContentRow) -> dict[str, Any]:
    return {"slug": record.slug, "title": record.title}


@strawberry.type(description="What a reader sees: a post as last published.")
class Article(ContentFields, Node):
    record: strawberry.Private[article_queries.Article]
    moment: strawberry.Private[PointInTime]
    page: strawberry.Private[ArticlePage]
    published_at: DateTime = strawberry.field(description="The date that the article bears.")
    updated_at: DateTime = strawberry.field(description="When it was last published anew.")

    @strawberry.field(description="Slugs under which the article was public before; they still lead to it.")
    def previous_slugs(self) -> list[str]:
        return article_queries.previous_slugs(self.moment.snapshot, self.record)

    @strawberry.field(description="The teaser; where none was written, the beginning of the text.")
    def teaser(self) -> str:
        return self._teaser()

    @strawberry.field(description="Whether the teaser ends in an ellipsis: there is more to read.")
    def teaser_is_cut(self) -> bool:
        return self._teaser().endswith(("…", "..."))

    @strawberry.field
    def body(self) -> Body:
        return Body(markdown=self.page.markdown(self.record))

    @strawberry.field
    def categories(self) -> list[Category]:
        return self.page.categories(self.record)

    @strawberry.field
    def authors(self) -> list[Author]:
        return self.page.authors(self.record)

    @strawberry.field(description="How long ago it was published, such as “5 days ago”.")
    def age(self) -> str:
        return self.moment.age_of(self.record.published_at)

    @strawberry.field(description="Public notes on what was corrected, oldest first.")
    def corrections(self) -> list[Correction]:
        return [
            Correction(at=DateTime(record.at), note=record.note)
            for record in article_queries.corrections(self.moment.snapshot, self.record)
        ]

    def _teaser(self) -> str:
        if self.record.teaser is not None:
            return self.record.teaser
        return teaser_of(self.page.markdown(self.record))


def article_of(
    record: article_queries.Article, moment: PointInTime, page: ArticlePage | None = None
) -> Article:
    """Return the article of a record of `moment`, on a page with others or alone."""
    return Article(
        id=global_ids.encode("Article", record.id),
        record=record,
        moment=moment,
        page=page or ArticlePage(moment, [record]),
        **content_fields(record),
        published_at=DateTime(record.published_at),
        updated_at=DateTime(record.updated_at),
    )


def load_article(moment: PointInTime, post_id: str) -> Article | None:
    record = article_queries.by_id(moment.snapshot, post_id)
    return article_of(record, moment) if record else None


def listed_articles(
    moment: PointInTime,
    ks: Sequence[int],
    request: PageRequest,
    *,
    count: Callable[[], int] | None = None,
    newest_first: bool = True,
) -> Connection[Article]:
    """Return a page of the listings `ks` together. Without `count`, the total is that of the first listing."""
    snapshot = moment.snapshot
    page = read_page(snapshot, ks, request, newest_first=newest_first)
    records = article_queries.by_seqs(snapshot, [key.post for key in page.entries])
    article_page = ArticlePage(moment, [record for record in records if record])
    nodes = [article_of(record, moment, article_page) if record else None for record in records]
    return connect(page, nodes, count or (lambda: article_queries.count_articles(snapshot, ks[0])))
