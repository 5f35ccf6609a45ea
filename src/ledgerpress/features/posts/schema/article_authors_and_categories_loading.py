"""Loads the categories and authors of all articles of a page together."""

from collections.abc import Sequence
from functools import cached_property

from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories.schema.category_type_and_queries import Category, category_of
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import teaser_of
from ledgerpress.graphql.context import PointInTime


class ArticlePage:
    """The articles of one page. Articles with the same category or author share one object."""

    def __init__(self, moment: PointInTime, records: Sequence[article_queries.Article]) -> None:
        self._moment = moment
        self._records = records

    def teaser(self, record: article_queries.Article) -> str:
        """Return the written teaser of an article, or the one that is derived from its body."""
        if record.teaser is not None:
            return record.teaser
        body = record.body
        return self._moment.snapshot.once(
            ("teaser", body), lambda snapshot: teaser_of(post_queries.markdown(snapshot, body), body)
        )

    def categories(self, record: article_queries.Article) -> list[Category]:
        return self._categories[record.seq]

    def authors(self, record: article_queries.Article) -> list[Author]:
        """Return an article's authors, in the order of the byline."""
        return [author for author_id in record.author_ids if (author := self._authors.get(author_id))]

    @cached_property
    def _categories(self) -> dict[int, list[Category]]:
        moment, seqs = self._moment, [record.seq for record in self._records]
        by_article = post_queries.categories_of_each(moment.snapshot, seqs)
        unique = {record.seq: record for records in by_article.values() for record in records}
        categories = {seq: category_of(record, moment.for_related) for seq, record in unique.items()}
        return {seq: [categories[record.seq] for record in records] for seq, records in by_article.items()}

    @cached_property
    def _authors(self) -> dict[str, Author]:
        ids = dict.fromkeys(author_id for record in self._records for author_id in record.author_ids)
        records = authors_queries.authors(self._moment.snapshot, list(ids))
        return {record.id: author_of(record, self._moment.for_related) for record in records}
