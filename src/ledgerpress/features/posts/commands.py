"""What can be done with posts."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from msgspec import UNSET, UnsetType

from ledgerpress.commands.command_context import AppendPlan, CategoryRef, CommandContext, PlannedWrite
from ledgerpress.commands.state_loader import post_stream
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.posts import model as posts
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SlugKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePost:
    """Write a post. Without a slug, one is derived from the title. `published_at` is in microseconds since 1970."""

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
    def queue(self) -> str | None:
        """The words that the slug is derived from, so that of many posts with one title none gets in another's way."""
        if self.slug is not None:
            return None
        return f"slug.{SlugKind.POST}.{slugs.derive(self.title, fallback=SlugKind.POST)}"

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        post_id = desk.new_id("post")
        desk.check_version(NO_STREAM)
        await desk.check_authors(self.author_ids)
        category_ids: tuple[str, ...] = ()
        if self.categories:
            _, taxonomy = await desk.streams.taxonomy()
            category_ids = tuple(
                desk.category(taxonomy, ref, field="categories").id for ref in self.categories
            )
        slug, claim = await desk.claim_slug(
            SlugKind.POST, self.slug, derived_from=self.title, owner_id=post_id
        )
        events = posts.create(
            posts.CreatePost(
                post_id=post_id,
                slug=slug,
                title=self.title,
                teaser=self.teaser,
                body=self.body,
                author_ids=self.author_ids,
                category_ids=category_ids,
                publish=self.publish,
                published_at=self.published_at,
                at=desk.now,
            )
        )
        return AppendPlan.of(post_id, PlannedWrite(post_stream(post_id), NO_STREAM, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PostUseCase(ABC):
    """Something done to one post."""

    post_id: str

    @property
    def queue(self) -> str | None:
        """The post's stream."""
        return post_stream(self.post_id)

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        version, post = await desk.post(self.post_id)
        events = posts.decide(await self.command(desk), post)
        return AppendPlan.of(post.id, PlannedWrite(post_stream(post.id), version, events))

    @abstractmethod
    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post. Raises `Rejected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost(_PostUseCase):
    """Change what is given: absent means unchanged, `None` means cleared."""

    fingerprint_name: ClassVar[str] = "EditPost"

    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET
    publish: bool = False

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        version, post = await desk.post(self.post_id)
        if self.author_ids is not UNSET:
            await desk.check_authors(self.author_ids)
        events = posts.decide(await self.command(desk), post)
        slug = post.content.slug if self.slug is UNSET else self.slug
        return AppendPlan.of(
            post.id,
            PlannedWrite(post_stream(post.id), version, events),
            *await desk.change_slug(post, slug),
        )

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post."""
        return posts.EditPost(
            slug=self.slug,
            title=self.title,
            teaser=self.teaser,
            body=self.body,
            author_ids=self.author_ids,
            publish=self.publish,
            at=desk.now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizePost(_PostUseCase):
    """Put the post into a category; the listings show it at once."""

    fingerprint_name: ClassVar[str] = "CategorizePost"

    category: CategoryRef

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post. Raises `Rejected`."""
        _, taxonomy = await desk.streams.taxonomy()
        category = desk.category(taxonomy, self.category, field="category")
        return posts.CategorizePost(category_id=category.id, equivalents=taxonomy.equivalents(category.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class UncategorizePost(_PostUseCase):
    """Take the post out of a category."""

    fingerprint_name: ClassVar[str] = "UncategorizePost"

    category: CategoryRef

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post. Raises `Rejected`."""
        _, taxonomy = await desk.streams.taxonomy()
        category = desk.category(taxonomy, self.category, field="category")
        return posts.UncategorizePost(equivalents=taxonomy.equivalents(category.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost(_PostUseCase):
    """Publish the post as it is, with a date in the past or a public correction note where given."""

    fingerprint_name: ClassVar[str] = "PublishPost"

    published_at: int | None = None
    correction: str | None = None

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post."""
        return posts.PublishPost(published_at=self.published_at, correction=self.correction, at=desk.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPost(_PostUseCase):
    """Take the article away from readers."""

    fingerprint_name: ClassVar[str] = "UnpublishPost"

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post."""
        return posts.UnpublishPost()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePost(_PostUseCase):
    """Put the post away."""

    fingerprint_name: ClassVar[str] = "ArchivePost"

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post."""
        return posts.ArchivePost()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost(_PostUseCase):
    """Bring the post back."""

    fingerprint_name: ClassVar[str] = "UnarchivePost"

    async def command(self, desk: CommandContext) -> posts.PostCommand:
        """Return the command for the post."""
        return posts.UnarchivePost()
