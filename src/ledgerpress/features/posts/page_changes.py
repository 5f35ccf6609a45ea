"""When the front page, a category page or the page of an article changed, as far as readers may see that today."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.listings_over_time import listings_over_time
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.pages_at_moments import article_at, article_today, category_at, category_today
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.views.first_page_changes import FirstPageChanges, has_recorded_change_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PAGE_SIZE: Final = 10
"""The number of articles on a page of a list."""

_LAST_REVISION: Final = (
    "SELECT from_pos, to_pos FROM article WHERE seq = ? AND from_pos < ? ORDER BY from_pos DESC LIMIT 1"
)
_FIRST_REVISION: Final = "SELECT min(from_pos) FROM article WHERE seq = ? AND from_pos > ?"
# Corrections and categories are seen only while the post is public, and no correction that is retracted today counts.
_PUBLIC_AT: Final = """
    position <= (
        SELECT article.to_pos FROM article WHERE seq = :seq AND article.from_pos <= position ORDER BY article.from_pos DESC LIMIT 1
    )
"""
_OTHERS: Final = f"""
    SELECT {{choice}}(position) FROM (
        SELECT correction.from_pos AS position FROM correction
        WHERE post_id = :post_id AND correction.from_pos {{range}} AND NOT EXISTS (
            SELECT 1 FROM correction AS now WHERE now.id = correction.id
                AND now.from_pos <= :today AND now.to_pos > :today AND now.retracted_at IS NOT NULL
        )
        UNION ALL SELECT from_pos FROM post_category WHERE :with_categories AND seq = :seq AND from_pos {{range}}
        UNION ALL SELECT to_pos FROM post_category WHERE :with_categories AND seq = :seq AND to_pos {{range}}
    ) WHERE {_PUBLIC_AT}
"""  # noqa: S608
_LAST_OTHER: Final = _OTHERS.format(choice="max", range="BETWEEN 1 AND :at - 1")
_FIRST_OTHER: Final = _OTHERS.format(choice="min", range="BETWEEN :at + 1 AND :today")


@dataclass(frozen=True, slots=True)
class ArticleChanges:
    """The changes of an article that is public today: of its text, its corrections and its categories.

    `since` is the position of the first change that counts. Without `with_categories`, categories do not count.
    """

    today: Snapshot
    seq: int
    post_id: str
    with_categories: bool = True
    since: int = 0

    @property
    def key(self) -> tuple[str, int, bool, int]:
        return "article", self.seq, self.with_categories, self.since

    def last(self, before: int) -> int | None:
        """Return the last position before a position at which the article changed."""
        row = self._db.execute(_LAST_REVISION, (self.seq, before)).fetchone()
        positions = [self._other(_LAST_OTHER, before)]
        if row is not None:
            from_pos, to_pos = row
            positions.append(to_pos if to_pos < before else from_pos)
        return max(
            (position for position in positions if position is not None and position >= self.since),
            default=None,
        )

    about_last = last

    def first(self, after: int) -> int | None:
        """Return the first position after a position at which the article changed."""
        after = max(after, self.since - 1)
        positions = [self._other(_FIRST_OTHER, after)]
        (revision,) = self._db.execute(_FIRST_REVISION, (self.seq, after)).fetchone()
        positions.append(revision)
        row = self._db.execute(_LAST_REVISION, (self.seq, after + 1)).fetchone()
        if row is not None and row[1] > after:
            positions.append(row[1])
        return min(
            (position for position in positions if position is not None and position <= self.today.position),
            default=None,
        )

    @property
    def _db(self) -> sqlite3.Connection:
        return self.today.about(article_queries.article_topic(self.seq))

    def _other(self, query: str, at: int) -> int | None:
        values = {
            "seq": self.seq,
            "post_id": self.post_id,
            "with_categories": self.with_categories,
            "at": at,
            "today": self.today.position,
        }
        (position,) = self._db.execute(query, values).fetchone()
        return None if position is None else int(position)


def front_page_changes(moment: PageMoment, _: Mapping[str, str]) -> PageChanges:
    """Return the changes of the newest articles."""
    hidden = moment.public.hidden
    return FirstPageChanges(
        key="front page",
        today=moment.today,
        public=moment.public,
        hidden=hidden,
        ks=(EVERY_ARTICLE,),
        ks_at=lambda _: (EVERY_ARTICLE,),
        size=PAGE_SIZE,
        is_exact=not has_recorded_change_of(moment.today, EVERY_ARTICLE, hidden),
    )


def category_page_changes(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of the newest articles in a category, and of the category itself."""
    slug = parameters["slug"]
    category = category_at(moment, slug) or category_today(moment, slug)
    if category is None:
        return None
    hidden, listings = moment.public.hidden, listings_over_time(moment.today, category)

    def ks_at(snapshot: Snapshot) -> list[int]:
        return category_queries.listing_keys(snapshot, category, descend=True)

    return FirstPageChanges(
        key=("category page", category.seq),
        today=moment.today,
        public=moment.public,
        hidden=hidden,
        ks=listings.ks,
        ks_at=ks_at,
        size=PAGE_SIZE,
        others=listings.changes,
        is_exact=len(listings.ks) == 1 and not has_recorded_change_of(moment.today, category.seq, hidden),
    )


def article_changes(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of the article that the address leads to at the moment, or today."""
    slug = parameters["slug"]
    article = article_at(moment, slug) or article_today(moment, slug)
    if article is None:
        return None
    return ArticleChanges(moment.today, article.seq, article.id)
