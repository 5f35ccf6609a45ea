"""A third-party feature has names of its own for everything that is stored or shown."""

from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest
import strawberry

from ledgerpress import feature
from ledgerpress.feature import Event, EventType, Feature, FeatureSet, InvalidFeature
from ledgerpress.feature.schema import SchemaContribution
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.features.third_party_loading import GROUP, load_features
from tests.contract import stars_feature
from tests.contract.tags_feature import TAGS


class Rated(Event, frozen=True):
    post_id: str


@dataclass(frozen=True)
class RatePost:
    fingerprint_name: ClassVar[str] = "RatePost"


@dataclass(frozen=True)
class NamelessRating:
    """It has neither a name nor a lock key."""


@dataclass(frozen=True)
class FirstRating:
    fingerprint_name: ClassVar[str] = "x.other.FirstRating"


@strawberry.type
class Queries:
    stars: int = 5


WITHOUT_PERMISSION = SchemaContribution(query=Queries)


def projector(name: str = "x.stars", schema: str = "", indexes: str = "") -> feature.ImmediateProjector:
    return feature.ImmediateProjector(
        name=name, version=1, schema=schema, indexes=indexes, events=frozenset(), apply=lambda _, __: None
    )


STARS = Feature(name="stars", requires=("posts",), events=(EventType("x.stars.rated", 1, Rated),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "x.stars"}, "must match"),
        ({"name": "my_stars"}, "must match"),
        ({"name": "Stars"}, "must match"),
        ({"events": (EventType("stars.rated", 1, Rated),)}, "x.stars.<name>"),
        ({"events": (EventType("x.other.rated", 1, Rated),)}, "x.stars.<name>"),
        ({"events": (EventType("x.starsandmore.rated", 1, Rated),)}, "x.stars.<name>"),
        ({"events": (EventType("x.stars.rated.twice", 1, Rated),)}, "x.stars.<name>"),
        ({"events": (EventType("x.stars.Rated", 1, Rated),)}, "x.stars.<name>"),
        ({"streams": (feature.StreamCategory("rating", None, lambda s, _: s),)}, "the stream category 'rating'"),
        ({"streams": (feature.StreamCategory("x.starsandmore", None, lambda s, _: s),)}, "the stream category"),
        ({"first_events": (("post.1", Rated(post_id="1")),)}, "the stream 'post.1'"),
        ({"projectors": (projector("stars"),)}, "the projection 'stars'"),
        ({"projectors": (projector(schema="CREATE TABLE rating (a TEXT) STRICT;\n"),)}, "the table 'rating'"),
        (
            {"projectors": (projector(schema="CREATE TABLE x_stars_a (a TEXT);", indexes="CREATE INDEX b ON x_stars_a (a);"),)},
            "the index 'b'",
        ),
        ({"projectors": (projector(schema="CREATE TABLE x_stars (a TEXT);"),)}, "the table 'x_stars' must begin"),
        ({"projectors": (projector(schema="CREATE TABLE x_stars_a (a TEXT)"),)}, "must end with a semicolon"),
        ({"projectors": (projector(schema="CREATE TABEL x_stars_a (a TEXT);"),)}, "its SQL is not valid"),
        ({"listings": TAGS.listings}, "the listing contribution 'x.tags'"),
        ({"listings": TAGS.listings}, "the table 'x_tags_listing'"),
        ({"subjects": (feature.Subject(kind="post", values=lambda _, __: {}),)}, "the subject 'post'"),
        ({"commands": feature.commands(feature.RequiredPermission(None), RatePost)}, "'RatePost' of RatePost"),
        ({"commands": feature.commands(feature.RequiredPermission(None), NamelessRating)}, r"the command NamelessRating has no `fingerprint_name` \(x.stars.…\)"),
        ({"commands": feature.commands(feature.RequiredPermission(None), NamelessRating)}, "the command NamelessRating has no `lock_key`"),
        ({"inputs": (feature.InputDeclaration((), FirstRating),)}, "'x.other.FirstRating' of FirstRating"),
        ({"permissions": (feature.Permission("stars:write"),)}, "the permission 'stars:write'"),
        ({"permissions": (feature.Permission("x.stars:read", enum_name="READ_STARS"),)}, "the enum_name 'READ_STARS'"),
        ({"error_codes": ("TOO_MANY_STARS",)}, "the error code 'TOO_MANY_STARS'"),
    ],
)  # fmt: skip
def test_a_name_outside_of_the_features_own_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, **changes)])


def test_a_stream_category_that_the_manifest_lacks_is_named() -> None:
    message = r"the stream category 'x\.stars' of tests\.contract\.stars_feature is not in `streams`"
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(stars_feature.STARS, streams=())])


def test_a_part_that_cannot_be_loaded_is_named_with_its_feature() -> None:
    features = FeatureSet(FIRST_PARTY, third_party=[replace(STARS, schema=f"{__name__}:SHEMA")])
    with pytest.raises(InvalidFeature, match=r"feature stars: .*:SHEMA cannot be loaded: AttributeError"):
        features.graphql_schema()


def test_a_schema_that_cannot_be_built_is_named_with_its_feature_and_what_to_do() -> None:
    wrong = [replace(STARS, schema=f"{__name__}:WITHOUT_PERMISSION"), Feature(name="awards")]
    with pytest.raises(
        InvalidFeature, match=r"feature stars: Query.stars .* What to do: add it to `permissions`"
    ):
        FeatureSet(FIRST_PARTY, third_party=wrong).graphql_schema()


def test_every_mistake_is_named_at_once() -> None:
    wrong = replace(STARS, error_codes=("STARS",), projectors=(projector("stars"),))
    with pytest.raises(
        InvalidFeature, match=r"feature stars: the projection 'stars'.*; the error code 'STARS'"
    ):
        FeatureSet(FIRST_PARTY, third_party=[wrong])


def test_features_come_after_those_that_they_require_in_whatever_order_they_are_found() -> None:
    above = Feature(name="awards", requires=("stars",))
    features = FeatureSet(FIRST_PARTY, third_party=[above, STARS])
    assert features.third_party == ("stars", "awards")


def test_a_feature_that_is_missing_or_there_twice_is_named() -> None:
    with pytest.raises(InvalidFeature, match="awards requires stars"):
        FeatureSet(FIRST_PARTY, third_party=[Feature(name="awards", requires=("stars",))])
    with pytest.raises(InvalidFeature, match="two features stars"):
        FeatureSet(FIRST_PARTY, third_party=[STARS, STARS])
    with pytest.raises(InvalidFeature, match="two features posts"):
        FeatureSet(FIRST_PARTY, third_party=[Feature(name="posts")])


def entry_point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_a_feature_is_loaded_by_its_entry_point() -> None:
    assert load_features([entry_point("stars", f"{__name__}:STARS")]) == [STARS]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stars", "ledgerpress_stars:FEATURE", "cannot be loaded: ModuleNotFoundError"),
        ("stars", f"{__name__}:SUNS", "cannot be loaded: AttributeError"),
        ("stars", f"{__name__}:GROUP", "is a str, not a ledgerpress.feature.Feature"),
        ("suns", f"{__name__}:STARS", "has the feature 'stars': both must have the same name"),
    ],
)
def test_an_entry_point_that_is_no_feature_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidFeature, match=message):
        load_features([entry_point(name, value)])
