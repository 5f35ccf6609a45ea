"""The GraphQL mutations of posts, and their inputs."""

from functools import partial
from typing import Any

import strawberry
from msgspec import UNSET

from ledgerpress.features.categories.schema.mutations import CategoryBy
from ledgerpress.features.posts import (
    create_edit_categorize_commands,
    lifecycle_commands,
    restore_version_and_revert_change_commands,
)
from ledgerpress.features.posts.correction_commands import EditWithCorrection, PublishWithCorrection
from ledgerpress.features.posts.schema.correction_mutations import CorrectionInput
from ledgerpress.features.posts.schema.types import Post, load_post, slug_differs
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.feature_declarations import runs
from ledgerpress.graphql.input_rules import (
    clearable_field,
    derived_field,
    given_value,
    given_value_or_null,
    kept_field,
)
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation, run_command
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import DateTime


@strawberry.input
class PostCreateInput(MutationInput):
    title: str
    body: str = strawberry.field(default="", description="CommonMark, at most 262,144 bytes of UTF-8.")
    teaser: str | None = None
    slug: str | None = strawberry.field(
        default=None,
        description="Default: derived from the title, which it follows until the first publication.",
    )
    authors: list[strawberry.ID] = strawberry.field(default_factory=list)
    categories: list[CategoryBy] = strawberry.field(default_factory=list)
    publish: bool = strawberry.field(default=False, description="Also publish the post, in the same step.")
    published_at: DateTime | None = strawberry.field(
        default=None,
        description="The publication date, not in the future. Requires `publish: true`. Default: now.",
    )

    def command(self) -> create_edit_categorize_commands.CreatePost:
        return create_edit_categorize_commands.CreatePost(
            title=self.title,
            body=self.body,
            teaser=self.teaser,
            slug=self.slug,
            author_ids=_author_ids(self.authors),
            categories=tuple(category.ref("categories") for category in self.categories),
            publish=self.publish,
            published_at=self.published_at,
        )


@strawberry.input
class _PostInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The id of the post or of its article.")

    @property
    def post_id(self) -> str:
        """The id of the post. Raises `Rejection`."""
        return global_ids.in_input(self.id, "Post", "Article", field=("id",))


@strawberry.input
class PostEditInput(_PostInput):
    """A post, and new values for its fields."""

    title: str | None = kept_field()
    teaser: str | None = clearable_field()
    body: str | None = kept_field()
    slug: str | None = derived_field(
        "Default: that of the post. Until the first publication, a derived slug follows the title."
    )
    authors: list[strawberry.ID] | None = kept_field(
        "The ids of the authors, in order. An empty list clears them."
    )
    publish: bool = strawberry.field(default=False, description="Also publish the result, in the same step.")
    with_correction: CorrectionInput | None = strawberry.field(
        default=None, description="A correction of the published result. Requires `publish: true`."
    )

    def command(self) -> create_edit_categorize_commands.EditPost:
        authors = given_value(self.authors)
        edit = (
            partial(EditWithCorrection, with_correction=self.with_correction.new_correction())
            if self.with_correction
            else create_edit_categorize_commands.EditPost
        )
        return edit(
            post_id=self.post_id,
            title=given_value(self.title),
            teaser=given_value_or_null(self.teaser),
            body=given_value(self.body),
            slug=given_value_or_null(self.slug),
            author_ids=UNSET if authors is UNSET else _author_ids(authors),
            publish=self.publish,
        )


@strawberry.input
class PostCategorizeInput(_PostInput):
    category: CategoryBy

    def command(self) -> create_edit_categorize_commands.CategorizePost:
        return create_edit_categorize_commands.CategorizePost(
            post_id=self.post_id, category=self.category.ref("category")
        )


@strawberry.input
class PostUncategorizeInput(_PostInput):
    category: CategoryBy

    def command(self) -> create_edit_categorize_commands.UncategorizePost:
        return create_edit_categorize_commands.UncategorizePost(
            post_id=self.post_id, category=self.category.ref("category")
        )


@strawberry.input
class PostPublishInput(_PostInput):
    published_at: DateTime | None = strawberry.field(
        default=None,
        description="The publication date, not in the future. Default: the existing date; the first time, now.",
    )
    correction: str | None = strawberry.field(
        default=None,
        description="The note of a correction without a passage. Fails with `POST_NOT_PUBLISHED` if the post was never"
        " public.",
    )
    with_correction: CorrectionInput | None = strawberry.field(
        default=None, description="A correction of any kind. Give either `correction` or `withCorrection`."
    )

    def command(self) -> lifecycle_commands.PublishPost:
        values: dict[str, Any] = {
            "post_id": self.post_id,
            "published_at": self.published_at,
            "correction": self.correction,
        }
        if self.with_correction:
            return PublishWithCorrection(**values, with_correction=self.with_correction.new_correction())
        return lifecycle_commands.PublishPost(**values)


@strawberry.input
class PostUnpublishInput(_PostInput):
    def command(self) -> lifecycle_commands.UnpublishPost:
        return lifecycle_commands.UnpublishPost(post_id=self.post_id)


@strawberry.input
class PostArchiveInput(_PostInput):
    def command(self) -> lifecycle_commands.ArchivePost:
        return lifecycle_commands.ArchivePost(post_id=self.post_id)


@strawberry.input
class PostUnarchiveInput(_PostInput):
    def command(self) -> lifecycle_commands.UnarchivePost:
        return lifecycle_commands.UnarchivePost(post_id=self.post_id)


@strawberry.input
class PostRestoreInput(_PostInput):
    """A post, and the version whose content to restore: title, teaser, body, authors, and the slug if it is free."""

    to_version: int = strawberry.field(description="The version whose content to restore.")
    publish: bool = strawberry.field(default=False, description="Also publish the result, in the same step.")

    def command(self) -> restore_version_and_revert_change_commands.RestorePost:
        return restore_version_and_revert_change_commands.RestorePost(
            post_id=self.post_id, to_version=self.to_version, publish=self.publish
        )


@strawberry.input
class PostRevertInput(_PostInput):
    """A post, and the version whose change of content or categories to revert."""

    version: int = strawberry.field(description="The version that the change created.")
    publish: bool = strawberry.field(
        default=False,
        description="Also publish the result, in the same step. No effect if categories are reverted.",
    )

    def command(self) -> restore_version_and_revert_change_commands.RevertPost:
        return restore_version_and_revert_change_commands.RevertPost(
            post_id=self.post_id, version=self.version, publish=self.publish
        )


@strawberry.type
class PostPayload(Payload):
    post: Post | None


@strawberry.type
class PostRestorePayload(Payload):
    post: Post | None
    to_version: strawberry.Private[int]

    @strawberry.field(
        description="Whether the post does not have the slug of the restored version, because another post has it now."
    )
    def slug_kept(self) -> bool | None:
        if self.post is None or self.position is None:
            return None
        return slug_differs(self.post, self.position, self.to_version)


post_mutation = partial(command_mutation, payload=PostPayload, field="post", load=load_post)
"""Builds a mutation of a post from a command, an input type and a description."""


@strawberry.type
class PostMutations:
    post_create = post_mutation(
        create_edit_categorize_commands.CreatePost,
        PostCreateInput,
        "Create a post. With `publish: true`, also publish it, in the same step.",
    )
    post_edit = post_mutation(
        create_edit_categorize_commands.EditPost,
        PostEditInput,
        "Change the content of a post. Only values that differ are recorded.",
    )
    post_categorize = post_mutation(
        create_edit_categorize_commands.CategorizePost,
        PostCategorizeInput,
        "Add a post to a category. Listings show the change immediately, without publishing.",
    )
    post_uncategorize = post_mutation(
        create_edit_categorize_commands.UncategorizePost,
        PostUncategorizeInput,
        "Remove a post from a category. Listings show the change immediately, without publishing.",
    )
    post_publish = post_mutation(
        lifecycle_commands.PublishPost,
        PostPublishInput,
        "Publish the current content of a post, for the first time or again.",
    )
    post_unpublish = post_mutation(
        lifecycle_commands.UnpublishPost, PostUnpublishInput, "Remove the article of a post from public view."
    )
    post_archive = post_mutation(
        lifecycle_commands.ArchivePost,
        PostArchiveInput,
        "Archive a post: it has no article and cannot be changed until it is unarchived. If it was never published, "
        "other posts can take its slug.",
    )
    post_unarchive = post_mutation(
        lifecycle_commands.UnarchivePost,
        PostUnarchiveInput,
        "Bring a post back from the archive, unpublished.",
    )
    post_revert = post_mutation(
        restore_version_and_revert_change_commands.RevertPost,
        PostRevertInput,
        "Undo the change that created one version, and keep all later changes. The result is a new version. "
        "Fails with `REVERT_CONFLICT` if later changes conflict with it, and with `NOTHING_TO_REVERT` if it no longer "
        "has an effect.",
    )

    @strawberry.mutation(
        description="Restore the content that a post had at a version, as a new version. Status and categories stay.",
        metadata=runs(restore_version_and_revert_change_commands.RestorePost),
    )
    async def post_restore(self, info: RequestInfo, input: PostRestoreInput) -> PostRestorePayload:
        payload = partial(PostRestorePayload, to_version=input.to_version)
        return await run_command(info, input, input.command, payload, "post", load_post)


def _author_ids(authors: list[strawberry.ID]) -> tuple[str, ...]:
    return tuple(global_ids.in_input(author, "Author", field=("authors",)) for author in authors)
