"""Computes the topics that events of posts invalidate, for the exact caching of responses.

The topics are computed from the rows that the events changed, so no event type of a post can be forgotten.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ledgerpress.features.authors.queries import changed_public_authors
from ledgerpress.features.categories.queries import changed_counts
from ledgerpress.features.posts.article_queries import article_topic, public_slug_topic
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE, EVERY_POST
from ledgerpress.features.posts.model import EVENTS, POSTS
from ledgerpress.features.posts.post_queries import categories_topic, post_slug_topic, post_topic
from ledgerpress.views.feature_declarations import DependencyRule, RecentEvent
from ledgerpress.views.listings.queries import changed_listings
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

_EVENTS: Final = frozenset(event.name for event in EVENTS)
_SEQS: Final = "SELECT seq FROM post WHERE id IN (SELECT value FROM json_each(?))"
_IDS: Final = "SELECT id FROM post WHERE seq IN (SELECT value FROM json_each(?))"

# In the queries below, ?1 is the position before the events, and ?2 the positions at which the posts were created.
_ARTICLES: Final = """
    SELECT seq FROM json_each(?2) CROSS JOIN article ON seq = value
    WHERE from_pos > ?1 OR (to_pos > ?1 AND to_pos < 9007199254740991)
    UNION SELECT seq FROM json_each(?2) CROSS JOIN post_slug ON seq = value WHERE public_from > ?1
"""
_PUBLIC_SLUGS: Final = """
    SELECT slug FROM json_each(?2) CROSS JOIN post_slug ON seq = value
    WHERE public_from > ?1 OR (public_from IS NOT NULL AND to_pos > ?1 AND to_pos < 9007199254740991)
"""
_SLUGS: Final = """
    SELECT slug FROM json_each(?2) CROSS JOIN post_slug ON seq = value
    WHERE from_pos > ?1 OR (to_pos > ?1 AND to_pos < 9007199254740991) OR public_from > ?1
"""
_CATEGORIES_OF: Final = """
    SELECT DISTINCT seq FROM json_each(?2) CROSS JOIN post_category ON seq = value
    WHERE from_pos > ?1 OR (to_pos > ?1 AND to_pos < 9007199254740991)
"""
# The listings that the posts may have entered or left: those of their categories and authors, before and after.
_OWN_LISTINGS: Final = """
    SELECT k FROM json_each(?2) CROSS JOIN post_category ON seq = value
        CROSS JOIN listed_category ON listed_category.id = category_id
    WHERE to_pos > ?1
    UNION SELECT k FROM json_each(?2) AS post CROSS JOIN article ON seq = post.value
        CROSS JOIN content ON content.position = article.content CROSS JOIN json_each(author_ids) AS name
        CROSS JOIN listed_author ON listed_author.id = name.value
    WHERE to_pos > ?1
"""


def _invalidated(snapshot: Snapshot, after: int, events: Sequence[RecentEvent]) -> set[Topic] | None:
    # Events that features above record in the stream of a post count, too: they raise its version and are part of its
    # history.
    post_ids = {event.subject_id for event in events if event.subject.startswith(f"{POSTS.prefix}.")}
    if not post_ids:
        return set()
    db = snapshot.about()
    seqs = [seq for (seq,) in db.execute(_SEQS, (json.dumps(list(post_ids)),))]
    if len(seqs) != len(post_ids):
        return None
    topics = {*_by_rows(snapshot, after, seqs), *map(post_topic, post_ids)}
    # Queries also read an article by its id.
    article_seqs = [topic.key for topic in topics if topic.kind == "article"]
    return topics | {article_topic(post_id) for (post_id,) in db.execute(_IDS, (json.dumps(article_seqs),))}


def _by_rows(snapshot: Snapshot, after: int, seqs: Sequence[int]) -> Iterator[Topic]:
    """Yield the topics that the changed rows of the posts invalidate."""
    values = (after, json.dumps(seqs))

    def changed(query: str) -> Iterable[tuple[int | str]]:
        return snapshot.about().execute(query, values)

    yield from map(post_topic, seqs)
    yield from (article_topic(seq) for (seq,) in changed(_ARTICLES))
    yield from (public_slug_topic(str(slug)) for (slug,) in changed(_PUBLIC_SLUGS))
    yield from (post_slug_topic(str(slug)) for (slug,) in changed(_SLUGS))
    yield from (categories_topic(int(seq)) for (seq,) in changed(_CATEGORIES_OF))
    own = [int(k) for (k,) in changed(_OWN_LISTINGS)]
    yield from changed_listings(snapshot, after, [*own, EVERY_ARTICLE, *EVERY_POST])
    yield from changed_counts(snapshot, after, own)
    yield from changed_public_authors(snapshot, after, own)


DEPENDENCIES: Final = DependencyRule(_EVENTS, _invalidated)
