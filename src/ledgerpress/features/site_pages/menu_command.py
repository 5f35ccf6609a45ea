"""The command that sets the menu of the site."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.features.categories import TAXONOMY, CategoryRef
from ledgerpress.features.site import WRITE_SITE
from ledgerpress.features.site.logo_rules import https_url_or_path
from ledgerpress.features.site_pages.menu_model import MENU, MenuArranged, MenuItem, MenuPlace, TargetKind
from ledgerpress.features.site_pages.model import PAGES
from ledgerpress.features.slugs import model as slugs

MAX_ITEMS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRef:
    """A reference to a site page by id or by slug."""

    id: str | None = None
    slug: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMenuItem:
    """An item for the menu. Exactly one of `page`, `category` and `address` is set."""

    label: str
    place: MenuPlace = MenuPlace.HEADER
    page: PageRef | None = None
    category: CategoryRef | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrangeMenu:
    """Set all items of the menu. Without items, the site has no menu."""

    fingerprint_name: ClassVar[str] = "ArrangeMenu"

    items: tuple[NewMenuItem, ...]

    lock_key = MENU.prefix

    async def plan(self, context: CommandContext) -> AppendPlan:
        menu = await context.load(MENU)
        context.check_version(menu.version)
        if len(self.items) > MAX_ITEMS:
            raise Rejection(
                ErrorCode.TOO_LONG,
                f"The menu has {len(self.items):,} items; at most {MAX_ITEMS} are allowed.",
                field=("items",),
            )
        items = tuple([await _item(context, item) for item in self.items])
        events = () if items == menu.state else (MenuArranged(items=items),)
        return AppendPlan.of("menu", menu.write(events))


async def _item(context: CommandContext, item: NewMenuItem) -> MenuItem:
    """Return an item in the form in which it is recorded. Raises `Rejection` for an invalid label or target."""
    try:
        label = text_rules.line(item.label, field="label", limit=text_rules.MAX_NAME)
        kind, target = await _target(context, item)
    except Rejection as rejection:
        rejection.field = ("items", *rejection.field)
        raise
    return MenuItem(label=label, place=item.place, kind=kind, target=target)


async def _target(context: CommandContext, item: NewMenuItem) -> tuple[TargetKind, str]:
    if item.page is not None:
        return TargetKind.PAGE, await _page_id(context, item.page)
    if item.category is not None:
        taxonomy = (await context.load(TAXONOMY)).state
        return TargetKind.CATEGORY, taxonomy.find(item.category, field="category").id
    return TargetKind.ADDRESS, https_url_or_path(item.address or "", field="address")


async def _page_id(context: CommandContext, page: PageRef) -> str:
    """Return the id of a page. Raises `Rejection` if it does not exist."""
    page_id = page.id
    if page_id is None:
        slug = slugs.normalized(page.slug or "")
        stream = slugs.stream_id(slugs.SlugKind.PAGE, slug, context.name_key)
        page_id = (await context.load(slugs.SLUGS, stream)).state.owner_id
    if page_id is None or (await context.load(PAGES, page_id)).state is None:
        named = f" “{page.slug}”" if page.slug else ""
        raise Rejection(ErrorCode.NOT_FOUND, f"There is no such page{named}.", field=("page",))
    return page_id


COMMANDS: Final = commands(RequiredPermission(WRITE_SITE), ArrangeMenu)
