"""The values of a post that changes show: before and after an event."""

from typing import Final

from ledgerpress.features.authors import read_model as authors
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.model import CONTENT
from ledgerpress.features.posts.response_cache_topics import article_topic
from ledgerpress.views.declarations import FieldValue, FieldValues, Subject, plain
from ledgerpress.views.snapshot import Snapshot


def _values(snapshot: Snapshot, post_id: str) -> FieldValues:
    post = post_queries.by_id(snapshot, post_id)
    if post is None:
        return {}
    category_ids = post_queries.category_ids(snapshot, post.seq)
    return {
        **{field.name: plain(getattr(post, field.name)) for field in CONTENT if field.is_plain},
        "body": FieldValue(post.body, lambda: article_queries.markdown(snapshot, post.body)),
        "authors": FieldValue(
            post.author_ids, lambda: [authors.reference(snapshot, author_id) for author_id in post.author_ids]
        ),
        "categories": FieldValue(
            category_ids,
            lambda: [categories.reference(snapshot, category_id) for category_id in category_ids],
        ),
        "status": plain(post.status.value),
        "publishedAt": plain(post.published_at),
        "publishedRevision": plain(post.live_revision),
    }


def _event_values(snapshot: Snapshot, post_id: str, event_type: str) -> FieldValues:
    """Return the correction note that an event of publishing brought, if it did."""
    if event_type != "post.published":
        return {}
    row = (
        snapshot.about(article_topic(post_id))
        .execute(
            "SELECT note FROM correction WHERE seq = (SELECT seq FROM post WHERE id = ?) AND position = ?",
            (post_id, snapshot.position),
        )
        .fetchone()
    )
    return {"correction": plain(row[0])} if row and row[0] else {}


SUBJECT: Final = Subject(kind="post", values=_values, event_values=_event_values)
