"""The GraphQL type of the menu, its query and its mutation."""

from functools import partial

import strawberry

from ledgerpress.features.actors.permissions import READ_POSTS
from ledgerpress.features.categories import CategoryRef
from ledgerpress.features.categories.schema import Category, category_of
from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
from ledgerpress.features.site_pages.menu_model import MenuPlace, TargetKind
from ledgerpress.features.site_pages.menu_projector_and_queries import menu
from ledgerpress.features.site_pages.menu_targets import ResolvedItem, resolved_items
from ledgerpress.features.site_pages.schema.types_and_queries import Page, PageDraft, load_draft, page_of
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import described_enum

MenuPlaceEnum = described_enum(
    MenuPlace,
    name="MenuPlace",
    description="The place of a menu item on pages.",
    values={
        MenuPlace.HEADER: "At the top of each page, in place of the categories.",
        MenuPlace.FOOTER: "At the end of each page.",
    },
)


@strawberry.type(
    description="An item of the menu, which leads to a site page, to a category or to an address."
)
class MenuItem:
    resolved: strawberry.Private[ResolvedItem]
    moment: strawberry.Private[PointInTime]
    label: str
    place: MenuPlaceEnum  # type: ignore[valid-type]
    url: str | None = strawberry.field(
        description="A path on the site, or an https URL; null if the target is not public. Readers do not see such items."
    )

    @strawberry.field(description="The site page, if it is the target and public.")
    def page(self) -> Page | None:
        record = self.resolved.page
        return page_of(record, self.moment) if record else None

    @strawberry.field(description="The site page, public or not, if it is the target.")
    def page_draft(self) -> PageDraft | None:
        item = self.resolved.item
        return load_draft(self.moment, item.target) if item.kind is TargetKind.PAGE else None

    @strawberry.field(description="The category, if it is the target.")
    def category(self) -> Category | None:
        record = self.resolved.category
        return category_of(record, self.moment) if record else None


@strawberry.type(description="The menu of the site.")
class Menu:
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Increases with every change of the menu. Pass it as `expectedVersion`. 0 until the first change."
    )

    @strawberry.field(
        description="The items, in order; none if the site has no menu. Readers see only those whose target is public."
    )
    def items(self) -> list[MenuItem]:
        sees_all = self.moment.snapshot.only is None and self.moment.viewer.may(READ_POSTS)
        return [
            MenuItem(
                resolved=resolved,
                moment=self.moment,
                label=resolved.item.label,
                place=resolved.item.place,
                url=resolved.href,
            )
            for resolved in resolved_items(self.moment.snapshot)
            if sees_all or resolved.href is not None
        ]


def menu_of(moment: PointInTime) -> Menu:
    return Menu(moment=moment, version=menu(moment.snapshot).version)


@strawberry.type
class MenuQueries:
    @strawberry.field(description="The menu of the site.")
    def menu(self, info: RequestInfo, as_of: AsOf | None = None) -> Menu:
        return menu_of(moment_of(info.context, as_of))


@strawberry.input(one_of=True, description="What a menu item leads to.")
class MenuTarget:
    page: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a `PageDraft` or of a `Page`."
    )
    page_slug: str | None = strawberry.field(default=strawberry.UNSET, description="The slug of a page.")
    category: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of a category."
    )
    category_slug: str | None = strawberry.field(
        default=strawberry.UNSET, description="The slug of a category."
    )
    address: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="An https URL, or a path on the site, which begins with a slash.",
    )


@strawberry.input
class MenuItemInput:
    """An item of the menu."""

    label: str = strawberry.field(description="At most 200 characters.")
    target: MenuTarget
    place: MenuPlaceEnum = MenuPlace.HEADER  # type: ignore[valid-type]

    def item(self) -> NewMenuItem:
        """Return the item. Raises `Rejection` for the id of an object of another type."""
        target = self.target
        return NewMenuItem(
            label=self.label,
            place=self.place,
            page=self._page(target),
            category=self._category(target),
            address=target.address or None,
        )

    @staticmethod
    def _page(target: MenuTarget) -> PageRef | None:
        if target.page:
            return PageRef(
                id=global_ids.in_input(target.page, "PageDraft", "Page", field=("items", "target", "page"))
            )
        return PageRef(slug=target.page_slug) if target.page_slug else None

    @staticmethod
    def _category(target: MenuTarget) -> CategoryRef | None:
        if target.category:
            return CategoryRef(
                id=global_ids.in_input(target.category, "Category", field=("items", "target", "category"))
            )
        return CategoryRef(slug=target.category_slug) if target.category_slug else None


@strawberry.input
class MenuArrangeInput(MutationInput):
    """All items of the menu, in order. `expectedVersion` is the version of the menu."""

    items: list[MenuItemInput] = strawberry.field(
        description="At most 50. An empty list removes the menu; pages then show the main categories."
    )

    def command(self) -> ArrangeMenu:
        return ArrangeMenu(items=tuple(item.item() for item in self.items))


@strawberry.type
class MenuPayload(Payload):
    menu: Menu | None


_mutation = partial(
    command_mutation, payload=MenuPayload, field="menu", load=lambda moment, _: menu_of(moment)
)


@strawberry.type
class MenuMutations:
    menu_arrange = _mutation(ArrangeMenu, MenuArrangeInput, "Set all items of the menu.")
