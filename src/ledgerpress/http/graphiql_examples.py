"""What the examples in GraphiQL are about: the newest article, so that each of them has an answer."""

from ledgerpress.graphql import ids
from ledgerpress.readmodels import articles
from ledgerpress.readmodels.listing_keys import EVERY_ARTICLE
from ledgerpress.readmodels.paging import PageRequest, page_of
from ledgerpress.readmodels.temporal import Snapshot


def example_values(snapshot: Snapshot) -> dict[str, str]:
    """Return an article's slug and its post's id, as data attributes; empty where there is none yet.

    The page is the same for everyone, so it says nothing but what readers see: no version, which counts drafts too.
    """
    newest = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=1)).entries
    if not newest:
        return {}
    article = articles.by_seq(snapshot, newest[0].post)
    return {"slug": article.slug, "post": ids.encode("Article", article.id)} if article else {}
