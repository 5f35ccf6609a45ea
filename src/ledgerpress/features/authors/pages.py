"""Public names for features above authors that show authors on their pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ledgerpress.features.authors import projector_and_queries as queries
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = ["AuthorName", "author_href", "author_names", "has_page"]


@dataclass(frozen=True, slots=True)
class AuthorName:
    """An author in a byline. `href` is the path of the author's page, `None` if the author has none."""

    name: str
    href: str | None


def author_href(slug: str) -> str:
    return f"/authors/{quote(slug)}"


def has_page(snapshot: Snapshot, author: queries.Author) -> bool:
    """Return whether an author has a page: a name, and an article that is public."""
    return bool(author.name) and queries.is_public_author(snapshot, author.seq)


def author_names(snapshot: Snapshot, author_ids: Sequence[str]) -> list[AuthorName]:
    """Return the authors of a byline, in order, without those whose name was withdrawn."""
    return [
        AuthorName(author.name, author_href(author.slug) if has_page(snapshot, author) else None)
        for author in queries.authors(snapshot, author_ids)
        if author.name
    ]
