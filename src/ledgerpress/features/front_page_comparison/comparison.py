"""Which articles the front page gained, lost and moved between two moments."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.page_changes import PAGE_SIZE
from ledgerpress.views.paging import PageRequest, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@dataclass(frozen=True, slots=True)
class Place:
    """An article on the front page, and its place there at both moments, from 1; `None` if it was not on it.

    `article` is as of the later moment, or as of the earlier one if it was removed.
    """

    article: Article
    before: int | None
    now: int | None
    former_title: str | None = None
    """The title at the earlier moment, if it was another."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two front pages, in the order of the places.

    `moved` are as few articles of both pages as possible without which the others are in the same order. `shifted` are
    those others whose place changed only because articles were added, removed or moved.
    """

    added: Sequence[Place]
    removed: Sequence[Place]
    moved: Sequence[Place]
    shifted: Sequence[Place]
    unchanged: Sequence[Place]


def front_page(snapshot: Snapshot) -> list[Article]:
    """Return the articles on the front page, in order."""
    page = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=PAGE_SIZE))
    articles = article_queries.by_seqs(snapshot, [key.post for key in page.entries])
    return [article for article in articles if article]


def compare(then: Snapshot, now: Snapshot) -> Comparison:
    """Return the differences between the front pages as of two snapshots."""
    before = {article.seq: (place, article) for place, article in enumerate(front_page(then), 1)}
    after = {article.seq: (place, article) for place, article in enumerate(front_page(now), 1)}
    places = []
    for seq, (place, article) in after.items():
        former_place, former = before.get(seq, (None, article))
        former_title = former.title if former.title != article.title else None
        places.append(Place(article, former_place, place, former_title))
    in_order = _in_order(places)
    return Comparison(
        added=[place for place in places if place.before is None],
        removed=[Place(article, place, None) for seq, (place, article) in before.items() if seq not in after],
        moved=[place for place in places if place.before is not None and place not in in_order],
        shifted=[place for place in in_order if place.before != place.now],
        unchanged=[place for place in in_order if place.before == place.now],
    )


def _in_order(places: Sequence[Place]) -> list[Place]:
    """Return the most articles of both pages that have the same order on both, and of these the most in the same place.

    That is a longest increasing subsequence of the former places.
    """
    best: list[list[Place]] = []
    """The best selection that ends with each of the articles."""
    both = [place for place in places if place.before is not None]
    for place in both:
        shorter = [chain for chain in best if _before(chain[-1]) < _before(place)]
        best.append([*max(shorter, key=_worth, default=[]), place])
    return max(best, key=_worth, default=[])


def _before(place: Place) -> int:
    return place.before or 0


def _worth(places: Sequence[Place]) -> tuple[int, int]:
    return len(places), sum(place.before == place.now for place in places)
