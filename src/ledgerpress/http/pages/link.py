"""Links and pictures on pages."""

from dataclasses import dataclass
from typing import Protocol

from ledgerpress.http.pages.interface_texts.words import InterfaceText


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page. `href` is the path of the page on this site, without the prefix, or an https URL.

    The name in the navigation of a page is text of users, or a `Text` of the site. In the footer, and at the places that
    templates name, it is always a text of the site.

    In the head of a page, a link leads to other content about the same subject, such as a feed, and has a `media_type`.
    """

    name: str | InterfaceText
    href: str
    media_type: str = "text/html"


class Picture(Protocol):
    """A picture on a page: its path on this site, without the prefix, or its https URL, and the text that stands for it."""

    @property
    def url(self) -> str: ...
    @property
    def text(self) -> str: ...
