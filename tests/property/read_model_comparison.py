"""Compare every query of the read models with a newsroom in plain Python."""

from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Final

from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.corrections import queries as correction_queries
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.registry import declared_views
from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import Page, PageRequest, encode_cursor, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Author, Category, Newsroom, Post

VIEWS: Final = declared_views()


def assert_agree(snapshot: Snapshot, room: Newsroom, *, known: Newsroom, page: int = 3) -> None:
    """Fail unless the views, as of the snapshot, agree with `room`.

    `known` is the newsroom at the end of the log: objects that exist only there are queried as well.
    """
    assert recorded_time.time_of(snapshot) == (room.times[-1] if room.times else None)
    for time in {near for recorded_at in known.times for near in (recorded_at - 1, recorded_at)}:
        assert recorded_time.position_at(snapshot, time) == room.position_at(time)
    _people(snapshot, room, known)
    for post_id in known.posts:
        _post(snapshot, room, post_id)
    for slug in {*known.post_slugs, *(post.slug for post in known.posts.values()), "unheard-of"}:
        post, article = post_queries.by_slug(snapshot, slug), article_queries.by_slug(snapshot, slug)
        assert _id(post) == _id(room.post_by_slug(slug)), slug
        assert _id(article) == _id(room.article_by_slug(slug)), slug
    for status in (None, *PostStatus):
        expected = room.posts_with(status)
        _listing(snapshot, post_queries.listing_keys(status), expected, page)
        assert post_queries.count_posts(snapshot, status) == len(expected)
    _listing(snapshot, [EVERY_ARTICLE], room.articles(), page)
    assert article_queries.count_articles(snapshot) == len(room.articles())
    _tree(snapshot, room, known, page)


def _people(snapshot: Snapshot, room: Newsroom, known: Newsroom) -> None:
    assert site_queries.site_name(snapshot) == room.site_name
    assert site_queries.site_language(snapshot) == room.language
    assert site_queries.site_time_zone(snapshot) == room.time_zone

    def expected(author: Author) -> tuple[int, str, str, str]:
        return author.seq, author.id, author.name, author.slug

    rows = authors_queries.authors_after(snapshot, 0, 1_000)
    assert [(row.seq, row.id, row.name, row.slug) for row in rows] == [
        expected(author) for author in room.authors.values()
    ]
    public = [author for author in room.authors.values() if room.articles_by(author.id)]
    rows = authors_queries.public_authors_after(snapshot, 0, 1_000)
    assert [(row.seq, row.id, row.name, row.slug) for row in rows] == [expected(author) for author in public]
    for slug in known.author_slugs:
        row = authors_queries.by_slug(snapshot, slug)
        assert (row and row.id) == room.author_slugs.get(slug)
        shown = authors_queries.public_by_slug(snapshot, slug, lambda: PublicFilter(snapshot, VIEWS))
        if row is None or all(author.id != row.id for author in public):
            assert shown is None
        elif slug == row.slug:
            assert shown == row
    assert authors_queries.count_public_authors(snapshot) == len(public)
    for author_id, later in known.authors.items():
        row = authors_queries.author(snapshot, author_id)
        current = room.authors.get(author_id)
        assert (row and (row.seq, row.id, row.name, row.slug)) == (current and expected(current))
        articles = room.articles_by(author_id)
        _listing(snapshot, [later.seq], articles, page=2)
        assert article_queries.count_articles(snapshot, later.seq) == len(articles)


def _post(snapshot: Snapshot, room: Newsroom, post_id: str) -> None:
    expected = room.posts.get(post_id)
    post, article = post_queries.by_id(snapshot, post_id), article_queries.by_id(snapshot, post_id)
    if expected is None or post is None:
        assert expected is None
        assert post is None
        assert article is None
        return
    assert (post.seq, post.created_at, post.version) == (expected.seq, expected.created_at, expected.version)
    assert (post.status, post.has_unpublished_changes) == (expected.status, expected.changed)
    assert (post.slug, post.title, post.teaser) == (expected.slug, expected.title, expected.teaser)
    assert (post.author_ids, post_queries.markdown(snapshot, post.body)) == (
        expected.authors,
        expected.body,
    )
    assert post_queries.by_seq(snapshot, post.seq) == post
    rows = post_queries.categories_of(snapshot, post.seq)
    assert [row.id for row in rows] == [category.id for category in room.categories_of(expected)]

    if article is None or expected.article is None:
        assert expected.article is None
        assert article is None
        return
    live = expected.article
    assert (article.slug, article.title, article.teaser) == (live.slug, live.title, live.teaser)
    assert (article.author_ids, post_queries.markdown(snapshot, article.body)) == (live.authors, live.body)
    assert (article.published_at, article.updated_at) == (live.published_at, live.updated_at)
    assert article_queries.previous_slugs(snapshot, article) == room.previous_slugs(expected)
    public = correction_queries.of_article(snapshot, article.id)
    assert [row.id for row in public] == [
        correction.id for correction in expected.corrections if correction.retracted_at is None
    ]
    texts = correction_queries.PublishedTexts(snapshot, article.seq)
    corrections = correction_queries.of_post(snapshot, article.id)
    assert [
        (
            *(row.id, row.recorded_at, row.revision, row.kind.value, row.note, row.passage),
            *(row.reworded_at, row.retracted_at, texts.are_corrected_by(row)),
        )
        for row in corrections
    ] == [(*astuple(correction), room.applies(expected, correction)) for correction in expected.corrections]
    assert article_queries.by_seq(snapshot, article.seq) == article


def _tree(snapshot: Snapshot, room: Newsroom, known: Newsroom, page: int) -> None:
    existing = room.existing_categories()
    assert [row.id for row in categories.categories_after(snapshot, 0, 1_000)] == [
        category.id for category in existing
    ]
    assert categories.count_categories(snapshot) == len(existing)
    assert _ids(categories.children(snapshot, 0)) == _ids(room.children(None))
    for slug in {*known.category_slugs, "unheard-of"}:
        assert _id(categories.by_slug(snapshot, slug)) == _id(room.category_by_slug(slug)), slug
    for category_id, later in known.categories.items():
        expected, row = room.category(category_id), categories.by_id(snapshot, category_id)
        assert categories.by_seq(snapshot, later.seq) == row
        if expected is None or row is None:
            assert expected is None
            assert row is None
            continue
        _category(snapshot, room, row, expected, page)


def _category(
    snapshot: Snapshot, room: Newsroom, category: categories.Category, expected: Category, page: int
) -> None:
    assert (category.seq, category.id, category.version) == (expected.seq, expected.id, expected.version)
    assert (category.slug, category.name, category.description) == (
        expected.slug,
        expected.name,
        expected.description,
    )
    parent = categories.by_seq(snapshot, category.parent) if category.parent else None
    assert _id(parent) == _id(room.category(expected.parent))
    assert _ids(categories.children(snapshot, category.seq)) == _ids(room.children(expected.id))
    assert _ids(categories.ancestors(snapshot, category)) == _ids(room.ancestors(expected))
    for descend in (False, True):
        listed = room.articles_in(expected, descend=descend)
        _listing(snapshot, categories.listing_keys(snapshot, category, descend=descend), listed, page)
        assert categories.count_articles(snapshot, category, descend=descend) == len(listed)


def _listing(snapshot: Snapshot, ks: Sequence[int], expected: list[Post], page: int) -> None:
    """Read the pages of a listing forwards, backwards, and in the opposite order."""
    seqs = [post.seq for post in expected]

    def read_pages(
        request: Callable[[str | None], PageRequest], *, newest_first: bool, back: bool
    ) -> list[int]:
        keys: list[ListingKey] = []
        cursor = None
        more = True
        while more:
            part: Page[ListingKey] = page_of(snapshot, ks, request(cursor), newest_first=newest_first)
            behind = part.has_next if back else part.has_previous
            assert behind == bool(keys)
            more = part.has_previous if back else part.has_next
            assert part.entries or not (more or keys)
            keys = [*part.entries, *keys] if back else [*keys, *part.entries]
            cursor = encode_cursor(keys[0] if back else keys[-1]) if keys else None
        return [key.post for key in keys]

    def forwards(cursor: str | None) -> PageRequest:
        return PageRequest(first=page, after=cursor)

    def backwards(cursor: str | None) -> PageRequest:
        return PageRequest(last=page, before=cursor)

    assert read_pages(forwards, newest_first=True, back=False) == seqs
    assert read_pages(backwards, newest_first=True, back=True) == seqs
    assert read_pages(forwards, newest_first=False, back=False) == seqs[::-1]


def _id(
    item: article_queries.Article | post_queries.Post | categories.Category | Post | Category | None,
) -> str | None:
    return item.id if item else None


def _ids(items: Sequence[categories.Category] | Sequence[Category]) -> list[str]:
    return [item.id for item in items]
