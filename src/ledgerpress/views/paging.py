"""Keyset pagination with Relay's cursor connections: a cursor identifies a place in a listing, not a row number.

See the GraphQL Cursor Connections Specification. A post that is added between two page requests shifts no entries.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from ledgerpress.views.listings.queries import ListingKey, list_keys, listing_topic
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

T = TypeVar("T")

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20
_PAGE_BYTES: Final = 500
_KEY_BYTES: Final = 130
"""Approximate memory of a page without its entries, and of one entry."""
_CURSOR: Final = re.compile(r"(-?[0-9]{1,19}),([0-9]{1,16})")


class BadPageRequest(ValueError):
    """The paging arguments are invalid. The message is shown to the client."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The part of a listing that a client requests, in Relay's terms."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    @property
    def backwards(self) -> bool:
        """Whether the page is counted from the end of the listing."""
        return self.last is not None

    @property
    def size(self) -> int:
        """The maximum number of entries. Raises `BadPageRequest` for an invalid `first` or `last`."""
        if self.first is not None and self.last is not None:
            raise BadPageRequest("Give either first or last, not both.")
        name, size = ("last", self.last) if self.last is not None else ("first", self.first)
        if size is None:
            return DEFAULT_PAGE
        if not 0 <= size <= MAX_PAGE:
            raise BadPageRequest(f"{name} is {size}; it must be between 0 and {MAX_PAGE}.")
        return size


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a listing, in the order of the listing."""

    entries: Sequence[T]
    has_next: bool
    has_previous: bool


def encode_cursor(key: ListingKey) -> str:
    """Return the opaque cursor of an entry."""
    return base64.urlsafe_b64encode(f"{key.published_at},{key.post}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, name: str) -> ListingKey:
    """Return the place that a cursor identifies. Raises `BadPageRequest` if the cursor is invalid.

    `name` is the name of the argument, for the message.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
        match = _CURSOR.fullmatch(text)
    except (binascii.Error, ValueError):
        match = None
    if match is None or not -(2**63) <= int(match[1]) < 2**63:
        raise BadPageRequest(f"{name} is not a cursor of this server; use a cursor from a response.")
    return ListingKey(int(match[1]), int(match[2]))


def page_of(
    snapshot: Snapshot, ks: Sequence[int], request: PageRequest, *, newest_first: bool = True
) -> Page[ListingKey]:
    """Return the keys of one page of the combined listings `ks`. Raises `BadPageRequest`."""
    key = ("page", tuple(ks), request, newest_first)
    return snapshot.once(
        key,
        lambda snapshot: _page_of(snapshot, ks, request, newest_first=newest_first),
        lambda page: _PAGE_BYTES + 8 * len(ks) + _KEY_BYTES * len(page.entries),
    )


def _page_of(
    snapshot: Snapshot, ks: Sequence[int], request: PageRequest, *, newest_first: bool
) -> Page[ListingKey]:
    size = request.size
    after = decode_cursor(request.after, name="after") if request.after is not None else None
    before = decode_cursor(request.before, name="before") if request.before is not None else None
    downwards = newest_first is not request.backwards
    start, end = (before, after) if request.backwards else (after, before)

    keys = _keys(snapshot, ks, after=start, before=end, limit=size + 1, newest_first=downwards)
    more = len(keys) > size
    entries = keys[:size]
    behind = start is not None and bool(
        _keys(snapshot, ks, after=_just_before(start, downwards), limit=1, newest_first=not downwards)
    )
    return _page(entries, request, more=more, behind=behind)


def page_by_position(
    read: Callable[[int, int, int, bool], list[int]],
    request: PageRequest,
    *,
    low: int,
    high: int,
    newest_first: bool = True,
) -> Page[ListingKey]:
    """Return one page of objects that are listed by position; a cursor contains a position. Raises `BadPageRequest`.

    `read` receives the lowest and the highest position, the maximum number of positions to return, and whether the
    newest come first.
    """
    size = request.size
    after = decode_cursor(request.after, name="after").post if request.after is not None else None
    before = decode_cursor(request.before, name="before").post if request.before is not None else None
    oldest, newest = (before, after) if newest_first else (after, before)
    lowest = low if oldest is None else max(low, oldest + 1)
    highest = high if newest is None else min(high, newest - 1)
    downwards = newest_first is not request.backwards
    positions = read(lowest, highest, size + 1, downwards)
    entries, more = positions[:size], len(positions) > size
    start = before if request.backwards else after
    behind = False
    if start is not None:
        low, high = (max(low, start), high) if downwards else (low, min(high, start))
        behind = bool(read(low, high, 1, not downwards))
    return _page([ListingKey(0, position) for position in entries], request, more=more, behind=behind)


def _page(entries: list[ListingKey], request: PageRequest, *, more: bool, behind: bool) -> Page[ListingKey]:
    """Return the page of `entries`, which are in the order in which they were read.

    `more` means that entries follow in this order; `behind` means that entries precede.
    """
    if request.backwards:
        return Page(entries[::-1], has_next=behind, has_previous=more)
    return Page(entries, has_next=more, has_previous=behind)


def _keys(
    snapshot: Snapshot,
    ks: Sequence[int],
    *,
    after: ListingKey | None,
    before: ListingKey | None = None,
    limit: int,
    newest_first: bool,
) -> list[ListingKey]:
    """Return at most `limit` keys of items that pass the filter of the snapshot.

    While the filter hides items, further parts are read, each twice as large as the part before.
    """
    db = snapshot.about(*map(listing_topic, ks))
    read = partial(list_keys, db, ks, snapshot.position, before=before, newest_first=newest_first)
    if snapshot.only is None:
        return read(after=after, limit=limit)
    keys: list[ListingKey] = []
    part_size = limit
    while True:
        part = read(after=after, limit=part_size)
        visible = snapshot.only.among(key.post for key in part)
        keys += [key for key in part if key.post in visible]
        if len(keys) >= limit or len(part) < part_size:
            return keys[:limit]
        after, part_size = part[-1], part_size * 2


def _just_before(key: ListingKey, downwards: bool) -> ListingKey:
    """Return the place after which reading in the opposite direction begins with `key` itself."""
    return ListingKey(key.published_at, key.post - 1 if downwards else key.post + 1)
