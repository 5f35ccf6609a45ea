"""The commands that use the history of a post: restore the content of a version, revert the change of a version."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
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
from ledgerpress.commands.streams_and_append_plan import LoadedStream
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.features.categories.model import TAXONOMY
from ledgerpress.features.posts import create_edit_categorize_commands as post_commands
from ledgerpress.features.posts import model
from ledgerpress.features.posts.model import CONTENT, POSTS, Post
from ledgerpress.features.posts.slug_changes import NewSlug, derived_slug_change, slug_change
from ledgerpress.features.slugs.model import SLUG_TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFacts(post_commands.ContentFacts):
    """The content of the post at the version to restore, and whether its slug was derived."""

    values: Values
    slug_derived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePost(post_commands.ContentCommand[RestoreFacts]):
    """Restore the content that the post had at a version. Status, categories and history stay.

    If the old slug now belongs to another post, the post keeps its current slug; a draft with a derived slug gets one
    that is derived from the restored title.
    """

    fingerprint_name: ClassVar[str] = "RestorePost"

    publish: bool = False
    to_version: int

    def change(self, post: Post, facts: RestoreFacts) -> tuple[Event, ...]:
        """Return the restoration if it changes anything, and with `publish` the publication. Raises `Rejection`."""
        values = differing(facts.values, values_of(CONTENT, post.content))
        return post_commands.changed(
            model.PostRestored,
            post,
            values,
            facts,
            publish=self.publish,
            slug_derived=facts.slug_derived,
            to_version=self.to_version,
        )

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> RestoreFacts:
        """Return the content at the version. Raises `Rejection` for an unknown version, or if content was withdrawn."""
        _check_version(self.to_version, post.version, field="toVersion")
        events = await context.events(post.name)
        past = events[: self.to_version]
        values = _known(CONTENT, _history(post.state.id, past), self.to_version, field="toVersion")
        new_slug, slug_derived = await self._slug(context, post.state, values, past)
        added: list[Event] = []
        for content in context.content:
            if content.of is POSTS:
                past_values = _known(
                    content.fields, content.history(past), self.to_version, field="toVersion"
                )
                added += content.change(post.state.id, differing(past_values, content.history(events).values))
        return RestoreFacts(
            now=context.now, values=values, new_slug=new_slug, slug_derived=slug_derived, added=tuple(added)
        )

    async def _slug(
        self, context: CommandContext, post: Post, values: Values, past: Sequence[Event]
    ) -> tuple[NewSlug, bool]:
        """Return the slug after the restoration, and whether it is derived from the title."""
        was_derived = _state_after(past).slug_derived
        try:
            return await slug_change(context, post, values["slug"]), was_derived
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
        if post.was_published or not (was_derived or post.slug_derived):
            return NewSlug(post.content.slug), post.slug_derived
        return await derived_slug_change(context, post, values["title"]), True


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertFacts(post_commands.ContentFacts):
    """The change to revert, the values that it set and those before it, and the category that the change names.

    `set_values` omits a slug that only followed the title. `slug_derived` states whether the slug is derived after the
    revert. `category_ids` contains all ids of this category, first the id to use.
    """

    change: Event
    set_values: Values
    before: Values
    slug_derived: bool
    category_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertPost(post_commands.ContentCommand[RevertFacts]):
    """Revert the change of content or categories that one version made, and keep all later changes."""

    fingerprint_name: ClassVar[str] = "RevertPost"

    publish: bool = False
    version: int

    def change(self, post: Post, facts: RevertFacts) -> tuple[Event, ...]:
        """Return the events that undo the change.

        Raises `Rejection` if later changes conflict with it, or if it no longer has an effect.
        """
        events: tuple[Event, ...]
        match facts.change:
            case model.PostCategorized():
                events = post_commands.uncategorize(post, frozenset(facts.category_ids))
            case model.PostUncategorized():
                events = post_commands.categorize(post, facts.category_ids[0], frozenset(facts.category_ids))
            case _:
                events = self._content(post, facts)
        if not any(isinstance(event, _UNDOING) for event in events):
            message = f"Nothing to revert: the change of version {self.version} no longer has an effect."
            raise Rejection(model.NOTHING_TO_REVERT, message, field=("version",))
        return events

    def _content(self, post: Post, facts: RevertFacts) -> tuple[Event, ...]:
        current = values_of(CONTENT, post.content)
        values, conflicts = reverted(CONTENT, facts.set_values, facts.before, current)
        if conflicts:
            raise _conflict(self.version, conflicts)
        return post_commands.changed(
            model.PostReverted,
            post,
            values,
            facts,
            publish=self.publish,
            slug_derived=facts.slug_derived,
            reverted_version=self.version,
        )

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> RevertFacts:
        """Return the change and the values before it. Raises `Rejection` for a version that cannot be reverted."""
        _check_version(self.version, post.version, field="version")
        events = await context.events(post.name)
        change, past = events[self.version - 1], events[: self.version - 1]
        if isinstance(change, Withdrawn) and not change.erased:
            change = remaining_event(change)
        before, set_values = Values(), Values()
        category_ids: tuple[str, ...] = ()
        added: tuple[Event, ...] = ()
        new_slug, slug_derived = None, post.state.slug_derived
        match change:
            case model.ContentChanged():
                fields = [field for field in CONTENT if getattr(change, field.name) is not UNSET]
                before = _known(fields, _history(post.state.id, past), self.version, field="version")
                set_values, slug_derived = _slug_of_revert(post.state, _state_after(past), change)
                new_slug = await _new_slug(context, post.state, set_values, before, slug_derived=slug_derived)
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
            now=context.now,
            change=change,
            set_values=set_values,
            before=before,
            slug_derived=slug_derived,
            new_slug=new_slug,
            category_ids=category_ids,
            added=added,
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
        if self.version == 1:
            message = "Version 1 created the post, so it cannot be reverted. To remove the post from its lists, archive it."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("version",))
        message = (
            f"Version {self.version} changed neither the content nor the categories, so it cannot be reverted. "
            "Use the command that does the opposite."
        )
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("version",))

    async def slug_change(self, context: CommandContext, post: Post, slug: str) -> NewSlug:
        """Give the post its old slug again. Raises `Rejection` if the slug is taken."""
        try:
            return await slug_change(context, post, slug)
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
            place = {"slug": f"slug (“{slug}” belongs to another post)"}
            raise _conflict(self.version, place) from rejection


_UNDOING: Final = (model.PostReverted, model.PostCategorized, model.PostUncategorized)
"""The events that undo a change. `publish` adds another event."""


def _state_after(events: Sequence[Event]) -> Post:
    """Return the state of a post after its first events, of which there is at least one."""
    post = reduce(POSTS.evolve, events, POSTS.initial)
    if post is None:
        raise ValueError("a post has no state before its first event")
    return post


def _slug_of_revert(post: Post, before: Post, change: model.ContentChanged) -> tuple[Values, bool]:
    """Return the values that a change set, and whether the slug is derived after the change is reverted.

    A slug that only followed the title of a draft is not among the values: if it is still derived, it follows the title
    that the revert restores.
    """
    set_values = values_of(CONTENT, change)
    after = POSTS.evolve(before, change)
    followed = before.slug_derived and after is not None and after.slug_derived
    if followed and "title" in set_values and not post.was_published:
        set_values.pop("slug", None)
    is_as_set = after is not None and post.slug_derived is after.slug_derived
    return set_values, before.slug_derived if is_as_set else post.slug_derived


async def _new_slug(
    context: CommandContext, post: Post, set_values: Values, before: Values, *, slug_derived: bool
) -> NewSlug | None:
    """Return the slug that a draft with a derived slug gets with the title that a revert restores."""
    current = values_of(CONTENT, post.content)
    slug_and_title = [field for field in CONTENT if field.name in {"slug", "title"}]
    values, conflicts = reverted(slug_and_title, set_values, before, current)
    if conflicts or not (values or slug_derived is not post.slug_derived):
        return None
    after = current | values
    title, slug = after["title"], after["slug"]
    if post_commands.follows_title(post, slug, title, slug_derived=slug_derived):
        return await derived_slug_change(context, post, title)
    if not slug_derived or post.was_published:
        return None
    try:
        return await slug_change(context, post, slug)
    except Rejection as rejection:
        if rejection.code != SLUG_TAKEN:
            raise
        return await derived_slug_change(context, post, title)


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
