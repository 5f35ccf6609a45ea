"""The contract suite passes for a sound feature. For each kind of broken feature it fails and names the remedy."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import strawberry

from ledgerpress import feature
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.feature import Event, EventType, Feature, Recorded
from ledgerpress.features.posts import CreatePost, PublishPost
from ledgerpress.features.posts.schema.types import Article
from ledgerpress.graphql import schema as graphql_schema_module
from ledgerpress.graphql.access_control import guard_fields
from ledgerpress.testing import ContractViolation, FeatureContract, StoreClient
from ledgerpress_factcheck import FEATURE, model, projection
from ledgerpress_factcheck.commands import CHECK, CheckPost
from ledgerpress_factcheck.model import CHECKED, CHECKS, PostChecked
from ledgerpress_factcheck.pages import PAGES
from ledgerpress_factcheck.schema import SCHEMA, FactCheck

ARTICLE: Final = "query ($article: ID!) { article(id: $article) { factChecks { passed note } } }"
QUERIES: Final = (ARTICLE, "{ checkedArticles { totalCount nodes { title } } }")


async def scenario(client: StoreClient) -> Mapping[str, str]:
    tide = await client.create(CreatePost(title="Tide", body="Low."))
    await client.mutate(
        "postCheck",
        {"id": client.global_id("Post", tide), "check": {"passed": False, "note": "Nobody measured it."}},
    )
    await client.command(PublishPost(post_id=tide), rejected="X_FACTCHECK_FAILED")
    await client.command(CheckPost(tide, True, "Measured at noon."))
    await client.command(PublishPost(post_id=tide))
    await client.command(CheckPost(tide, True, "Measured again."))
    return {"article": client.global_id("Article", tide)}


def contract(feature: Feature = FEATURE, **options: Any) -> FeatureContract:
    arguments: dict[str, Any] = {
        "scenario": scenario,
        "queries": QUERIES,
        "pages": ["/factchecks"],
        **options,
    }
    return FeatureContract(feature, **arguments)


CHECKS_BY_NAME: Final = {check.name: check for check in contract().checks}


@pytest.mark.parametrize("name", CHECKS_BY_NAME)
def test_a_sound_feature_passes(name: str, tmp_path: Path) -> None:
    CHECKS_BY_NAME[name].run(tmp_path)


def failure(broken: FeatureContract, name: str, directory: Path) -> str:
    """Run one check, which must fail, and return the message."""
    (check,) = (check for check in broken.checks if check.name == name)
    with pytest.raises(ContractViolation) as caught:
        check.run(directory)
    return str(caught.value)


def insert(db: Any, recorded: Recorded[Event], passed: bool | None, note: str | None) -> None:
    row = (CHECKS.id_in(recorded.header.stream), recorded.position, passed, note)
    db.execute("INSERT INTO x_factcheck_check (post_id, position, passed, note) VALUES (?, ?, ?, ?)", row)


def with_projector(apply: Callable[[Recorded[Event], Any], None], **changes: Any) -> Feature:
    return replace(FEATURE, projectors=(replace(projection.PROJECTOR, apply=apply, **changes),))


def with_clock() -> Feature:
    def apply(recorded: Recorded[Event], db: Any) -> None:
        if isinstance(recorded.event, PostChecked):
            insert(db, recorded, recorded.event.passed, str(time.time_ns()))

    return with_projector(apply)


def with_process_id() -> Feature:
    def apply(recorded: Recorded[Event], db: Any) -> None:
        if isinstance(recorded.event, PostChecked):
            insert(db, recorded, recorded.event.passed, str(os.getpid()))

    return with_projector(apply)


def with_local_time() -> Feature:
    def apply(recorded: Recorded[Event], db: Any) -> None:
        if isinstance(recorded.event, PostChecked):
            insert(db, recorded, recorded.event.passed, time.ctime())

    return with_projector(apply)


def with_permission_forgotten() -> Feature:
    return replace(FEATURE, permissions=())


def with_strict_states() -> Feature:
    strict = CHECKS._replace(evolve=lambda _, event: event.passed)
    return replace(FEATURE, streams=(strict,))


def with_clock_of_sql() -> Feature:
    schema = projection.PROJECTOR.schema.replace(
        "note TEXT,", "note TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP,"
    )

    def apply(recorded: Recorded[Event], db: Any) -> None:
        if isinstance(recorded.event, PostChecked):
            insert(db, recorded, recorded.event.passed, recorded.event.note)

    return with_projector(apply, schema=schema)


def with_memory() -> Feature:
    """Return a feature whose projector remembers posts across views and writes only the first check of each."""
    known_streams = set[str]()

    def apply(recorded: Recorded[Event], db: Any) -> None:
        stream = recorded.header.stream
        if isinstance(recorded.event, PostChecked) and stream not in known_streams:
            known_streams.add(stream)
            insert(db, recorded, recorded.event.passed, recorded.event.note)

    return with_projector(apply)


def with_failure_on_withdrawn() -> Feature:
    def apply(recorded: Recorded[Event], db: Any) -> None:
        if recorded.header.type == CHECKED:
            event: Any = recorded.event
            insert(db, recorded, event.passed, event.note)

    return with_projector(apply)


def with_leak() -> Feature:
    """Return a feature whose projector remembers notes and writes them even after their withdrawal."""
    notes = dict[int, str]()

    def apply(recorded: Recorded[Event], db: Any) -> None:
        if recorded.header.type == CHECKED:
            if isinstance(recorded.event, PostChecked):
                notes[recorded.position] = recorded.event.note
            insert(db, recorded, None, notes.get(recorded.position))

    return with_projector(apply)


@strawberry.type
class FieldsOfToday:
    @strawberry.field
    @staticmethod
    def fact_checks(article: strawberry.Parent[Article]) -> list[FactCheck]:
        snapshot = article.moment.snapshot
        db = snapshot.about(projection.topic(article.record.id))
        rows = db.execute(
            "SELECT passed, note FROM x_factcheck_check WHERE post_id = ?", (article.record.id,)
        )
        return [FactCheck(passed=bool(passed), note=note) for passed, note in rows]


@strawberry.type
class FailingFields:
    @strawberry.field
    @staticmethod
    def fact_checks(article: strawberry.Parent[Article]) -> list[FactCheck]:
        (_, note) = projection.checks_of(article.moment.snapshot, article.record.id)[2]
        return [FactCheck(passed=True, note=note)]


def extended_by(fields: type) -> dict[type, type]:
    return {**SCHEMA.extends, Article: fields}


READS_TODAY: Final = replace(SCHEMA, extends=extended_by(FieldsOfToday))
FAILS: Final = replace(SCHEMA, extends=extended_by(FailingFields))
LACKS_PERMISSION: Final = replace(SCHEMA, permissions={"Query.checkedArticles": None})
LACKS_PERMISSION_OF_OBJECT: Final = replace(SCHEMA, objects={})
GUARDED = SCHEMA
WRONG_TEMPLATE: Final = replace(
    PAGES, routes={"/factchecks": lambda pages, snapshot, _: pages.page(snapshot, "x_missing.html")}
)


def with_schema(name: str) -> Callable[[], Feature]:
    return lambda: replace(FEATURE, schema=f"{__name__}:{name}")


def with_dependencies(*rules: feature.DependencyRule) -> Callable[[], Feature]:
    return lambda: replace(FEATURE, dependencies=rules)


def with_event(version: int, *upcasters: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], Feature]:
    events = (EventType[Event](CHECKED, version, PostChecked, upcasters),)
    return lambda: replace(FEATURE, events=events)


BROKEN: Final[list[tuple[str, str, Callable[[], Feature], list[str]]]] = [
    ("names", "declarations", lambda: replace(FEATURE, error_codes=("FAILED",)), ["'FAILED' must begin with X_FACTCHECK_"]),
    ("field without permission", "declarations", with_schema("LACKS_PERMISSION"), ["Article.factChecks has no declared permission"]),
    ("object without permission", "declarations", with_schema("LACKS_PERMISSION_OF_OBJECT"), ["FactCheck has no declared permission"]),
    ("no rule", "declarations", with_dependencies(projection.LISTINGS.dependencies), ["no DependencyRule of factcheck covers x.factcheck.checked"]),
    ("clock", "rebuild", with_clock, ["a projector uses time.time_ns() in", __file__, "x.factcheck.checked", "recorded.header.recorded_at"]),
    ("process", "rebuild", with_process_id, ["a projector uses posix.getpid() in", __file__]),
    ("local time", "rebuild", with_local_time, ["a projector uses time.ctime() in", __file__]),
    ("permission is missing", "declarations", with_permission_forgotten, ["Mutation.postCheck requires x.factcheck:write", "add it to `Feature.permissions`"]),
    ("command is missing", "declarations", lambda: replace(FEATURE, commands=()), ["runs CheckPost", "add `feature.commands(RequiredPermission(…), CheckPost)` to `Feature.commands`"]),
    ("streams are missing", "declarations", lambda: replace(FEATURE, streams=()), ["the stream category 'x.factcheck' of ledgerpress_factcheck", "is not in `streams`"]),
    ("state of withdrawn", "withdrawal", with_strict_states, ["`evolve` of x.factcheck fails", "a withdrawn event is a `Withdrawn`, without your fields"]),
    ("clock of SQL", "rebuild", with_clock_of_sql, ["a projector uses current_timestamp in SQL", "x.factcheck.checked"]),
    ("memory", "rebuild", with_memory, ["feature factcheck: a row of x_factcheck_check differs", "Nobody measured it."]),
    ("memory", "switch", with_memory, ["feature factcheck: a row of x_factcheck_check differs"]),
    ("reads today", "past", with_schema("READS_TODAY"), ["position:   9, post.published" , "article.factChecks: ", "moment.snapshot", ARTICLE]),
    (
        "topic is missing",
        "cache",
        with_dependencies(feature.DependencyRule.by_type({CHECKED: []}), projection.LISTINGS.dependencies),
        ["a cached response is stale", ARTICLE, "x.factcheck.checked", "cached response depended on Topic(", "no DependencyRule of factcheck covers what x.factcheck.checked changes"],
    ),
    ("resolver fails", "cache", with_schema("FAILS"), ["a probe fails", "as anonymous", "INTERNAL_SERVER_ERROR"]),
    ("withdrawn payload", "withdrawal", with_failure_on_withdrawn, ["projection x.factcheck fails at position", "if the payload of x.factcheck.checked is withdrawn: AttributeError", "ledgerpress.feature.Withdrawn"]),
    ("leak", "withdrawal", with_leak, ["still in x_factcheck_check.note", "it contains '", "x.factcheck.checked"]),
    ("template is missing", "coverage", lambda: replace(FEATURE, pages=f"{__name__}:WRONG_TEMPLATE"), ["a probe fails", "the page /factchecks", "status 500"]),
    ("no upcaster", "stored-versions", with_event(2), ["has version 2, so it must have 1 upcasters, not 0"]),
    ("no sample", "stored-versions", with_event(2, lambda fields: fields), ["no sample of x.factcheck.checked in version 1"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "broken", "messages"),
    [
        pytest.param(check, broken, messages, id=f"{label}-{check}")
        for label, check, broken, messages in BROKEN
    ],
)
def test_a_broken_feature_fails_with_its_name_and_what_to_do(
    check: str, broken: Callable[[], Feature], messages: list[str], tmp_path: Path
) -> None:
    message = failure(contract(broken()), check, tmp_path)
    assert [expected for expected in messages if expected not in message] == [], message
    assert message.startswith("feature factcheck: ")
    assert "what to do: " in message


def test_a_sample_of_each_older_version_is_read_by_the_upcasters(tmp_path: Path) -> None:
    def add_note(fields: dict[str, Any]) -> dict[str, Any]:
        note = fields.pop("text")
        return {**fields, "note": note}

    samples = {(CHECKED, 1): {"postId": "p", "passed": True, "text": "Measured."}}
    sound = contract(with_event(2, add_note)(), samples=samples)
    (check,) = (check for check in sound.checks if check.name == "stored-versions")
    check.run(tmp_path / "sound")
    broken = contract(with_event(2, lambda fields: fields)(), samples=samples)
    message = failure(broken, "stored-versions", tmp_path / "broken")
    assert "version 1 of x.factcheck.checked cannot be read" in message


async def without_checks(client: StoreClient) -> Mapping[str, str]:
    post = await client.create(CreatePost(title="Tide", publish=True))
    return {"article": client.global_id("Article", post)}


async def about_another_post(client: StoreClient) -> Mapping[str, str]:
    await scenario(client)
    return await without_checks(client)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenario": without_checks}, "the scenario records no x.factcheck.checked"),
        ({"queries": QUERIES[1:]}, "no query of the contract reads Article.factChecks"),
        ({"queries": [*QUERIES[1:], ARTICLE.replace("note", "")]}, "no query of the contract reads FactCheck.note"),
        ({"queries": [ARTICLE]}, "no query of the contract reads Query.checkedArticles"),
        ({"scenario": about_another_post}, "Article.factChecks is null, or an empty list, in every response of the scenario"),
        ({"pages": []}, "no page of the contract matches /factchecks"),
        ({"queries": ["{ factChecks }"]}, "cannot be used: Cannot query field"),
        ({"queries": ["query ($post: ID!) { article(id: $post) { id } }"]}, "needs the variable $post"),
        ({"pages": ["/{post}"]}, "needs 'post', which the scenario does not return"),
    ],
)  # fmt: skip
def test_unreached_events_fields_and_pages_are_named(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert message in failure(contract(**options), "coverage", tmp_path)


def test_a_field_in_a_fragment_counts_as_reached(tmp_path: Path) -> None:
    document = "query ($article: ID!) { article(id: $article) { ...Checks } } fragment Checks on Article { factChecks { passed note } }"
    (check,) = (
        check for check in contract(queries=[document, *QUERIES[1:]]).checks if check.name == "coverage"
    )
    check.run(tmp_path)


def test_parts_that_are_declared_as_unreached_are_not_required(tmp_path: Path) -> None:
    partial = contract(scenario=without_checks, queries=[], pages=["/factchecks"], unreached=[
        CHECKED, "Query.checkedArticles", "Article.factChecks", "FactCheck.passed", "FactCheck.note",
    ])  # fmt: skip
    (check,) = (check for check in partial.checks if check.name == "coverage")
    check.run(tmp_path)


@pytest.mark.parametrize(
    "coordinate", ["Article.factChecks", "Query.checkedArticles", "Mutation.postCheck", "FactCheck.note"]
)
def test_a_permission_that_is_not_enforced_is_detected(
    coordinate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = {**SCHEMA.permissions, coordinate: RequiredPermission(CHECK)}
    if coordinate == "Mutation.postCheck":  # it requires the permission of its command
        del guarded[coordinate]
    monkeypatch.setitem(globals(), "GUARDED", replace(SCHEMA, permissions=guarded))
    (check,) = (check for check in contract(with_schema("GUARDED")()).checks if check.name == "permissions")
    check.run(tmp_path / "sound")
    monkeypatch.setattr(
        graphql_schema_module,
        "guard_fields",
        lambda schema, permissions, roles: guard_fields(schema, {**permissions, coordinate: None}, roles),
    )
    message = failure(contract(with_schema("GUARDED")()), "permissions", tmp_path / "broken")
    assert f"{coordinate} requires x.factcheck:write, but is not denied to anonymous" in message


def test_a_paused_projection_in_a_process_without_the_feature_is_detected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature.feature_set, "of_features_not_in", lambda _: lambda _: False)
    message = failure(contract(), "absence", tmp_path)
    assert "in a process without factcheck, the projection" in message
    assert "x.factcheck.checked" in message


def test_a_command_that_no_feature_declares_is_named(tmp_path: Path) -> None:
    silent = replace(FEATURE, commands=(), schema=None, pages=None)

    async def run(client: StoreClient) -> Mapping[str, str]:
        post = await client.create(CreatePost(title="Tide"))
        await client.command(CheckPost(post, True, ""))
        return {}

    message = failure(FeatureContract(silent, scenario=run), "coverage", tmp_path)
    assert "no feature declares the command CheckPost with a permission" in message


def test_an_error_code_that_no_feature_declares_is_named(tmp_path: Path) -> None:
    (check,) = (
        check for check in contract(replace(FEATURE, error_codes=())).checks if check.name == "coverage"
    )
    with pytest.raises(AssertionError, match=r"X_FACTCHECK_FAILED is not in `Feature\.error_codes`"):
        check.run(tmp_path)


def test_a_command_that_is_not_rejected_as_expected_fails_the_scenario(tmp_path: Path) -> None:
    async def run(client: StoreClient) -> Mapping[str, str]:
        post = await client.create(CreatePost(title="Tide"))
        await client.command(PublishPost(post_id=post), rejected=model.FAILED_CHECK)
        return {}

    (check,) = (check for check in contract(scenario=run).checks if check.name == "cache")
    with pytest.raises(AssertionError, match="PublishPost was not rejected with X_FACTCHECK_FAILED"):
        check.run(tmp_path)
