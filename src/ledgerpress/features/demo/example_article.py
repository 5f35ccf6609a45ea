"""The article of the demo that the examples in GraphiQL show: it has a public correction and fifteen versions."""

from datetime import timedelta
from typing import Final

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_SLUG: Final = "leading-light-goes-dark"
_BEFORE: Final = timedelta(hours=1) // timedelta(microseconds=1)


def _examples(snapshot: Snapshot) -> dict[str, str]:
    """Return the slug and the id of the article, and a time before its correction; nothing in other stores."""
    article = article_queries.by_slug(snapshot, _SLUG)
    corrections = correction_queries.of_article(snapshot, article.id) if article else []
    if not article or not corrections:
        return {}
    return {
        "slug": article.slug,
        "article": global_ids.encode("Article", article.id),
        "then": iso_time(corrections[0].recorded_at - _BEFORE),
    }


PAGES: Final = PageContribution(examples=_examples)
