"""What the documents of a feed contain besides their entries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentHead:
    """The head of a document. `previous_url` is the URL of the archive before, `None` if there is none.

    `description` is that of the site, `None` for a feed with another subject. `logo_url` is absolute.
    """

    id: str
    title: str
    site_name: str
    language: str
    page_url: str
    self_url: str
    current_url: str
    previous_url: str | None
    description: str | None
    logo_url: str | None
