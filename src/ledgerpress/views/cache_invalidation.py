"""Which topics events touch: worked out from the rows that they changed, so that no kind of event is forgotten.

What is not known for certain touches everything: events of a type that is not named here, events that a projection may
have left out, and very many events at once.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ledgerpress.eventlog.log_events import SKIP
from ledgerpress.views import cache_dependencies
from ledgerpress.views.cache_dependencies import AUTHORS, SITE, TAXONOMY, Topic
from ledgerpress.views.listings.keys import EVERY_ARTICLE, EVERY_POST
from ledgerpress.views.snapshot import Snapshot

MAX_EVENTS: Final = 250
"""So many events are looked at, which takes some 25 milliseconds at most; more touch everything."""

_POST: Final = frozenset(
    {
        "post.created", "post.edited", "post.categorized", "post.uncategorized", "post.published", "post.unpublished",
        "post.archived", "post.unarchived", "post.restored", "post.reverted",
    }
)  # fmt: skip
_TOPICS: Final[dict[str, tuple[Topic, ...]]] = {
    "site.named": (SITE,),
    "author.registered": (AUTHORS,),
    "author.renamed": (),
    "actor.registered": (),
    "actor.renamed": (),
    "category.created": (TAXONOMY,),
    "category.renamed": (TAXONOMY,),
    "category.described": (TAXONOMY,),
    "category.moved": (TAXONOMY,),
    "category.merged": (TAXONOMY,),
    "category.deleted": (TAXONOMY,),
    "slug.claimed": (),
    "slug.released": (),
    "token.created": (),
    "token.revoked": (),
    "lease.taken": (),
}
"""Of the other events that touch less than everything, what they touch beside their subject."""

_EVENTS: Final = """
    SELECT type.name, subject.name FROM change
    JOIN change_key AS type ON type.k = type JOIN change_key AS subject ON subject.k = subject
    WHERE position > ? AND position <= ?
"""
_SKIPPED: Final = "SELECT 1 FROM change WHERE type = (SELECT k FROM change_key WHERE name = ?) LIMIT 1"
_SEQS: Final = "SELECT seq FROM post WHERE id IN (SELECT value FROM json_each(?))"

# What follows takes the position before as ?1, and as ?2 the posts, by where they were created, or the listings.
_ARTICLES: Final = """
    SELECT seq FROM json_each(?2) CROSS JOIN article ON seq = value
    WHERE from_pos > ?1 OR (to_pos > ?1 AND to_pos < 9007199254740991)
    UNION SELECT seq FROM json_each(?2) CROSS JOIN post_slug ON seq = value WHERE public_from > ?1
    UNION SELECT seq FROM json_each(?2) CROSS JOIN correction ON seq = value WHERE position > ?1
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
# The listings that the posts may have entered or left: of the categories and authors that they had before or have since.
_OWN_LISTINGS: Final = """
    SELECT k FROM json_each(?2) CROSS JOIN post_category ON seq = value
        CROSS JOIN listed_category ON listed_category.id = category_id
    WHERE to_pos > ?1
    UNION SELECT k FROM json_each(?2) AS one CROSS JOIN article ON seq = one.value
        CROSS JOIN content ON content.position = article.content CROSS JOIN json_each(author_ids) AS name
        CROSS JOIN listed_author ON listed_author.id = name.value
    WHERE to_pos > ?1
"""
_LISTINGS: Final = "SELECT k FROM json_each(?2) CROSS JOIN listing ON k = value WHERE touched > ?1"
# The categories in whose counts those listings are.
_COUNTS: Final = """
    WITH RECURSIVE above (k) AS (
        SELECT listed_category.k FROM json_each(?2) CROSS JOIN listed_category ON listed_category.k = value
        UNION SELECT c.above FROM listed_category AS c JOIN above ON above.k = c.k WHERE c.above IS NOT NULL
    )
    SELECT k FROM above
    WHERE EXISTS (SELECT 1 FROM category_count AS c WHERE c.k = above.k AND scope = 0 AND from_pos > ?1)
        OR EXISTS (SELECT 1 FROM category_count AS c WHERE c.k = above.k AND scope = 1 AND from_pos > ?1)
"""


def invalidated_topics(snapshot: Snapshot, after: int) -> frozenset[Topic] | None:
    """Return what the events after the position `after`, up to the snapshot's, have touched; `None` for everything."""
    many = snapshot.position - after
    if not 0 <= many <= MAX_EVENTS:
        return None
    db = snapshot.about()
    events = db.execute(_EVENTS, (after, snapshot.position)).fetchall()
    if len(events) != many or db.execute(_SKIPPED, (SKIP,)).fetchone():
        return None
    found, post_ids = set[Topic](), set[str]()
    for type_, subject in events:
        kind, _, subject_id = subject.partition(".")
        if type_ in _POST:
            post_ids.add(subject_id)
        elif type_ in _TOPICS:
            found.update(_TOPICS[type_])
            if kind in {"author", "actor"}:
                found.add((kind, subject_id))
        else:
            return None
    if post_ids:
        seqs = [seq for (seq,) in db.execute(_SEQS, (json.dumps(list(post_ids)),))]
        if len(seqs) != len(post_ids):
            return None
        found.update(_by_posts(snapshot, after, seqs))
        found.update(map(cache_dependencies.post, post_ids))
        found.update(map(cache_dependencies.article, _ids(snapshot, found)))
    return frozenset(found)


def _by_posts(snapshot: Snapshot, after: int, seqs: Sequence[int]) -> Iterator[Topic]:
    """Yield what the events of posts have touched."""

    def changed(query: str, values: Iterable[int]) -> Iterator[tuple[int | str]]:
        return snapshot.about().execute(query, (after, json.dumps(list(values))))

    yield from map(cache_dependencies.post, seqs)
    yield from (cache_dependencies.article(seq) for (seq,) in changed(_ARTICLES, seqs))
    yield from (cache_dependencies.public_slug(str(slug)) for (slug,) in changed(_PUBLIC_SLUGS, seqs))
    yield from (cache_dependencies.post_slug(str(slug)) for (slug,) in changed(_SLUGS, seqs))
    yield from (cache_dependencies.categories_of(int(seq)) for (seq,) in changed(_CATEGORIES_OF, seqs))
    own = [int(k) for (k,) in changed(_OWN_LISTINGS, seqs)]
    yield from (
        cache_dependencies.listing(int(k)) for (k,) in changed(_LISTINGS, [*own, EVERY_ARTICLE, *EVERY_POST])
    )
    yield from (cache_dependencies.counted_in(int(k)) for (k,) in changed(_COUNTS, own))


def _ids(snapshot: Snapshot, found: Iterable[Topic]) -> list[str]:
    """Return the ids of the posts of which readers see something else: an article is asked for by them, too."""
    seqs = [which for kind, which in found if kind == "article"]
    query = "SELECT id FROM post WHERE seq IN (SELECT value FROM json_each(?))"
    return [post_id for (post_id,) in snapshot.about().execute(query, (json.dumps(seqs),))]
