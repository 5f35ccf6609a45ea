"""Posts: events, content fields, lifecycle and state. Readers see the article, which is the post as last published.

Only creating, editing, restoring and reverting raise the content revision. Publishing makes the current revision the
live one.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import ClassVar, Final, NamedTuple

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.content_field_declarations_and_revert import ContentField, Merge, values_of
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn
from ledgerpress.features.posts.three_way_merge import merge
from ledgerpress.features.slugs import model as slugs

POST_ARCHIVED: Final = "POST_ARCHIVED"
POST_NOT_PUBLISHED: Final = "POST_NOT_PUBLISHED"
PUBLISHED_AT_IN_FUTURE: Final = "PUBLISHED_AT_IN_FUTURE"
REVERT_CONFLICT: Final = "REVERT_CONFLICT"
ERROR_CODES: Final = (POST_ARCHIVED, POST_NOT_PUBLISHED, PUBLISHED_AT_IN_FUTURE, REVERT_CONFLICT)

# --- events --------------------------------------------------------------------------------------


class PostCreated(Event, frozen=True):
    """A post was created, with its first revision."""

    TEXT: ClassVar = {"slug": ValueOf("post_id"), "title": "", "teaser": None, "body": ""}

    post_id: str
    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]


class PostChange(Event, frozen=True):
    """An event of an existing post. Each raises the version of the post."""

    TEXT: ClassVar = {}

    post_id: str


class ContentChanged(PostChange, frozen=True):
    """A change of content. It contains the new values in full; absent means unchanged, null means cleared.

    Without its text, it changes neither title, teaser nor body. The post still leaves its former slug, which may belong
    to another post since.
    """

    TEXT: ClassVar = {"slug": ValueOf("post_id"), "title": UNSET, "teaser": UNSET, "body": UNSET}

    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET


class PostEdited(ContentChanged, frozen=True):
    """The post was edited. New values are complete; absent means unchanged, null means cleared."""


class PostRestored(ContentChanged, frozen=True, kw_only=True):
    """The content of stream version `to_version` was restored. Absent fields did not differ, or were unavailable."""

    to_version: int


class PostReverted(ContentChanged, frozen=True, kw_only=True):
    """The change of stream version `reverted_version` was reverted."""

    reverted_version: int


class PostCategorized(PostChange, frozen=True):
    """The post was added to a category."""

    category_id: str


class PostUncategorized(PostChange, frozen=True):
    """The post was removed from a category."""

    category_id: str


class PostPublished(PostChange, frozen=True):
    """The content of `revision` was published. `published_at` is the date that readers see."""

    TEXT: ClassVar = {"correction": None}

    revision: int
    published_at: int
    correction: str | None


class PostUnpublished(PostChange, frozen=True):
    """The article was removed from public view."""


class PostArchived(PostChange, frozen=True):
    """The post was archived: it has no article and cannot be edited."""


class PostUnarchived(PostChange, frozen=True):
    """The post was brought back from the archive, unpublished."""


EVENTS: Final = (
    EventType[Event]("post.created", 1, PostCreated),
    EventType[Event]("post.edited", 1, PostEdited),
    EventType[Event]("post.categorized", 1, PostCategorized),
    EventType[Event]("post.uncategorized", 1, PostUncategorized),
    EventType[Event]("post.published", 1, PostPublished),
    EventType[Event]("post.unpublished", 1, PostUnpublished),
    EventType[Event]("post.archived", 1, PostArchived),
    EventType[Event]("post.unarchived", 1, PostUnarchived),
    EventType[Event]("post.restored", 1, PostRestored),
    EventType[Event]("post.reverted", 1, PostReverted),
)
CONTENT_EVENTS: Final = frozenset({"post.created", "post.edited", "post.restored", "post.reverted"})
"""The stored names of the events that contain content."""

# --- content -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a revision."""

    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]


def _slug(slug: str | None) -> str | None:
    return None if slug is None else slugs.normalized(slug)


def _each_once(ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _merge_body(changed: str, current: str, before: str) -> Merge:
    merged = merge(changed, current, before)
    if not merged.conflicts:
        return Merge(merged.text)
    lines = ", ".join(map(str, merged.conflicts))
    return Merge(current, f"(line{'s' if len(merged.conflicts) > 1 else ''} {lines})")


CONTENT: Final = (
    ContentField(name="slug", check=_slug, empty=""),
    ContentField(
        name="title", check=partial(text_rules.line, field="title", limit=text_rules.MAX_TITLE), empty=""
    ),
    ContentField(
        name="teaser",
        check=partial(text_rules.optional_text, field="teaser", limit=text_rules.MAX_TEASER),
    ),
    ContentField(name="body", check=text_rules.body, empty="", merge=_merge_body, is_plain=False),
    ContentField(name="author_ids", check=_each_once, empty=(), shown_as="authors", is_plain=False),
)
"""The fields of `Content`, `PostCreated` and `ContentChanged`. A slug is only normalised: it is checked if it is new."""
EMPTY: Final = {field.name: field.empty for field in CONTENT}

# --- lifecycle -----------------------------------------------------------------------------------


class PostStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    UNPUBLISHED = "UNPUBLISHED"
    ARCHIVED = "ARCHIVED"


class Lifecycle(NamedTuple):
    """The lifecycle of a post. `published_at` is in microseconds since 1970, UTC; `None` if never published."""

    status: PostStatus = PostStatus.DRAFT
    revision: int = 1
    live_revision: int | None = None
    published_at: int | None = None

    @property
    def has_unpublished_changes(self) -> bool:
        """Whether the current revision differs from the revision last published."""
        return self.live_revision != self.revision


DRAFT: Final = Lifecycle()
"""The lifecycle of a new post."""


def advance(lifecycle: Lifecycle, event: Event) -> Lifecycle:
    """Return the lifecycle after `event`. All decisions and projections of posts use this function.

    For a withdrawn event, pass the result of `known_event`. Events that do not affect the lifecycle change nothing.
    """
    status, revision, live_revision, published_at = lifecycle
    match event:
        case ContentChanged():
            revision += 1
        case PostPublished():
            status, live_revision, published_at = PostStatus.PUBLISHED, event.revision, event.published_at
        case PostUnpublished():
            status = PostStatus.UNPUBLISHED
        case PostArchived():
            status = PostStatus.ARCHIVED
        case PostUnarchived():
            status = PostStatus.DRAFT if published_at is None else PostStatus.UNPUBLISHED
        case _:
            return lifecycle
    return Lifecycle(status, revision, live_revision, published_at)


def known_event(withdrawn: Withdrawn, lifecycle: Lifecycle | None) -> Event:
    """Return a withdrawn event without its text, or a replacement if only its type is known.

    A post whose creation was withdrawn or is unknown (`lifecycle` is `None`) has empty content, and its id as its slug.
    Returns `withdrawn` itself if it affects only the version of the post.
    """
    remaining = withdrawn.remaining
    if remaining is not None and (lifecycle is not None or isinstance(remaining, PostCreated)):
        return remaining
    post_id = withdrawn.subject_id
    if lifecycle is None or withdrawn.type == "post.created":
        return PostCreated(post_id=post_id, **{**EMPTY, "slug": post_id})
    match withdrawn.type:
        case "post.edited" | "post.restored" | "post.reverted":
            return PostEdited(post_id=post_id)
        case "post.published":
            date = withdrawn.recorded_at if lifecycle.published_at is None else lifecycle.published_at
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
            return withdrawn


# --- state ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Post:
    """The state of a post: its current content and lifecycle. `published_slugs` are all slugs that it had in public."""

    id: str
    content: Content
    lifecycle: Lifecycle = DRAFT
    category_ids: frozenset[str] = frozenset()
    published_slugs: frozenset[str] = frozenset()


def evolve(post: Post | None, event: Event) -> Post | None:
    """Return the post after `event`. Recorded events are never rejected: one that cannot apply changes nothing."""
    known = known_event(event, post.lifecycle if post else None) if isinstance(event, Withdrawn) else event
    if isinstance(known, PostCreated):
        return Post(known.post_id, Content(**values_of(CONTENT, known)))
    if post is None:
        return None
    content, category_ids, published_slugs = post.content, post.category_ids, post.published_slugs
    match known:
        case ContentChanged():
            content = replace(content, **values_of(CONTENT, known))
        case PostPublished():
            published_slugs |= {content.slug}
        case PostCategorized(category_id=category_id):
            category_ids |= {category_id}
        case PostUncategorized(category_id=category_id):
            category_ids -= {category_id}
        case _:
            pass
    return Post(post.id, content, advance(post.lifecycle, known), category_ids, published_slugs)


POSTS: Final = StreamCategory[Post | None]("post", None, evolve)
