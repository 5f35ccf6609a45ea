"""The commands on categories. All of them write to one stream, which contains the tree."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, TypeAlias

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.errors import ErrorCode, Rejection, version_conflict
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.categories import model, queries
from ledgerpress.features.categories.model import TAXONOMY, Category, CategoryRef, Taxonomy, TaxonomyEvent
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug, claim_slug, release_slug
from ledgerpress.features.slugs.model import SlugKind

TaxonomyEvents: TypeAlias = tuple[TaxonomyEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFacts(Facts):
    """The facts for a command on a category.

    `category_id` is the id that the client names, which may be that of a merged category. `expected_version` is the
    expected version of the category, not of the stream. `other_id` is the id of the parent, or of the category to merge
    into. `has_posts` comes from the views.
    """

    category_id: str = ""
    expected_version: int | None = None
    other_id: str | None = None
    slug: str = ""
    has_posts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCategory:
    """Create a category. Without a slug, one is derived from the name."""

    fingerprint_name: ClassVar[str] = "CreateCategory"

    name: str
    slug: str | None = None
    description: str | None = None
    parent: CategoryRef | None = None

    lock_key = TAXONOMY.prefix

    def decide(self, taxonomy: Taxonomy, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the creation, or nothing if the category exists. Raises `Rejection`."""
        if facts.new_id in taxonomy.categories:
            return ()
        parent_id = (
            None if facts.other_id is None else model.known(taxonomy, facts.other_id, field="parent").id
        )
        if parent_id is not None:
            model.check_depth(taxonomy, facts.new_id, parent_id, field="parent")
        created = model.CategoryCreated(
            category_id=facts.new_id,
            slug=facts.slug,
            name=text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME),
            description=_description(self.description),
            parent_id=parent_id,
        )
        return (created,)

    async def plan(self, context: CommandContext) -> AppendPlan:
        context.check_version(NO_STREAM)
        taxonomy = await context.load(TAXONOMY)
        category_id = context.new_id("category")
        parent = taxonomy.state.find(self.parent, field="parent") if self.parent else None
        if self.slug is None:
            slug, claim = await claim_derived_slug(
                context, SlugKind.CATEGORY, self.name, owner_id=category_id
            )
        else:
            slug = slugs.checked(self.slug)
            claim = await claim_slug(context, SlugKind.CATEGORY, slug, owner_id=category_id)
        facts = CategoryFacts(new_id=category_id, slug=slug, other_id=parent.id if parent else None)
        return AppendPlan.of(category_id, taxonomy.write(self.decide(taxonomy.state, facts)), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCommand(ABC):
    """A command on an existing category."""

    category: CategoryRef

    lock_key = TAXONOMY.prefix

    def decide(self, taxonomy: Taxonomy, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the events; none if there is nothing to do. Raises `Rejection`."""
        category = model.known(taxonomy, facts.category_id, field="id")
        expected = facts.expected_version
        if expected is not None and category.id != facts.category_id:
            raise _merged_since(category)
        if expected is not None and expected != category.version:
            raise version_conflict(expected=expected, current=category.version)
        return self.change(taxonomy, category, facts)

    @abstractmethod
    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the events for an existing category. Raises `Rejection`."""

    async def plan(self, context: CommandContext) -> AppendPlan:
        loaded = await context.load(TAXONOMY)
        taxonomy = loaded.state
        category = taxonomy.find(self.category, field="category")
        facts = CategoryFacts(
            category_id=taxonomy.id_of(self.category),
            expected_version=context.expected_version,
            other_id=self.other_id(taxonomy),
            has_posts=await self.has_posts(context, taxonomy, category),
        )
        events = self.decide(taxonomy, facts)
        slug_writes = await self.slug_writes(context, taxonomy, category) if events else ()
        return AppendPlan.of(category.id, loaded.write(events), *slug_writes)

    def other_id(self, taxonomy: Taxonomy) -> str | None:
        """Return the id of the second category of the command, if any. Raises `Rejection` if it does not exist."""
        return None

    async def has_posts(self, context: CommandContext, taxonomy: Taxonomy, category: Category) -> bool:
        """Return whether any post is in the category. Only commands that depend on this override it."""
        return False

    async def slug_writes(
        self, context: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> Sequence[PlannedWrite]:
        """Return the writes that claim and release slugs, to append together with the events."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameCategory(CategoryCommand):
    """Change the name, the slug or both of a category. The old slug still leads to it."""

    fingerprint_name: ClassVar[str] = "RenameCategory"

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the event, or nothing if name and slug are unchanged. Raises `Rejection`."""
        name: str | UnsetType = UNSET
        if self.name is not UNSET:
            name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        slug = self._slug
        renamed = model.CategoryRenamed(
            category_id=category.id,
            name=UNSET if name == category.name else name,
            slug=UNSET if slug == category.slug else slug,
        )
        return () if renamed.name is UNSET and renamed.slug is UNSET else (renamed,)

    async def slug_writes(
        self, context: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> Sequence[PlannedWrite]:
        """Return the claim of the new slug, unless the slug already leads to the category."""
        slug = self._slug
        if slug is UNSET or slug in taxonomy.slugs_of(category.id):
            return ()
        return (await claim_slug(context, SlugKind.CATEGORY, slugs.checked(slug), owner_id=category.id),)

    @property
    def _slug(self) -> str | UnsetType:
        return UNSET if self.slug is UNSET else slugs.normalized(self.slug)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeCategory(CategoryCommand):
    """Change the description of a category. `None` clears it."""

    fingerprint_name: ClassVar[str] = "DescribeCategory"

    description: str | None

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the event, or nothing if the description is unchanged. Raises `Rejection`."""
        description = _description(self.description)
        if description == category.description:
            return ()
        return (model.CategoryDescribed(category_id=category.id, description=description),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCategory(CategoryCommand):
    """Move a category to another parent. Without a parent, move it to the top level."""

    fingerprint_name: ClassVar[str] = "MoveCategory"

    parent: CategoryRef | None

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the event, or nothing if the parent is unchanged. Raises `Rejection`."""
        parent_id = (
            None if facts.other_id is None else model.known(taxonomy, facts.other_id, field="parent").id
        )
        if parent_id == category.parent_id:
            return ()
        model.check_cycle(taxonomy, category, parent_id, field="parent")
        if parent_id is not None:
            model.check_depth(taxonomy, category.id, parent_id, field="parent")
        return (model.CategoryMoved(category_id=category.id, parent_id=parent_id),)

    def other_id(self, taxonomy: Taxonomy) -> str | None:
        return taxonomy.find(self.parent, field="parent").id if self.parent else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCategory(CategoryCommand):
    """Merge a category into another category, which takes over its posts, subcategories and slugs."""

    fingerprint_name: ClassVar[str] = "MergeCategory"

    into: CategoryRef

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        into = model.known(taxonomy, facts.other_id or "", field="into")
        model.check_cycle(taxonomy, category, into.id, field="into")
        for child in model.children(taxonomy, {category.id}):
            model.check_depth(taxonomy, child, into.id, field="into")
        return (model.CategoryMerged(category_id=category.id, into_id=into.id),)

    def other_id(self, taxonomy: Taxonomy) -> str | None:
        """Return the id of the category to merge into. Raises `Rejection` if it does not exist."""
        return taxonomy.find(self.into, field="into").id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCategory(CategoryCommand):
    """Delete an empty category. This releases its current and former slugs."""

    fingerprint_name: ClassVar[str] = "DeleteCategory"

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        if facts.has_posts or model.children(taxonomy, {category.id}):
            contents = "posts" if facts.has_posts else "subcategories"
            message = f"“{category.name}” still has {contents}; move them, or merge it into another category."
            raise Rejection(model.CATEGORY_NOT_EMPTY, message, field=("id",))
        return (model.CategoryDeleted(category_id=category.id),)

    async def has_posts(self, context: CommandContext, taxonomy: Taxonomy, category: Category) -> bool:
        """Return whether the projection `listings` has any post in the category. Raises `Rejection`."""
        ids = taxonomy.equivalents(category.id)
        return await context.query("listings", partial(queries.is_category_in_use, category_ids=ids))

    async def slug_writes(
        self, context: CommandContext, taxonomy: Taxonomy, category: Category
    ) -> Sequence[PlannedWrite]:
        owners = sorted(taxonomy.slugs_of(category.id).items())
        return [
            await release_slug(context, SlugKind.CATEGORY, slug, owner_id=owner_id)
            for slug, owner_id in owners
        ]


def _merged_since(category: Category) -> Rejection:
    """Return the rejection of a command with an expected version of a category that was merged into `category`.

    Versions of two categories cannot be compared: both count from 1.
    """
    return Rejection(
        ErrorCode.VERSION_CONFLICT,
        f"The category was merged into “{category.name}”. Read that category, then repeat the change with its id.",
        field=("expectedVersion",),
        current_version=category.version,
    )


def _description(text: str | None) -> str | None:
    return text_rules.optional_text(text, field="description", limit=text_rules.MAX_DESCRIPTION)


COMMANDS: Final = commands(
    RequiredPermission(model.WRITE_CATEGORIES),
    CreateCategory,
    RenameCategory,
    DescribeCategory,
    MoveCategory,
    MergeCategory,
    DeleteCategory,
)
