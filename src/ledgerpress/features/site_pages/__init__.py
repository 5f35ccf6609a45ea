"""Site pages, such as “About us” and an imprint, and the menu: the manifest, and the names for features above."""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.site_pages import menu_model, menu_projector_and_queries, model, projector, queries
from ledgerpress.features.site_pages.menu_model import MENU, MenuArranged, MenuItem, MenuPlace
from ledgerpress.features.site_pages.model import (
    PAGES,
    Page,
    PageCreated,
    PageEdited,
    PagePublished,
    PageStatus,
    PageUnpublished,
)

if TYPE_CHECKING:
    from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
    from ledgerpress.features.site_pages.page_commands import CreatePage, EditPage, PublishPage, UnpublishPage
else:
    __getattr__ = names_in(__name__, "page_commands", "menu_command")

__all__ = [
    "FEATURE",
    "MENU",
    "PAGES",
    "ArrangeMenu",
    "CreatePage",
    "EditPage",
    "MenuArranged",
    "MenuItem",
    "MenuPlace",
    "NewMenuItem",
    "Page",
    "PageCreated",
    "PageEdited",
    "PagePublished",
    "PageRef",
    "PageStatus",
    "PageUnpublished",
    "PublishPage",
    "UnpublishPage",
]

FEATURE: Final = Feature(
    name="site_pages",
    requires=("slugs", "actors", "site", "categories", "posts"),
    events=(*model.EVENTS, *menu_model.EVENTS),
    commands=(
        "ledgerpress.features.site_pages.page_commands:COMMANDS",
        "ledgerpress.features.site_pages.menu_command:COMMANDS",
    ),
    projectors=(projector.PROJECTOR, menu_projector_and_queries.PROJECTOR),
    dependencies=(queries.DEPENDENCIES, menu_projector_and_queries.DEPENDENCIES),
    hidden=(queries.HIDDEN,),
    subjects=(queries.SUBJECT, menu_projector_and_queries.SUBJECT),
    schema="ledgerpress.features.site_pages.schema:SCHEMA",
    pages="ledgerpress.features.site_pages.html_pages:PAGES",
)
