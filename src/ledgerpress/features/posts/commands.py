"""The commands on posts. Restoring and reverting are in `restore_revert_commands`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands.append_plan import AppendPlan, PlannedWrite
from ledgerpress.commands.command_context import CommandContext, Facts
from ledgerpress.commands.declarations import commands
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.stream_states import LoadedStream, StateLoader
from ledgerpress.commands.versioned_content import checked, differing, values_of
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.authors.model import AUTHORS
from ledgerpress.features.categories.model import TAXONOMY, CategoryRef
from ledgerpress.features.posts.model import (
    CONTENT,
    POST_NOT_PUBLISHED,
    POSTS,
    Post,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
    evolve,
)
from ledgerpress.features.posts.post_command import (
    WRITE_POSTS,
    ContentFacts,
    PostCommand,
    TimedCommand,
    changed,
    check_own_post,
    publication,
)
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claims import claim_derived_slug, claim_slug
from ledgerpress.features.slugs.model import SlugKind


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPostFacts(Facts):
    """Facts for a new post: the slug that is claimed for it, and the categories that it names."""

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
        """The base of a derived slug, so that posts created at once with the same title do not conflict."""
        if self.slug is not None:
            return None
        return f"slug.{SlugKind.POST}.{slugs.derive(self.title, fallback=SlugKind.POST)}"

    def decide(self, post: None, facts: NewPostFacts) -> tuple[Event, ...]:
        """Return the events of the new post. Raises `Rejection`."""
        values = checked(CONTENT, self) | {"slug": facts.slug}
        created = PostCreated(post_id=facts.new_id, **values)
        categorized = tuple(
            PostCategorized(post_id=facts.new_id, category_id=category_id)
            for category_id in dict.fromkeys(facts.category_ids)
        )
        if not self.publish:
            if self.published_at is not None:
                message = "publishedAt is for a post that is published: say publish: true, or leave it out."
                raise Rejection(ErrorCode.INVALID_VALUE, message, field=("publishedAt",))
            return created, *categorized
        published = publication(evolve(post, created), facts.now, published_at=self.published_at)
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
            slug, claim = self.slug, await claim_slug(context, SlugKind.POST, self.slug, owner_id=post_id)
        facts = NewPostFacts(now=context.now, new_id=post_id, slug=slug, category_ids=category_ids)
        events = self.decide(None, facts)
        return AppendPlan.of(post_id, PlannedWrite(POSTS.stream(post_id), NO_STREAM, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost(PostCommand[ContentFacts]):
    """Change the fields that are given: `UNSET` means unchanged, `None` means cleared."""

    fingerprint_name: ClassVar[str] = "EditPost"

    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET
    publish: bool = False

    def change(self, post: Post, facts: ContentFacts) -> tuple[Event, ...]:
        """Return the edit, if it changes anything, and the publication of the result. Raises `Rejection`."""
        values = differing(checked(CONTENT, self), values_of(CONTENT, post.content))
        return changed(PostEdited, post, values, facts, publish=self.publish)

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> ContentFacts:
        """Check the authors, and return the changes of added content. Raises `Rejection`."""
        if self.author_ids is not UNSET:
            await _check_authors(context, self.author_ids)
        added: list[Event] = []
        for content in context.content:
            given = context.input(content.input)
            if content.of is POSTS and given is not None:
                current = content.history(await context.events(post.name)).values
                added += content.change(post.state.id, differing(checked(content.fields, given), current))
        return ContentFacts(now=context.now, added=tuple(added))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFacts(Facts):
    """The category that a command names, and all ids that stand for it."""

    category_id: str
    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CategoryCommand(PostCommand[CategoryFacts]):
    category: CategoryRef

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> CategoryFacts:
        """Return the category. Raises `Rejection`."""
        taxonomy = (await context.load(TAXONOMY)).state
        category = taxonomy.find(self.category, field="category")
        return CategoryFacts(category_id=category.id, equivalents=taxonomy.equivalents(category.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizePost(_CategoryCommand):
    """Put the post into a category; the listings show it at once."""

    fingerprint_name: ClassVar[str] = "CategorizePost"

    def change(self, post: Post, facts: CategoryFacts) -> tuple[Event, ...]:
        """Return the event, unless the post is in the category already."""
        return categorize(post, facts.category_id, facts.equivalents)


@dataclass(frozen=True, slots=True, kw_only=True)
class UncategorizePost(_CategoryCommand):
    """Take the post out of a category."""

    fingerprint_name: ClassVar[str] = "UncategorizePost"

    def change(self, post: Post, facts: CategoryFacts) -> tuple[Event, ...]:
        """Return an event for each of the category's ids under which the post is in it."""
        return uncategorize(post, facts.equivalents)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost(TimedCommand):
    """Publish the post as it is; optionally with a past date or a public correction note."""

    fingerprint_name: ClassVar[str] = "PublishPost"

    published_at: int | None = None
    correction: str | None = None

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the publication, if it changes what readers see. Raises `Rejection`."""
        return publication(post, facts.now, published_at=self.published_at, correction=self.correction)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPost(TimedCommand):
    """Remove the article from readers."""

    fingerprint_name: ClassVar[str] = "UnpublishPost"

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the event, unless the post is unpublished already. Raises `Rejection`."""
        if post.lifecycle.status is PostStatus.DRAFT:
            message = "The post has never been published."
            raise Rejection(POST_NOT_PUBLISHED, message, field=("id",))
        is_live = post.lifecycle.status is PostStatus.PUBLISHED
        return (PostUnpublished(post_id=post.id),) if is_live else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePost(TimedCommand):
    """Archive the post."""

    fingerprint_name: ClassVar[str] = "ArchivePost"
    allows_archived = True

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the event, unless the post is archived already."""
        is_archived = post.lifecycle.status is PostStatus.ARCHIVED
        return () if is_archived else (PostArchived(post_id=post.id),)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost(TimedCommand):
    """Bring the post back from the archive."""

    fingerprint_name: ClassVar[str] = "UnarchivePost"
    allows_archived = True

    def change(self, post: Post, facts: Facts) -> tuple[Event, ...]:
        """Return the event, if the post is archived."""
        is_archived = post.lifecycle.status is PostStatus.ARCHIVED
        return (PostUnarchived(post_id=post.id),) if is_archived else ()


def categorize(post: Post, category_id: str, equivalents: frozenset[str]) -> tuple[PostCategorized, ...]:
    """Return the event that puts a post into a category, unless it is in it under any of the `equivalents`."""
    is_in = bool(post.category_ids & equivalents)
    return () if is_in else (PostCategorized(post_id=post.id, category_id=category_id),)


def uncategorize(post: Post, equivalents: frozenset[str]) -> tuple[PostUncategorized, ...]:
    """Return the events that take a post out of a category under all of its ids."""
    return tuple(
        PostUncategorized(post_id=post.id, category_id=category_id)
        for category_id in sorted(post.category_ids & equivalents)
    )


async def _check_new_post(command: object, states: StateLoader, actor_id: str) -> None:
    """Accept every new post: it is the actor's own."""


async def _check_authors(context: CommandContext, author_ids: Sequence[str]) -> None:
    """Raise `Rejection` if an author is unknown."""
    for author_id in author_ids:
        if (await context.load(AUTHORS, author_id)).state is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such author.", field=("authors",))


COMMANDS: Final = (
    *commands(WRITE_POSTS, CreatePost, check_own=_check_new_post),
    *commands(
        WRITE_POSTS,
        EditPost,
        CategorizePost,
        UncategorizePost,
        PublishPost,
        UnpublishPost,
        ArchivePost,
        UnarchivePost,
        check_own=check_own_post,
    ),
)
