"""The state of a post, and what each event makes of it."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final, assert_never

from msgspec import UNSET

from ledgerpress.eventlog.event import Withdrawn
from ledgerpress.features.posts.events import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEvent,
    PostPublished,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)


class PostStatus(StrEnum):
    """Where a post stands."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    UNPUBLISHED = "UNPUBLISHED"
    ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class Content:
    """What a revision holds."""

    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]


CONTENT_FIELDS: Final = tuple(field.name for field in fields(Content))
"""The names of the fields of `Content`, which are those of a `ContentChanged`."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post as it stands. `published_at` is in microseconds since 1970, UTC, and `None` before the first time."""

    id: str
    content: Content
    status: PostStatus = PostStatus.DRAFT
    revision: int = 1
    live_revision: int | None = None
    published_at: int | None = None
    category_ids: frozenset[str] = frozenset()
    published_slugs: frozenset[str] = frozenset()

    @property
    def has_unpublished_changes(self) -> bool:
        """Whether the content differs from what was last published."""
        return self.live_revision != self.revision


def evolve(post: Post | None, event: PostEvent) -> Post | None:
    """Return the post after `event`. History is never refused: what cannot apply changes nothing."""
    if isinstance(event, PostCreated):
        content = Content(event.slug, event.title, event.teaser, event.body, event.author_ids)
        return Post(event.post_id, content)
    if isinstance(event, Withdrawn):
        return _evolve_withdrawn(post, event)
    if post is None:
        return None
    match event:
        case ContentChanged():
            return replace(post, content=edited(post.content, event), revision=post.revision + 1)
        case PostCategorized(category_id=category_id):
            return replace(post, category_ids=post.category_ids | {category_id})
        case PostUncategorized(category_id=category_id):
            return replace(post, category_ids=post.category_ids - {category_id})
        case PostPublished(revision=revision, published_at=published_at):
            return _published(post, revision, published_at)
        case PostUnpublished():
            return replace(post, status=PostStatus.UNPUBLISHED)
        case PostArchived():
            return replace(post, status=PostStatus.ARCHIVED)
        case PostUnarchived():
            return replace(post, status=_status_out_of_archive(post))
        case _ as unreachable:
            assert_never(unreachable)


def edited(content: Content, event: ContentChanged) -> Content:
    """Return the content with the values that `event` brings."""
    return Content(
        slug=content.slug if event.slug is UNSET else event.slug,
        title=content.title if event.title is UNSET else event.title,
        teaser=content.teaser if event.teaser is UNSET else event.teaser,
        body=content.body if event.body is UNSET else event.body,
        author_ids=content.author_ids if event.author_ids is UNSET else event.author_ids,
    )


def _published(post: Post, revision: int, published_at: int) -> Post:
    return replace(
        post,
        status=PostStatus.PUBLISHED,
        live_revision=revision,
        published_at=published_at,
        published_slugs=post.published_slugs | {post.content.slug},
    )


def _status_out_of_archive(post: Post) -> PostStatus:
    return PostStatus.DRAFT if post.live_revision is None else PostStatus.UNPUBLISHED


def _evolve_withdrawn(post: Post | None, event: Withdrawn) -> Post | None:
    """Keep what the type alone tells: that there is a post, a revision, a change of status."""
    if event.type == "post.created" or post is None:
        return Post(
            event.subject_id, Content(slug=event.subject_id, title="", teaser=None, body="", author_ids=())
        )
    match event.type:
        case "post.edited" | "post.restored" | "post.reverted":
            return replace(post, revision=post.revision + 1)
        case "post.published":
            date = event.recorded_at if post.published_at is None else post.published_at
            return _published(post, post.revision, date)
        case "post.unpublished":
            return replace(post, status=PostStatus.UNPUBLISHED)
        case "post.archived":
            return replace(post, status=PostStatus.ARCHIVED)
        case "post.unarchived":
            return replace(post, status=_status_out_of_archive(post))
        case _:
            return post
