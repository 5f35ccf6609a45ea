"""The GraphQL types of posts and articles."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import strawberry

from ledgerpress.features.actors.permissions import READ_POSTS
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories.schema.category_type_and_queries import Category, category_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import RenderedBody, render
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.posts.projector import ContentRow
from ledgerpress.features.posts.schema.article_authors_and_categories_loading import ArticlePage
from ledgerpress.features.posts.schema.corrections import Correction, corrections_of
from ledgerpress.features.posts.schema.visibility import (
    own_actor_id,
    owns_post,
    sees_post,
    sees_posts,
)
from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect, read_page, read_page_by_position
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, described_enum
from ledgerpress.views.paging import PageRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_SECTION_BYTES: Final = 300
"""Approximate memory of a heading."""


@strawberry.type(description="A heading in a body.")
class Section:
    level: int = strawberry.field(description="The level of the heading, 1 to 6 as in HTML.")
    title: str
    anchor: str = strawberry.field(description="The id of the heading in the HTML, unique within the body.")


@strawberry.type(description="The body of a post or an article, written in CommonMark with extensions.")
class Body:
    """A body. It is read and rendered when a query selects a field that needs it.

    `position` is that of the event that contains its text. `read_markdown` reads that text, of a post unless stated.
    """

    snapshot: strawberry.Private[Snapshot]
    position: strawberry.Private[int]
    read_markdown: strawberry.Private[Callable[[Snapshot, int], str]] = post_queries.markdown

    @strawberry.field
    def markdown(self) -> str:
        return self.snapshot.once(("body", self.position), self._read, sys.getsizeof)

    @strawberry.field(description="Sanitised HTML. It contains every word of the body.")
    def html(self) -> str:
        return self._rendered.html

    @strawberry.field(description="Plain text, with an empty line between paragraphs.")
    def text(self) -> str:
        return self._rendered.text

    @strawberry.field(description="The headings, in order.")
    def sections(self) -> list[Section]:
        return [
            Section(level=section.level, title=section.title, anchor=section.anchor)
            for section in self._rendered.sections
        ]

    @strawberry.field(
        description="The number of words; each Chinese character and each kana counts as a word."
    )
    def word_count(self) -> int:
        return self._rendered.length.words

    @strawberry.field(
        description="Minutes at 238 words, or 500 Chinese or Japanese characters, a minute, rounded up."
    )
    def reading_minutes(self) -> int:
        return self._rendered.length.reading_minutes

    @property
    def _rendered(self) -> RenderedBody:
        return self.snapshot.once(("rendered body", self.position), self._render, _size_of_rendered)

    def _render(self, snapshot: Snapshot) -> RenderedBody:
        return render(self._read(snapshot), self.position)

    def _read(self, snapshot: Snapshot) -> str:
        return self.read_markdown(snapshot, self.position)


def _size_of_rendered(body: RenderedBody) -> int:
    return sum(map(sys.getsizeof, (body.html, body.text, body.lead))) + _SECTION_BYTES * len(body.sections)


@strawberry.type
class ContentFields:
    """The content fields that posts and articles have in common."""

    slug: str
    title: str


def content_fields(record: ContentRow) -> dict[str, Any]:
    return {"slug": record.slug, "title": record.title}


@strawberry.type(description="A post as last published, which is what readers see.")
class Article(ContentFields, Node):
    record: strawberry.Private[article_queries.Article]
    moment: strawberry.Private[PointInTime]
    page: strawberry.Private[ArticlePage]
    published_at: DateTime = strawberry.field(description="The publication date that readers see.")
    updated_at: DateTime = strawberry.field(
        description="When the article was last published again; if never, the same as `publishedAt`."
    )

    @strawberry.field(description="Former public slugs, oldest first. They still lead to the article.")
    def previous_slugs(self) -> list[str]:
        return article_queries.previous_slugs(self.moment.snapshot, self.record)

    @strawberry.field(
        description="The teaser; if none was written, the beginning of the first paragraph of text."
    )
    def teaser(self) -> str:
        return self.page.teaser(self.record)

    @strawberry.field(description="Whether the teaser ends with an ellipsis, which indicates more text.")
    def teaser_is_cut(self) -> bool:
        return self.page.teaser(self.record).endswith(("…", "..."))

    @strawberry.field
    def body(self) -> Body:
        return Body(snapshot=self.moment.snapshot, position=self.record.body)

    @strawberry.field
    def categories(self) -> list[Category]:
        return self.page.categories(self.record)

    @strawberry.field
    def authors(self) -> list[Author]:
        return self.page.authors(self.record)

    @strawberry.field(description="How long ago the article was published, such as “5 days ago”.")
    def age(self) -> str:
        return self.moment.age_of(self.record.published_at)

    @strawberry.field(
        description="Public notes on what was corrected, clarified or updated, oldest first; without those that were"
        " retracted."
    )
    def corrections(self) -> list[Correction]:
        records = correction_queries.of_article(self.moment.snapshot, self.record.id)
        return corrections_of(records, self.moment, self.record.seq)


def article_of(
    record: article_queries.Article, moment: PointInTime, page: ArticlePage | None = None
) -> Article:
    """Return the GraphQL article for a record as of `moment`, on `page` if it is on a page with others."""
    return Article(
        id=global_ids.id_of(moment, "Article", record.id),
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
    """Return a page of the merged listings `ks`. Without `count`, the total is the count of the first listing."""
    snapshot = moment.snapshot
    page = read_page(snapshot, ks, request, newest_first=newest_first)
    records = article_queries.by_seqs(snapshot, [key.post for key in page.entries])
    article_page = ArticlePage(moment, [record for record in records if record])
    nodes = [article_of(record, moment, article_page) if record else None for record in records]
    return connect(page, nodes, count or (lambda: article_queries.count_articles(snapshot, ks[0])))


PostStatusEnum = described_enum(
    PostStatus,
    name="PostStatus",
    description="The status of a post.",
    values={
        PostStatus.DRAFT: "Not published yet.",
        PostStatus.PUBLISHED: "Readers see the article. There may be changes that are not published yet.",
        PostStatus.UNPUBLISHED: "Was published, and is no longer public.",
        PostStatus.ARCHIVED: "Not public, and cannot be changed until it is unarchived.",
    },
)


@strawberry.type(description="A post as its editors see it, published or not.")
class Post(ContentFields, Node):
    record: strawberry.Private[post_queries.Post]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Increases with every change of the post. Pass it as `expectedVersion`."
    )
    status: PostStatusEnum  # type: ignore[valid-type]
    teaser: str | None
    created_at: DateTime
    has_unpublished_changes: bool

    @property
    def is_own(self) -> bool:
        """Whether the viewer created the post."""
        return owns_post(self.moment, self.record.seq)

    @strawberry.field
    def body(self) -> Body:
        return Body(snapshot=self.moment.snapshot, position=self.record.body)

    @strawberry.field
    def categories(self) -> list[Category]:
        records = post_queries.categories_of(self.moment.snapshot, self.record.seq)
        return [category_of(record, self.moment.for_related) for record in records]

    @strawberry.field
    def authors(self) -> list[Author]:
        records = authors_queries.authors(self.moment.snapshot, self.record.author_ids)
        return [author_of(record, self.moment.for_related) for record in records]

    @strawberry.field(description="All corrections, oldest first, including those that were retracted.")
    def corrections(self) -> list[Correction]:
        records = correction_queries.of_post(self.moment.snapshot, self.record.id)
        return corrections_of(records, self.moment, self.record.seq)

    @strawberry.field(description="The article that readers see; null if the post is not public.")
    def article(self) -> Article | None:
        record = article_queries.by_seq(self.moment.snapshot, self.record.seq)
        return article_of(record, self.moment) if record else None


def post_of(record: post_queries.Post, moment: PointInTime) -> Post | None:
    """Return the GraphQL post for a record as of `moment`; `None` if it is hidden from the viewer.

    Posts MUST be created only here, because this is the access check.
    """
    if not sees_post(moment, record.seq):
        return None
    return Post(
        id=global_ids.id_of(moment, "Post", record.id),
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
    """Return the post with an id, if the viewer may see it."""
    record = post_queries.by_id(moment.snapshot, post_id) if sees_posts(moment.viewer) else None
    return post_of(record, moment) if record else None


def slug_differs(post: Post, position: int, version: int) -> bool:
    """Return whether the slug of a post at a position differs from its slug at a version."""
    snapshot, seq = post.moment.snapshot, post.record.seq
    restored = post_queries.by_seq(Snapshot(snapshot.db, position), seq)
    version_position = post_queries.position_of(snapshot, seq, version)
    source = post_queries.by_seq(snapshot.at(version_position), seq) if version_position else None
    return bool(restored and source and restored.slug != source.slug)


def listed_posts(moment: PointInTime, status: PostStatus | None, request: PageRequest) -> Connection[Post]:
    """Return a page of the posts that the viewer may see, optionally with one status, newest first."""
    snapshot = moment.snapshot
    if moment.viewer.may(READ_POSTS):
        page = read_page(snapshot, post_queries.listing_keys(status), request)
        count = partial(post_queries.count_posts, snapshot, status)
    else:
        actor_id = own_actor_id(moment.viewer) or ""
        read = partial(post_queries.positions_written_by, snapshot, actor_id, status)
        page = read_page_by_position(read, request, high=snapshot.position)
        count = partial(post_queries.count_written_by, snapshot, actor_id, status)
    records = [post_queries.by_seq(snapshot, key.post) for key in page.entries]
    nodes = [post_of(record, moment) if record else None for record in records]
    return connect(page, nodes, count)
