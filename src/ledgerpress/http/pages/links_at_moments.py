"""Links that keep the moment of the page that contains them: those of templates, and those in bodies."""

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from starlette.requests import Request

from ledgerpress.http.pages.html_copier import with_changed_urls
from ledgerpress.http.pages.page_moment import AS_OF

_WEB: Final = frozenset({"http", "https"})


def with_moment(url: str, as_of: str) -> str:
    """Return a URL with the moment in its query, before its fragment."""
    url, mark, fragment = url.partition("#")
    return f"{url}{'&' if '?' in url else '?'}{AS_OF}={quote(as_of)}{mark}{fragment}"


def other_parameters(request: Request) -> list[tuple[str, str]]:
    """Return the parameters in the address of a page, in order, without the moment."""
    return [(name, value) for name, value in request.query_params.multi_items() if name != AS_OF]


def query_of_current_page(request: Request) -> str:
    """Return the query that leads from a page to the same page as it is now."""
    return f"?{urlencode(other_parameters(request))}"


def with_moment_in_links(
    html: str, as_of: str, *, address: str, roots: Iterable[str], is_page: Callable[[str], bool]
) -> str:
    """Return the sanitised HTML of a body in which links to pages of this site keep the moment.

    A link to something else stays as it is, and so does one that names a moment, or a part of the same page. `address`
    is that of the page, `roots` are the addresses of the site, and `is_page` returns whether there are pages at a path below
    these.
    """
    if "<a " not in html:
        return html
    sites = [urlsplit(root) for root in roots]

    def changed(tag: str, name: str, url: str) -> str:
        # A URL without anything before its fragment keeps the query of the page.
        if tag != "a" or name != "href" or not url.partition("#")[0]:
            return url
        try:
            target = urlsplit(urljoin(address, url))
        except ValueError:
            return url
        names_moment = any(name == AS_OF for name, _ in parse_qsl(target.query, keep_blank_values=True))
        paths = (_path_on(site, target) for site in sites)
        if names_moment or not any(path is not None and is_page(path) for path in paths):
            return url
        return with_moment(url, as_of)

    return with_changed_urls(html, changed)


def _path_on(site: SplitResult, target: SplitResult) -> str | None:
    """Return the path of a target below the address of a site; `None` if it is elsewhere."""
    if target.scheme not in _WEB or target.netloc.lower() != site.netloc.lower():
        return None
    path = target.path or "/"
    if path == site.path:
        return "/"
    return unquote(path.removeprefix(site.path)) if path.startswith(f"{site.path}/") else None
