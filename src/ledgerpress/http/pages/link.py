"""A link on a page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page. `href` is the path of the page on this site, without the prefix.

    In the head of a page, a link leads to other content about the same subject, such as a feed, and has a `media_type`.
    """

    name: str
    href: str
    media_type: str = "text/html"
