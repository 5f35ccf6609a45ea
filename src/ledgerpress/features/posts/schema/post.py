"""Posts: what editors work on."""

from typing import Annotated

import strawberry

from ledgerpress.features.authors import queries as authors_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories.schema import Category, category_of
from ledgerpress.features.history.queries import ChangeQuery
from ledgerpress.features.history.schema.change import Change
from ledgerpress.features.history.schema.change_connections import ChangeOrder, listed_changes
from ledgerpress.features.history.schema.diff import BlameSpan, PostDiff, blame_of, diff_of
from ledgerpress.features.history.version_diff import version_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.posts.schema.article import Article, article_of
from ledgerpress.features.posts.schema.body import Body
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect, read_page, read_page_by_position
from ledgerpress.graphql.relay.node import Node
from ledgerpress.graphql.scalars import DateTime
from ledgerpress.views.paging import PageRequest
from ledgerpress.views.snapshot import Snapshot

PostStatusEnum = strawberry.enum(PostStatus, name="PostStatus", description="Where a post stands.")


@strawberry.type(description="What an editor works on, published or not.")
class Post(Node):
    """What an editor works on, published or not."""

    record: strawberry.Private[post_queries.Post]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(description="Raised with every change; for expectedVersion.")
    status: PostStatusEnum  # type: ignore[valid-type]
    slug: str
    title: str
    teaser: str | None
    created_at: DateTime
    has_unpublished_changes: bool

    @property
    def is_own(self) -> bool:
        """Whether the caller wrote it."""
        return self.moment.sight.owns(self.moment.snapshot, self.record.seq)

    @strawberry.field
    def body(self) -> Body:
        """Return the body as last edited."""
        return Body(markdown=article_queries.markdown(self.moment.snapshot, self.record.body))

    @strawberry.field
    def categories(self) -> list[Category]:
        """Return the categories, by name."""
        return [
            category_of(one, self.moment.of_others)
            for one in post_queries.categories_of(self.moment.snapshot, self.record.seq)
        ]

    @strawberry.field
    def authors(self) -> list[Author]:
        """Return the authors, in the order of the by-line."""
        return [
            author_of(one, self.moment.of_others)
            for one in authors_queries.authors(self.moment.snapshot, self.record.author_ids)
        ]

    @strawberry.field(description="What readers see of it, if anything.")
    def article(self) -> Article | None:
        """Return what readers see of it, if anything."""
        found = article_queries.by_seq(self.moment.snapshot, self.record.seq)
        return article_of(found, self.moment) if found else None

    @strawberry.field(
        description="Everything that was done to the post, the newest first unless asked otherwise."
    )
    def history(
        self,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        order_by: ChangeOrder = ChangeOrder.NEWEST,
    ) -> Connection[Change]:
        """Return a page of the post's changes."""
        which = ChangeQuery(subject=f"post.{self.record.id}")
        return listed_changes(self.moment, which, PageRequest(first, after, last, before), order_by)

    @strawberry.field(
        description="What differs between two versions, which are those of its history; 0 is before it was made."
    )
    def diff(
        self,
        from_: Annotated[int, strawberry.argument(name="from")],
        to: int,
    ) -> PostDiff:
        """Return what differs between two versions."""
        return diff_of(self.record, self.moment, from_, to)

    @strawberry.field(description="Who put which part of the body there: joined, the spans give the body.")
    async def blame(self, info: RequestInfo) -> list[BlameSpan]:
        """Return who put which part of the body there."""
        return await blame_of(self.record, self.moment, info.context)


def post_of(record: post_queries.Post, moment: PointInTime) -> Post | None:
    """Return the post that a record of `moment` holds, `None` for who does not see it: no post comes out another way."""
    if not moment.sight.sees_post(moment.snapshot, record.seq):
        return None
    return Post(
        id=global_ids.encode("Post", record.id),
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


def slug_kept(post: Post, position: int, version: int) -> bool:
    """Return whether a post had, at a position, another slug than at a version."""
    db, seq = post.moment.snapshot.db, post.record.seq
    restored = post_queries.by_seq(Snapshot(db, position), seq)
    wanted = version_of(post.moment.snapshot, post.record, version)
    return bool(restored and wanted and wanted.post and restored.slug != wanted.post.slug)


def listed_posts(moment: PointInTime, status: PostStatus | None, request: PageRequest) -> Connection[Post]:
    """Return a page of the posts with a status, or of all posts, the newest first: of those that the caller sees."""
    snapshot = moment.snapshot
    if not moment.sight.every_post:
        return _own_posts(moment, moment.sight.own or "", status, request)
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
