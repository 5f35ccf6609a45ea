"""What can be done with a post's past: give it back what it was, or take one change back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from msgspec import UNSET

from ledgerpress.commands.command_context import AppendPlan, CommandContext, PlannedWrite
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.state_loader import post_stream
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.events import CONTENT_EVENTS
from ledgerpress.features.posts.model import CONTENT_FIELDS, Content, ContentChanged, Post, PostCreated
from ledgerpress.features.posts.revert import revert_conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class _PastUseCase:
    """Something done to one post that needs its past. With `publish`, the outcome is published in the same step."""

    post_id: str
    publish: bool = False

    @property
    def queue(self) -> str | None:
        """The post's stream."""
        return post_stream(self.post_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePost(_PastUseCase):
    """Give the post the content that it had at a version. Status and categories stay, and so does all that came since.

    A slug that has gone to another post stays there; the post keeps the one that it has.
    """

    fingerprint_name: ClassVar[str] = "RestorePost"

    to_version: int

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        version, post = await desk.post(self.post_id)
        _check_version(self.to_version, version, field="toVersion")
        events = await desk.streams.post_events(post.id)
        content = _content(events[: self.to_version], CONTENT_FIELDS, self.to_version, field="toVersion")
        try:
            slug_writes = await desk.change_slug(post, content.slug)
        except Rejection as refusal:
            if refusal.code is not ErrorCode.SLUG_TAKEN:
                raise
            content, slug_writes = replace(content, slug=post.content.slug), ()
        command = posts.RestorePost(
            to_version=self.to_version, content=content, publish=self.publish, at=desk.now
        )
        write = PlannedWrite(post_stream(post.id), version, posts.decide(command, post))
        return AppendPlan.of(post.id, write, *slug_writes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertPost(_PastUseCase):
    """Take back what one version changed of the content or the categories, and keep all that came since."""

    fingerprint_name: ClassVar[str] = "RevertPost"

    version: int

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        current, post = await desk.post(self.post_id)
        _check_version(self.version, current, field="version")
        events = await desk.streams.post_events(post.id)
        change = events[self.version - 1]
        command = await self._command(desk, change, events[: self.version - 1])
        decided = posts.decide(command, post)
        write = PlannedWrite(post_stream(post.id), current, decided)
        slug = next((event.slug for event in decided if isinstance(event, ContentChanged)), UNSET)
        if slug is UNSET:
            return AppendPlan.of(post.id, write)
        try:
            return AppendPlan.of(post.id, write, *await desk.change_slug(post, slug))
        except Rejection as refusal:
            if refusal.code is not ErrorCode.SLUG_TAKEN:
                raise
            raise revert_conflict(self.version, {"slug": f"slug (“{slug}” is another post's)"}) from refusal

    async def _command(
        self, desk: CommandContext, change: Event, earlier: Sequence[Event]
    ) -> posts.PostCommand:
        """Return the command that undoes `change`, which `earlier` events had led to. Raises `Rejection`."""
        match change:
            case ContentChanged():
                fields = [name for name in CONTENT_FIELDS if getattr(change, name) is not UNSET]
                before = _content(earlier, fields, self.version, field="version")
                return posts.RevertPost(
                    version=self.version, change=change, before=before, publish=self.publish, at=desk.now
                )
            case posts.PostCategorized(category_id=category_id):
                return posts.UncategorizePost(equivalents=frozenset({category_id}))
            case posts.PostUncategorized(category_id=category_id):
                _, taxonomy = await desk.streams.taxonomy()
                category = taxonomy.resolve(category_id)
                if category is None:
                    raise revert_conflict(self.version, {"categories": "categories (the category is gone)"})
                return posts.CategorizePost(
                    category_id=category.id, equivalents=taxonomy.equivalents(category.id)
                )
            case Withdrawn():
                raise _withdrawn(self.version, field="version")
            case _:
                message = (
                    f"Version {self.version} changed neither the content nor the categories: what it did is undone by "
                    "a command of its own."
                )
                raise Rejection(ErrorCode.INVALID_VALUE, message, field=("version",))


def _content(events: Sequence[Event], fields: Sequence[str], version: int, *, field: str) -> Content:
    """Return the content after `events`. Raises `Rejection` where one of `fields` was withdrawn by law."""
    post: Post | None = None
    unknown: set[str] = set()
    for event in events:
        post = posts.evolve(post, _post_event(event))
        match event:
            case Withdrawn(type=type_) if type_ in CONTENT_EVENTS:
                unknown = set(CONTENT_FIELDS)
            case PostCreated():
                unknown = set()
            case ContentChanged():
                unknown -= {name for name in CONTENT_FIELDS if getattr(event, name) is not UNSET}
            case _:
                pass
    if post is None or unknown & set(fields):
        raise _withdrawn(version, field=field)
    return post.content


def _post_event(event: Any) -> posts.PostEvent:
    found: posts.PostEvent = event
    return found


def _check_version(version: int, current: int, *, field: str) -> None:
    if not 1 <= version <= current:
        message = f"The post has the versions 1 to {current}, and no {version}."
        raise Rejection(ErrorCode.NOT_FOUND, message, field=(field,))


def _withdrawn(version: int, *, field: str) -> Rejection:
    message = f"Some of what is needed for version {version} was withdrawn by law, and is gone."
    return Rejection(ErrorCode.NOT_FOUND, message, field=(field,))
