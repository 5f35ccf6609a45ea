"""The state of a post, and what each event makes of it."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import UNSET

from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.posts.events import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
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


class Lifecycle(NamedTuple):
    """Where a post stands. `published_at` is in microseconds since 1970, UTC, and `None` before the first time."""

    status: PostStatus = PostStatus.DRAFT
    revision: int = 1
    live_revision: int | None = None
    published_at: int | None = None

    @property
    def has_unpublished_changes(self) -> bool:
        """Whether the content differs from what was last published."""
        return self.live_revision != self.revision


DRAFT: Final = Lifecycle()
"""The lifecycle of a new post."""


def advance(lifecycle: Lifecycle, event: Event) -> Lifecycle:
    """Return the lifecycle after `event`. Every decision and every projection of a post uses this function.

    For a withdrawn event, pass what `known_event` returns. An event that is not about the lifecycle changes nothing.
    """
    match event:
        case ContentChanged():
            return lifecycle._replace(revision=lifecycle.revision + 1)
        case PostPublished(revision=revision, published_at=published_at):
            return Lifecycle(PostStatus.PUBLISHED, lifecycle.revision, revision, published_at)
        case PostUnpublished():
            return lifecycle._replace(status=PostStatus.UNPUBLISHED)
        case PostArchived():
            return lifecycle._replace(status=PostStatus.ARCHIVED)
        case PostUnarchived():
            never_published = lifecycle.published_at is None
            return lifecycle._replace(status=PostStatus.DRAFT if never_published else PostStatus.UNPUBLISHED)
        case _:
            return lifecycle


def known_event(gone: Withdrawn, lifecycle: Lifecycle | None) -> Event:
    """Return the event that stands for a withdrawn one: its type is known, its values are not.

    A post whose creation is withdrawn, or unknown (`lifecycle` is `None`), has empty content and its id as its slug.
    Returns `gone` itself if its type says nothing about the post but that its version has changed.
    """
    post_id = gone.subject_id
    if lifecycle is None or gone.type == "post.created":
        return PostCreated(post_id=post_id, slug=post_id, title="", teaser=None, body="", author_ids=())
    match gone.type:
        case "post.edited" | "post.restored" | "post.reverted":
            return PostEdited(post_id=post_id)
        case "post.published":
            date = gone.recorded_at if lifecycle.published_at is None else lifecycle.published_at
            return PostPublished(
                post_id=post_id, revision=lifecycle.revision, published_at=date, correction=None
            )
        case "post.unpublished":
            return PostUnpublished(post_id=post_id)
        case "post.archived":
            return PostArchived(post_id=post_id)
        case "post.unarchived":
            return PostUnarchived(post_id=post_id)
        case _:
            return gone


@dataclass(frozen=True, slots=True)
class Post:
    """A post as an editor works on it."""

    id: str
    content: Content
    lifecycle: Lifecycle = DRAFT
    category_ids: frozenset[str] = frozenset()
    published_slugs: frozenset[str] = frozenset()


def evolve(post: Post | None, event: PostEvent) -> Post | None:
    """Return the post after `event`. History is never rejected: an event that cannot apply changes nothing."""
    known = known_event(event, post.lifecycle if post else None) if isinstance(event, Withdrawn) else event
    if isinstance(known, PostCreated):
        content = Content(known.slug, known.title, known.teaser, known.body, known.author_ids)
        return Post(known.post_id, content)
    if post is None:
        return None
    content, category_ids, published_slugs = post.content, post.category_ids, post.published_slugs
    match known:
        case ContentChanged():
            content = edited(content, known)
        case PostPublished():
            published_slugs |= {content.slug}
        case PostCategorized(category_id=category_id):
            category_ids |= {category_id}
        case PostUncategorized(category_id=category_id):
            category_ids -= {category_id}
        case _:
            pass
    return Post(post.id, content, advance(post.lifecycle, known), category_ids, published_slugs)


def edited(content: Content, event: ContentChanged) -> Content:
    """Return the content with the values that `event` brings."""
    return Content(
        slug=content.slug if event.slug is UNSET else event.slug,
        title=content.title if event.title is UNSET else event.title,
        teaser=content.teaser if event.teaser is UNSET else event.teaser,
        body=content.body if event.body is UNSET else event.body,
        author_ids=content.author_ids if event.author_ids is UNSET else event.author_ids,
    )
