"""The GraphQL mutations of site pages, and their inputs."""

from functools import partial

import strawberry

from ledgerpress.features.site_pages import page_commands
from ledgerpress.features.site_pages.schema.types_and_queries import PageDraft, load_draft
from ledgerpress.graphql.input_rules import given_value, kept_field
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.relay import global_ids


@strawberry.input
class PageCreateInput(MutationInput):
    title: str
    body: str = strawberry.field(
        default="", description="CommonMark, at most 262,144 bytes of UTF-8, as in posts."
    )
    slug: str | None = strawberry.field(default=None, description="Default: derived from the title.")
    publish: bool = strawberry.field(default=False, description="Also publish the page, in the same step.")

    def command(self) -> page_commands.CreatePage:
        return page_commands.CreatePage(
            title=self.title, body=self.body, slug=self.slug, publish=self.publish
        )


@strawberry.input
class _PageInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The id of a `PageDraft` or of a `Page`.")

    @property
    def page_id(self) -> str:
        """The id of the page. Raises `Rejection`."""
        return global_ids.in_input(self.id, "PageDraft", "Page", field=("id",))


@strawberry.input
class PageEditInput(_PageInput):
    """A site page, and new values for its fields."""

    title: str | None = kept_field()
    body: str | None = kept_field()
    slug: str | None = kept_field("Former public slugs still lead to the page.")
    publish: bool = strawberry.field(default=False, description="Also publish the result, in the same step.")

    def command(self) -> page_commands.EditPage:
        return page_commands.EditPage(
            page_id=self.page_id,
            title=given_value(self.title),
            body=given_value(self.body),
            slug=given_value(self.slug),
            publish=self.publish,
        )


@strawberry.input
class PagePublishInput(_PageInput):
    def command(self) -> page_commands.PublishPage:
        return page_commands.PublishPage(page_id=self.page_id)


@strawberry.input
class PageUnpublishInput(_PageInput):
    def command(self) -> page_commands.UnpublishPage:
        return page_commands.UnpublishPage(page_id=self.page_id)


@strawberry.type
class PagePayload(Payload):
    page_draft: PageDraft | None


_mutation = partial(command_mutation, payload=PagePayload, field="page_draft", load=load_draft)


@strawberry.type
class PageMutations:
    page_create = _mutation(
        page_commands.CreatePage,
        PageCreateInput,
        "Create a site page. With `publish: true`, also publish it, in the same step.",
    )
    page_edit = _mutation(
        page_commands.EditPage,
        PageEditInput,
        "Change the draft of a site page. Readers see the change when it is published.",
    )
    page_publish = _mutation(
        page_commands.PublishPage,
        PagePublishInput,
        "Publish the draft of a site page, for the first time or again.",
    )
    page_unpublish = _mutation(
        page_commands.UnpublishPage, PageUnpublishInput, "Remove a site page from public view."
    )
