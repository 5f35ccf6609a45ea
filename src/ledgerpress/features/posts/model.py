"""Posts: what an editor works on. A reader sees the article: the post as last published.

Only creating, editing, restoring and reverting raise the content revision; publishing makes the current revision the
live one. Here is what comes of each command; `post_events`, `post_state` and `post_commands` have the rest, which can
be had from here as well.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.posts.commands_model import (
    ArchivePost,
    CategorizePost,
    CreatePost,
    EditPost,
    PostCommand,
    PublishPost,
    RestorePost,
    RevertPost,
    UnarchivePost,
    UncategorizePost,
    UnpublishPost,
)
from ledgerpress.features.posts.events import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
    PostEvent,
    PostPublished,
    PostRestored,
    PostReverted,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.features.posts.revert import reverted_values
from ledgerpress.features.posts.state import (
    CONTENT_FIELDS,
    DRAFT,
    Content,
    Lifecycle,
    Post,
    PostStatus,
    advance,
    edited,
    evolve,
    known_event,
)

__all__ = [
    "CONTENT_FIELDS", "DRAFT", "ArchivePost", "CategorizePost", "Content", "ContentChanged", "CreatePost",
    "EditPost", "Lifecycle", "Post", "PostArchived", "PostCategorized", "PostCommand", "PostCreated", "PostEdited",
    "PostEvent", "PostPublished", "PostRestored", "PostReverted", "PostStatus", "PostUnarchived",
    "PostUncategorized", "PostUnpublished", "PublishPost", "RestorePost", "RevertPost", "UnarchivePost",
    "UncategorizePost", "UnpublishPost", "advance", "create", "decide", "edited", "evolve", "known_event",
]  # fmt: skip


def create(command: CreatePost) -> tuple[PostEvent, ...]:
    """Return the events of a new post. Raises `Rejection`."""
    created = PostCreated(
        post_id=command.post_id,
        slug=command.slug,
        title=text_rules.line(command.title, field="title", limit=text_rules.MAX_TITLE),
        teaser=text_rules.optional_text(command.teaser, field="teaser", limit=text_rules.MAX_TEASER),
        body=text_rules.body(command.body),
        author_ids=tuple(dict.fromkeys(command.author_ids)),
    )
    categorized = tuple(
        PostCategorized(post_id=command.post_id, category_id=category_id)
        for category_id in dict.fromkeys(command.category_ids)
    )
    if not command.publish:
        if command.published_at is not None:
            message = "publishedAt is for a post that is published: say publish: true, or leave it out."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("publishedAt",))
        return created, *categorized
    publish = PublishPost(published_at=command.published_at, correction=None, at=command.at)
    return created, *categorized, *_publish(publish, evolve(None, created))


def decide(command: PostCommand, post: Post) -> tuple[PostEvent, ...]:
    """Return what happens on `command`; nothing where it is so already. Raises `Rejection`."""
    if post.lifecycle.status is PostStatus.ARCHIVED and not isinstance(command, ArchivePost | UnarchivePost):
        message = "The post is archived: bring it back before changing it."
        raise Rejection(ErrorCode.POST_ARCHIVED, message, field=("id",))
    match command:
        case EditPost() | RestorePost() | RevertPost():
            return _change(_changed(command, post), post, publish=command.publish, at=command.at)
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
            if post.lifecycle.status is PostStatus.DRAFT:
                message = "The post has never been published."
                raise Rejection(ErrorCode.POST_NOT_PUBLISHED, message, field=("id",))
            return (
                (PostUnpublished(post_id=post.id),) if post.lifecycle.status is PostStatus.PUBLISHED else ()
            )
        case ArchivePost():
            return () if post.lifecycle.status is PostStatus.ARCHIVED else (PostArchived(post_id=post.id),)
        case UnarchivePost():
            return (PostUnarchived(post_id=post.id),) if post.lifecycle.status is PostStatus.ARCHIVED else ()
        case _ as unreachable:
            assert_never(unreachable)


def _changed(
    command: EditPost | RestorePost | RevertPost, post: Post
) -> PostEdited | PostRestored | PostReverted:
    """Return the change of the content, which may change nothing. Raises `Rejection`."""
    match command:
        case EditPost():
            return PostEdited(post_id=post.id, **_differing(_edits(command), post.content))
        case RestorePost(to_version=version, content=content):
            values = {name: getattr(content, name) for name in CONTENT_FIELDS}
            return PostRestored(post_id=post.id, to_version=version, **_differing(values, post.content))
        case RevertPost(version=version, change=change, before=before):
            values = reverted_values(version, change, before, post.content)
            return PostReverted(post_id=post.id, reverted_version=version, **values)
        case _ as unreachable:
            assert_never(unreachable)


def _edits(command: EditPost) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if command.slug is not UNSET:
        values["slug"] = command.slug
    if command.title is not UNSET:
        values["title"] = text_rules.line(command.title, field="title", limit=text_rules.MAX_TITLE)
    if command.teaser is not UNSET:
        values["teaser"] = text_rules.optional_text(
            command.teaser, field="teaser", limit=text_rules.MAX_TEASER
        )
    if command.body is not UNSET:
        values["body"] = text_rules.body(command.body)
    if command.author_ids is not UNSET:
        values["author_ids"] = tuple(dict.fromkeys(command.author_ids))
    return values


def _differing(values: Mapping[str, Any], content: Content) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != getattr(content, name)}


def _change(
    change: PostEdited | PostRestored | PostReverted, post: Post, *, publish: bool, at: int
) -> tuple[PostEvent, ...]:
    """Return the change where it changes anything, and the publication of the outcome where that is wanted."""
    events: tuple[PostEvent, ...] = ()
    after: Post | None = post
    if any(getattr(change, name) is not UNSET for name in CONTENT_FIELDS):
        events, after = (change,), evolve(post, change)
    if publish:
        events += _publish(PublishPost(published_at=None, correction=None, at=at), after)
    return events


def _publish(command: PublishPost, post: Post | None) -> tuple[PostEvent, ...]:
    if post is None:
        return ()
    if command.published_at is not None and command.published_at > command.at:
        message = "publishedAt lies in the future; a post can be published now or with a past date."
        raise Rejection(ErrorCode.PUBLISHED_AT_IN_FUTURE, message, field=("publishedAt",))
    correction = text_rules.optional_text(command.correction, field="correction", limit=text_rules.MAX_NOTE)
    kept = post.lifecycle.published_at if post.lifecycle.published_at is not None else command.at
    published_at = kept if command.published_at is None else command.published_at
    live = post.lifecycle.status is PostStatus.PUBLISHED and not post.lifecycle.has_unpublished_changes
    if live and published_at == post.lifecycle.published_at and correction is None:
        return ()
    published = PostPublished(
        post_id=post.id, revision=post.lifecycle.revision, published_at=published_at, correction=correction
    )
    return (published,)
