"""What can be done with categories."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from msgspec import UNSET, UnsetType

from ledgerpress.commands.command_context import AppendPlan, CategoryRef, CommandContext, PlannedWrite
from ledgerpress.commands.state_loader import TAXONOMY_STREAM
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.categories import model as categories
from ledgerpress.features.categories.model import Category, Taxonomy, TaxonomyCommand
from ledgerpress.features.slugs.model import SlugKind


class _OnTaxonomy:
    """Commands on categories queue for the one stream that holds the tree."""

    __slots__ = ()
    queue = TAXONOMY_STREAM


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCategory(_OnTaxonomy):
    """Make a category. Without a slug, one is derived from the name."""

    fingerprint_name: ClassVar[str] = "CreateCategory"

    name: str
    slug: str | None = None
    description: str | None = None
    parent: CategoryRef | None = None

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        desk.check_version(NO_STREAM)
        version, taxonomy = await desk.streams.taxonomy()
        category_id = desk.new_id("category")
        parent = desk.category(taxonomy, self.parent, field="parent") if self.parent else None
        slug, claim = await desk.claim_slug(
            SlugKind.CATEGORY, self.slug, derived_from=self.name, owner_id=category_id
        )
        command = categories.CreateCategory(
            category_id=category_id,
            slug=slug,
            name=self.name,
            description=self.description,
            parent_id=parent.id if parent else None,
        )
        events = categories.decide(command, taxonomy)
        return AppendPlan.of(category_id, PlannedWrite(TAXONOMY_STREAM, version, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CategoryUseCase(_OnTaxonomy, ABC):
    """Something done to one category."""

    category: CategoryRef

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejected`."""
        version, taxonomy = await desk.streams.taxonomy()
        category = desk.category(taxonomy, self.category, field="category")
        command = await self.command(desk, taxonomy, category)
        events = categories.decide(command, taxonomy, expected_version=desk.expected_version)
        others = await self.slug_writes(desk, taxonomy, category) if events else ()
        return AppendPlan.of(category.id, PlannedWrite(TAXONOMY_STREAM, version, events), *others)

    @abstractmethod
    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy. Raises `Rejected`."""

    async def slug_writes(
        self, desk: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> tuple[PlannedWrite, ...]:
        """Return the slugs that are claimed or released along with it."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameCategory(_CategoryUseCase):
    """Give a category another name, slug or both. The old slug keeps leading to it."""

    fingerprint_name: ClassVar[str] = "RenameCategory"

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET

    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy."""
        return categories.RenameCategory(category_id=category.id, name=self.name, slug=self.slug)

    async def slug_writes(
        self, desk: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> tuple[PlannedWrite, ...]:
        """Claim the new slug, unless it leads to the category already."""
        if self.slug is UNSET or self.slug in taxonomy.slugs_of(category.id):
            return ()
        _, claim = await desk.claim_slug(SlugKind.CATEGORY, self.slug, derived_from="", owner_id=category.id)
        return (claim,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeCategory(_CategoryUseCase):
    """Say what a category is about; `None` clears it."""

    fingerprint_name: ClassVar[str] = "DescribeCategory"

    description: str | None

    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy."""
        return categories.DescribeCategory(category_id=category.id, description=self.description)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCategory(_CategoryUseCase):
    """Put a category under another, or, without a parent, at the top."""

    fingerprint_name: ClassVar[str] = "MoveCategory"

    parent: CategoryRef | None

    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy. Raises `Rejected`."""
        parent = desk.category(taxonomy, self.parent, field="parent") if self.parent else None
        return categories.MoveCategory(category_id=category.id, parent_id=parent.id if parent else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCategory(_CategoryUseCase):
    """Let another category take this one over: posts, children and slugs follow."""

    fingerprint_name: ClassVar[str] = "MergeCategory"

    into: CategoryRef

    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy. Raises `Rejected`."""
        into = desk.category(taxonomy, self.into, field="into")
        return categories.MergeCategory(category_id=category.id, into_id=into.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCategory(_CategoryUseCase):
    """Delete an empty category; its slugs, present and former, are free again."""

    fingerprint_name: ClassVar[str] = "DeleteCategory"

    async def command(self, desk: CommandContext, taxonomy: Taxonomy, category: Category) -> TaxonomyCommand:
        """Return the command for the taxonomy."""
        in_use = await desk.category_in_use(taxonomy, category)
        return categories.DeleteCategory(category_id=category.id, has_posts=in_use)

    async def slug_writes(
        self, desk: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> tuple[PlannedWrite, ...]:
        """Release every slug that leads to the category."""
        held = sorted(taxonomy.slugs_of(category.id).items())
        return tuple(
            [await desk.release_slug(SlugKind.CATEGORY, slug, owner_id=owner) for slug, owner in held]
        )
