"""`Article.factChecks`, the listing of checked articles, the mutation, and the field in `PostCreateInput`."""

from typing import Final

import strawberry

from ledgerpress.feature import schema as graphql
from ledgerpress.feature.schema import AsOf, Connection, RequestInfo
from ledgerpress.features.posts.schema import Article, PostCreateInput, listed_articles, post_mutation
from ledgerpress_factcheck.commands import CheckPost, FirstCheck
from ledgerpress_factcheck.projection import LISTINGS, checks_of


@strawberry.type(description="A check of the facts of an article; values that were withdrawn are null.")
class FactCheck:
    passed: bool | None
    note: str | None


@strawberry.type
class ArticleFields:
    @strawberry.field(description="The fact checks of the article, oldest first.")
    @staticmethod
    def fact_checks(article: strawberry.Parent[Article]) -> list[FactCheck]:
        checks = checks_of(article.moment.snapshot, article.record.id)
        return [
            FactCheck(passed=None if passed is None else bool(passed), note=note) for passed, note in checks
        ]


@strawberry.type
class Queries:
    @strawberry.field(description="Articles whose facts were checked, newest first.")
    def checked_articles(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Article]:
        moment = graphql.moment_of(info.context, as_of)
        return listed_articles(moment, [LISTINGS.key(moment.snapshot)], graphql.PageRequest(first, after))


@strawberry.input
class FactCheckInput:
    passed: bool
    note: str = ""


@strawberry.input
class PostCreateFields(graphql.AddedInput):
    fact_check: FactCheckInput | None = None

    def command_input(self) -> FirstCheck | None:
        return FirstCheck(self.fact_check.passed, self.fact_check.note) if self.fact_check else None


@strawberry.input
class PostCheckInput(graphql.MutationInput):
    id: strawberry.ID = strawberry.field(description="The id of the post or of its article.")
    check: FactCheckInput

    def command(self) -> CheckPost:
        post_id = graphql.global_ids.in_input(self.id, "Post", "Article", field=("id",))
        return CheckPost(post_id, self.check.passed, self.check.note)


@strawberry.type
class Mutations:
    post_check = post_mutation(CheckPost, PostCheckInput, "Record a fact check.")


SCHEMA: Final = graphql.SchemaContribution(
    query=Queries,
    mutation=Mutations,
    extends={Article: ArticleFields, PostCreateInput: PostCreateFields},
    permissions={"Query.checkedArticles": None, "Article.factChecks": None},
    objects={"FactCheck": None},
)
