"""The commands that change the status of a post: publish, unpublish, archive, unarchive."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.streams_and_append_plan import LoadedStream
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts import model
from ledgerpress.features.posts.create_edit_categorize_commands import (
    WRITE_ANY_OR_OWN_POST,
    PostCommand,
    check_own_post,
    publication,
)
from ledgerpress.features.posts.model import Post


class TimedCommand(PostCommand[Facts]):
    """A command on a post whose only fact is the time."""

    __slots__ = ()

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> Facts:
        return Facts(now=context.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost(TimedCommand):
    """Publish the current revision of the post, optionally with a past date or a public correction note."""

    fingerprint_name: ClassVar[str] = "PublishPost"

    published_at: int | None = None
    correction: str | None = None

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the publication, or nothing if readers would see no change. Raises `Rejection`."""
        return publication(post, facts.now, published_at=self.published_at, correction=self.correction)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPost(TimedCommand):
    """Remove the article from public view."""

    fingerprint_name: ClassVar[str] = "UnpublishPost"

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the event, or nothing if the post is already unpublished. Raises `Rejection` for a draft."""
        if post.lifecycle.status is model.PostStatus.DRAFT:
            message = "The post has never been published."
            raise Rejection(model.POST_NOT_PUBLISHED, message, field=("id",))
        is_live = post.lifecycle.status is model.PostStatus.PUBLISHED
        return (model.PostUnpublished(post_id=post.id),) if is_live else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePost(TimedCommand):
    fingerprint_name: ClassVar[str] = "ArchivePost"
    allows_archived = True

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        is_archived = post.lifecycle.status is model.PostStatus.ARCHIVED
        return () if is_archived else (model.PostArchived(post_id=post.id),)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost(TimedCommand):
    """Bring the post back from the archive."""

    fingerprint_name: ClassVar[str] = "UnarchivePost"
    allows_archived = True

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        is_archived = post.lifecycle.status is model.PostStatus.ARCHIVED
        return (model.PostUnarchived(post_id=post.id),) if is_archived else ()


COMMANDS: Final = commands(
    WRITE_ANY_OR_OWN_POST, PublishPost, UnpublishPost, ArchivePost, UnarchivePost, check_own=check_own_post
)
