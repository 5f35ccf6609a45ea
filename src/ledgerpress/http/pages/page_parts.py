"""Parts that features add to pages, and a page as such a part sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request

from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.http.pages.page_moment import PageChanges, PageMoment
from ledgerpress.http.requests.url_prefix_and_route_path import url_prefix
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class SiteOfPage(Protocol):
    """What parts of pages use of the site: the methods of `Pages`."""

    @property
    def open_past(self) -> bool: ...

    def site_name(self, snapshot: Snapshot) -> str: ...

    def site_language(self, snapshot: Snapshot) -> str: ...

    def words(self, snapshot: Snapshot) -> Words: ...

    def url(self, path: str) -> str: ...

    def absolute_url(self, path: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page that is being rendered: its moment, its changes, if it declares them, and its HTTP status.

    `path` is its path on this site, and `subject` what it is about, such as an article, if its handler states them.
    `is_in_time` is false if the page offers no other moments, for example because its address names those that it shows.
    """

    pages: SiteOfPage
    request: Request
    moment: PageMoment
    changes: PageChanges | None
    status: int = 200
    path: str = ""
    subject: object = None
    is_in_time: bool = True

    @property
    def address(self) -> str:
        """The address of the page with its parameters, also if its handler does not state its path."""
        url = self.request.url
        address = self.pages.absolute_url(url.path.removeprefix(url_prefix(self.request.scope)))
        return f"{address}?{url.query}" if url.query else address

    @property
    def language(self) -> str:
        """The language of the page, a BCP 47 tag."""
        return self.pages.site_language(self.moment.snapshot)

    @property
    def site_name(self) -> str:
        return self.pages.site_name(self.moment.snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePart:
    """A part that a feature adds to pages.

    `place` returns the place on a page, `None` if the part is not on that page: `head`, the head of the document; `top`;
    `bottom`, above the footer; or a place that the template of the page names, such as `article`, below the text of an
    article. `values` returns the values for the template. `styles` and `scripts` are names of files under `static/`;
    scripts are modules. The footer links to the element with the id `position_anchor`.
    """

    template: str
    place: Callable[[PageView], str | None]
    values: Callable[[PageView], Mapping[str, Any]]
    styles: Sequence[str] = ()
    scripts: Sequence[str] = ()
    position_anchor: str | None = None
