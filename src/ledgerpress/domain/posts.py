"""Posts: what an editor works on. A reader sees the article: the post as last published.

Only creating and editing raise the content revision; publishing makes the current revision the live one.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from ledgerpress.domain import text
from ledgerpress.domain.event import Event, Withdrawn
from ledgerpress.domain.rejection import ErrorCode, Rejected


class PostCreated(Event, frozen=True):
    """A post exists, with its first revision."""

    post_id: str
    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]


class PostEdited(Event, frozen=True):
    """Some of the post's content has new values, in full. Absent means unchanged, null means cleared."""

    post_id: str
    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET


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
    | PostCategorized
    | PostUncategorized
    | PostPublished
    | PostUnpublished
    | PostArchived
    | PostUnarchived
    | Withdrawn
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePost:
    """Write a post; with `publish`, publish it in the same step. `at` is now."""

    post_id: str
    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]
    category_ids: tuple[str, ...]
    publish: bool
    published_at: int | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost:
    """Change what is given; with `publish`, publish the outcome in the same step."""

    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET
    publish: bool = False
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizePost:
    """Put the post into a category. `equivalents` are the ids that stand for it since it took others in."""

    category_id: str
    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UncategorizePost:
    """Take the post out of a category, under whichever of its ids it is in it."""

    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost:
    """Make the current revision the article. Without `published_at`, the first publication's date stays."""

    published_at: int | None
    correction: str | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPost:
    """Take the article away from readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePost:
    """Put the post away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost:
    """Bring the post back."""


PostCommand: TypeAlias = (
    EditPost | CategorizePost | UncategorizePost | PublishPost | UnpublishPost | ArchivePost | UnarchivePost
)


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
        case PostEdited():
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


def edited(content: Content, event: PostEdited) -> Content:
    """Return the content with the values that `event` brings."""
    return Content(
        slug=content.slug if event.slug is UNSET else event.slug,
        title=content.title if event.title is UNSET else event.title,
        teaser=content.teaser if event.teaser is UNSET else event.teaser,
        body=content.body if event.body is UNSET else event.body,
        author_ids=content.author_ids if event.author_ids is UNSET else event.author_ids,
    )


def create(command: CreatePost) -> tuple[PostEvent, ...]:
    """Return the events of a new post. Raises `Rejected`."""
    created = PostCreated(
        post_id=command.post_id,
        slug=command.slug,
        title=text.line(command.title, field="title", limit=text.MAX_TITLE),
        teaser=text.optional_text(command.teaser, field="teaser", limit=text.MAX_TEASER),
        body=text.body(command.body),
        author_ids=tuple(dict.fromkeys(command.author_ids)),
    )
    categorized = tuple(
        PostCategorized(post_id=command.post_id, category_id=category_id)
        for category_id in dict.fromkeys(command.category_ids)
    )
    if not command.publish:
        if command.published_at is not None:
            message = "publishedAt is for a post that is published: say publish: true, or leave it out."
            raise Rejected(ErrorCode.INVALID_VALUE, message, field=("publishedAt",))
        return created, *categorized
    publish = PublishPost(published_at=command.published_at, correction=None, at=command.at)
    return created, *categorized, *_publish(publish, evolve(None, created))


def decide(command: PostCommand, post: Post) -> tuple[PostEvent, ...]:
    """Return what happens on `command`; nothing where it is so already. Raises `Rejected`."""
    if post.status is PostStatus.ARCHIVED and not isinstance(command, ArchivePost | UnarchivePost):
        message = "The post is archived: bring it back before changing it."
        raise Rejected(ErrorCode.POST_ARCHIVED, message, field=("id",))
    match command:
        case EditPost():
            return _edit(command, post)
        case CategorizePost(category_id=category_id, equivalents=equivalents):
            if post.category_ids & equivalents:
                return ()
            return (PostCategorized(post_id=post.id, category_id=category_id),)
        case UncategorizePost(equivalents=equivalents):
            return tuple(
                PostUncategorized(post_id=post.id, category_id=category_id)
                for category_id in sorted(post.category_ids & equivalents)
            )
        case PublishPost():
            return _publish(command, post)
        case UnpublishPost():
            if post.status is PostStatus.DRAFT:
                message = "The post has never been published."
                raise Rejected(ErrorCode.POST_NOT_PUBLISHED, message, field=("id",))
            return (PostUnpublished(post_id=post.id),) if post.status is PostStatus.PUBLISHED else ()
        case ArchivePost():
            return () if post.status is PostStatus.ARCHIVED else (PostArchived(post_id=post.id),)
        case UnarchivePost():
            return (PostUnarchived(post_id=post.id),) if post.status is PostStatus.ARCHIVED else ()
        case _ as unreachable:
            assert_never(unreachable)


def _edit(command: EditPost, post: Post) -> tuple[PostEvent, ...]:
    old = post.content
    values: dict[str, object] = {}
    if command.slug is not UNSET:
        values["slug"] = command.slug
    if command.title is not UNSET:
        values["title"] = text.line(command.title, field="title", limit=text.MAX_TITLE)
    if command.teaser is not UNSET:
        values["teaser"] = text.optional_text(command.teaser, field="teaser", limit=text.MAX_TEASER)
    if command.body is not UNSET:
        values["body"] = text.body(command.body)
    if command.author_ids is not UNSET:
        values["author_ids"] = tuple(dict.fromkeys(command.author_ids))
    changed = {name: value for name, value in values.items() if value != getattr(old, name)}
    events: tuple[PostEvent, ...] = ()
    if changed:
        edit = msgspec.structs.replace(PostEdited(post_id=post.id), **changed)
        events, after = (edit,), evolve(post, edit)
    else:
        after = post
    if command.publish:
        events += _publish(PublishPost(published_at=None, correction=None, at=command.at), after)
    return events


def _publish(command: PublishPost, post: Post | None) -> tuple[PostEvent, ...]:
    if post is None:
        return ()
    if command.published_at is not None and command.published_at > command.at:
        message = "publishedAt lies in the future; a post can be published now or with a past date."
        raise Rejected(ErrorCode.PUBLISHED_AT_IN_FUTURE, message, field=("publishedAt",))
    correction = text.optional_text(command.correction, field="correction", limit=text.MAX_NOTE)
    kept = post.published_at if post.published_at is not None else command.at
    published_at = kept if command.published_at is None else command.published_at
    live = post.status is PostStatus.PUBLISHED and not post.has_unpublished_changes
    if live and published_at == post.published_at and correction is None:
        return ()
    published = PostPublished(
        post_id=post.id, revision=post.revision, published_at=published_at, correction=correction
    )
    return (published,)


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
        case "post.edited":
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
