"""The commands that use the history of a post: restore the content of a version, revert the change of a version."""

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
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.features.categories.model import TAXONOMY
from ledgerpress.features.posts import create_edit_categorize_commands as post_commands
from ledgerpress.features.posts import model
from ledgerpress.features.posts.model import CONTENT, POSTS, Post
from ledgerpress.features.slugs.model import SLUG_TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFacts(post_commands.ContentFacts):
    """The content of the post at the version to restore, and the writes that change the slug."""

    values: Values
    slug_writes: Sequence[PlannedWrite]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePost(post_commands.PostCommand[RestoreFacts]):
    """Restore the content that the post had at a version. Status, categories and history stay.

    If the old slug now belongs to another post, the post keeps its current slug.
    """

    fingerprint_name: ClassVar[str] = "RestorePost"

    publish: bool = False
    to_version: int

    def change(self, post: Post, facts: RestoreFacts) -> tuple[Event, ...]:
        """Return the restoration if it changes anything, and with `publish` the publication. Raises `Rejection`."""
        values = differing(facts.values, values_of(CONTENT, post.content))
        return post_commands.changed(
            model.PostRestored, post, values, facts, publish=self.publish, to_version=self.to_version
        )

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> RestoreFacts:
        """Return the content at the version. Raises `Rejection` for an unknown version, or if content was withdrawn."""
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
                past_values = _known(
                    content.fields, content.history(past), self.to_version, field="toVersion"
                )
                added += content.change(post.state.id, differing(past_values, content.history(events).values))
        return RestoreFacts(now=context.now, values=values, slug_writes=slug_writes, added=tuple(added))

    async def change_slug(
        self, context: CommandContext, post: Post, slug: str, facts: RestoreFacts
    ) -> Sequence[PlannedWrite]:
        """Return the writes that `facts` planned, so that a concurrent claim of the slug is detected."""
        return facts.slug_writes


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertFacts(post_commands.ContentFacts):
    """The change to revert, the content before it, and the category that the change names.

    `category_ids` contains all ids of this category, first the id to use.
    """

    change: Event
    before: Values
    category_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertPost(post_commands.PostCommand[RevertFacts]):
    """Revert the change of content or categories that one version made, and keep all later changes."""

    fingerprint_name: ClassVar[str] = "RevertPost"

    publish: bool = False
    version: int

    def change(self, post: Post, facts: RevertFacts) -> tuple[Event, ...]:
        """Return the events that undo the change. Raises `Rejection` if later changes conflict with it."""
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
        """Return the change and the values before it. Raises `Rejection` for a version that cannot be reverted."""
        _check_version(self.version, post.version, field="version")
        events = await context.events(post.name)
        change, past = events[self.version - 1], events[: self.version - 1]
        if isinstance(change, Withdrawn) and not change.erased:
            change = remaining_event(change)
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
                    raise _conflict(
                        self.version, {"categories": "categories (the category no longer exists)"}
                    )
                category_ids = (category.id, *taxonomy.equivalents(category.id))
            case Withdrawn():
                raise _withdrawn(self.version, field="version")
            case _:
                added = self._added(context, post.state, events)
        return RevertFacts(
            now=context.now, change=change, before=before, category_ids=category_ids, added=added
        )

    def _added(self, context: CommandContext, post: Post, events: Sequence[Event]) -> tuple[Event, ...]:
        """Return the event that undoes a change of content of a feature above. Raises `Rejection` for other events."""
        change, past = events[self.version - 1], events[: self.version - 1]
        for content in context.content:
            if content.of is POSTS and isinstance(change, content.event.type):
                values_after = values_of(content.fields, change)
                fields = [field for field in content.fields if field.name in values_after]
                before = _known(fields, content.history(past), self.version, field="version")
                values, conflicts = reverted(fields, values_after, before, content.history(events).values)
                if conflicts:
                    raise _conflict(self.version, conflicts)
                return content.change(post.id, values)
        message = (
            f"Version {self.version} changed neither the content nor the categories, so it cannot be reverted. "
            "Use the command that does the opposite."
        )
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("version",))

    async def change_slug(
        self, context: CommandContext, post: Post, slug: str, facts: RevertFacts
    ) -> Sequence[PlannedWrite]:
        """Return the writes that give the post its old slug again. Raises `Rejection` if the slug is taken."""
        try:
            return await post_commands.slug_change(context, post, slug)
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
            place = {"slug": f"slug (“{slug}” belongs to another post)"}
            raise _conflict(self.version, place) from rejection


def _history(post_id: str, events: Sequence[Event]) -> ContentHistory:
    """Return the post's own content after `events`. Before the creation, all values are unknown."""
    history = ContentHistory(CONTENT, {**model.EMPTY, "slug": post_id})
    history.unknown = {field.name for field in CONTENT}
    return history.after(events, (model.PostCreated, model.ContentChanged), model.CONTENT_EVENTS)


def _known(fields: Sequence[ContentField], history: ContentHistory, version: int, *, field: str) -> Values:
    """Return all values of `history`. Raises `Rejection` if the value of one of `fields` was withdrawn."""
    if history.unknown & {content_field.name for content_field in fields}:
        raise _withdrawn(version, field=field)
    return history.values


def _check_version(version: int, current: int, *, field: str) -> None:
    if not 1 <= version <= current:
        message = f"No version {version}; versions run from 1 to {current}."
        raise Rejection(ErrorCode.NOT_FOUND, message, field=(field,))


def _withdrawn(version: int, *, field: str) -> Rejection:
    message = f"Content that is needed for version {version} was withdrawn and cannot be recovered."
    return Rejection(ErrorCode.NOT_FOUND, message, field=(field,))


def _conflict(version: int, conflicts: dict[str, str]) -> Rejection:
    """Return the rejection of a revert. `conflicts` maps each field to its place as shown in the message."""
    return Rejection(
        model.REVERT_CONFLICT,
        f"Version {version} cannot be reverted, because later changes conflict: {', '.join(conflicts.values())}.",
        field=("version",),
        conflicts=tuple(conflicts),
    )


COMMANDS: Final = commands(
    post_commands.WRITE_ANY_OR_OWN_POST, RestorePost, RevertPost, check_own=post_commands.check_own_post
)
