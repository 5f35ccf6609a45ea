"""What the commands on one post have in common: loading, checking, changing the content, publishing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from msgspec import UNSET

from ledgerpress.commands import text_rules
from ledgerpress.commands.append_plan import AppendPlan, PlannedWrite
from ledgerpress.commands.command_context import CommandContext, Facts
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import Permission, RequiredPermission
from ledgerpress.commands.stream_states import LoadedStream, StateLoader
from ledgerpress.eventlog.event import Event
from ledgerpress.features.posts.model import (
    POST_ARCHIVED,
    POSTS,
    PUBLISHED_AT_IN_FUTURE,
    ContentChanged,
    Post,
    PostPublished,
    PostStatus,
    evolve,
)
from ledgerpress.features.slugs.claims import claim_slug, release_slug
from ledgerpress.features.slugs.model import SlugKind

WRITE_POSTS: Final = RequiredPermission(Permission.WRITE_POSTS, own=Permission.WRITE_OWN_POSTS)

F = TypeVar("F", bound=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCommand(ABC, Generic[F]):
    """A command on one post."""

    allows_archived: ClassVar[bool] = False

    post_id: str

    @property
    def lock_key(self) -> str | None:
        """The post's stream."""
        return POSTS.stream(self.post_id)

    def decide(self, post: Post, facts: F) -> tuple[Event, ...]:
        """Return the events, none if there is nothing to do. Raises `Rejection`."""
        if post.lifecycle.status is PostStatus.ARCHIVED and not self.allows_archived:
            message = "The post is archived: bring it back before changing it."
            raise Rejection(POST_ARCHIVED, message, field=("id",))
        return self.change(post, facts)

    @abstractmethod
    def change(self, post: Post, facts: F) -> tuple[Event, ...]:
        """Return the events for a post on which the command is allowed. Raises `Rejection`."""

    @abstractmethod
    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> F:
        """Load the facts that `decide` needs. Raises `Rejection`."""

    async def plan(self, context: CommandContext) -> AppendPlan:
        post = await load_post(context, self.post_id)
        facts = await self.facts(context, post)
        events = self.decide(post.state, facts)
        slug = next((event.slug for event in events if isinstance(event, ContentChanged)), UNSET)
        slug_writes = () if slug is UNSET else await self.change_slug(context, post.state, slug, facts)
        return AppendPlan.of(post.state.id, post.write(events), *slug_writes)

    async def change_slug(
        self, context: CommandContext, post: Post, slug: str, facts: F
    ) -> Sequence[PlannedWrite]:
        """Return the writes that give the post another slug. Raises `Rejection` if it is taken."""
        return await slug_change(context, post, slug)


class TimedCommand(PostCommand[Facts]):
    """A command on one post that needs no fact but the time."""

    __slots__ = ()

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> Facts:
        """Return the time."""
        return Facts(now=context.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts(Facts):
    """The events by which content of features above changes along with the post's own."""

    added: tuple[Event, ...] = ()


def changed(
    event: Callable[..., ContentChanged],
    post: Post,
    values: Mapping[str, Any],
    facts: ContentFacts,
    *,
    publish: bool,
    **cause: int,
) -> tuple[Event, ...]:
    """Return the change of the content, if there is any, and with `publish` the publication of the result.

    `event` is recorded without values if only content of features above changes: it raises the revision.
    """
    events: tuple[Event, ...] = ()
    after: Post | None = post
    if values or facts.added:
        change = event(post_id=post.id, **cause, **values)
        events, after = (change, *facts.added), evolve(post, change)
    return events + publication(after, facts.now) if publish else events


def publication(
    post: Post | None, now: int, *, published_at: int | None = None, correction: str | None = None
) -> tuple[PostPublished, ...]:
    """Return the publication of a post, if it changes what readers see. Without a date, the first one stays."""
    if post is None:
        return ()
    if published_at is not None and published_at > now:
        message = "publishedAt lies in the future; a post can be published now or with a past date."
        raise Rejection(PUBLISHED_AT_IN_FUTURE, message, field=("publishedAt",))
    correction = text_rules.optional_text(correction, field="correction", limit=text_rules.MAX_NOTE)
    lifecycle = post.lifecycle
    first = now if lifecycle.published_at is None else lifecycle.published_at
    date = first if published_at is None else published_at
    is_live = lifecycle.status is PostStatus.PUBLISHED and not lifecycle.has_unpublished_changes
    if is_live and date == lifecycle.published_at and correction is None:
        return ()
    published = PostPublished(
        post_id=post.id, revision=lifecycle.revision, published_at=date, correction=correction
    )
    return (published,)


async def load_post(context: CommandContext, post_id: str) -> LoadedStream[Post]:
    """Return a post. Raises `Rejection` if there is none, or if the client expects another version."""
    post = await context.load(POSTS, post_id)
    if post.state is None:
        raise _not_found()
    context.check_version(post.version)
    return LoadedStream(post.name, post.version, post.state, post.created_by)


async def slug_change(context: CommandContext, post: Post, slug: str) -> Sequence[PlannedWrite]:
    """Return the writes that give a post another slug. Raises `Rejection` if it is taken.

    The old slug is released unless it was ever published.
    """
    old = post.content.slug
    if slug == old:
        return ()
    claim = await claim_slug(context, SlugKind.POST, slug, owner_id=post.id)
    if old in post.published_slugs:
        return (claim,)
    return claim, await release_slug(context, SlugKind.POST, old, owner_id=post.id)


async def check_own_post(command: Any, states: StateLoader, actor_id: str) -> None:
    """Raise `Rejection` if another actor created the post, as if it did not exist."""
    if (await states.load(POSTS, command.post_id)).created_by != actor_id:
        raise _not_found()


def _not_found() -> Rejection:
    return Rejection(ErrorCode.NOT_FOUND, "There is no such post.", field=("id",))
