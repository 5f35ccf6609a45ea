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
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An entry of a list, with its cursor.")
class Edge(Generic[T]):
    node: T
    cursor: str


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    """A page of a list. The total is read only if it is requested."""

    edges: list[Edge[T]]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], int]]

    @strawberry.field(description="The entries of the page, without their cursors.")
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]

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
    edges = [
        Edge(node=node, cursor=encode_cursor(key))
        for key, node in zip(page.entries, nodes, strict=True)
        if node is not None
    ]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        count=count,
    )


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
