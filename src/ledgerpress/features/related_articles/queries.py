"""Articles that are related to an article, and its neighbours in the order of publication, as of a snapshot.

Everything is read from the listings of categories, whose topics a response then depends on. So it costs about the same
for every number of articles, and only public articles are found.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.queries import Category
from ledgerpress.features.posts import EVERY_ARTICLE, article_queries, post_queries
from ledgerpress.features.posts.article_queries import Article
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import PageRequest, encode_cursor, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

MAX_RELATED: Final = 10
"""The maximum number of related articles."""
_MAX_CATEGORIES: Final = 8
"""How many categories of an article count: those with the fewest articles."""
_CANDIDATES: Final = 20
"""How many articles of a category count: the newest ones."""
_ONE: Final = 2**40
"""The weight of a category with one article. Weights are integers, so that sums do not depend on their order."""


def related_articles(snapshot: Snapshot, article: Article, limit: int = MAX_RELATED) -> list[Article]:
    """Return at most `limit` articles that share categories with an article, the most closely related first.

    A shared category counts the more, the fewer articles it has. Of articles with the same weight, the newest come first.
    """
    seqs = snapshot.once(("related articles", article.seq), lambda snapshot: _related(snapshot, article.seq))
    # The title of an article may have been withdrawn. There is nothing to show of it then.
    articles = [other for other in article_queries.by_seqs(snapshot, seqs) if other and other.title]
    return articles[:limit]


def _related(snapshot: Snapshot, seq: int) -> tuple[int, ...]:
    """Return the positions at which the related posts were created."""
    counted = [
        (category_queries.count_articles(snapshot, category, descend=False), category.seq, category)
        for category in post_queries.categories_of(snapshot, seq)
    ]
    weights, dates = Counter[int](), dict[int, int]()
    for count, _, category in sorted(counted, key=lambda each: each[:2])[:_MAX_CATEGORIES]:
        keys = category_queries.listing_keys(snapshot, category, descend=False)
        # One more, because the article itself may be among them.
        for key in page_of(snapshot, keys, PageRequest(first=_CANDIDATES + 1)).entries:
            weights[key.post] += _ONE // max(count, 1)
            dates[key.post] = key.published_at
    del weights[seq]
    ranked = sorted(weights, key=lambda other: (weights[other], dates[other], other), reverse=True)
    return tuple(ranked[:MAX_RELATED])


def listing_of(snapshot: Snapshot, article: Article) -> tuple[Category | None, list[int]]:
    """Return the category in whose order an article has neighbours, and the keys of its listings.

    It is the main category of the article, with its subcategories, as on the page of that category. An article without a
    category has neighbours among all articles.
    """
    category = post_queries.main_category(snapshot, article.seq)
    if category is None:
        return None, [EVERY_ARTICLE]
    return category, category_queries.listing_keys(snapshot, category, descend=True)


def previous_article(snapshot: Snapshot, article: Article, ks: Sequence[int] | None = None) -> Article | None:
    """Return the article published before an article, in the listings `ks`; by default in those of `listing_of`."""
    return _adjacent(snapshot, article, ks, newest_first=True)


def next_article(snapshot: Snapshot, article: Article, ks: Sequence[int] | None = None) -> Article | None:
    """Return the article published after an article, in the listings `ks`; by default in those of `listing_of`."""
    return _adjacent(snapshot, article, ks, newest_first=False)


def _adjacent(
    snapshot: Snapshot, article: Article, ks: Sequence[int] | None, *, newest_first: bool
) -> Article | None:
    if ks is None:
        _, ks = listing_of(snapshot, article)
    place = encode_cursor(ListingKey(article.published_at, article.seq))
    page = page_of(snapshot, ks, PageRequest(first=1, after=place), newest_first=newest_first)
    return article_queries.by_seq(snapshot, page.entries[0].post) if page.entries else None
