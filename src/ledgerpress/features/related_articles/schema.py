"""The GraphQL fields for related articles, and for the articles before and after an article."""

from typing import Final

import strawberry

from ledgerpress.features.posts.schema import Article, article_of
from ledgerpress.features.related_articles import queries
from ledgerpress.features.related_articles.queries import MAX_RELATED
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import SchemaContribution

_DEFAULT: Final = 4


@strawberry.type
class ArticleFields:
    @strawberry.field(
        description="Articles in the same categories, the most closely related first, at most 10. A category counts the"
        " more, the fewer articles it has. Empty if no article is related."
    )
    @staticmethod
    def related(article: strawberry.Parent[Article], first: int = _DEFAULT) -> list[Article]:
        if not 0 <= first <= MAX_RELATED:
            raise BadRequest(f"first is {first}; it must be between 0 and {MAX_RELATED}.")
        moment = article.moment
        records = queries.related_articles(moment.snapshot, article.record, first)
        return [article_of(record, moment) for record in records]

    @strawberry.field(
        description="The article published next, in the category in which this article has been for longest, with its"
        " subcategories; on the whole site if the article has no category. Null if this one is the newest."
    )
    @staticmethod
    def next(article: strawberry.Parent[Article]) -> Article | None:
        record = queries.next_article(article.moment.snapshot, article.record)
        return article_of(record, article.moment) if record else None

    @strawberry.field(
        description="The article published before this one, like `next`. Null if this one is the oldest."
    )
    @staticmethod
    def previous(article: strawberry.Parent[Article]) -> Article | None:
        record = queries.previous_article(article.moment.snapshot, article.record)
        return article_of(record, article.moment) if record else None


SCHEMA: Final = SchemaContribution(
    extends={Article: ArticleFields},
    permissions=dict.fromkeys(("Article.related", "Article.next", "Article.previous")),
    weights={"Article.related": 10.0, "Article.next": 5.0, "Article.previous": 5.0},
)
