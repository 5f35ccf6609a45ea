"""What every page takes from the site as it is today, also a page as of a moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ledgerpress.http.pages.interface_texts.words import Words
from ledgerpress.http.pages.language_and_direction import direction_of
from ledgerpress.http.pages.link import Link


@dataclass(frozen=True, slots=True)
class SiteToday:
    """The site as it is today, for the parts of a page that are about its reader and its publisher.

    `words` are in today's language, `page_language` is that of the page. `footer_menu` leads to current pages.
    """

    words: Words
    page_language: str
    footer_menu: Sequence[Link]

    @property
    def attributes(self) -> Markup:
        """The HTML attributes of an element with today's words; none if the page is in the same language."""
        language = self.words.language
        if language == self.page_language:
            return Markup()
        return Markup(' lang="{}" dir="{}"').format(language, direction_of(language))
