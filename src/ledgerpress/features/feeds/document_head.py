"""What the documents of a feed contain besides their entries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentHead:
    """The head of a document. `previous_url` is the URL of the archive before, `None` if there is none."""

    id: str
    title: str
    site_name: str
    language: str
    page_url: str
    self_url: str
    current_url: str
    previous_url: str | None
