"""Events of a feature that is no longer installed are ignored and counted; other unknown events pause projections."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.codec import EventType
from ledgerpress.feature import FeatureSet
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import FEATURES, FIRST_PARTY
from ledgerpress.operator.status import read_status
from ledgerpress.operator.verify import verify_log, verify_views
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.retry import poll
from ledgerpress.server.store import Store, open_store
from tests.contract.stars_feature import STARS, WITH_STARS, Rated, RatePost

TYPE = "x.stars.rated"
WITH_NEWER_STARS = FeatureSet(
    FIRST_PARTY,
    third_party=[replace(STARS, events=(EventType(TYPE, 2, Rated, (lambda fields: fields,)),))],
)


async def rated_post(data: Path, *, in_post: bool = False, features: FeatureSet = WITH_STARS) -> str:
    async with open_store(data, features=features) as store:
        post = (await store.commands.handle(CreatePost(title="Night"))).subject_id
        await store.commands.handle(RatePost(post_id=post, stars=3, in_post=in_post))
        return post


def version_of(store: Store, post: str) -> int:
    with store.snapshot() as snapshot:
        record = post_queries.by_id(snapshot, post)
        assert record is not None
        return record.version


async def test_events_of_a_missing_feature_are_ignored_and_counted(tmp_path: Path) -> None:
    post = await rated_post(tmp_path / "data")
    async with open_store(tmp_path / "data") as store:
        assert store.position == await store.log.head()
        await store.commands.handle(EditPost(post_id=post, title="Day"))
    assert (await read_status(tmp_path / "data"))["unknown"] == {TYPE: 1}
    assert (await read_status(tmp_path / "data", features=WITH_STARS))["unknown"] == {}


async def test_verify_checks_and_counts_events_of_a_missing_feature(tmp_path: Path) -> None:
    await rated_post(tmp_path / "data")
    without_feature, with_feature = (
        await verify_log(tmp_path / "data"),
        await verify_log(tmp_path / "data", features=WITH_STARS),
    )
    assert (without_feature.finding, without_feature.unknown) == (None, {TYPE: 1})
    assert (with_feature.finding, with_feature.unknown) == (None, {})
    assert without_feature.head == with_feature.head


async def test_processes_with_and_without_a_feature_that_has_no_tables_write_the_same_views(
    tmp_path: Path,
) -> None:
    """These processes share one views file, so a row must not depend on the process that wrote it."""
    await rated_post(tmp_path / "data", in_post=True)
    for features in (FEATURES, WITH_STARS):
        views = await verify_views(tmp_path / "data", features=features)
        assert views is not None
        assert (views.failure, views.differing) == (None, [])


async def test_an_event_in_the_stream_of_a_post_counts_as_a_version_of_it(tmp_path: Path) -> None:
    post = await rated_post(tmp_path / "data", in_post=True)
    async with open_store(tmp_path / "data") as store:
        assert version_of(store, post) == 2
        await store.commands.handle(EditPost(post_id=post, title="Day"), CommandRequest(expected_version=2))
        assert version_of(store, post) == 3


async def test_a_repeated_command_is_recognized_without_the_feature_that_added_to_it(tmp_path: Path) -> None:
    data, once = tmp_path / "data", CommandRequest(idempotency_key="once")
    async with open_store(data, features=WITH_STARS) as store:
        post = (await store.commands.handle(CreatePost(title="Night"), once)).subject_id
        rated = await store.commands.handle(
            RatePost(post_id=post, stars=3), replace(once, idempotency_key="rate")
        )
    async with open_store(data) as store:
        assert (await store.commands.handle(CreatePost(title="Night"), once)).replayed
    async with open_store(data, features=WITH_STARS) as store:
        again = await store.commands.handle(
            RatePost(post_id=post, stars=3), replace(once, idempotency_key="rate")
        )
        assert (again.replayed, again.subject_id) == (True, rated.subject_id)


async def test_the_payload_of_an_event_of_a_missing_feature_can_be_withdrawn(tmp_path: Path) -> None:
    await rated_post(tmp_path / "data")
    async with open_store(tmp_path / "data") as store:
        position = await store.log.head()
    await withdraw(tmp_path / "data", position, "a court's order")
    verification = await verify_log(tmp_path / "data")
    assert (verification.finding, verification.withdrawn, verification.unknown) == (None, 1, {TYPE: 1})


@pytest.mark.parametrize(
    ("written_with", "features"),
    [
        # The feature is loaded, in a version that does not know the event.
        (WITH_STARS, FeatureSet(FIRST_PARTY, third_party=[replace(STARS, events=(), commands=())])),
        # The feature is loaded, and the event has a newer version of its schema.
        (WITH_NEWER_STARS, WITH_STARS),
    ],
)
async def test_an_unknown_event_of_a_loaded_feature_pauses_projections(
    tmp_path: Path, written_with: FeatureSet, features: FeatureSet
) -> None:
    await rated_post(tmp_path / "data", features=written_with)
    for file in (tmp_path / "data").glob("views*"):
        file.unlink()
    async with open_store(tmp_path / "data", features=features) as store:
        paused = {name: point.error for name, point in store.checkpoints.items()}
    assert all(error is not None and "is unknown" in error for error in paused.values())


async def test_a_process_that_cannot_decode_an_event_does_not_stop_others_on_the_same_views(
    tmp_path: Path,
) -> None:
    """They share one views file because the feature has no tables; an earlier version without such events does too."""
    data = tmp_path / "data"
    post = await rated_post(data)
    for file in data.glob("views*"):
        file.unlink()
    earlier = FeatureSet(FIRST_PARTY, third_party=[replace(STARS, events=(), commands=())])
    async with open_store(data, features=earlier) as pausing:
        assert all(point.is_paused for point in pausing.checkpoints.values())
        async with open_store(data, resume=False) as store:
            assert store.views.path == pausing.views.path
            assert store.position == await store.log.head()
            for title in ("Dusk", "Day"):
                async with open_store(data, features=WITH_STARS) as rating:
                    await rating.commands.handle(RatePost(post_id=post, stars=4))
                edited = await store.commands.handle(EditPost(post_id=post, title=title))
                assert not edited.views_behind

                async def has_caught_up(position: int = edited.position) -> bool | None:
                    return pausing.position >= position or None

                assert await poll(has_caught_up, interval=0.05, timeout=10), (
                    "the paused process continues with the shared file"
                )
