"""Relay's cursor connections over keysets: a cursor contains a key, so that entries do not shift between pages."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import strawberry

from ledgerpress.graphql.context import PointInTime
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import (
    BadPageRequest,
    Page,
    PageRequest,
    decode_cursor,
    encode_cursor,
    page_by_position,
    page_of,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

T = TypeVar("T")


class HasPosition(Protocol):
    """A record that has the position at which its object was created."""

    @property
    def seq(self) -> int:
        """The position."""


R = TypeVar("R", bound=HasPosition)


@strawberry.type(description="The cursors of a page, and whether there are more pages.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    first: strawberry.Private[ListingKey | None]
    last: strawberry.Private[ListingKey | None]

    @strawberry.field
    def start_cursor(self) -> str | None:
        return None if self.first is None else encode_cursor(self.first)

    @strawberry.field
    def end_cursor(self) -> str | None:
        return None if self.last is None else encode_cursor(self.last)


@strawberry.type(description="An entry of a list, with its cursor.")
class Edge(Generic[T]):
    node: T
    key: strawberry.Private[ListingKey]

    @strawberry.field
    def cursor(self) -> str:
        return encode_cursor(self.key)


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """A page of a list: the keys and the objects of its entries. The total is read only if it is requested."""

    page: strawberry.Private[Page[ListingKey]]
    keys: strawberry.Private[Sequence[ListingKey]]
    objects: strawberry.Private[list[T]]
    count: strawberry.Private[Callable[[], int]]

    @strawberry.field
    def edges(self) -> list[Edge[T]]:
        return [Edge(node=node, key=key) for node, key in zip(self.objects, self.keys, strict=True)]

    @strawberry.field
    def page_info(self) -> PageInfo:
        keys = self.keys
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.page.has_previous,
            first=keys[0] if keys else None,
            last=keys[-1] if keys else None,
        )

    @strawberry.field(description="The entries of the page, without their cursors.")
    def nodes(self) -> list[T]:
        return self.objects

    @strawberry.field(description="The number of entries in the whole list.")
    def total_count(self) -> int:
        return self.count()


def read_page(
    snapshot: Snapshot, ks: Sequence[int], request: PageRequest, *, newest_first: bool = True
) -> Page[ListingKey]:
    """Return a page of keys, like `page_of`. Raises `BadRequest` for invalid arguments."""
    try:
        return page_of(snapshot, ks, request, newest_first=newest_first)
    except BadPageRequest as error:
        raise BadRequest(str(error)) from None


def read_page_by_position(
    read: Callable[[int, int, int, bool], list[int]],
    request: PageRequest,
    *,
    low: int = 1,
    high: int,
    newest_first: bool = True,
) -> Page[ListingKey]:
    """Return a page of positions, like `page_by_position`. Raises `BadRequest` for invalid arguments."""
    try:
        return page_by_position(read, request, low=low, high=high, newest_first=newest_first)
    except BadPageRequest as error:
        raise BadRequest(str(error)) from None


def connect(page: Page[ListingKey], nodes: Sequence[T | None], count: Callable[[], int]) -> Connection[T]:
    """Return the connection for a page. `nodes` has a node for each key, or `None` for an entry to omit."""
    keys = page.entries
    objects = [node for node in nodes if node is not None]
    if len(objects) < len(keys):
        keys = [key for key, node in zip(keys, nodes, strict=True) if node is not None]
    return Connection(page=page, keys=keys, objects=objects, count=count)


def connect_in_order_of_creation(
    first: int | None,
    after: str | None,
    moment: PointInTime,
    read: Callable[[Snapshot, int, int], Sequence[R]],
    make: Callable[[R, PointInTime], T],
    count: Callable[[Snapshot], int],
) -> Connection[T]:
    """Return a page of objects in the order of their creation. Raises `BadRequest` for invalid arguments.

    `read` returns the records after a position, up to a limit. `make` returns the object of a record.
    """
    try:
        size = PageRequest(first).size
        start = decode_cursor(after, name="after").post if after is not None else 0
    except BadPageRequest as error:
        raise BadRequest(str(error)) from None
    records = read(moment.snapshot, start, size + 1)
    keys = [ListingKey(0, record.seq) for record in records[:size]]
    page = Page(keys, has_next=len(records) > size, has_previous=after is not None)
    return connect(page, [make(record, moment) for record in records[:size]], partial(count, moment.snapshot))
