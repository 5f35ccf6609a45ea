"""A link on a page."""

from dataclasses import dataclass

from ledgerpress.http.pages.interface_texts.words import InterfaceText


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page. `href` is the path of the page on this site, without the prefix.

    The name in the navigation of a page is text of users, or a `Text` of the site. In the footer, and at the places that
    templates name, it is always a text of the site.

    In the head of a page, a link leads to other content about the same subject, such as a feed, and has a `media_type`.
    """

    name: str | InterfaceText
    href: str
    media_type: str = "text/html"
