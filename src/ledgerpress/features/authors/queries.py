"""Public queries for authors as of a snapshot, for features above authors."""

from ledgerpress.features.authors.projector_and_queries import (
    AUTHORS,
    PUBLIC_AUTHORS,
    Author,
    author,
    author_topic,
    authors,
    authors_after,
    by_slug,
    changed_public_authors,
    count_authors,
    count_public_authors,
    is_public_author,
    name_changes,
    public_authors_after,
    public_by_slug,
    reference,
)

__all__ = [
    "AUTHORS",
    "PUBLIC_AUTHORS",
    "Author",
    "author",
    "author_topic",
    "authors",
    "authors_after",
    "by_slug",
    "changed_public_authors",
    "count_authors",
    "count_public_authors",
    "is_public_author",
    "name_changes",
    "public_authors_after",
    "public_by_slug",
    "reference",
]
