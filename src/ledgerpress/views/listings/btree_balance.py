"""When a page of a listing is rewritten, and how: full pages are split, sparse ones joined with a neighbour.

A page that is full, or has hardly a live row left, is closed at that position, so that readers as of earlier
ones still find it, and its live rows are copied to one new page or two. A page that came into use at the very
same position is deleted instead, since no reader can see it. A new page is neither nearly full nor nearly
empty, unless it is the only one under its parent, so that many changes pay for each copy.
"""

from dataclasses import dataclass
from typing import Protocol

from ledgerpress.views.listings.btree_pages import Directory, Entry, Key, Leaf, Page, Pages, Row


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How many rows a page may hold, at least 4, and what follows from that number."""

    rows: int = 64

    @property
    def rewrite_below(self) -> int:
        """With fewer live rows, a page that has a neighbour is rewritten."""
        return self.rows // 8

    @property
    def join_below(self) -> int:
        """With fewer live rows, a page that is rewritten joins a neighbour."""
        return self.rows // 4

    @property
    def split_above(self) -> int:
        """With more live rows, a page that is rewritten becomes two."""
        return self.rows * 3 // 4


class _Parent(Protocol):
    """What a page is an entry of: a branch, or the directory of a listing."""

    @property
    def since(self) -> int | None:
        """From when on it is in use; the directory always is."""
        ...

    def neighbour(self, key: Key) -> Entry | None: ...

    def add(self, key: Key, position: int, page: int) -> None: ...

    def close(self, entry: Entry, position: int) -> None: ...

    def remove(self, entry: Entry) -> None: ...


@dataclass(frozen=True, slots=True)
class _Branch:
    pages: Pages
    page: Page
    since: int | None

    def neighbour(self, key: Key) -> Entry | None:
        return self.page.neighbour(key)

    def add(self, key: Key, position: int, page: int) -> None:
        self.pages.add(self.page, (*key, position, page))

    def close(self, entry: Entry, position: int) -> None:
        self.pages.close(self.page, entry, position)

    def remove(self, entry: Entry) -> None:
        self.pages.remove(self.page, entry)


@dataclass(frozen=True, slots=True)
class _Listing:
    directory: Directory
    k: int
    since: int | None = None

    def neighbour(self, key: Key) -> Entry | None:
        return self.directory.neighbour(self.k, key)

    def add(self, key: Key, position: int, page: int) -> None:
        self.directory.add(self.k, key, position, page)

    def close(self, entry: Entry, position: int) -> None:
        self.directory.close(self.k, entry, position)

    def remove(self, entry: Entry) -> None:
        self.directory.remove(self.k, entry)


def balance(
    pages: Pages, directory: Directory, k: int, leaf: Leaf, position: int, limits: PageLimits
) -> None:
    """Rewrite the leaf, and the branch above it, where they need it."""
    branch = _Branch(pages, leaf.branch, leaf.branch_entry.from_pos)
    if _rewrite(pages, branch, leaf.entry, position, limits):
        _rewrite(pages, _Listing(directory, k), leaf.branch_entry, position, limits)


def _rewrite(pages: Pages, parent: _Parent, entry: Entry, position: int, limits: PageLimits) -> bool:
    """Rewrite the page if need be. Return whether it was, and so whether the parent has changed."""
    page = pages.get(entry.page)
    live = page.live
    neighbour = parent.neighbour(entry.key) if len(live) < limits.join_below else None
    if len(page.ends) <= limits.rows and (neighbour is None or len(live) >= limits.rewrite_below):
        return False
    entries = [entry]
    if neighbour is not None:
        entries = sorted([entry, neighbour])
        live = sorted([*live, *pages.get(neighbour.page).live])
    parts = _parts(live, position, limits, joined=neighbour is not None)
    for retired in entries:
        _retire(pages, parent, retired, position)
    keys = [entries[0].key, *(part[0][:2] for part in parts[1:])]
    for key, part in zip(keys, parts, strict=True):
        parent.add(key, position, pages.make(part).id)
    return True


def _retire(pages: Pages, parent: _Parent, entry: Entry, position: int) -> None:
    """Close the page, and delete what no reader can see: rows and pages that are not older than `position`."""
    if position in (entry.from_pos, parent.since):
        parent.remove(entry)
    else:
        parent.close(entry, position)
    pages.forget(pages.get(entry.page), None if entry.from_pos == position else position)


def _parts(live: list[Row], position: int, limits: PageLimits, *, joined: bool) -> list[list[Row]]:
    if len(live) <= limits.split_above:
        return [live]
    cut = len(live) // 2
    if not joined and live[-1][2] == position:  # growing upwards, as news does: leave room there
        cut = len(live) * 3 // 4
    elif not joined and live[0][2] == position:
        cut = len(live) // 4
    return [live[:cut], live[cut:]]
