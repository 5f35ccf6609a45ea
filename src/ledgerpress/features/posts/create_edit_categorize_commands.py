"""The commands that create, edit and categorize posts, and the base class of all commands on a post."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, TypeVar

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.content_field_declarations_and_revert import checked, differing, values_of
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, LoadedStream, PlannedWrite, StateLoader
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.authors.model import AUTHORS
from ledgerpress.features.categories.model import TAXONOMY, CategoryRef
from ledgerpress.features.posts import model, permissions
from ledgerpress.features.posts.corrections.decisions import never_published
from ledgerpress.features.posts.model import CONTENT, POSTS, Post
from ledgerpress.features.posts.slug_changes import (
    NewSlug,
    claim_post_slug,
    derived_slug_change,
    slug_change,
)
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug
from ledgerpress.features.slugs.model import SlugKind

WRITE_ANY_OR_OWN_POST: Final = RequiredPermission(permissions.WRITE_POSTS, own=permissions.WRITE_OWN_POSTS)

F = TypeVar("F", bound=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCommand(ABC, Generic[F]):
    """A command on an existing post. It is rejected for an archived post unless `allows_archived`."""

    allows_archived: ClassVar[bool] = False

    post_id: str

    @property
    def lock_key(self) -> str | None:
        return POSTS.stream(self.post_id)

    def decide(self, post: Post, facts: F) -> tuple[Event, ...]:
        """Return the events; none if there is nothing to do. Raises `Rejection`."""
        if post.lifecycle.status is model.PostStatus.ARCHIVED and not self.allows_archived:
            message = "The post is archived. Unarchive it before you change it."
            raise Rejection(model.POST_ARCHIVED, message, field=("id",))
        return self.change(post, facts)

    @abstractmethod
    def change(self, post: Post, facts: F) -> tuple[Event, ...]:
        """Return the events for a post whose status allows the command. Raises `Rejection`."""

    @abstractmethod
    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> F:
        """Load the facts that `decide` needs. Raises `Rejection`."""

    async def plan(self, context: CommandContext) -> AppendPlan:
        post = await context.load_existing(POSTS, self.post_id, "post")
        facts = await self.facts(context, post)
        events = self.decide(post.state, facts)
        slug_writes = await self.slug_writes(context, post.state, events, facts)
        return AppendPlan.of(post.state.id, post.write(events), *slug_writes)

    async def slug_writes(
        self, context: CommandContext, post: Post, events: Sequence[Event], facts: F
    ) -> Sequence[PlannedWrite]:
        """Return the writes that claim and release slugs together with `events`. Raises `Rejection`."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFacts(Facts):
    """The time, and `added`: the events that change content of features above together with the post's own content.

    `new_slug` is the slug that the post gets without stating it, because it is derived or restored.
    """

    added: tuple[Event, ...] = ()
    new_slug: NewSlug | None = None


C = TypeVar("C", bound=ContentFacts)


class ContentCommand(PostCommand[C], Generic[C]):
    """A command that changes the content of a post."""

    __slots__ = ()

    async def slug_writes(
        self, context: CommandContext, post: Post, events: Sequence[Event], facts: C
    ) -> Sequence[PlannedWrite]:
        """Return the writes that change the slug of the post. Raises `Rejection` if it is malformed or taken."""
        slug = next((event.slug for event in events if isinstance(event, model.ContentChanged)), UNSET)
        if slug is UNSET:
            return ()
        return (facts.new_slug or await self.slug_change(context, post, slug)).writes

    async def slug_change(self, context: CommandContext, post: Post, slug: str) -> NewSlug:
        """Change the slug to one that the client states. Raises `Rejection` if it is malformed or taken."""
        return await slug_change(context, post, slugs.checked(slug))


def changed(
    event: Callable[..., model.ContentChanged],
    post: Post,
    values: Mapping[str, Any],
    facts: ContentFacts,
    *,
    publish: bool,
    slug_derived: bool,
    **cause: int,
) -> tuple[Event, ...]:
    """Return the events that change the content; with `publish`, also the publication of the result.

    If only content of features above changes, `event` is recorded without values, because it raises the revision.
    `slug_derived` states whether the slug is derived from the title after the change. It matters until the post is
    published, and is recorded with every change of the slug.
    """
    values = dict(values)
    if facts.new_slug is not None:
        values.pop("slug", None)
        values |= differing({"slug": facts.new_slug.slug}, {"slug": post.content.slug})
    if "slug" in values or (slug_derived is not post.slug_derived and not post.was_published):
        values["slug_derived"] = slug_derived
    events: tuple[Event, ...] = ()
    after: Post | None = post
    if values or facts.added:
        change = event(post_id=post.id, **cause, **values)
        events, after = (change, *facts.added), model.evolve(post, change)
    return events + publication(after, facts.now) if publish else events


def publication(
    post: Post | None, now: int, *, published_at: int | None = None, correction: str | None = None
) -> tuple[model.PostPublished, ...]:
    """Return the publication of a post, or nothing if readers would see no change.

    Without `published_at`, the date of an earlier publication stays. Raises `Rejection` for a future date, and for the
    correction of a post that was never public.
    """
    if post is None:
        return ()
    if published_at is not None and published_at > now:
        message = (
            "publishedAt is in the future. Use a past date, or omit it to publish with the current time."
        )
        raise Rejection(model.PUBLISHED_AT_IN_FUTURE, message, field=("publishedAt",))
    correction = text_rules.optional_text(correction, field="correction", limit=text_rules.MAX_NOTE)
    lifecycle = post.lifecycle
    if correction is not None and lifecycle.published_at is None:
        raise never_published("correction")
    first = now if lifecycle.published_at is None else lifecycle.published_at
    date = first if published_at is None else published_at
    is_live = lifecycle.status is model.PostStatus.PUBLISHED and not lifecycle.has_unpublished_changes
    if is_live and date == lifecycle.published_at and correction is None:
        return ()
    published = model.PostPublished(
        post_id=post.id, revision=lifecycle.revision, published_at=date, correction=correction
    )
    return (published,)


async def check_own_post(command: Any, states: StateLoader, actor_id: str) -> None:
    """Raise the same `Rejection` as for a missing post if another actor created the post."""
    if (await states.load(POSTS, command.post_id)).created_by != actor_id:
        raise Rejection(ErrorCode.NOT_FOUND, "There is no such post.", field=("id",))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPostFacts(Facts):
    """Facts for a new post: the slug that is claimed for it, and the ids of its categories."""

    slug: str
    category_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePost:
    """Create a post. Without a slug, one is derived from the title. `published_at` is in microseconds since 1970."""

    fingerprint_name: ClassVar[str] = "CreatePost"

    title: str
    body: str = ""
    teaser: str | None = None
    slug: str | None = None
    author_ids: tuple[str, ...] = ()
    categories: tuple[CategoryRef, ...] = ()
    publish: bool = False
    published_at: int | None = None

    @property
    def lock_key(self) -> str | None:
        """The title, so that posts created concurrently with the same derived slug do not conflict, as a rule."""
        return None if self.slug is not None else f"title.{self.title}"

    def decide(self, post: None, facts: NewPostFacts) -> tuple[Event, ...]:
        """Return the events of the new post. Raises `Rejection`."""
        values = checked(CONTENT, self) | {"slug": facts.slug}
        created = model.PostCreated(post_id=facts.new_id, slug_derived=self.slug is None, **values)
        categorized = tuple(
            model.PostCategorized(post_id=facts.new_id, category_id=category_id)
            for category_id in dict.fromkeys(facts.category_ids)
        )
        if not self.publish:
            if self.published_at is not None:
                message = "publishedAt requires publish: true. Set publish to true, or omit publishedAt."
                raise Rejection(ErrorCode.INVALID_VALUE, message, field=("publishedAt",))
            return created, *categorized
        published = publication(model.evolve(post, created), facts.now, published_at=self.published_at)
        return created, *categorized, *published

    async def plan(self, context: CommandContext) -> AppendPlan:
        post_id = context.new_id("post")
        context.check_version(NO_STREAM)
        await _check_authors(context, self.author_ids)
        category_ids: tuple[str, ...] = ()
        if self.categories:
            taxonomy = (await context.load(TAXONOMY)).state
            category_ids = tuple(taxonomy.find(ref, field="categories").id for ref in self.categories)
        if self.slug is None:
            slug, claim = await claim_derived_slug(context, SlugKind.POST, self.title, owner_id=post_id)
        else:
            slug = slugs.checked(self.slug)
            claim = await claim_post_slug(context, slug, post_id)
        facts = NewPostFacts(now=context.now, new_id=post_id, slug=slug, category_ids=category_ids)
        events = self.decide(None, facts)
        return AppendPlan.of(post_id, PlannedWrite(POSTS.stream(post_id), NO_STREAM, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost(ContentCommand[ContentFacts]):
    """Edit the content of a post. `UNSET` means unchanged, `None` means cleared; for the slug, derived again."""

    fingerprint_name: ClassVar[str] = "EditPost"

    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    slug: str | UnsetType | None = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET
    publish: bool = False

    def change(self, post: Post, facts: ContentFacts) -> tuple[Event, ...]:
        """Return the edit if it changes anything, and with `publish` the publication. Raises `Rejection`."""
        values = differing(checked(CONTENT, self), values_of(CONTENT, post.content))
        slug_derived = post.slug_derived if self.slug is UNSET else self.slug is None
        return changed(model.PostEdited, post, values, facts, publish=self.publish, slug_derived=slug_derived)

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> ContentFacts:
        """Return the derived slug, and changes of content of features above. Raises `Rejection` for unknown authors."""
        if self.author_ids is not UNSET:
            await _check_authors(context, self.author_ids)
        added: list[Event] = []
        for content in context.content:
            content_input = context.input(content.input)
            if content.of is POSTS and content_input is not None:
                current = content.history(await context.events(post.name)).values
                added += content.change(
                    post.state.id, differing(checked(content.fields, content_input), current)
                )
        title = self._title_of_slug(post.state)
        new_slug = None if title is None else await derived_slug_change(context, post.state, title)
        return ContentFacts(now=context.now, added=tuple(added), new_slug=new_slug)

    def _title_of_slug(self, post: Post) -> str | None:
        """Return the title from which to derive a new slug, `None` if the slug stays or is stated."""
        title = post.content.title if self.title is UNSET else self.title
        if self.slug is None:
            return title
        if self.slug is not UNSET or title.strip() == post.content.title:
            return None
        return title if follows_title(post, post.content.slug, title) else None


def follows_title(post: Post, slug: str, title: str, *, slug_derived: bool | None = None) -> bool:
    """Return whether a post with a derived slug needs another one for a title. A published post keeps its slug."""
    is_derived = post.slug_derived if slug_derived is None else slug_derived
    if not is_derived or post.was_published:
        return False
    return not slugs.is_derived(slug, title, fallback=SlugKind.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFacts(Facts):
    """The category that a command names. `equivalents` are its id and the ids of categories merged into it."""

    category_id: str
    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CategoryCommand(PostCommand[CategoryFacts]):
    category: CategoryRef

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> CategoryFacts:
        taxonomy = (await context.load(TAXONOMY)).state
        category = taxonomy.find(self.category, field="category")
        return CategoryFacts(category_id=category.id, equivalents=taxonomy.equivalents(category.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizePost(_CategoryCommand):
    """Add the post to a category. Listings show the change immediately, without publishing."""

    fingerprint_name: ClassVar[str] = "CategorizePost"

    def change(self, post: Post, facts: CategoryFacts) -> tuple[Event, ...]:
        return categorize(post, facts.category_id, facts.equivalents)


@dataclass(frozen=True, slots=True, kw_only=True)
class UncategorizePost(_CategoryCommand):
    """Remove the post from a category."""

    fingerprint_name: ClassVar[str] = "UncategorizePost"

    def change(self, post: Post, facts: CategoryFacts) -> tuple[Event, ...]:
        return uncategorize(post, facts.equivalents)


def categorize(
    post: Post, category_id: str, equivalents: frozenset[str]
) -> tuple[model.PostCategorized, ...]:
    """Return the event that adds a post to a category, unless the post is in any of the `equivalents`."""
    is_in = bool(post.category_ids & equivalents)
    return () if is_in else (model.PostCategorized(post_id=post.id, category_id=category_id),)


def uncategorize(post: Post, equivalents: frozenset[str]) -> tuple[model.PostUncategorized, ...]:
    """Return the events that remove a post from a category, one for each of its ids that the post has."""
    return tuple(
        model.PostUncategorized(post_id=post.id, category_id=category_id)
        for category_id in sorted(post.category_ids & equivalents)
    )


async def _check_new_post(command: object, states: StateLoader, actor_id: str) -> None:
    """Accept every new post, because it belongs to its actor."""


async def _check_authors(context: CommandContext, author_ids: Sequence[str]) -> None:
    """Raise `Rejection` if an author is unknown."""
    for author_id in author_ids:
        if (await context.load(AUTHORS, author_id)).state is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such author.", field=("authors",))


COMMANDS: Final = (
    *commands(WRITE_ANY_OR_OWN_POST, CreatePost, check_own=_check_new_post),
    *commands(
        WRITE_ANY_OR_OWN_POST,
        EditPost,
        CategorizePost,
        UncategorizePost,
        check_own=check_own_post,
    ),
)
