"""The GraphQL mutations of categories, with their inputs."""

import strawberry

from ledgerpress.commands.command_context import CategoryRef
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.features.categories import commands
from ledgerpress.features.categories.schema.category import Category, load_category
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.mutations import MutationInput, Payload, given_value, run_command
from ledgerpress.graphql.relay import global_ids


@strawberry.input(one_of=True, description="Names a category, by id or by slug.")
class CategoryBy:
    """Names a category, by id or by slug."""

    id: strawberry.ID | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET

    def ref(self, field: str) -> CategoryRef:
        """Return the reference to the category. Raises `Rejection` for the id of an object of another type."""
        if self.id:
            return CategoryRef(id=global_ids.in_input(self.id, "Category", field=(field, "id")))
        return CategoryRef(slug=self.slug or "")


@strawberry.input
class CategoryCreateInput(MutationInput):
    """A new category."""

    name: str
    slug: str | None = strawberry.field(default=None, description="Derived from the name where absent.")
    description: str | None = None
    parent: CategoryBy | None = None

    def command(self) -> commands.CreateCategory:
        """Return the command. Raises `Rejection`."""
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
    """Another name, slug or both; the old slug still leads to the category."""

    name: str | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET

    def command(self) -> commands.RenameCategory:
        """Return the command. Raises `Rejection`."""
        return commands.RenameCategory(
            category=self.ref, name=given_value(self.name, "name"), slug=given_value(self.slug, "slug")
        )


@strawberry.input
class CategoryDescribeInput(_CategoryInput):
    """Another description; null clears it."""

    description: str | None = strawberry.UNSET

    def command(self) -> commands.DescribeCategory:
        """Return the command. Raises `Rejection`."""
        if self.description is strawberry.UNSET:
            message = "Give a description, or null to clear it."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("description",))
        return commands.DescribeCategory(category=self.ref, description=self.description)


@strawberry.input
class CategoryMoveInput(_CategoryInput):
    """Another place in the tree; without a parent, the top."""

    parent: CategoryBy | None = None

    def command(self) -> commands.MoveCategory:
        """Return the command. Raises `Rejection`."""
        return commands.MoveCategory(
            category=self.ref, parent=self.parent.ref("parent") if self.parent else None
        )


@strawberry.input
class CategoryMergeInput(_CategoryInput):
    """The category that is to take over the posts, children and slugs of this one."""

    into: CategoryBy

    def command(self) -> commands.MergeCategory:
        """Return the command. Raises `Rejection`."""
        return commands.MergeCategory(category=self.ref, into=self.into.ref("into"))


@strawberry.input
class CategoryDeleteInput(_CategoryInput):
    """An empty category to delete."""

    def command(self) -> commands.DeleteCategory:
        """Return the command. Raises `Rejection`."""
        return commands.DeleteCategory(category=self.ref)


@strawberry.type
class CategoryPayload(Payload):
    """The result of a command on a category."""

    category: Category | None


async def _run(info: RequestInfo, input: MutationInput) -> CategoryPayload:
    return await run_command(info, input, CategoryPayload, "category", load_category)


@strawberry.type
class CategoryMutations:
    """Commands on categories."""

    @strawberry.mutation(description="Make a category.")
    async def category_create(self, info: RequestInfo, input: CategoryCreateInput) -> CategoryPayload:
        return await _run(info, input)

    @strawberry.mutation(description="Give a category another name, slug or both.")
    async def category_rename(self, info: RequestInfo, input: CategoryRenameInput) -> CategoryPayload:
        return await _run(info, input)

    @strawberry.mutation(description="Say what a category is about.")
    async def category_describe(self, info: RequestInfo, input: CategoryDescribeInput) -> CategoryPayload:
        return await _run(info, input)

    @strawberry.mutation(description="Put a category under another, or at the top.")
    async def category_move(self, info: RequestInfo, input: CategoryMoveInput) -> CategoryPayload:
        return await _run(info, input)

    @strawberry.mutation(description="Let another category take a category over; the payload has the other.")
    async def category_merge(self, info: RequestInfo, input: CategoryMergeInput) -> CategoryPayload:
        return await _run(info, input)

    @strawberry.mutation(description="Delete an empty category; the payload's category is null.")
    async def category_delete(self, info: RequestInfo, input: CategoryDeleteInput) -> CategoryPayload:
        return await _run(info, input)
