"""The pages of the demo site, in all their states: those that tests of the browser visit."""

import html
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2
from starlette.routing import compile_path

OPEN: Final = ("--open-past", "--public-history")
"""The options of the server with `PAGES`. Those of `CLOSED_PAGES` and `EMPTY_PAGES` are of a server without them."""
CORRECTED: Final = "/articles/winter-ferry-hours"
EVERYTHING: Final = "/articles/everything"
ERASED: Final = "/articles/erased"
OFTEN_EDITED: Final = "/articles/often-edited"
UNPUBLISHED: Final = "/articles/unpublished"
PAGES: Final = {
    "front page": "/",
    "category": "/categories/harbour",
    "subcategory": "/categories/ferries",
    "empty category": "/categories/weather",
    "author": "/authors/isbel-tarrow",
    "page of the site": "/pages/about-the-tidings",
    "imprint": "/pages/imprint",
    "article with corrections": CORRECTED,
    "article with every kind of content": EVERYTHING,
    "article of which a text was erased": ERASED,
    "article that is not public any more": UNPUBLISHED,
    "history": f"{CORRECTED}/history",
    "history with an erased text": f"{ERASED}/history",
    "first revision": f"{CORRECTED}/history/1",
    "difference": f"{CORRECTED}/history/2",
    "difference side by side": f"{EVERYTHING}/history/2?view=side-by-side",
    "difference of nothing": f"{CORRECTED}/history/2?from=2",
    "revision with an erased text": f"{ERASED}/history/2",
    "proof": f"{CORRECTED}/history/2/proof",
    "proof in words": f"{CORRECTED}/history/2/check",
    "program that checks proofs": "/check_proof.py",
    "corrections": "/corrections",
    "comparison": "/compare?from=100",
    "comparison of today": "/compare",
    "comparison without changes": "/compare?from={then}&to={then}",
    "exchanged comparison": "/compare?from=100&to=50",
    "comparison with a problem": "/compare?from=nonsense",
    "past front page": "/?asOf={then}",
    "first front page": "/?asOf=1",
    "past category": "/categories/harbour?asOf={then}",
    "past author": "/authors/isbel-tarrow?asOf={then}",
    "past page of the site": "/pages/about-the-tidings?asOf={then}",
    "past article": f"{CORRECTED}?asOf={{then}}",
    "past history": f"{CORRECTED}/history?asOf={{then}}",
    "past difference side by side": f"{CORRECTED}/history/2?view=side-by-side&asOf={{then}}",
    "past corrections": "/corrections?asOf={then}",
    "past of an article that is not public any more": f"{UNPUBLISHED}?asOf={{then}}",
    "invalid moment": "/?asOf=nonsense",
    "missing page": "/nowhere",
    "missing page of the past": "/nowhere?asOf={then}",
}
"""The addresses of pages by name. `{then}` is a position before the last change."""
OLDER: Final = {
    "older articles": "/",
    "older corrections": "/corrections",
    "older versions": f"{OFTEN_EDITED}/history",
    "older articles of the past": "/?asOf={then}",
}
"""Lists whose next pages are visited, by the names of these."""
CLOSED_PAGES: Final = {
    "front page without a past": "/",
    "article without a history": CORRECTED,
    "corrections without histories": "/corrections",
    "past that is not public": "/?asOf=5",
    "history that is not public": f"{CORRECTED}/history",
    "comparison that is not public": "/compare",
}
EMPTY_PAGES: Final = {
    "front page of an empty site": "/",
    "corrections of an empty site": "/corrections",
    "past of an empty site": "/?asOf=1",
    "comparison of an empty site": "/compare",
}
"""The pages of a site without articles, whose past is public."""
_NEXT: Final = re.compile(r'<nav class="pages".*?rel="next" href="([^"]+)"', re.DOTALL)


async def pages_of(http: httpx2.AsyncClient) -> dict[str, str]:
    """Return the paths of all pages by name. `http` requests the pages of the site as it is now."""
    now = int((await http.get("/")).headers["LedgerPress-Position"])
    pages = {name: path.format(then=now - 1) for name, path in PAGES.items()}
    for name, path in OLDER.items():
        first = path.format(then=now - 1)
        match = _NEXT.search((await http.get(first)).text)
        assert match is not None, f"{first} has no next page"
        pages[name] = urljoin(first, html.unescape(match[1]))
    return pages


async def html_pages_of(site: str) -> dict[str, str]:
    """Return the paths of the pages that a browser shows: all but those that it downloads."""
    async with httpx2.AsyncClient(base_url=site) as http:
        return {
            name: path
            for name, path in (await pages_of(http)).items()
            if "html" in (await http.get(path)).headers["content-type"]
        }


def unvisited(routes: Iterable[str], paths: Iterable[str]) -> set[str]:
    """Return the routes, in the syntax of Starlette, that match none of the paths."""
    places = [urlsplit(path).path for path in paths]
    return {route for route in routes if not any(compile_path(route)[0].match(place) for place in places)}
