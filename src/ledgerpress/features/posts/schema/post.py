"""The GraphQL type of posts, as editors see them."""

import strawberry

from ledgerpress.commands.roles_and_permissions import Permission
from ledgerpress.features.authors import read_model as authors_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories.schema.category import Category, category_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.posts.schema.article import Article, ContentFields, article_of, content_fields
from ledgerpress.features.posts.schema.body import Body
from ledgerpress.features.posts.schema.visibility import own_actor_id, owns_post, sees_post, sees_posts
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect, read_page, read_page_by_position
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.views.paging import PageRequest
from ledgerpress.views.snapshot import Snapshot

PostStatusEnum = strawberry.enum(PostStatus, name="PostStatus", description="Where a post stands.")


@strawberry.type(description="What an editor works on, published or not.")
class Post(ContentFields, Node):
    record: strawberry.Private[post_queries.Post]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    status: PostStatusEnum  # type: ignore[valid-type]
    teaser: str | None
    created_at: DateTime
    has_unpublished_changes: bool

    @property
    def is_own(self) -> bool:
        """Whether it is the viewer's own."""
        return owns_post(self.moment, self.record.seq)

    @strawberry.field
    def body(self) -> Body:
        return Body(markdown=article_queries.markdown(self.moment.snapshot, self.record.body))

    @strawberry.field
    def categories(self) -> list[Category]:
        records = post_queries.categories_of(self.moment.snapshot, self.record.seq)
        return [category_of(record, self.moment.for_related) for record in records]

    @strawberry.field
    def authors(self) -> list[Author]:
        records = authors_queries.authors(self.moment.snapshot, self.record.author_ids)
        return [author_of(record, self.moment.for_related) for record in records]

    @strawberry.field(description="What readers see of it, if anything.")
    def article(self) -> Article | None:
        record = article_queries.by_seq(self.moment.snapshot, self.record.seq)
        return article_of(record, self.moment) if record else None


def post_of(record: post_queries.Post, moment: PointInTime) -> Post | None:
    """Return the post of a record of `moment`, `None` if the viewer does not see it. Every post is made here."""
    if not sees_post(moment, record.seq):
        return None
    return Post(
        id=global_ids.encode("Post", record.id),
        record=record,
        moment=moment,
        version=record.version,
        status=record.status,
        **content_fields(record),
        teaser=record.teaser,
        created_at=DateTime(record.created_at),
        has_unpublished_changes=record.has_unpublished_changes,
    )


def load_post(moment: PointInTime, post_id: str) -> Post | None:
    """Return a post by id if the viewer sees it."""
    record = post_queries.by_id(moment.snapshot, post_id) if sees_posts(moment.viewer) else None
    return post_of(record, moment) if record else None


def slug_differs(post: Post, position: int, version: int) -> bool:
    """Return whether a post had, at a position, another slug than at a version."""
    snapshot, seq = post.moment.snapshot, post.record.seq
    restored = post_queries.by_seq(Snapshot(snapshot.db, position), seq)
    version_position = post_queries.position_of(snapshot, seq, version)
    source = post_queries.by_seq(snapshot.at(version_position), seq) if version_position else None
    return bool(restored and source and restored.slug != source.slug)


def listed_posts(moment: PointInTime, status: PostStatus | None, request: PageRequest) -> Connection[Post]:
    """Return a page of the posts that the viewer sees, with a status if one is given, the newest first."""
    snapshot = moment.snapshot
    if not moment.viewer.may(Permission.READ_POSTS):
        return _own_posts(moment, own_actor_id(moment.viewer) or "", status, request)
    page = read_page(snapshot, post_queries.listing_keys(status), request)
    records = [post_queries.by_seq(snapshot, key.post) for key in page.entries]
    nodes = [post_of(record, moment) if record else None for record in records]
    return connect(page, nodes, lambda: post_queries.count_posts(snapshot, status))


def _own_posts(
    moment: PointInTime, actor_id: str, status: PostStatus | None, request: PageRequest
) -> Connection[Post]:
    snapshot = moment.snapshot
    page = read_page_by_position(
        lambda low, high, limit, newest_first: post_queries.positions_written_by(
            snapshot, actor_id, status, low=low, high=high, limit=limit, newest_first=newest_first
        ),
        request,
        high=snapshot.position,
    )
    records = [post_queries.by_seq(snapshot, key.post) for key in page.entries]
    nodes = [post_of(record, moment) if record else None for record in records]
    return connect(page, nodes, lambda: post_queries.count_written_by(snapshot, actor_id, status))
