"""Make the relative URLs in the HTML of a body absolute: a feed is read far from the page that they refer to."""

from urllib.parse import urljoin

from ledgerpress.http.pages.html_copier import with_changed_urls


def with_absolute_links(html: str, base: str) -> str:
    """Return sanitised HTML in which the URLs of links and images are absolute; `base` is the URL of its page."""

    def absolute(_: str, __: str, url: str) -> str:
        try:
            return urljoin(base, url)
        except ValueError:
            return url

    return with_changed_urls(html, absolute)
