"""Third-party features cannot change the schema or paths of others, and errors name the conflicting features."""

import sys
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
import strawberry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute

from ledgerpress.feature import Feature, FeatureSet, InvalidFeature
from ledgerpress.feature.pages import PageContribution
from ledgerpress.feature.schema import EventAccess, SchemaContribution, SchemaError
from ledgerpress.features.posts.schema import Article
from ledgerpress.features.registry import FIRST_PARTY

MODULE = "contributions_of_this_test"


@pytest.fixture
def contribute(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FeatureSet]:
    """Return a function that builds a feature set from contributions to one section, by feature name."""
    module = ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, module)

    def features(section: str, requires: tuple[str, ...] = (), **contributions: Any) -> FeatureSet:
        third_party = []
        for name, contribution in contributions.items():
            setattr(module, name, contribution)
            reference: dict[str, Any] = {section: f"{MODULE}:{name}"}
            third_party.append(Feature(name=name, requires=("posts", *requires), **reference))
        return FeatureSet(FIRST_PARTY, third_party=third_party)

    return features


def adding(field: str, to: type = Article) -> SchemaContribution:
    """Return a contribution that adds a field to a type."""
    added = type("Added", (), {field: strawberry.field(resolver=lambda: "x", graphql_type=str)})
    name = to.__name__
    return SchemaContribution(extends={to: strawberry.type(added)}, permissions={f"{name}.{field}": None})


def with_type(name: str, query: str) -> SchemaContribution:
    """Return a contribution with a type, and a root field that returns it."""
    object_type: Any = strawberry.type(type(name, (), {"__annotations__": {"stars": int}}))
    queries = type(
        "Queries", (), {query: strawberry.field(resolver=lambda: None, graphql_type=object_type | None)}
    )
    return SchemaContribution(
        query=strawberry.type(queries), permissions={f"Query.{query}": None}, objects={name: None}
    )


@pytest.mark.parametrize(
    ("contribution", "message"),
    [
        (SchemaContribution(weights={"Query.articles": 0.0}), "weights declares Query.articles"),
        (SchemaContribution(weights={"*.title": 0.0}), r"weights declares \*.title"),
        (SchemaContribution(sizes={"Query.articles": 1}), "sizes declares Query.articles"),
        (SchemaContribution(list_arguments={"Query.nodes": "ids"}), "list_arguments declares Query.nodes"),
        (SchemaContribution(permissions={"Actor.id": None}), "permissions declares Actor.id, a field that"),
        (SchemaContribution(permissions={"PostPayload.post": None}), "permissions declares PostPayload.post"),
        (
            SchemaContribution(objects={"Actor": None}),
            "objects declares Actor, which is a type of ledgerpress",
        ),
        (SchemaContribution(nodes={"Post": lambda _, __: None}), "nodes declares Post"),
        (SchemaContribution(events={"post.created": EventAccess()}), "events declares post.created"),
        (adding("title"), "Article.title is added, but exists already"),
        (with_type("Article", "stars"), "objects declares Article"),
        (SchemaContribution(query=dict), "AttributeError"),
        (
            SchemaContribution(query=adding("x").extends[Article]),
            "Query.x has no declared permission",
        ),
    ],
)
def test_a_contribution_that_changes_the_schema_of_others_is_rejected(
    contribute: Callable[..., FeatureSet], contribution: SchemaContribution, message: str
) -> None:
    with pytest.raises(SchemaError, match=f"^feature stars: .*{message}"):
        contribute("schema", stars=contribution).graphql_schema()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (adding("ratings"), adding("ratings"), "features awards and stars: Two features declare a permission for"),
        (with_type("Rating", "one"), with_type("Rating", "two"), "feature awards: objects declares Rating, .* of stars"),
        (
            with_type("Rating", "one"),
            SchemaContribution(weights={"Rating.stars": 0.0}),
            "feature stars: weights declares Rating.stars",
        ),
    ],
)  # fmt: skip
def test_two_features_that_contradict_each_other_are_named(
    contribute: Callable[..., FeatureSet],
    first: SchemaContribution,
    second: SchemaContribution,
    message: str,
) -> None:
    with pytest.raises(SchemaError, match=f"^{message}"):
        contribute("schema", awards=first, stars=second, zoo=adding("zoo")).graphql_schema()


def test_an_error_about_two_types_with_one_name_names_their_features(
    contribute: Callable[..., FeatureSet],
) -> None:
    """Enums need no declaration, so only Strawberry notices the duplicate."""
    classes: list[Any] = [Enum("Mood", {"GOOD": "good"}) for _ in range(2)]
    enums: list[Any] = [strawberry.enum(enum) for enum in classes]
    parts = [
        SchemaContribution(
            query=strawberry.type(
                type("Queries", (), {name: strawberry.field(resolver=lambda: None, graphql_type=enum | None)})
            ),
            permissions={f"Query.{name}": None},
        )
        for name, enum in zip(("one", "two"), enums, strict=True)
    ]
    with pytest.raises(SchemaError, match=r"^features awards and stars: .*Mood"):
        contribute("schema", awards=parts[0], stars=parts[1]).graphql_schema()


def test_a_feature_can_declare_weights_of_its_own_fields(contribute: Callable[..., FeatureSet]) -> None:
    stars = with_type("Rating", "ratings")
    own = SchemaContribution(
        query=stars.query,
        permissions=stars.permissions,
        objects=stars.objects,
        weights={"Query.ratings": 2.0, "Rating.stars": 0.0},
    )
    schema = contribute("schema", stars=own, awards=adding("awards")).graphql_schema()
    assert {"Rating"} <= set(schema.type_names)


def page(*_: object) -> Response:
    return PlainTextResponse("page")


async def route(_: Request) -> Response:
    return PlainTextResponse("route")


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/", "'/' of posts"),
        ("/articles/{slug}", "'/articles/{slug}' of posts"),
        ("/articles/{other}", "'/articles/{slug}' of posts"),
        ("/articles/{id:int}", "'/articles/{slug}' of posts"),
        ("/articles/best", "'/articles/{slug}' of posts"),
        ("/{anything}", "'/graphql' of ledgerpress"),
        ("/{p:path}", "'/' of posts"),
        ("/graphql", "'/graphql' of ledgerpress"),
        ("/metrics", "'/metrics' of ledgerpress"),
        ("/health/live", "of ledgerpress"),
        ("/static/site.css", "of ledgerpress"),
    ],
)
def test_a_path_of_another_feature_is_rejected(
    contribute: Callable[..., FeatureSet], path: str, other: str
) -> None:
    expected = f"feature stars: the path {path!r} conflicts with"
    with pytest.raises(InvalidFeature) as page_error:
        contribute("pages", stars=PageContribution(routes={path: page})).page_contributions()
    with pytest.raises(InvalidFeature) as route_error:
        contribute("routes", stars=lambda _: [Route(path, route)]).routes(any_context)
    for error in (page_error, route_error):
        assert expected in str(error.value)
        assert other in str(error.value)


@pytest.mark.parametrize(
    "hiding", [Mount("/articles", app=Router()), Mount("/", app=Router()), WebSocketRoute("/graphql", page)]
)
def test_a_mount_that_hides_paths_is_rejected(
    contribute: Callable[..., FeatureSet], hiding: BaseRoute
) -> None:
    with pytest.raises(InvalidFeature, match=r"feature stars: the path .* conflicts with"):
        contribute("routes", stars=lambda _: [hiding]).routes(any_context)


def test_an_error_about_one_path_in_two_features_names_both(contribute: Callable[..., FeatureSet]) -> None:
    pages = PageContribution(routes={"/stars/{id}": page})
    with pytest.raises(
        InvalidFeature, match=r"feature stars: the path '/stars/{id}' conflicts with '/stars/{id}' of awards"
    ):
        contribute("pages", awards=pages, stars=pages).page_contributions()


def test_a_path_without_a_slash_is_rejected(contribute: Callable[..., FeatureSet]) -> None:
    with pytest.raises(InvalidFeature, match="feature stars: the path 'stars' must begin with a slash"):
        contribute("pages", stars=PageContribution(routes={"stars": page})).page_contributions()


def test_paths_of_one_feature_may_overlap(contribute: Callable[..., FeatureSet]) -> None:
    def routes(_: object) -> list[BaseRoute]:
        return [
            Route("/stars/new", route),
            Route("/stars/{id}", route),
            Route("/articles/{slug}", route, methods=["POST"]),
        ]

    others = contribute("routes", stars=lambda _: []).routes(any_context)
    assert len(contribute("routes", stars=routes).routes(any_context)) == len(others) + 3


def any_context(_: str) -> Any:
    return Mock()
