"""Values of scalars for the arguments of generated documents."""

from typing import Any

from ledgerpress.graphql.relay import global_ids
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import encode_cursor
from tests.property.store_session import Session


def scalar_values(session: Session) -> dict[str, list[Any]]:
    """Return values by the names of their types: many that name something in the store, and some that do not."""
    room = session.room
    with session.store.snapshot() as snapshot:
        head = snapshot.position
    posts = list(room.posts.values())
    past = [
        global_ids.encode(kind, post.id, position)
        for kind in ("Post", "Article")
        for post in posts[:4]
        for position in (head // 2, head)
    ]
    known = [
        *(global_ids.encode(kind, post.id) for kind in ("Post", "Article") for post in posts),
        *(global_ids.encode("Category", category_id) for category_id in room.categories),
        *(global_ids.encode("Author", author_id) for author_id in room.authors),
    ]
    cursors = [encode_cursor(ListingKey(post.created_at, post.seq)) for post in posts]
    slugs = [*(post.slug for post in posts), *(category.slug for category in room.categories.values())]
    return {
        "ID": [*known, *past, "bad", global_ids.encode("Post", "0" * 8)],
        "String": [*slugs * 5, *cursors, "post.edited", "nowhere"],
        "Int": [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 5, 5, 100, 101, -1],
        "Boolean": [True, False],
        "Position": [0, 1, head // 3, head // 2, head * 2 // 3, head - 1, head, head + 1],
        "DateTime": ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00+01:00", "2024-06-01T00:00:00Z"],
    }
