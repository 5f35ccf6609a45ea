"""What features above authors need to read authors, as of a snapshot."""

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
