"""The inputs of the mutations, each turned into a use case and what surrounds it."""

import strawberry
from msgspec import UNSET, UnsetType

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.identity import Permission
from ledgerpress.commands.request import CommandRequest
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts import commands as posts
from ledgerpress.features.posts import restore_revert_commands
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.tokens import commands as tokens
from ledgerpress.features.tokens.schema_enums import PermissionEnum, RoleEnum
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import DateTime

_KEY = "The same key makes a repeated command take effect once; at most 200 characters."
_REASON = "Why: kept in the history for ever."
_VERSION = (
    "The version that you have seen, 0 for what does not exist yet."
    " Where it is no longer the current one, nothing is changed."
)


@strawberry.input(one_of=True, description="Names a category, by id or by slug.")
class CategoryBy:
    """Names a category, by id or by slug."""

    id: strawberry.ID | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET


@strawberry.input
class _Command:
    """What every command may carry."""

    idempotency_key: str | None = strawberry.field(default=None, description=_KEY)
    reason: str | None = strawberry.field(default=None, description=_REASON)
    expected_version: int | None = strawberry.field(default=None, description=_VERSION)

    def request(self) -> CommandRequest:
        """Return what surrounds the command."""
        return CommandRequest(
            idempotency_key=self.idempotency_key, reason=self.reason, expected_version=self.expected_version
        )


@strawberry.input
class _PostChange(_Command):
    id: strawberry.ID = strawberry.field(description="The post's id, or its article's.")

    @property
    def post_id(self) -> str:
        """The id of the post. Raises `Rejection`."""
        return global_ids.in_input(self.id, "Post", "Article", field=("id",))


@strawberry.input
class _CategoryChange(_Command):
    category: CategoryBy

    @property
    def ref(self) -> CategoryRef:
        """The category that is named. Raises `Rejection`."""
        return category_ref(self.category, "category")


@strawberry.input
class PostCreateInput(_Command):
    """A new post."""

    title: str
    body: str = strawberry.field(default="", description="CommonMark, at most 262,144 bytes of UTF-8.")
    teaser: str | None = None
    slug: str | None = strawberry.field(default=None, description="Derived from the title where absent.")
    authors: list[strawberry.ID] = strawberry.field(default_factory=list)
    categories: list[CategoryBy] = strawberry.field(default_factory=list)
    publish: bool | None = strawberry.field(default=False, description="Publish it in the same step.")
    published_at: DateTime | None = strawberry.field(
        default=None, description="A date in the past that the article is to bear; only with publish."
    )

    def use_case(self) -> posts.CreatePost:
        """Return the use case. Raises `Rejection`."""
        return posts.CreatePost(
            title=self.title,
            body=self.body,
            teaser=self.teaser,
            slug=self.slug,
            author_ids=_author_ids(self.authors),
            categories=tuple(category_ref(one, "categories") for one in self.categories),
            publish=bool(self.publish),
            published_at=self.published_at,
        )


@strawberry.input
class PostEditInput(_PostChange):
    """New values for what is given; what is absent stays, and a null teaser is cleared."""

    title: str | None = strawberry.UNSET
    teaser: str | None = strawberry.UNSET
    body: str | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET
    authors: list[strawberry.ID] | None = strawberry.UNSET
    publish: bool | None = strawberry.field(
        default=False, description="Publish the outcome in the same step."
    )

    def use_case(self) -> posts.EditPost:
        """Return the use case. Raises `Rejection`."""
        authors = self.authors
        return posts.EditPost(
            post_id=self.post_id,
            title=_given(self.title, "title"),
            teaser=UNSET if self.teaser is strawberry.UNSET else self.teaser,
            body=_given(self.body, "body"),
            slug=_given(self.slug, "slug"),
            author_ids=UNSET if authors is strawberry.UNSET else _author_ids(authors or []),
            publish=bool(self.publish),
        )


@strawberry.input
class PostCategorizeInput(_PostChange):
    """A post and a category to put it into."""

    category: CategoryBy

    def use_case(self) -> posts.CategorizePost:
        """Return the use case. Raises `Rejection`."""
        return posts.CategorizePost(post_id=self.post_id, category=category_ref(self.category, "category"))


@strawberry.input
class PostUncategorizeInput(_PostChange):
    """A post and a category to take it out of."""

    category: CategoryBy

    def use_case(self) -> posts.UncategorizePost:
        """Return the use case. Raises `Rejection`."""
        return posts.UncategorizePost(post_id=self.post_id, category=category_ref(self.category, "category"))


@strawberry.input
class PostPublishInput(_PostChange):
    """A post to publish as it is."""

    published_at: DateTime | None = strawberry.field(
        default=None, description="A date in the past that the article is to bear."
    )
    correction: str | None = strawberry.field(
        default=None, description="A public note on what was corrected."
    )

    def use_case(self) -> posts.PublishPost:
        """Return the use case. Raises `Rejection`."""
        return posts.PublishPost(
            post_id=self.post_id, published_at=self.published_at, correction=self.correction
        )


@strawberry.input
class PostUnpublishInput(_PostChange):
    """A post whose article is to be taken away from readers."""

    def use_case(self) -> posts.UnpublishPost:
        """Return the use case. Raises `Rejection`."""
        return posts.UnpublishPost(post_id=self.post_id)


@strawberry.input
class PostArchiveInput(_PostChange):
    """A post to put away."""

    def use_case(self) -> posts.ArchivePost:
        """Return the use case. Raises `Rejection`."""
        return posts.ArchivePost(post_id=self.post_id)


@strawberry.input
class PostUnarchiveInput(_PostChange):
    """A post to bring back."""

    def use_case(self) -> posts.UnarchivePost:
        """Return the use case. Raises `Rejection`."""
        return posts.UnarchivePost(post_id=self.post_id)


@strawberry.input
class PostRestoreInput(_PostChange):
    """A post, and the version whose content it is to have again: title, teaser, body, authors, and slug if it is free."""

    to_version: int = strawberry.field(description="A version of the post's history.")
    publish: bool | None = strawberry.field(
        default=False, description="Publish the outcome in the same step."
    )

    def use_case(self) -> restore_revert_commands.RestorePost:
        """Return the use case. Raises `Rejection`."""
        return restore_revert_commands.RestorePost(
            post_id=self.post_id, to_version=self.to_version, publish=bool(self.publish)
        )


@strawberry.input
class PostRevertInput(_PostChange):
    """A post, and the version whose change of the content or of a category is to be taken back."""

    version: int = strawberry.field(description="The version that the change brought the post to.")
    publish: bool = strawberry.field(
        default=False, description="Publish the outcome in the same step, where the content changes."
    )

    def use_case(self) -> restore_revert_commands.RevertPost:
        """Return the use case. Raises `Rejection`."""
        return restore_revert_commands.RevertPost(
            post_id=self.post_id, version=self.version, publish=bool(self.publish)
        )


@strawberry.input
class CategoryCreateInput(_Command):
    """A new category."""

    name: str
    slug: str | None = strawberry.field(default=None, description="Derived from the name where absent.")
    description: str | None = None
    parent: CategoryBy | None = None

    def use_case(self) -> categories.CreateCategory:
        """Return the use case. Raises `Rejection`."""
        return categories.CreateCategory(
            name=self.name,
            slug=self.slug,
            description=self.description,
            parent=category_ref(self.parent, "parent") if self.parent else None,
        )


@strawberry.input
class CategoryRenameInput(_CategoryChange):
    """Another name, slug or both; the old slug keeps leading to the category."""

    name: str | None = strawberry.UNSET
    slug: str | None = strawberry.UNSET

    def use_case(self) -> categories.RenameCategory:
        """Return the use case. Raises `Rejection`."""
        return categories.RenameCategory(
            category=self.ref, name=_given(self.name, "name"), slug=_given(self.slug, "slug")
        )


@strawberry.input
class CategoryDescribeInput(_CategoryChange):
    """Another description; null clears it."""

    description: str | None = strawberry.UNSET

    def use_case(self) -> categories.DescribeCategory:
        """Return the use case. Raises `Rejection`."""
        if self.description is strawberry.UNSET:
            message = "Give a description, or null to clear it."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("description",))
        return categories.DescribeCategory(category=self.ref, description=self.description)


@strawberry.input
class CategoryMoveInput(_CategoryChange):
    """Another place in the tree; without a parent, the top."""

    parent: CategoryBy | None = None

    def use_case(self) -> categories.MoveCategory:
        """Return the use case. Raises `Rejection`."""
        return categories.MoveCategory(
            category=self.ref, parent=category_ref(self.parent, "parent") if self.parent else None
        )


@strawberry.input
class CategoryMergeInput(_CategoryChange):
    """The category that is to take this one over, posts, children and slugs."""

    into: CategoryBy

    def use_case(self) -> categories.MergeCategory:
        """Return the use case. Raises `Rejection`."""
        return categories.MergeCategory(category=self.ref, into=category_ref(self.into, "into"))


@strawberry.input
class CategoryDeleteInput(_CategoryChange):
    """An empty category to delete."""

    def use_case(self) -> categories.DeleteCategory:
        """Return the use case. Raises `Rejection`."""
        return categories.DeleteCategory(category=self.ref)


@strawberry.input
class AuthorRegisterInput(_Command):
    """A new author."""

    name: str

    def use_case(self) -> RegisterAuthor:
        """Return the use case."""
        return RegisterAuthor(name=self.name)


@strawberry.input
class AuthorRenameInput(_Command):
    """Another name for an author."""

    id: strawberry.ID
    name: str

    def use_case(self) -> RenameAuthor:
        """Return the use case. Raises `Rejection`."""
        return RenameAuthor(author_id=global_ids.in_input(self.id, "Author", field=("id",)), name=self.name)


@strawberry.input
class SiteNameInput(_Command):
    """The site's name."""

    name: str

    def use_case(self) -> NameSite:
        """Return the use case."""
        return NameSite(name=self.name)


@strawberry.input
class TokenCreateInput(_Command):
    """A new API token."""

    name: str = strawberry.field(description="What it is for; the history tells it.")
    role: RoleEnum  # type: ignore[valid-type]
    scopes: list[PermissionEnum] | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="Only this, of what the role may do."
    )
    expires_at: DateTime | None = strawberry.field(default=None, description="From then on it is of no use.")
    actor: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the actor that it acts for; a new one of its name where absent."
    )

    def use_case_with(self, secret_hash: str, giver: frozenset[Permission]) -> tokens.CreateToken:
        """Return the use case, for a secret and for somebody who may do as much as `giver`. Raises `Rejection`."""
        return tokens.CreateToken(
            name=self.name,
            role=self.role,
            scopes=None if self.scopes is None else tuple(self.scopes),
            expires_at=self.expires_at,
            acts_for=global_ids.in_input(self.actor, "Actor", field=("actor",)) if self.actor else None,
            secret_hash=secret_hash,
            giver=giver,
        )


@strawberry.input
class TokenRevokeInput(_Command):
    """A token that is to work no more."""

    id: strawberry.ID

    def use_case(self) -> tokens.RevokeToken:
        """Return the use case. Raises `Rejection`."""
        return tokens.RevokeToken(token_id=global_ids.in_input(self.id, "ApiToken", field=("id",)))


def category_ref(by: CategoryBy, field: str) -> CategoryRef:
    """Return the reference that an input names. Raises `Rejection` for the id of something else."""
    if by.id:
        return CategoryRef(id=global_ids.in_input(by.id, "Category", field=(field, "id")))
    return CategoryRef(slug=by.slug or "")


def _author_ids(authors: list[strawberry.ID]) -> tuple[str, ...]:
    return tuple(global_ids.in_input(one, "Author", field=("authors",)) for one in authors)


def _given(value: str | None, field: str) -> str | UnsetType:
    if value is strawberry.UNSET:
        return UNSET
    if value is None:
        raise Rejection(ErrorCode.INVALID_VALUE, f"The {field} cannot be null; leave it out.", field=(field,))
    return value
