"""What the examples in GraphiQL are about: the newest article, so that each of them has an answer."""

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.listings import EVERY_ARTICLE
from ledgerpress.graphql.relay import global_ids
from ledgerpress.views.paging import PageRequest, page_of
from ledgerpress.views.snapshot import Snapshot


def example_values(snapshot: Snapshot) -> dict[str, str]:
    """Return an article's slug and its post's id, as data attributes; empty where there is none yet.

    The page is the same for everyone, so it says nothing but what readers see: no version, which counts drafts too.
    """
    newest = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=1)).entries
    if not newest:
        return {}
    article = article_queries.by_seq(snapshot, newest[0].post)
    return {"slug": article.slug, "post": global_ids.encode("Article", article.id)} if article else {}
