"""The positions at which the first page of combined listings changed, as far as readers may see that today."""

import sys
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledgerpress.views.listings.queries import ListingKey, listing_topic
from ledgerpress.views.paging import PageRequest, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import ItemFilter, Snapshot

_COLUMNS: Final = "SELECT pos, post, place FROM first_page_change WHERE k = ?"
_DOWN: Final = f"{_COLUMNS} AND pos < ? ORDER BY pos DESC LIMIT ?"
_UP: Final = f"{_COLUMNS} AND pos > ? ORDER BY pos LIMIT ?"
_AT: Final = "SELECT post FROM first_page_change WHERE k = ? AND pos = ?"
_FIRST_PART: Final = 4
_MAX_COMPARISONS: Final = 64
"""How many pages are compared in search of a change. Then a change that readers may not notice is returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPageChanges:
    """The changes of the first page, with `size` items, of the listings `ks`. `key` identifies the page.

    `today` is the current snapshot, `public` the filter for what is public in it, and `hidden` contains all items that were
    public before and are not now. `ks_at` returns the listings that were combined as of a snapshot; `ks` contains all of
    them. `others` are further positions at which the page may have changed, in order.

    Changes of hidden items never count. Whether another change is on the first page follows from its recorded place, if
    there is one listing and no hidden item in it. Otherwise the pages before and after the change are compared.
    """

    key: Hashable
    today: Snapshot
    public: ItemFilter
    hidden: Collection[int]
    ks: Sequence[int]
    ks_at: Callable[[Snapshot], Sequence[int]]
    size: int
    others: Sequence[int] = ()
    is_exact: bool = False
    """Whether the recorded places suffice."""

    def last(self, before: int) -> int | None:
        """Return the last position before a position at which the page changed."""
        return self._first_of(self._candidates(before, _DOWN))

    def first(self, after: int) -> int | None:
        """Return the first position after a position at which the page changed."""
        return self._first_of(self._candidates(after, _UP))

    def about_last(self, before: int) -> int | None:
        """Return the same as `last`, but judge by the place in a single listing, without hidden items."""
        candidates = self._candidates(before, _DOWN)
        return next((position for position, place in candidates if place < self.size), None)

    def _first_of(self, candidates: Iterator[tuple[int, int]]) -> int | None:
        if self.is_exact:
            return next((position for position, place in candidates if place < self.size), None)
        for compared, (position, _) in enumerate(candidates):
            if compared >= _MAX_COMPARISONS or self._changes_at(position):
                return position
        return None

    def _candidates(self, start: int, query: str) -> Iterator[tuple[int, int]]:
        """Yield positions on one side of `start`, from there on, each with the least place of a change."""
        is_down = query is _DOWN
        others = [other for other in self.others if (other < start if is_down else other > start)]
        if is_down:
            others.reverse()
        sources = [iter((other, 0) for other in others), *(self._changes(k, start, query) for k in self.ks)]
        heads = [(head, source) for source in sources if (head := next(source, None))]
        while heads:
            positions = [head[0] for head, _ in heads]
            position = max(positions) if is_down else min(positions)
            yield position, min(place for (at, place), _ in heads if at == position)
            heads = [
                (head, source)
                for old, source in heads
                if (head := old if old[0] != position else next(source, None))
            ]

    def _changes(self, k: int, start: int, query: str) -> Iterator[tuple[int, int]]:
        """Yield the positions of changes of visible items in a listing, each once, with the least place."""
        db, limit = self.today.about(), _FIRST_PART
        pending: tuple[int, int] | None = None
        while True:
            rows = db.execute(query, (k, start, limit)).fetchall()
            if len(rows) == limit:  # the last position may have more rows, so it is read again
                complete = [row for row in rows if row[0] != rows[-1][0]]
                if not complete:
                    limit *= 2
                    continue
            else:
                complete = rows
            for position, post, place in complete:
                if post in self.hidden or position > self.today.position:
                    continue
                if pending is not None and pending[0] == position:
                    pending = position, min(place, pending[1])
                    continue
                if pending is not None:
                    yield pending
                pending = position, place
            if len(rows) < limit:
                break
            start, limit = complete[-1][0], limit * 2
        if pending is not None:
            yield pending

    def _changes_at(self, position: int) -> bool:
        """Return whether readers see a difference between the pages before and after the event at `position`."""
        if position in self.others:
            return True
        before, after = self._page(position - 1), self._page(position)
        if before != after:
            return True
        posts = {key.post for key in after}
        rows = (self.today.about().execute(_AT, (k, position)) for k in self.ks)
        return any(post in posts for changes in rows for (post,) in changes)

    def _page(self, position: int) -> Sequence[ListingKey]:
        snapshot = self.today.at(position, only=self.public)
        return page_of(snapshot, self.ks_at(snapshot), PageRequest(first=self.size)).entries


def has_recorded_change_of(today: Snapshot, k: int, items: Collection[int]) -> bool:
    """Return whether one of `items` was ever near the beginning of the listing `k`."""
    if not items:
        return False
    posts = today.once(("posts near the beginning", k), lambda today: _recorded_posts(today, k), _size_of)
    return not posts.isdisjoint(items)


def _recorded_posts(today: Snapshot, k: int) -> frozenset[int]:
    rows = today.about(listing_topic(k)).execute(
        "SELECT DISTINCT post FROM first_page_change WHERE k = ?", (k,)
    )
    return frozenset(post for (post,) in rows)


def _size_of(posts: frozenset[int]) -> int:
    return sys.getsizeof(posts) + 32 * len(posts)
