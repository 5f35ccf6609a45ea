"""Posts: what editors work on."""

import strawberry

from ledgerpress.domain.posts import PostStatus
from ledgerpress.graphql import ids
from ledgerpress.graphql.context import Context, PressInfo
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
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    status: PostStatusEnum  # type: ignore[valid-type]
    slug: str
    title: str
    teaser: str | None
    created_at: DateTime
    has_unpublished_changes: bool

    @strawberry.field
    def body(self, info: PressInfo) -> Body:
        """Return the body as last edited."""
        return Body(markdown=articles.markdown(info.context.snapshot, self.record.body))

    @strawberry.field
    def categories(self, info: PressInfo) -> list[Category]:
        """Return the categories, by name."""
        return [category_of(one) for one in categories.of_post(info.context.snapshot, self.record.seq)]

    @strawberry.field
    def authors(self, info: PressInfo) -> list[Author]:
        """Return the authors, in the order of the by-line."""
        return [author_of(one) for one in people.authors(info.context.snapshot, self.record.author_ids)]

    @strawberry.field(description="What readers see of it, if anything.")
    def article(self, info: PressInfo) -> Article | None:
        """Return what readers see of it, if anything."""
        found = articles.by_seq(info.context.snapshot, self.record.seq)
        return article_of(found) if found else None


def post_of(record: posts.Post) -> Post:
    """Return the post that a record holds."""
    return Post(
        id=ids.encode("Post", record.id),
        record=record,
        version=record.version,
        status=record.status,
        slug=record.slug,
        title=record.title,
        teaser=record.teaser,
        created_at=DateTime(record.created_at),
        has_unpublished_changes=record.has_unpublished_changes,
    )


def listed_posts(context: Context, status: PostStatus | None, request: PageRequest) -> Connection[Post]:
    """Return a page of the posts with a status, or of all posts, the newest first."""
    snapshot = context.snapshot
    page = read_page(snapshot, posts.listing_keys(status), request)
    records = [posts.by_seq(snapshot, key.post) for key in page.entries]
    nodes = [post_of(record) if record else None for record in records]
    return connect(page, nodes, lambda: posts.count_posts(snapshot, status))
