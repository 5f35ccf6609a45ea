"""The articles of one page, and what hangs on them, read for all of them when one of them is first asked for it."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.graphql.context import PointInTime

if TYPE_CHECKING:
    from ledgerpress.features.categories.schema import Category


class ArticlePage:
    """Articles that are answered together. A category or an author of several of them is one object."""

    def __init__(self, moment: PointInTime, records: Sequence[article_queries.Article]) -> None:
        self._moment = moment
        self._records = records
        self._bodies: dict[int, str] = {}

    def markdown(self, record: article_queries.Article) -> str:
        """Return the text of an article's body, which is read for that article alone: bodies are long."""
        text = self._bodies.get(record.body)
        if text is None:
            text = self._bodies[record.body] = article_queries.markdown(self._moment.snapshot, record.body)
        return text

    def categories(self, record: article_queries.Article) -> "list[Category]":
        """Return an article's categories, by name."""
        return self._categories[record.seq]

    def authors(self, record: article_queries.Article) -> list[Author]:
        """Return an article's authors, in the order of the by-line."""
        return [one for author_id in record.author_ids if (one := self._authors.get(author_id))]

    @cached_property
    def _categories(self) -> "dict[int, list[Category]]":
        from ledgerpress.features.categories.schema import category_of  # noqa: PLC0415 - categories list articles

        moment, made = self._moment, dict[int, "Category"]()
        found = post_queries.categories_of_each(moment.snapshot, [one.seq for one in self._records])
        for those in found.values():
            for one in those:
                if one.seq not in made:
                    made[one.seq] = category_of(one, moment.of_others)
        return {seq: [made[one.seq] for one in those] for seq, those in found.items()}

    @cached_property
    def _authors(self) -> dict[str, Author]:
        found = article_queries.authors_of(self._moment.snapshot, self._records)
        return {author_id: author_of(one, self._moment.of_others) for author_id, one in found.items()}
