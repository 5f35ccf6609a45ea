"""Posts: what editors work on."""

import strawberry

from ledgerpress.domain.posts import PostStatus
from ledgerpress.graphql import ids
from ledgerpress.graphql.context import Moment
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.graphql.types.article import Article, article_of
from ledgerpress.graphql.types.author import Author, author_of
from ledgerpress.graphql.types.body import Body
from ledgerpress.graphql.types.category import Category, category_of
from ledgerpress.graphql.types.connection import Connection, connect, read_page
from ledgerpress.graphql.types.node import Node
from ledgerpress.readmodels import articles, categories, people, posts
from ledgerpress.readmodels.paging import PageRequest

PostStatusEnum = strawberry.enum(PostStatus, name="PostStatus", description="Where a post stands.")


@strawberry.type(description="What an editor works on, published or not.")
class Post(Node):
    """What an editor works on, published or not."""

    record: strawberry.Private[posts.Post]
    moment: strawberry.Private[Moment]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    status: PostStatusEnum  # type: ignore[valid-type]
    slug: str
    title: str
    teaser: str | None
    created_at: DateTime
    has_unpublished_changes: bool

    @strawberry.field
    def body(self) -> Body:
        """Return the body as last edited."""
        return Body(markdown=articles.markdown(self.moment.snapshot, self.record.body))

    @strawberry.field
    def categories(self) -> list[Category]:
        """Return the categories, by name."""
        return [
            category_of(one, self.moment) for one in categories.of_post(self.moment.snapshot, self.record.seq)
        ]

    @strawberry.field
    def authors(self) -> list[Author]:
        """Return the authors, in the order of the by-line."""
        return [
            author_of(one, self.moment)
            for one in people.authors(self.moment.snapshot, self.record.author_ids)
        ]

    @strawberry.field(description="What readers see of it, if anything.")
    def article(self) -> Article | None:
        """Return what readers see of it, if anything."""
        found = articles.by_seq(self.moment.snapshot, self.record.seq)
        return article_of(found, self.moment) if found else None


def post_of(record: posts.Post, moment: Moment) -> Post:
    """Return the post that a record of `moment` holds."""
    return Post(
        id=ids.encode("Post", record.id),
        record=record,
        moment=moment,
        version=record.version,
        status=record.status,
        slug=record.slug,
        title=record.title,
        teaser=record.teaser,
        created_at=DateTime(record.created_at),
        has_unpublished_changes=record.has_unpublished_changes,
    )


def listed_posts(moment: Moment, status: PostStatus | None, request: PageRequest) -> Connection[Post]:
    """Return a page of the posts with a status, or of all posts, the newest first."""
    snapshot = moment.snapshot
    page = read_page(snapshot, posts.listing_keys(status), request)
    records = [posts.by_seq(snapshot, key.post) for key in page.entries]
    nodes = [post_of(record, moment) if record else None for record in records]
    return connect(page, nodes, lambda: posts.count_posts(snapshot, status))
