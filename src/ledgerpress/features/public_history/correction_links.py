"""The links of corrections: to the change that a correction was published with, or to the passage that it is about."""

from typing import Final
from urllib.parse import quote

from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.corrections.queries import Correction, PublishedTexts
from ledgerpress.features.posts.pages import article_href
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.requested_history import change_href
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import Pages
from ledgerpress.http.pages.page_moment import AS_OF
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

CHANGE: Final = Text("See the change")
_PASSAGE: Final = Text("See the passage")


def link_of_correction(
    pages: Pages, snapshot: Snapshot, article: article_queries.Article, correction: Correction
) -> Link | None:
    """Return the link from a correction to what it is about; `None` if nothing can be shown.

    A correction that was recorded without a publication changed no text. It leads to its passage in the article as of
    then, if that has the passage.
    """
    if pages.public_history:
        revision = revision_queries.published_with(snapshot, correction)
        if revision is not None:
            href = change_href(article, revision.number) if revision.changed else None
            return Link(CHANGE, href) if href else None
    return _link_to_passage(pages, article, correction)


def _link_to_passage(pages: Pages, article: article_queries.Article, correction: Correction) -> Link | None:
    if correction.passage is None or not pages.open_past:
        return None
    then = pages.as_of(correction.position)
    if not PublishedTexts(then, article.seq).have_now(correction.passage):
        return None
    words = quote(" ".join(correction.passage.split()), safe="").replace("-", "%2D")
    # Browsers show the words after ":~:text=" in the page (URL Fragment Text Directives, WICG).
    return Link(_PASSAGE, f"{article_href(article.slug)}?{AS_OF}={correction.position}#:~:text={words}")
