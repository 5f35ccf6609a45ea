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
from ledgerpress.eventlog.codec import EventType, JsonObject, Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn
from ledgerpress.features.posts.three_way_merge import merge
from ledgerpress.features.slugs import model as slugs

POST_ARCHIVED: Final = "POST_ARCHIVED"
POST_NOT_PUBLISHED: Final = "POST_NOT_PUBLISHED"
PUBLISHED_AT_IN_FUTURE: Final = "PUBLISHED_AT_IN_FUTURE"
REVERT_CONFLICT: Final = "REVERT_CONFLICT"
NOTHING_TO_REVERT: Final = "NOTHING_TO_REVERT"
ERROR_CODES: Final = (
    POST_ARCHIVED,
    POST_NOT_PUBLISHED,
    PUBLISHED_AT_IN_FUTURE,
    REVERT_CONFLICT,
    NOTHING_TO_REVERT,
)

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
    slug_derived: bool | UnsetType = UNSET
    """Whether the slug was derived from the title. Absent in earlier events: yes if it equals the derived slug."""


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
    slug_derived: bool | UnsetType = UNSET
    """Whether the slug is derived from the title from now on. As in `PostCreated`, absent in earlier events."""


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
    """The post was archived: it has no article and cannot be edited.

    `slug_released` states whether its slug is free: that of a post that was never published.
    """

    slug_released: bool = False


class PostUnarchived(PostChange, frozen=True):
    """The post was brought back from the archive, unpublished."""


def _with_absent_fields(data: JsonObject) -> JsonObject:
    """Return data of version 1 as version 2: the new fields of `slug_derived` and `slug_released` may be absent."""
    return data


EVENTS: Final = (
    EventType[Event]("post.created", 2, PostCreated, (_with_absent_fields,)),
    EventType[Event]("post.edited", 2, PostEdited, (_with_absent_fields,)),
    EventType[Event]("post.categorized", 1, PostCategorized),
    EventType[Event]("post.uncategorized", 1, PostUncategorized),
    EventType[Event]("post.published", 1, PostPublished),
    EventType[Event]("post.unpublished", 1, PostUnpublished),
    EventType[Event]("post.archived", 2, PostArchived, (_with_absent_fields,)),
    EventType[Event]("post.unarchived", 1, PostUnarchived),
    EventType[Event]("post.restored", 2, PostRestored, (_with_absent_fields,)),
    EventType[Event]("post.reverted", 2, PostReverted, (_with_absent_fields,)),
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
PROSE: Final = ("title", "teaser", "body")
"""The fields of `CONTENT` that an edit without its text leaves as they were."""

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


def dating_position(
    lifecycle: Lifecycle, dated_by: int | None, event: PostPublished, recorded: Recorded[Event]
) -> int | None:
    """Return the position of the event whose recorded time is the publication date; `None` if the date was given.

    A later publication with the same date does not change it. `lifecycle` and `dated_by` are those before `event`. If the
    recorded time is corrected, so is the publication date.
    """
    if event.published_at == lifecycle.published_at:
        return dated_by
    return recorded.position if event.published_at == recorded.header.recorded_at else None


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
            return PostArchived(post_id=post_id, slug_released=lifecycle.published_at is None)
        case "post.unarchived":
            return PostUnarchived(post_id=post_id)
        case _:
            return withdrawn


# --- state ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Post:
    """The state of a post: its current content and lifecycle. `published_slugs` are all slugs that it had in public.

    `slug_derived` states whether the slug was derived from the title. `has_slug` is false while the post is archived and
    its slug is free.
    """

    id: str
    content: Content
    lifecycle: Lifecycle = DRAFT
    category_ids: frozenset[str] = frozenset()
    published_slugs: frozenset[str] = frozenset()
    slug_derived: bool = False
    has_slug: bool = True

    @property
    def was_published(self) -> bool:
        """Whether readers have seen the post. Until then, a derived slug follows the title."""
        return self.lifecycle.published_at is not None


def evolve(post: Post | None, event: Event) -> Post | None:
    """Return the post after `event`. Recorded events are never rejected: one that cannot apply changes nothing."""
    known = known_event(event, post.lifecycle if post else None) if isinstance(event, Withdrawn) else event
    if isinstance(known, PostCreated):
        content = Content(**values_of(CONTENT, known))
        return Post(known.post_id, content, slug_derived=_is_slug_derived(known, content))
    if post is None:
        return None
    content, category_ids, published_slugs = post.content, post.category_ids, post.published_slugs
    slug_derived, has_slug = post.slug_derived, post.has_slug
    match known:
        case ContentChanged():
            content = replace(content, **values_of(CONTENT, known))
            if known.slug is not UNSET or known.slug_derived is not UNSET:
                slug_derived = _is_slug_derived(known, content)
        case PostPublished():
            published_slugs |= {content.slug}
        case PostCategorized(category_id=category_id):
            category_ids |= {category_id}
        case PostUncategorized(category_id=category_id):
            category_ids -= {category_id}
        case PostArchived(slug_released=slug_released):
            has_slug = not slug_released
        case PostUnarchived():
            has_slug = True
        case _:
            pass
    lifecycle = advance(post.lifecycle, known)
    return Post(post.id, content, lifecycle, category_ids, published_slugs, slug_derived, has_slug)


def _is_slug_derived(event: PostCreated | ContentChanged, content: Content) -> bool:
    """Return whether the slug that an event set was derived from the title. `content` is that after the event."""
    if event.slug_derived is not UNSET:
        return event.slug_derived
    return slugs.is_derived(content.slug, content.title, fallback=slugs.SlugKind.POST)


POSTS: Final = StreamCategory[Post | None]("post", None, evolve)
