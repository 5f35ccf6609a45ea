"""What happens to posts: the events of a post's stream."""

from typing import Final, TypeAlias

from msgspec import UNSET, UnsetType

from ledgerpress.eventlog.event import Event, Withdrawn


class PostCreated(Event, frozen=True):
    """A post exists, with its first revision."""

    post_id: str
    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]


class ContentChanged(Event, frozen=True):
    """Some of the post's content has new values, in full. Absent means unchanged, null means cleared."""

    post_id: str
    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET


class PostEdited(ContentChanged, frozen=True):
    """Some of the post's content has new values, in full. Absent means unchanged, null means cleared."""


class PostRestored(ContentChanged, frozen=True, kw_only=True):
    """The content is that of the stream version `to_version` again. Absent is what did not differ, or could not be had."""

    to_version: int


class PostReverted(ContentChanged, frozen=True, kw_only=True):
    """What the stream version `reverted_version` changed has been taken back."""

    reverted_version: int


class PostCategorized(Event, frozen=True):
    """The post is in a category from now on."""

    post_id: str
    category_id: str


class PostUncategorized(Event, frozen=True):
    """The post is in a category no longer."""

    post_id: str
    category_id: str


class PostPublished(Event, frozen=True):
    """The content of `revision` is what readers see. `published_at` is the date that the article bears."""

    post_id: str
    revision: int
    published_at: int
    correction: str | None


class PostUnpublished(Event, frozen=True):
    """Readers no longer see the article."""

    post_id: str


class PostArchived(Event, frozen=True):
    """The post is put away: no article, no edits."""

    post_id: str


class PostUnarchived(Event, frozen=True):
    """The post is brought back, unpublished."""

    post_id: str


PostEvent: TypeAlias = (
    PostCreated
    | PostEdited
    | PostRestored
    | PostReverted
    | PostCategorized
    | PostUncategorized
    | PostPublished
    | PostUnpublished
    | PostArchived
    | PostUnarchived
    | Withdrawn
)

CONTENT_EVENTS: Final = frozenset({"post.created", "post.edited", "post.restored", "post.reverted"})
"""The stored names of the events that raise the content revision."""
