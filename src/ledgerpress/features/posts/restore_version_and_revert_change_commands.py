"""The commands that use a post's past: restore the content of a version, or revert the change of one version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.content_field_declarations_and_revert import (
    ContentField,
    ContentHistory,
    Values,
    differing,
    reverted,
    values_of,
)
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import LoadedStream, PlannedWrite
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.categories.model import TAXONOMY
from ledgerpress.features.posts import create_edit_categorize_commands as post_commands
from ledgerpress.features.posts import model
from ledgerpress.features.posts.model import CONTENT, POSTS, Post
from ledgerpress.features.slugs.model import SLUG_TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFacts(post_commands.ContentFacts):
    """The values of the post's content at the version to restore, and the writes that give it its slug."""

    values: Values
    slug_writes: Sequence[PlannedWrite]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePost(post_commands.PostCommand[RestoreFacts]):
    """Restore the content that the post had at a version. Status, categories and later history stay.

    A slug that belongs to another post by now stays there; the post keeps its own.
    """

    fingerprint_name: ClassVar[str] = "RestorePost"

    publish: bool = False
    to_version: int

    def change(self, post: Post, facts: RestoreFacts) -> tuple[Event, ...]:
        """Return the restoration, if it changes anything, and the publication of the result. Raises `Rejection`."""
        values = differing(facts.values, values_of(CONTENT, post.content))
        return post_commands.changed(
            model.PostRestored, post, values, facts, publish=self.publish, to_version=self.to_version
        )

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> RestoreFacts:
        """Return the content at the version. Raises `Rejection` if there is none, or if some of it was withdrawn."""
        _check_version(self.to_version, post.version, field="toVersion")
        events = await context.events(post.name)
        past = events[: self.to_version]
        values = _known(CONTENT, _history(post.state.id, past), self.to_version, field="toVersion")
        try:
            slug_writes = await post_commands.slug_change(context, post.state, values["slug"])
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
            values["slug"], slug_writes = post.state.content.slug, ()
        added: list[Event] = []
        for content in context.content:
            if content.of is POSTS:
                then = _known(content.fields, content.history(past), self.to_version, field="toVersion")
                added += content.change(post.state.id, differing(then, content.history(events).values))
        return RestoreFacts(now=context.now, values=values, slug_writes=slug_writes, added=tuple(added))

    async def change_slug(
        self, context: CommandContext, post: Post, slug: str, facts: RestoreFacts
    ) -> Sequence[PlannedWrite]:
        """Return the writes that were decided with the slug: another post cannot take it in between unnoticed."""
        return facts.slug_writes


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertFacts(post_commands.ContentFacts):
    """The change to revert, the content before it, and the category that it names.

    `category_ids` are all ids of that category, the one to use first.
    """

    change: Event
    before: Values
    category_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertPost(post_commands.PostCommand[RevertFacts]):
    """Revert what one version changed of the content or the categories, and keep all later changes."""

    fingerprint_name: ClassVar[str] = "RevertPost"

    publish: bool = False
    version: int

    def change(self, post: Post, facts: RevertFacts) -> tuple[Event, ...]:
        """Return the events that undo the change. Raises `Rejection` where it no longer applies."""
        match facts.change:
            case model.PostCategorized():
                return post_commands.uncategorize(post, frozenset(facts.category_ids))
            case model.PostUncategorized():
                return post_commands.categorize(post, facts.category_ids[0], frozenset(facts.category_ids))
            case model.ContentChanged():
                change = values_of(CONTENT, facts.change)
                current = values_of(CONTENT, post.content)
                values, conflicts = reverted(CONTENT, change, facts.before, current)
                if conflicts:
                    raise _conflict(self.version, conflicts)
            case _:
                values = {}
        return post_commands.changed(
            model.PostReverted, post, values, facts, publish=self.publish, reverted_version=self.version
        )

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> RevertFacts:
        """Return the change and what it is reverted to. Raises `Rejection` for a version without such a change."""
        _check_version(self.version, post.version, field="version")
        events = await context.events(post.name)
        change, past = events[self.version - 1], events[: self.version - 1]
        before: Values = {}
        category_ids: tuple[str, ...] = ()
        added: tuple[Event, ...] = ()
        match change:
            case model.ContentChanged():
                fields = [field for field in CONTENT if getattr(change, field.name) is not UNSET]
                before = _known(fields, _history(post.state.id, past), self.version, field="version")
            case model.PostCategorized(category_id=category_id):
                category_ids = (category_id,)
            case model.PostUncategorized(category_id=category_id):
                taxonomy = (await context.load(TAXONOMY)).state
                category = taxonomy.resolve(category_id)
                if category is None:
                    raise _conflict(self.version, {"categories": "categories (the category is gone)"})
                category_ids = (category.id, *taxonomy.equivalents(category.id))
            case Withdrawn():
                raise _withdrawn(self.version, field="version")
            case _:
                added = self._added(context, post.state, events)
        return RevertFacts(
            now=context.now, change=change, before=before, category_ids=category_ids, added=added
        )

    def _added(self, context: CommandContext, post: Post, events: Sequence[Event]) -> tuple[Event, ...]:
        """Return the event that undoes a change of added content. Raises `Rejection` for any other event."""
        change, past = events[self.version - 1], events[: self.version - 1]
        for content in context.content:
            if content.of is POSTS and isinstance(change, content.event.type):
                brought = values_of(content.fields, change)
                fields = [field for field in content.fields if field.name in brought]
                before = _known(fields, content.history(past), self.version, field="version")
                values, conflicts = reverted(fields, brought, before, content.history(events).values)
                if conflicts:
                    raise _conflict(self.version, conflicts)
                return content.change(post.id, values)
        message = (
            f"Version {self.version} changed neither the content nor the categories: what it did is undone by "
            "a command of its own."
        )
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("version",))

    async def change_slug(
        self, context: CommandContext, post: Post, slug: str, facts: RevertFacts
    ) -> Sequence[PlannedWrite]:
        """Return the writes that give the post its old slug again. Raises `Rejection` if it is taken."""
        try:
            return await post_commands.slug_change(context, post, slug)
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
            place = {"slug": f"slug (“{slug}” is another post's)"}
            raise _conflict(self.version, place) from rejection


def _history(post_id: str, events: Sequence[Event]) -> ContentHistory:
    """Return the post's own content after `events`; before its creation nothing is known."""
    history = ContentHistory(CONTENT, {**model.EMPTY, "slug": post_id})
    history.unknown = {field.name for field in CONTENT}
    return history.after(events, (model.PostCreated, model.ContentChanged), model.CONTENT_EVENTS)


def _known(fields: Sequence[ContentField], history: ContentHistory, version: int, *, field: str) -> Values:
    """Return all values of a content. Raises `Rejection` if one of `fields` was withdrawn."""
    if history.unknown & {one.name for one in fields}:
        raise _withdrawn(version, field=field)
    return history.values


def _check_version(version: int, current: int, *, field: str) -> None:
    if not 1 <= version <= current:
        message = f"The post has the versions 1 to {current}, and no {version}."
        raise Rejection(ErrorCode.NOT_FOUND, message, field=(field,))


def _withdrawn(version: int, *, field: str) -> Rejection:
    message = f"Some of what is needed for version {version} was withdrawn by law, and is gone."
    return Rejection(ErrorCode.NOT_FOUND, message, field=(field,))


def _conflict(version: int, conflicts: dict[str, str]) -> Rejection:
    """Return the rejection of a revert. `conflicts` maps fields to how the message names the place."""
    return Rejection(
        model.REVERT_CONFLICT,
        f"Version {version} cannot be taken back: changed since at the same place: {', '.join(conflicts.values())}.",
        field=("version",),
        conflicts=tuple(conflicts),
    )


COMMANDS: Final = commands(
    post_commands.WRITE_ANY_OR_OWN_POST, RestorePost, RevertPost, check_own=post_commands.check_own_post
)
