"""The commands that change the status of a post: publish, unpublish, archive, unarchive."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.streams_and_append_plan import LoadedStream, PlannedWrite
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts import model
from ledgerpress.features.posts.create_edit_categorize_commands import (
    WRITE_ANY_OR_OWN_POST,
    PostCommand,
    check_own_post,
    publication,
)
from ledgerpress.features.posts.model import Post
from ledgerpress.features.posts.slug_changes import NewSlug, claimed_again, release_current_slug


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
        """Return the event, or nothing if the post is archived. The slug of a draft is free afterwards."""
        if post.lifecycle.status is model.PostStatus.ARCHIVED:
            return ()
        return (model.PostArchived(post_id=post.id, slug_released=not post.was_published),)

    async def slug_writes(
        self, context: CommandContext, post: Post, events: Sequence[Event], facts: Facts
    ) -> Sequence[PlannedWrite]:
        return () if post.was_published or not events else (await release_current_slug(context, post),)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveFacts(Facts):
    """The slug for a draft whose slug was free while it was archived; `None` if the post has its slug."""

    new_slug: NewSlug | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost(PostCommand[UnarchiveFacts]):
    """Bring the post back from the archive.

    A draft gets its slug again. If another post has it by now, it gets a slug with a number.
    """

    fingerprint_name: ClassVar[str] = "UnarchivePost"
    allows_archived = True

    def change(self, post: Post, facts: UnarchiveFacts) -> tuple[Event, ...]:
        """Return the event, and an edit if the post gets another slug; nothing if the post is not archived."""
        if post.lifecycle.status is not model.PostStatus.ARCHIVED:
            return ()
        unarchived = model.PostUnarchived(post_id=post.id)
        if facts.new_slug is None or facts.new_slug.slug == post.content.slug:
            return (unarchived,)
        edited = model.PostEdited(post_id=post.id, slug=facts.new_slug.slug, slug_derived=post.slug_derived)
        return (unarchived, edited)

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> UnarchiveFacts:
        state = post.state
        if state.has_slug:
            return UnarchiveFacts(now=context.now)
        text = state.content.title if state.slug_derived else state.content.slug
        return UnarchiveFacts(now=context.now, new_slug=await claimed_again(context, state, text))

    async def slug_writes(
        self, context: CommandContext, post: Post, events: Sequence[Event], facts: UnarchiveFacts
    ) -> Sequence[PlannedWrite]:
        return facts.new_slug.writes if events and facts.new_slug else ()


COMMANDS: Final = commands(
    WRITE_ANY_OR_OWN_POST, PublishPost, UnpublishPost, ArchivePost, UnarchivePost, check_own=check_own_post
)
