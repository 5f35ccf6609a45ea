"""Public queries for authors as of a snapshot, for features above authors."""

from ledgerpress.features.authors.projector_and_queries import (
    AUTHORS,
    PUBLIC_AUTHORS,
    Author,
    author,
    author_topic,
    authors,
    authors_after,
    changed_public_authors,
    count_authors,
    count_public_authors,
    is_public_author,
    public_authors_after,
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
    "changed_public_authors",
    "count_authors",
    "count_public_authors",
    "is_public_author",
    "public_authors_after",
    "reference",
]
