"""What the examples in GraphiQL are about: the newest article, so that each of them has an answer."""

from ledgerpress.graphql import ids
from ledgerpress.readmodels import articles, posts
from ledgerpress.readmodels.listing_keys import EVERY_ARTICLE
from ledgerpress.readmodels.paging import PageRequest, page_of
from ledgerpress.readmodels.temporal import Snapshot


def example_values(snapshot: Snapshot) -> dict[str, str]:
    """Return an article's slug, its post's id and version, as data attributes; empty where there is none yet."""
    newest = page_of(snapshot, [EVERY_ARTICLE], PageRequest(first=1)).entries
    if not newest:
        return {}
    article, post = articles.by_seq(snapshot, newest[0].post), posts.by_seq(snapshot, newest[0].post)
    if article is None or post is None:
        return {}
    return {"slug": article.slug, "post": ids.encode("Post", post.id), "version": str(post.version)}
