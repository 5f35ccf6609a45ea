"""The last steps of the story: the newsroom describes its site, and writes about itself."""

from typing import Final

from ledgerpress.features.demo.story_step_builders import Act, Step, hester, nell, piet
from ledgerpress.features.demo.texts import text
from ledgerpress.features.site.commands import DescribeSite
from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
from ledgerpress.features.site_pages.menu_model import MenuPlace
from ledgerpress.features.site_pages.page_commands import CreatePage, PublishPage


def _describe_site(*, description: str, address: str) -> Act:
    return Act(lambda _: DescribeSite(description=description, address=address))


def _write_page(key: str, title: str) -> Act:
    return Act(lambda _: CreatePage(title=title, body=text(key, 1)), ("page", key))


def _publish_page(key: str) -> Act:
    return Act(lambda stage: PublishPage(page_id=stage.id("page", key)))


def _menu(*categories: tuple[str, str]) -> Act:
    """Set the menu: categories and the page about the newspaper at the top, the rest at the end of each page."""
    return Act(
        lambda stage: ArrangeMenu(
            items=(
                *(NewMenuItem(label=label, category=stage.category(key)) for label, key in categories),
                NewMenuItem(label="About us", page=PageRef(id=stage.id("page", "about"))),
                NewMenuItem(
                    label="Imprint", place=MenuPlace.FOOTER, page=PageRef(id=stage.id("page", "imprint"))
                ),
                NewMenuItem(label="Feed (Atom)", place=MenuPlace.FOOTER, address="/feeds/articles.atom"),
            )
        )
    )


SITE_STEPS: Final[tuple[Step, ...]] = (
    nell(20, "23:49", _write_page("about", "About the Tidings"), "people keep asking who we are"),
    nell(20, "23:50", _write_page("imprint", "Imprint")),
    piet(20, "23:51", _publish_page("about"), "one comma moved, none removed"),
    hester(20, "23:52", _publish_page("imprint"), "the law wants it, and so do I"),
    hester(
        20,
        "23:53",
        _describe_site(
            description="News from a harbour town: what the boats are doing, and what they would rather be doing.",
            address="The Pellwick Tidings\n14 Cable Street\nPellwick",
        ),
        "for those who find us elsewhere",
    ),
    hester(
        20,
        "23:54",
        _menu(
            ("Town", "news"),
            ("Harbour", "harbour"),
            ("People", "people"),
            ("Culture", "culture"),
            ("Table and Market", "food"),
        ),
        "in the order in which people ask",
    ),
)
"""The steps after all others, in order."""
