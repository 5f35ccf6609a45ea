"""The command that undoes the merge of a category, and the reasons for which that is impossible."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import Rejection, version_conflict
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.features.categories import model
from ledgerpress.features.categories.commands import (
    CategoryCommand,
    CategoryFacts,
    TaxonomyEvents,
)
from ledgerpress.features.categories.model import TAXONOMY, Category, CategoryUnmerged, Merge, Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmergeCategory(CategoryCommand):
    """Undo the merge of a category, which the client names by its id or by a slug that it had before the merge.

    The category gets back its posts and its slugs, and those of its subcategories that were not moved since. Posts that
    were added to the other category since stay there. The expected version is that of the other category.
    """

    fingerprint_name: ClassVar[str] = "UnmergeCategory"

    def decide(self, taxonomy: Taxonomy, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the event. Raises `Rejection` if the category is not merged, or if later changes conflict."""
        merge = taxonomy.merged.get(facts.category_id)
        if merge is None:
            category = model.known(taxonomy, facts.category_id, field="category")
            message = f"“{category.name}” is not merged into another category."
            raise Rejection(model.CATEGORY_NOT_MERGED, message, field=("category",))
        into = taxonomy.categories.get(merge.into_id)
        if into is None:
            raise _conflict(
                merge.category, f"the category that it was merged into {_end(taxonomy, merge.into_id)}"
            )
        if facts.expected_version not in {None, into.version}:
            raise version_conflict(expected=facts.expected_version or 0, current=into.version)
        return self.change(taxonomy, into, facts)

    def change(self, taxonomy: Taxonomy, category: Category, facts: CategoryFacts) -> TaxonomyEvents:
        """Return the event that takes the merged category out of `category`. Raises `Rejection`."""
        merge = taxonomy.merged[facts.category_id]
        parent_id = merge.category.parent_id
        if parent_id is not None and parent_id not in taxonomy.categories:
            raise _conflict(merge.category, f"the category above it {_end(taxonomy, parent_id)}")
        unmerged = CategoryUnmerged(
            category_id=merge.category.id,
            from_id=category.id,
            parent_id=parent_id,
            subcategory_ids=tuple(sorted(_returning(taxonomy, merge))),
        )
        after = model.evolve(taxonomy, unmerged)
        _check_slugs(after, merge.category)
        _check_place(after, after.categories[merge.category.id])
        return (unmerged,)

    async def plan(self, context: CommandContext) -> AppendPlan:
        loaded = await context.load(TAXONOMY)
        category_id = loaded.state.id_of(self.category)
        facts = CategoryFacts(category_id=category_id, expected_version=context.expected_version)
        return AppendPlan.of(category_id, loaded.write(self.decide(loaded.state, facts)))


def _returning(taxonomy: Taxonomy, merge: Merge) -> set[str]:
    """Return the subcategories that the merge moved, and that are still where it moved them."""
    return {
        category_id
        for category_id in merge.subcategory_ids
        if (category := taxonomy.categories.get(category_id)) and category.parent_id == merge.into_id
    }


def _end(taxonomy: Taxonomy, category_id: str) -> str:
    """Return what happened to a category that no longer exists, as the end of a sentence."""
    merge = taxonomy.merged.get(category_id)
    if merge is None:
        return "was deleted since"
    into = taxonomy.resolve(category_id)
    target = f" into “{into.name}”" if into else ""
    return f"was merged{target} since: undo that merge of “{merge.category.name}” first"


def _check_slugs(after: Taxonomy, category: Category) -> None:
    """Raise `Rejection` if another category has taken over a slug of the category as its own."""
    for other in after.categories.values():
        owner = after.by_slug(other.slug)
        if other.id != category.id and owner is not None and owner.id == category.id:
            raise _conflict(
                category, f"its slug “{other.slug}” is now the slug of “{other.name}”: change that first"
            )


def _check_place(after: Taxonomy, category: Category) -> None:
    """Raise `Rejection` if the category would be below itself, or too deep."""
    if category.parent_id is None:
        return
    if after.is_within(category.parent_id, category.id):
        above = after.categories[category.parent_id]
        raise _conflict(
            category, f"the category above it, “{above.name}”, is now below one of its subcategories"
        )
    try:
        model.check_depth(after, category.id, category.parent_id, field="category")
    except Rejection as rejection:
        raise _conflict(category, "the tree of categories would have too many levels") from rejection


def _conflict(category: Category, reason: str) -> Rejection:
    message = f"The merge of “{category.name}” cannot be undone: {reason}."
    return Rejection(model.UNMERGE_CONFLICT, message, field=("category",))


COMMANDS: Final = commands(RequiredPermission(model.WRITE_CATEGORIES), UnmergeCategory)
