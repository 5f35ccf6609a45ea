"""The GraphQL query that compares the front page at two points in time."""

from collections.abc import Iterable
from typing import Annotated, Final

import strawberry

from ledgerpress.features.front_page_comparison.comparison import Place, compare
from ledgerpress.features.posts.schema import Article, article_of
from ledgerpress.graphql.as_of import AsOf, MomentType, describe, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.feature_declarations import SchemaContribution


@strawberry.type(
    description="An article on the front page, and its places there, from 1; null where it was not on it."
)
class FrontPagePlace:
    article: Article = strawberry.field(
        description="The article as of the later moment; if it was removed, as of the earlier one."
    )
    from_: int | None = strawberry.field(name="from", description="The place at the earlier moment.")
    to: int | None = strawberry.field(description="The place at the later moment.")


@strawberry.type(
    description="The differences between the front page at two moments. What is not public today is in neither."
)
class FrontPageComparison:
    from_: MomentType = strawberry.field(name="from")
    to: MomentType
    added: list[FrontPagePlace]
    removed: list[FrontPagePlace]
    moved: list[FrontPagePlace] = strawberry.field(
        description="The articles that are in another order: as few as possible, without which the order is the same."
    )
    shifted: list[FrontPagePlace] = strawberry.field(
        description="The articles in the same order whose place changed because others were added, removed or moved."
    )
    unchanged: list[FrontPagePlace] = strawberry.field(description="The articles in the same place.")


def _places(places: Iterable[Place], moment: PointInTime) -> list[FrontPagePlace]:
    return [
        FrontPagePlace(article=article_of(place.article, moment), from_=place.before, to=place.now)
        for place in places
    ]


@strawberry.type
class FrontPageQueries:
    @strawberry.field(
        description="Compares the front page at two moments; `to` is now by default. Needs what `asOf` needs."
    )
    def front_page_comparison(
        self,
        info: RequestInfo,
        from_: Annotated[AsOf, strawberry.argument(name="from")],
        to: AsOf | None = None,
    ) -> FrontPageComparison:
        then, now = moment_of(info.context, from_), moment_of(info.context, to)
        both = compare(then.snapshot, now.snapshot)
        return FrontPageComparison(
            from_=describe(then),
            to=describe(now),
            added=_places(both.added, now),
            removed=_places(both.removed, then),
            moved=_places(both.moved, now),
            shifted=_places(both.shifted, now),
            unchanged=_places(both.unchanged, now),
        )


SCHEMA: Final = SchemaContribution(
    query=FrontPageQueries,
    permissions={"Query.frontPageComparison": None},
    objects=dict.fromkeys(("FrontPageComparison", "FrontPagePlace")),
    weights={"Query.frontPageComparison": 20.0},
    sizes={
        f"FrontPageComparison.{name}": 10 for name in ("added", "removed", "moved", "shifted", "unchanged")
    },
)
