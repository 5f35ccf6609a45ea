"""The GraphQL types of site pages, as readers and as editors see them, and the queries for them."""

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.actors.permissions import READ_POSTS
from ledgerpress.features.posts.schema import Body
from ledgerpress.features.site_pages import queries
from ledgerpress.features.site_pages.model import PageStatus
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.as_of import AsOf, is_past, moment_of, named_moment
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, described_enum

PageStatusEnum = described_enum(
    PageStatus,
    name="PageStatus",
    description="The status of a site page.",
    values={
        PageStatus.DRAFT: "Not published yet.",
        PageStatus.PUBLISHED: "Readers see the page. There may be changes that are not published yet.",
        PageStatus.UNPUBLISHED: "Was published, and is no longer public.",
    },
)


@strawberry.type(description="A site page as last published, such as “About us” or an imprint.")
class Page(Node):
    record: strawberry.Private[queries.PublicPage]
    moment: strawberry.Private[PointInTime]
    slug: str
    title: str
    path: str = strawberry.field(description="The path of the page on the site.")
    updated_at: DateTime = strawberry.field(description="When the page was published last.")

    @strawberry.field
    def body(self) -> Body:
        return _body(self.moment, self.record.body)


@strawberry.type(description="A site page as its editors see it, published or not.")
class PageDraft(Node):
    record: strawberry.Private[queries.Draft]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Increases with every change of the page. Pass it as `expectedVersion`."
    )
    status: PageStatusEnum  # type: ignore[valid-type]
    slug: str
    title: str
    created_at: DateTime
    has_unpublished_changes: bool

    @strawberry.field
    def body(self) -> Body:
        return _body(self.moment, self.record.body)

    @strawberry.field(description="The page that readers see; null if it is not public.")
    def page(self) -> Page | None:
        return load_page(self.moment, self.record.id)


def _body(moment: PointInTime, position: int | None) -> Body:
    return Body(snapshot=moment.snapshot, position=position or 0, read_markdown=queries.markdown)


def page_of(record: queries.PublicPage, moment: PointInTime) -> Page:
    return Page(
        id=global_ids.id_of(moment, "Page", record.id),
        record=record,
        moment=moment,
        slug=record.slug,
        title=record.title,
        path=queries.page_href(record.slug),
        updated_at=DateTime(record.updated_at),
    )


def load_page(moment: PointInTime, page_id: str) -> Page | None:
    """Return the page with an id, if it is public."""
    record = queries.public_by_id(moment.snapshot, page_id)
    return page_of(record, moment) if record else None


def draft_of(record: queries.Draft, moment: PointInTime) -> PageDraft:
    return PageDraft(
        id=global_ids.id_of(moment, "PageDraft", record.id),
        record=record,
        moment=moment,
        version=record.version,
        status=record.status,
        slug=record.slug,
        title=record.title,
        created_at=DateTime(record.created_at),
        has_unpublished_changes=record.has_unpublished_changes,
    )


def load_draft(moment: PointInTime, page_id: str) -> PageDraft | None:
    """Return the page with an id as its editors see it, if the viewer may see that.

    The public past, which everyone may see, has no drafts.
    """
    if not moment.viewer.may(READ_POSTS) or moment.snapshot.only is not None:
        return None
    record = queries.draft_by_id(moment.snapshot, page_id)
    return draft_of(record, moment) if record else None


def moment_of_drafts(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment of `as_of`, by default the current one, for a query of drafts.

    The past of drafts is part of the history. Raises `BadRequest` for a moment in the future, and `AccessDenied`.
    """
    moment = named_moment(context, as_of)
    if is_past(context, moment) and not context.identity.may(READ_HISTORY):
        raise AccessDenied(context.identity, READ_HISTORY)
    return moment


@strawberry.type
class PageQueries:
    @strawberry.field(description="The site page with this `id` or `slug`. Former slugs work too.")
    def page(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Page | None:
        moment = moment_of(info.context, as_of)
        record = global_ids.by_id_or_slug(
            id, slug, "Page", moment.snapshot, queries.public_by_id, queries.public_by_slug
        )
        return page_of(record, moment) if record else None

    @strawberry.field(description="All public site pages, in the order of creation.")
    def pages(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Page]:
        moment = moment_of(info.context, as_of)
        return connect_in_order_of_creation(
            first, after, moment, queries.public_pages, page_of, queries.count_public_pages
        )

    @strawberry.field(description="The site page with this `id` or `slug`, public or not.")
    def page_draft(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> PageDraft | None:
        moment = moment_of_drafts(info.context, as_of)
        record = global_ids.by_id_or_slug(
            id, slug, "PageDraft", moment.snapshot, queries.draft_by_id, queries.draft_by_slug
        )
        return draft_of(record, moment) if record else None

    @strawberry.field(description="All site pages, public or not, in the order of creation.")
    def page_drafts(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[PageDraft]:
        moment = moment_of_drafts(info.context, as_of)
        return connect_in_order_of_creation(
            first, after, moment, queries.drafts_after, draft_of, queries.count_drafts
        )
