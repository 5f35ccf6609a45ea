"""The manifest of a third-party feature: names with the prefix of the feature, and valid values."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest.mock import Mock

import msgspec
import pytest
import strawberry
import typer

from ledgerpress import feature
from ledgerpress.cli import app
from ledgerpress.feature import Event, EventType, Feature, FeatureSet, InvalidFeature
from ledgerpress.feature.schema import SchemaContribution, SchemaError
from ledgerpress.feature.third_party_names import RESERVED_COMMANDS
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
    """A command without a name and without a lock key."""


@dataclass(frozen=True)
class FirstRating:
    fingerprint_name: ClassVar[str] = "x.other.FirstRating"


@strawberry.type
class Queries:
    stars: int = 5


WITHOUT_PERMISSION = SchemaContribution(query=Queries)


class Wider(Event, frozen=True):
    stars: int


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
        ({"error_codes": ("X_STARS_",)}, "the error code 'X_STARS_' must match"),
        ({"error_codes": ("X_STARS_a b",)}, "the error code 'X_STARS_a b' must match"),
        ({"permissions": (feature.Permission("x.stars:"),)}, "the permission 'x.stars:' must match"),
        ({"permissions": (feature.Permission("x.stars:a b\nc"),)}, "the permission .* must match"),
        ({"permissions": (feature.Permission("x.stars:read", enum_name="X_STARS_a"),)}, "the enum_name .* must match"),
        ({"streams": (feature.StreamCategory("x.stars.", None, lambda s, _: s),)}, "the stream category 'x.stars.' must"),
        ({"streams": (feature.StreamCategory("x.stars.*.>", None, lambda s, _: s),)}, "the stream category .* must"),
        ({"streams": (feature.StreamCategory("x.stars.a_b", None, lambda s, _: s),)}, "is not a valid stream name"),
        ({"name": "serve", "events": (), "cli": "stars:rate"}, "hidden by `ledgerpress serve`"),
        ({"recent_events": lambda _, __: []}, "recent_events must not be set"),
    ],
)  # fmt: skip
def test_a_name_without_the_prefix_of_the_feature_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, **changes)])


def test_a_stream_category_that_is_missing_in_the_manifest_is_named() -> None:
    message = r"the stream category 'x\.stars' of tests\.contract\.stars_feature is not in `streams`"
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(stars_feature.STARS, streams=())])


def test_the_error_for_an_invalid_schema_names_the_feature_and_what_to_do() -> None:
    wrong = [replace(STARS, schema=f"{__name__}:WITHOUT_PERMISSION"), Feature(name="awards")]
    with pytest.raises(SchemaError, match=r"feature stars: Query\.stars ") as raised:
        FeatureSet(FIRST_PARTY, third_party=wrong).graphql_schema()
    assert raised.value.todo.startswith("add it to `permissions`")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 5}, "the name must be text, not 5"),
        ({"requires": "posts"}, "requires must be a tuple of names, not 'posts'"),
        ({"requires": (5,)}, "requires must be a tuple of names: it has 5"),
        ({"events": EventType("x.stars.rated", 1, Rated)}, "events must be a tuple of EventType, not EventType"),
        ({"events": (Rated,)}, "events must be a tuple of EventType: it has <class"),
        ({"events": (EventType("x.stars.rated", 0, Rated),)}, "must have a version from 1, not 0"),
        ({"events": (EventType("x.stars.rated", "1", Rated),)}, "must have a version from 1, not '1'"),  # type: ignore[arg-type]
        ({"events": (EventType("x.stars.rated", 3, Rated),)}, "version 3, so it must have 2 upcasters, not 0"),
        ({"events": (EventType("x.stars.rated", 1, Rated, (lambda body: body,)),)}, "must have 0 upcasters, not 1"),
        ({"events": (EventType("x.stars.rated", 1, dict),)}, "must have a subclass of Event, not <class 'dict'>"),
        (
            {"events": (EventType("x.stars.rated", 1, Rated), EventType("x.stars.praised", 1, Rated))},
            "'x.stars.rated' and 'x.stars.praised' must not have the same class",
        ),
        ({"first_events": (("x.stars", Rated),)}, "first_events must be a tuple of pairs"),
        ({"projectors": projector()}, "projectors must be a tuple of projectors"),
        ({"projectors": (projector,)}, "projectors must be a tuple of projectors"),
        ({"projectors": (replace(projector(), version=0),)}, "with versions from 1"),
        ({"projectors": (projector(schema=5),)}, "projectors must be a tuple of projectors"),  # type: ignore[arg-type]
        ({"projectors": (replace(projector(), events=(Rated,)),)}, "sets of classes of events"),  # type: ignore[arg-type]
        ({"projectors": (replace(projector(), events={"x.stars.rated"}),)}, "sets of classes of events"),  # type: ignore[arg-type]
        ({"listings": (replace(TAGS.listings[0], version=0),)}, "with versions from 1"),
        ({"commands": feature.commands(feature.RequiredPermission(None), 5)}, "wrong type"),  # type: ignore[arg-type]
        ({"subjects": (5,)}, "subjects must be a tuple of Subject: it has 5"),
        ({"schema": "stars"}, "schema must be a reference, 'module:attribute', not 'stars'"),
        ({"cli": print}, "cli must be a reference"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_is_rejected(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, **changes)])


def test_events_with_their_own_classes_and_upcasters_are_accepted() -> None:
    events: tuple[Any, ...] = (
        EventType("x.stars.rated", 2, Rated, (lambda body: body,)),
        EventType("x.stars.widened", 1, Wider),
    )
    assert FeatureSet(FIRST_PARTY, third_party=[replace(STARS, events=events)]).third_party == ("stars",)


def test_the_reserved_commands_are_those_of_the_program() -> None:
    click: Any = typer.main.get_command(app)
    assert set(click.list_commands(None)) == RESERVED_COMMANDS


def referring(section: str, reference: str) -> Feature:
    changes: dict[str, Any] = {section: reference}
    return replace(STARS, **changes)


def sections(features: FeatureSet) -> dict[str, Callable[[], object]]:
    return {
        "schema": features.graphql_schema,
        "pages": features.page_contributions,
        "routes": lambda: features.routes(lambda _: Mock()),
        "settings": features.settings,
    }


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP TABLE IF EXISTS post;", "'DROP TABLE IF EXISTS post;' does not"),
        ("DROP TABLE x_stars_a;", "'DROP TABLE x_stars_a;' does not"),
        ("ALTER TABLE x_stars_a ADD COLUMN b;", "'ALTER TABLE .*' does not"),
        ("PRAGMA user_version = 99;", "'PRAGMA user_version = 99;' does not"),
        ("INSERT INTO x_stars_a VALUES (1);", "'INSERT INTO .*' does not"),
        ("SELECT * FROM x_stars_a;", "'SELECT .*' does not"),
        ("COMMIT;", "'COMMIT;' does not"),
        ("SAVEPOINT a;", "'SAVEPOINT a;' does not"),
        ("VACUUM;", "'VACUUM;' does not"),
        ("CREATE TEMP TABLE x_stars_b (a);", "'CREATE TEMP TABLE .*' does not"),
        ("CREATE VIEW x_stars_b AS SELECT 1;", "'CREATE VIEW .*' does not"),
        ("CREATE TABLE x_stars_b AS SELECT * FROM x_stars_a;", "'CREATE TABLE x_stars_b AS .*' does not"),
        ("CREATE TABLE IF NOT EXISTS x_stars_a (a);", "'CREATE TABLE IF NOT EXISTS .*' does not"),
        ("CREATE VIRTUAL TABLE x_stars_b USING fts5 (a);", "'CREATE VIRTUAL TABLE .*' does not"),
        (
            "CREATE TRIGGER x_stars_t AFTER INSERT ON x_stars_a BEGIN DELETE FROM x_stars_a; END;",
            "'CREATE TRIGGER .*' does not",
        ),
        ("CREATE INDEX IF NOT EXISTS x_stars_i ON post (title);", "no such table: main.post"),
        ("CREATE TABLE x_stars_a (b);", "table x_stars_a already exists"),
        ("CREATE TABLE sqlitefoo (a);", "the table 'sqlitefoo' must begin with x_stars_"),
    ],
)  # fmt: skip
def test_sql_that_does_not_create_a_table_or_index_is_rejected(sql: str, message: str) -> None:
    own = projector(schema="CREATE TABLE x_stars_a (a TEXT) STRICT;\n" + sql)
    with pytest.raises(InvalidFeature, match=message):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, projectors=(own,))])


def test_checking_sql_writes_no_file(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    sql = f"ATTACH '{other}' AS other;\nCREATE TABLE other.x_stars_a (a);\nVACUUM INTO '{other}';"
    with pytest.raises(InvalidFeature, match=r"ATTACH .* does not; .*VACUUM INTO .* does not"):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, projectors=(projector(schema=sql),))])
    assert not other.exists()


def test_a_table_in_two_projectors_is_rejected() -> None:
    sql = "CREATE TABLE x_stars_a (a TEXT) STRICT;"
    both = (projector(schema=sql), projector("x.stars.more", schema=sql))
    with pytest.raises(InvalidFeature, match="table x_stars_a already exists"):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, projectors=both)])


@pytest.mark.parametrize("schema", ["", "-- none\n", "-- none\n;"])
def test_a_listing_without_a_table_is_rejected(schema: str) -> None:
    listing = replace(TAGS.listings[0], name="x.stars", schema=schema)
    with pytest.raises(InvalidFeature, match=r"'x.stars' must create a table of its own"):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, listings=(listing,))])


def test_every_kind_of_table_and_index_is_accepted() -> None:
    own = projector(
        schema="""
            -- Stars; of a post.
            CREATE TABLE x_stars_a (
                id INTEGER PRIMARY KEY AUTOINCREMENT, -- never again; not even later
                post TEXT NOT NULL UNIQUE DEFAULT (';' || lower('A')), stars INTEGER CHECK (abs(stars) < 6),
                twice INTEGER GENERATED ALWAYS AS (stars * 2) STORED
            ) STRICT; CREATE TABLE x_stars_b (a TEXT REFERENCES x_stars_a (post), PRIMARY KEY (a)) WITHOUT ROWID;
            CREATE TABLE x_stars_c (a TEXT); -- the last one
        """,
        indexes="CREATE UNIQUE INDEX x_stars_i ON x_stars_a (lower(post)) WHERE stars > 1; CREATE INDEX x_stars_j ON x_stars_c (a);",
    )
    assert FeatureSet(FIRST_PARTY, third_party=[replace(STARS, projectors=(own,))]).third_party == ("stars",)


class NeedsValue(msgspec.Struct):
    most: int


def raises(_: object) -> object:
    raise LookupError("no stars")


@pytest.mark.parametrize("section", ["schema", "pages", "routes", "settings"])
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nope:X", "cannot be loaded: ModuleNotFoundError: No module named 'nope'"),
        (f"{__name__}:NOTHING", "cannot be loaded: AttributeError"),
        ("tests.contract.module_that_exits:ANYTHING", "cannot be loaded: SystemExit: 3"),
        (f"{__name__}:GROUP", "is not a"),
    ],
)
def test_a_reference_that_cannot_be_used_is_named(section: str, reference: str, message: str) -> None:
    features = FeatureSet(FIRST_PARTY, third_party=[referring(section, reference)])
    expected = "failed: TypeError" if (section, message) == ("routes", "is not a") else message
    with pytest.raises(InvalidFeature, match=rf"^feature stars: {section}='{reference}' {expected}"):
        sections(features)[section]()


@pytest.mark.parametrize(
    ("section", "attribute", "message"),
    [
        ("settings", "NeedsValue", "is not a msgspec.Struct with a default for each field"),
        ("routes", "raises", "failed: LookupError: no stars"),
        ("routes", "repr", "is not a function that returns a list of Starlette's routes"),
    ],
)
def test_the_result_of_a_reference_is_checked(section: str, attribute: str, message: str) -> None:
    module = "builtins" if attribute == "repr" else __name__
    features = FeatureSet(FIRST_PARTY, third_party=[referring(section, f"{module}:{attribute}")])
    with pytest.raises(InvalidFeature, match=message):
        sections(features)[section]()


LAZY_COMMANDS: Final = feature.commands(feature.RequiredPermission(None), RatePost)


@pytest.mark.parametrize("section", ["commands", "guards", "adds"])
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nope:X", "cannot be loaded: ModuleNotFoundError: No module named 'nope'"),
        (f"{__name__}:NOTHING", "cannot be loaded: AttributeError"),
        (f"{__name__}:GROUP", "is not a tuple of declarations"),
    ],
)
def test_a_lazy_reference_to_declarations_is_loaded_with_the_feature(
    section: str, reference: str, message: str
) -> None:
    wrong = replace(STARS, **{section: (reference,)})  # type: ignore[arg-type]
    with pytest.raises(InvalidFeature, match=rf"^feature stars: {section}='{reference}' {message}"):
        FeatureSet(FIRST_PARTY, third_party=[wrong])


def test_commands_behind_a_lazy_reference_are_checked_as_others() -> None:
    with pytest.raises(InvalidFeature, match="'RatePost' of RatePost"):
        FeatureSet(FIRST_PARTY, third_party=[replace(STARS, commands=(f"{__name__}:LAZY_COMMANDS",))])
    lazy = replace(stars_feature.STARS, commands=(f"{__name__}:COMMANDS_OF_STARS",))
    (command,) = stars_feature.STARS.commands
    assert isinstance(command, feature.CommandDeclaration)
    assert FeatureSet(FIRST_PARTY, third_party=[lazy]).declarations.commands[command.command] is command


COMMANDS_OF_STARS: Final = stars_feature.STARS.commands


def test_one_error_names_every_mistake() -> None:
    wrong = replace(STARS, error_codes=("STARS",), projectors=(projector("stars"),))
    with pytest.raises(
        InvalidFeature, match=r"feature stars: the projection 'stars'.*; the error code 'STARS'"
    ):
        FeatureSet(FIRST_PARTY, third_party=[wrong])


def test_features_are_sorted_after_the_features_that_they_require() -> None:
    awards = Feature(name="awards", requires=("stars",))
    features = FeatureSet(FIRST_PARTY, third_party=[awards, STARS])
    assert features.third_party == ("stars", "awards")


def test_a_missing_or_duplicate_feature_is_named() -> None:
    with pytest.raises(InvalidFeature, match="awards requires stars"):
        FeatureSet(FIRST_PARTY, third_party=[Feature(name="awards", requires=("stars",))])
    with pytest.raises(InvalidFeature, match="two features are named stars"):
        FeatureSet(FIRST_PARTY, third_party=[STARS, STARS])
    with pytest.raises(InvalidFeature, match="two features are named posts"):
        FeatureSet(FIRST_PARTY, third_party=[Feature(name="posts")])


def entry_point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_a_feature_is_loaded_by_its_entry_point() -> None:
    assert load_features([entry_point("stars", f"{__name__}:STARS")]) == [STARS]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stars", "ledgerpress_stars:FEATURE", "cannot be loaded: ModuleNotFoundError"),
        ("stars", "tests.contract.module_that_exits:ANYTHING", "cannot be loaded: SystemExit: 3"),
        ("stars", f"{__name__}:SUNS", "cannot be loaded: AttributeError"),
        ("stars", f"{__name__}:GROUP", "is a str, not a ledgerpress.feature.Feature"),
        (
            "suns",
            f"{__name__}:STARS",
            "has the feature 'stars'; the entry point and the feature must have the same name",
        ),
    ],
)
def test_an_entry_point_without_a_valid_feature_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidFeature, match=message):
        load_features([entry_point(name, value)])
