"""The report of a page import: plain data for printing or JSON output."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TEXT_DIFFERS: Final = "its text on the page differs from the imported text"
"""The note of a post that only imports have changed, and of which the page has another text."""


class Kind(StrEnum):
    SITE = "site"
    CATEGORY = "category"
    AUTHOR = "author"
    ARTICLE = "article"
    RECENT_POST = "recent post"


class Action(StrEnum):
    MADE = "made"
    COMPLETED = "completed"
    """It existed from an earlier import, and the missing parts were added."""
    UNCHANGED = "unchanged"
    """It existed already."""
    KEPT = "kept"
    """It existed already and differs from the page, as `note` explains. It was not changed."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """An entry of the report. `name` is the name or title in the store.

    `slug` and `id` are `None` for a site, and for objects that a dry run would create.
    """

    kind: Kind
    name: str
    action: Action
    slug: str | None = None
    id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: the site, the categories, the authors, the article, then the recent posts in the page's order.

    `made` holds the created and completed objects, `unchanged` the others. `guessed` holds sentences,
    `links_without_target` whole lines of the article. After a dry run, the report contains what an import would do.
    """

    dry_run: bool
    made: tuple[ReportEntry, ...]
    unchanged: tuple[ReportEntry, ...]
    guessed: tuple[str, ...]
    links_without_target: tuple[str, ...]

    @property
    def differing_posts(self) -> tuple[ReportEntry, ...]:
        """The posts that differ from the page and were not changed."""
        posts = {Kind.ARTICLE, Kind.RECENT_POST}
        return tuple(entry for entry in self.unchanged if entry.action is Action.KEPT and entry.kind in posts)
