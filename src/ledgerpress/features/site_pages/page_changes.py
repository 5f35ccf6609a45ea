"""The site page that an address leads to as of a moment, and when that page changed."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledgerpress.features.site_pages import queries
from ledgerpress.features.site_pages.queries import PublicPage
from ledgerpress.features.slugs.model import spellings
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot
from ledgerpress.views.temporal_and_step_rows import OPEN

_CHANGES: Final = f"""
    SELECT from_pos AS position FROM public_page WHERE seq = ?1
    UNION SELECT to_pos FROM public_page WHERE seq = ?1 AND to_pos < {OPEN}
"""  # noqa: S608
_LAST: Final = f"SELECT max(position) FROM ({_CHANGES}) WHERE position < ?2"  # noqa: S608
_FIRST: Final = f"SELECT min(position) FROM ({_CHANGES}) WHERE position > ?2"  # noqa: S608


def page_at(moment: PageMoment, slug: str) -> PublicPage | None:
    """Return the page that a slug leads to at a moment.

    A slug that led to no page then leads to the page that has it today, as that page was then.
    """
    pages = (queries.public_by_slug(moment.snapshot, spelling) for spelling in spellings(slug))
    page = next(filter(None, pages), None)
    if page is None and moment.is_requested:
        today = page_today(moment, slug)
        page = queries.public_by_seq(moment.snapshot, today.seq if today else NO_POSITION)
    return page


def page_today(moment: PageMoment, slug: str) -> PublicPage | None:
    """Return the page that a slug leads to today."""
    pages = (queries.public_by_slug(moment.today, spelling) for spelling in spellings(slug))
    return next(filter(None, pages), None)


@dataclass(frozen=True, slots=True)
class SitePageChanges:
    """The changes of a page that is public today: when it was published, published again, and unpublished."""

    today: Snapshot
    seq: int

    @property
    def key(self) -> tuple[str, int]:
        return "site page", self.seq

    def last(self, before: int) -> int | None:
        """Return the last position before a position at which the page changed."""
        return self._position(_LAST, before)

    about_last = last

    def first(self, after: int) -> int | None:
        """Return the first position after a position at which the page changed."""
        return self._position(_FIRST, after)

    @property
    def _db(self) -> sqlite3.Connection:
        return self.today.about(queries.PUBLIC_PAGES)

    def _position(self, query: str, at: int) -> int | None:
        (position,) = self._db.execute(query, (self.seq, at)).fetchone()
        return None if position is None or position > self.today.position else int(position)


def changes_of_page(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of the page that the address leads to at the moment, or today."""
    page = page_at(moment, parameters["slug"]) or page_today(moment, parameters["slug"])
    return SitePageChanges(moment.today, page.seq) if page else None
