"""When the history of an article or the page of a published revision changed, as far as readers may see that today."""

from collections.abc import Mapping

from ledgerpress.features.posts.page_changes import ArticleChanges
from ledgerpress.features.posts.pages_at_moments import article_at, article_today
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.requested_history import number_in
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


def history_changes(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of a history: publications, corrections, and the ends of publications."""
    return _changes(moment, parameters["slug"])


def revision_changes(moment: PageMoment, parameters: Mapping[str, str]) -> PageChanges | None:
    """Return the changes of a history from the publication of a revision on."""
    number = number_in(parameters["number"])
    return None if number is None else _changes(moment, parameters["slug"], number)


def _changes(moment: PageMoment, slug: str, number: int | None = None) -> PageChanges | None:
    article = article_at(moment, slug) or article_today(moment, slug)
    if article is None or not moment.public_history:
        return None
    today, since = moment.today, _position_of(moment.today, article.id, number)
    if since is None:
        return None
    return ArticleChanges(today, article.seq, article.id, with_categories=False, since=since)


def _position_of(today: Snapshot, post_id: str, number: int | None) -> int | None:
    return 0 if number is None else revision_queries.position_of(today, post_id, number)
