"""The report of a page import: plain data, to be printed or written as JSON."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    SITE = "site"
    CATEGORY = "category"
    ARTICLE = "article"
    RECENT_POST = "recent post"


class Action(StrEnum):
    MADE = "made"
    COMPLETED = "completed"
    """It existed from an earlier import, and what it lacked was added."""
    UNCHANGED = "unchanged"
    """It existed already."""
    KEPT = "kept"
    """It existed already and differs from the page; `note` says how. It was not changed."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """One entry. `name` is a name or a title, as the store has it.

    `slug` and `id` are `None` for a site, and for what a dry run would create.
    """

    kind: Kind
    name: str
    action: Action
    slug: str | None = None
    id: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: the site, the categories, the article, then the recent posts in the page's order.

    `made` holds what was created or completed, `unchanged` the rest. `guessed` holds sentences, `links_without_target`
    whole lines of the article. After a dry run, it says what would have been done.
    """

    dry_run: bool
    made: tuple[ReportEntry, ...]
    unchanged: tuple[ReportEntry, ...]
    guessed: tuple[str, ...]
    links_without_target: tuple[str, ...]
