"""The GraphQL mutations of categories, and their inputs."""

from functools import partial

import strawberry

from ledgerpress.features.categories import commands, unmerge_command
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.schema.category_type_and_queries import Category, load_category
from ledgerpress.graphql.input_rules import given_value, kept_field, stated_field
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.relay import global_ids


@strawberry.input(one_of=True, description="Identifies a category by id or by slug.")
class CategoryBy:
    id: strawberry.ID | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET

    def ref(self, field: str) -> CategoryRef:
        """Return the reference to the category. Raises `Rejection` for the id of an object of another type."""
        if self.id is None or self.id is strawberry.UNSET:
            return CategoryRef(slug=self.slug or "")
        return CategoryRef(id=global_ids.in_input(self.id, "Category", field=(field, "id")))


@strawberry.input
class CategoryCreateInput(MutationInput):
    name: str
    slug: str | None = strawberry.field(default=None, description="Default: derived from the name.")
    description: str | None = None
    parent: CategoryBy | None = None

    def command(self) -> commands.CreateCategory:
        return commands.CreateCategory(
            name=self.name,
            slug=self.slug,
            description=self.description,
            parent=self.parent.ref("parent") if self.parent else None,
        )


@strawberry.input
class _CategoryInput(MutationInput):
    category: CategoryBy

    @property
    def ref(self) -> CategoryRef:
        """The reference to the category. Raises `Rejection`."""
        return self.category.ref("category")


@strawberry.input
class CategoryRenameInput(_CategoryInput):
    """A category and its new name, slug or both. The old slug still leads to the category."""

    name: str | None = kept_field()
    slug: str | None = kept_field()

    def command(self) -> commands.RenameCategory:
        return commands.RenameCategory(
            category=self.ref, name=given_value(self.name), slug=given_value(self.slug)
        )


@strawberry.input
class CategoryDescribeInput(_CategoryInput):
    """A category and its new description."""

    description: str | None = stated_field("The new description. Null or empty: cleared.")

    def command(self) -> commands.DescribeCategory:
        return commands.DescribeCategory(category=self.ref, description=self.description)


@strawberry.input
class CategoryMoveInput(_CategoryInput):
    """A category and its new parent."""

    parent: CategoryBy | None = stated_field("The new parent. Null: the top level.")

    def command(self) -> commands.MoveCategory:
        return commands.MoveCategory(
            category=self.ref, parent=self.parent.ref("parent") if self.parent else None
        )


@strawberry.input
class CategoryMergeInput(_CategoryInput):
    """A category, and the category that takes over its posts, subcategories and slugs."""

    into: CategoryBy

    def command(self) -> commands.MergeCategory:
        return commands.MergeCategory(category=self.ref, into=self.into.ref("into"))


@strawberry.input
class CategoryUnmergeInput(_CategoryInput):
    """A merged category, by its id or a slug that it had before the merge.

    `expectedVersion` is that of the category it was merged into.
    """

    def command(self) -> unmerge_command.UnmergeCategory:
        return unmerge_command.UnmergeCategory(category=self.ref)


@strawberry.input
class CategoryDeleteInput(_CategoryInput):
    def command(self) -> commands.DeleteCategory:
        return commands.DeleteCategory(category=self.ref)


@strawberry.type
class CategoryPayload(Payload):
    category: Category | None


_mutation = partial(command_mutation, payload=CategoryPayload, field="category", load=load_category)


@strawberry.type
class CategoryMutations:
    category_create = _mutation(commands.CreateCategory, CategoryCreateInput, "Create a category.")
    category_rename = _mutation(
        commands.RenameCategory,
        CategoryRenameInput,
        "Change the name, the slug or both of a category. The old slug still leads to it.",
    )
    category_describe = _mutation(
        commands.DescribeCategory, CategoryDescribeInput, "Set or clear the description of a category."
    )
    category_move = _mutation(
        commands.MoveCategory, CategoryMoveInput, "Move a category to another parent, or to the top level."
    )
    category_merge = _mutation(
        commands.MergeCategory,
        CategoryMergeInput,
        "Merge a category into another one, which takes over its posts, subcategories and slugs. "
        "The payload contains the other category.",
    )
    category_unmerge = _mutation(
        unmerge_command.UnmergeCategory,
        CategoryUnmergeInput,
        "Undo the merge of a category: it gets back its posts, its slugs and those of its subcategories that were not "
        "moved since. Posts that were added to the other category since stay there. Fails with `UNMERGE_CONFLICT` and "
        "the reason if a later change conflicts. `expectedVersion` is the version of the other category.",
    )
    category_delete = _mutation(
        commands.DeleteCategory,
        CategoryDeleteInput,
        "Delete an empty category. The payload's `category` is null.",
    )
