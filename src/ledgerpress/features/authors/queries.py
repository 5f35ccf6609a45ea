"""Public queries for authors as of a snapshot, for features above authors."""

from ledgerpress.features.authors.projector_and_queries import (
    AUTHORS,
    Author,
    author,
    author_topic,
    authors,
    authors_after,
    count_authors,
    reference,
)

__all__ = [
    "AUTHORS",
    "Author",
    "author",
    "author_topic",
    "authors",
    "authors_after",
    "count_authors",
    "reference",
]
