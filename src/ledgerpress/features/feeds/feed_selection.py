"""The feeds of a site, and the entries of one of their documents.

The newest entries are in the current document; all others are in archives (RFC 5005, section 4). An archive is a range of
numbered changes of the feed (`changes_projection`), so its entries never change, except those that were removed since.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.authors import queries as authors
from ledgerpress.features.authors.pages import author_href, has_page
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.category_links_on_pages import category_href
from ledgerpress.features.feeds import change_queries
from ledgerpress.features.feeds.change_queries import Change, Fate
from ledgerpress.features.feeds.changes_projection import CORRECTIONS, SITE
from ledgerpress.features.feeds.entries import DeletedEntry, Entry, EntryWriter, urn
from ledgerpress.features.site import queries as site
from ledgerpress.features.slugs.model import spellings
from ledgerpress.http.pages.interface_texts.words import Text, Words
from ledgerpress.views.recorded_time_positions import time_of
from ledgerpress.views.snapshot_and_cache_dependencies import ItemFilter, Snapshot

ARCHIVE_SIZE: Final = 25
"""Changes per archive. It MUST never change: the URLs of archives depend on it."""
DEFAULT_SITE_NAME: Final = "LedgerPress"
CORRECTIONS_TITLE: Final = Text("Corrections")
ARTICLES_PATH: Final = "/feeds/articles"
CORRECTIONS_PATH: Final = "/feeds/corrections"
_CORRECTIONS_PAGE: Final = "/corrections"
"""The page of the feature `corrections_page`."""


class NoSuchFeed(Exception):
    """There is no such feed, or no such archive."""


class FeedMoved(Exception):
    """The feed has another path, which is the argument."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its key in the rows, its permanent id, its path without the format, and the path of its page.

    `subject` returns what it is about, as of a snapshot and in the words of the site; `None` for all articles.
    """

    key: int
    id: str
    path: str
    page: str
    subject: Callable[[Snapshot, Words], str | None]

    def title(self, view: Snapshot, words: Words) -> str:
        subject = self.subject(view, words)
        return f"{subject} · {site_name(view)}" if subject else site_name(view)


@dataclass(frozen=True, slots=True)
class Archives:
    """The place of a document: the number of its archive (`None` for the current document), and of the one before."""

    number: int | None
    previous: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The contents of a document, the newest change first. `updated` is in microseconds since 1970, UTC."""

    entries: Sequence[Entry]
    deleted: Sequence[DeletedEntry]
    updated: int
    archives: Archives


def site_name(view: Snapshot) -> str:
    return site.site_name(view) or DEFAULT_SITE_NAME


def all_articles(publication: str) -> Feed:
    return Feed(SITE, urn(uuid8(publication, "feed", "articles")), ARTICLES_PATH, "/", lambda *_: None)


def all_corrections(publication: str) -> Feed:
    id_ = urn(uuid8(publication, "feed", "corrections"))
    return Feed(
        CORRECTIONS, id_, CORRECTIONS_PATH, _CORRECTIONS_PAGE, lambda _, words: words.text(CORRECTIONS_TITLE)
    )


def of_category(view: Snapshot, slug: str) -> Feed:
    """Return the feed of a category and its subcategories. Raises `NoSuchFeed`, and `FeedMoved` for a former slug."""
    matches = (categories.by_slug(view, spelling) for spelling in spellings(slug))
    category = next(filter(None, matches), None)
    if category is None:
        raise NoSuchFeed
    page = category_href(category.slug)
    if category.slug != slug:
        raise FeedMoved(category_feed_path(category.slug))
    seq = category.seq

    def subject(view: Snapshot, _: Words) -> str | None:
        then = categories.by_seq(view, seq)
        return then.name if then else None

    return Feed(seq, urn(uuid8(category.id, "feed")), category_feed_path(category.slug), page, subject)


def category_feed_path(slug: str) -> str:
    return f"/feeds{category_href(slug)}"


def of_author(view: Snapshot, today: Snapshot, slug: str, public: Callable[[], ItemFilter]) -> Feed:
    """Return the feed of an author. `public` returns the filter for what is public today.

    Raises `NoSuchFeed` for an author who has no page today, and `FeedMoved` for a former slug and for the id of the
    author, which the paths of feeds had before authors had slugs.
    """
    matches = (authors.public_by_slug(today, spelling, public) for spelling in spellings(slug))
    present = next(filter(None, matches), None) or authors.author(today, slug)
    if present is None or not has_page(today, present) or not authors.author(view, present.id):
        raise NoSuchFeed
    if present.slug != slug:
        raise FeedMoved(author_feed_path(present.slug))
    author_id = present.id

    def subject(view: Snapshot, _: Words) -> str | None:
        then = authors.author(view, author_id)
        return then.name if then else None

    id_ = urn(uuid8(author_id, "feed"))
    return Feed(present.seq, id_, author_feed_path(slug), author_href(slug), subject)


def author_feed_path(slug: str) -> str:
    return f"/feeds{author_href(slug)}"


def newest_archive(last: int) -> int:
    """Return the number of the newest archive of a feed whose last change is `last`; 0 if it has none.

    The current document has the changes after it: `ARCHIVE_SIZE` or more, unless the feed is short.
    """
    return max(0, last - ARCHIVE_SIZE) // ARCHIVE_SIZE


def position_of_archive(view: Snapshot, feed: int, number: int) -> int:
    """Return the position of the last change in an archive. Raises `NoSuchFeed` if there is no such archive yet."""
    if number < 1 or not change_queries.has_number(view, feed, (number + 1) * ARCHIVE_SIZE):
        raise NoSuchFeed
    up_to = number * ARCHIVE_SIZE
    return change_queries.changes(view, feed, up_to - 1, up_to)[0].position


def select(
    writer: EntryWriter, view: Snapshot, feed: int, archive: int | None, *, is_past_public: bool
) -> Selection:
    """Return the contents of a document as of `view`, which is not in the future. Raises `NoSuchFeed`.

    In an archive, each entry is as it was when it was published. If the past is not public, that would show former texts:
    the archive then has only the entries that were not published again since, as they are now.
    """
    if archive is None:
        last = change_queries.last_number(view, feed)
        newest = newest_archive(last)
        after, previous = newest * ARCHIVE_SIZE, newest
    else:
        position_of_archive(view, feed, archive)
        after, last, previous = (archive - 1) * ARCHIVE_SIZE, archive * ARCHIVE_SIZE, archive - 1
    changes = change_queries.changes(view, feed, after, last)
    newest_of_item: dict[int, Change] = {}
    for change in changes:
        newest_of_item.setdefault(change.item, change)
    fates = change_queries.fates(view, feed, newest_of_item.values())
    # Today decides what readers see, also as of the past.
    writer.today.about(*map(change_queries.item_topic, newest_of_item))
    entries, deleted = list[Entry](), list[DeletedEntry]()
    for change in newest_of_item.values():
        fate = fates[change.item]
        at = view
        if archive is not None and is_past_public:
            at = view.at(change.position)
        elif archive is not None and fate.has_later_change and fate.removed_at is None:
            continue
        result = _result(writer, view, at, feed, change, fate)
        if isinstance(result, Entry):
            entries.append(result)
        elif result is not None:
            deleted.append(result)
    times = [*(change.at for change in changes), *(entry.at for entry in deleted)]
    updated = max(times) if times else time_of(view.at(1)) or 0
    return Selection(entries, deleted, updated, Archives(archive, previous or None))


def _result(
    writer: EntryWriter, view: Snapshot, at: Snapshot, feed: int, change: Change, fate: Fate
) -> Entry | DeletedEntry | None:
    """Return the entry of a change as of `at`, or its deletion; `None` if it is hidden today, but was not as of `view`."""
    correction = None
    if feed == CORRECTIONS:
        correction = change_queries.correction_item(view, change.item)
        if correction is None:
            return None
        id_ = urn(correction.id)
    else:
        id_ = urn(_post_id(view, change.item))
    is_certain = correction is None or correction.is_certain
    if fate.removed_at is not None:
        return DeletedEntry(id_, fate.removed_at) if is_certain else None
    entry = (
        writer.article(at, change.item)
        if correction is None
        else writer.correction(at, correction, change.item)
    )
    if entry is None:
        # As of the past, an entry that is hidden today is left out, since it was not deleted then.
        is_deleted = is_certain and view.position == writer.today.position
        return DeletedEntry(id_, change.at) if is_deleted else None
    # Otherwise a client would take its deletion for the later of both (RFC 6721, section 3).
    return replace(entry, updated=max(entry.updated, change.at)) if fate.was_removed_before else entry


def _post_id(view: Snapshot, seq: int) -> str:
    row = view.about().execute("SELECT id FROM post WHERE seq = ?", (seq,)).fetchone()
    return str(row[0])
