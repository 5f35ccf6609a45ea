"""`Article.factChecks`, the listing of checked articles, the mutation, and the field in `PostCreateInput`."""

from typing import Final

import strawberry

from ledgerpress.feature.schema import (
    AddedInput,
    AsOf,
    Connection,
    EventAccess,
    MutationInput,
    PageRequest,
    Payload,
    RequestInfo,
    SchemaContribution,
    command_mutation,
    global_ids,
    moment_of,
)  # fmt: skip
from ledgerpress.features.posts.schema.mutations import PostCreateInput
from ledgerpress.features.posts.schema.types import Article, Post, listed_articles, load_post
from ledgerpress_factcheck import projection
from ledgerpress_factcheck.commands import CheckPost, FirstCheck


@strawberry.type(description="A check of the facts of an article.")
class FactCheck:
    position: int
    verdict: str | None = strawberry.field(description="`passed` or `failed`; null once it was withdrawn.")
    note: str | None


@strawberry.type
class ArticleFields:
    @strawberry.field(description="The checks of its facts, oldest first.")
    @staticmethod
    def fact_checks(article: strawberry.Parent[Article]) -> list[FactCheck]:
        checks = projection.checks_of(article.moment.snapshot, article.record.id)
        return [FactCheck(position=at, verdict=verdict, note=note) for at, verdict, note in checks]


@strawberry.type
class Queries:
    @strawberry.field(description="Articles whose facts were checked, newest first.")
    def checked_articles(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Article]:
        moment = moment_of(info.context, as_of)
        keys = projection.listing_keys(moment.snapshot)
        return listed_articles(moment, keys or [0], PageRequest(first if keys else 0, after))


@strawberry.input
class CheckInput:
    passed: bool
    note: str = ""


@strawberry.input
class PostCreateFields(AddedInput):
    fact_check: CheckInput | None = None

    def command_input(self) -> FirstCheck | None:
        given = self.fact_check
        return FirstCheck(verdict=verdict(given.passed), note=given.note) if given else None


@strawberry.input
class PostCheckInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The post's id, or its article's.")
    passed: bool
    note: str = ""

    def command(self) -> CheckPost:
        post_id = global_ids.in_input(self.id, "Post", "Article", field=("id",))
        return CheckPost(post_id=post_id, verdict=verdict(self.passed), note=self.note)


def verdict(passed: bool) -> str:
    return "passed" if passed else "failed"


@strawberry.type
class PostCheckPayload(Payload):
    post: Post | None


@strawberry.type
class Mutations:
    post_check = command_mutation(
        CheckPost,
        PostCheckInput,
        "Record a fact check.",
        payload=PostCheckPayload,
        field="post",
        load=load_post,
    )


SCHEMA: Final = SchemaContribution(
    query=Queries,
    mutation=Mutations,
    extends={Article: ArticleFields, PostCreateInput: PostCreateFields},
    permissions={"Query.checkedArticles": None, "Article.factChecks": None},
    objects={"FactCheck": None},
    events={"x.factcheck.checked": EventAccess()},
)
