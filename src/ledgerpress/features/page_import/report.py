"""What an import of a page did, or would do: plain data, fit to be printed or to be written as JSON."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an entry of a report is about."""

    SITE = "site"
    CATEGORY = "category"
    ARTICLE = "article"
    RECENT_POST = "recent post"


class Action(StrEnum):
    """What an import did with it."""

    MADE = "made"
    COMPLETED = "completed"
    """It was there from an earlier import, and has been given what it lacked."""
    UNCHANGED = "unchanged"
    """It was there already."""
    KEPT = "kept"
    """It was there already and differs from the page; `note` says how. What is there is left alone."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One thing that the page names. `name` is a name or a title, as the store has it.

    `slug` and `id` are `None` for a site, and for what a dry run would make. `id` is the id inside the store.
    """

    kind: Kind
    name: str
    action: Action
    slug: str | None = None
    id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of an import: the site, the categories, the article, then the recent posts in the page's order.

    `made` holds what was made or completed, `unchanged` what was left as it is. `guessed` holds sentences, and
    `links_without_target` whole lines of the article. After a dry run it tells what would have been done.
    """

    dry_run: bool
    made: tuple[ReportEntry, ...]
    unchanged: tuple[ReportEntry, ...]
    guessed: tuple[str, ...]
    links_without_target: tuple[str, ...]
