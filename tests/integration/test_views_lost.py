"""Lost, damaged or paused views, and a damaged pointer file: every process recovers, and none waits indefinitely."""

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ledgerpress.feature import FeatureSet
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import FIRST_PARTY, all_projectors
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from tests.integration.failing_projectors import failing
from tests.integration.program_runs import done
from tests.integration.test_cli import run
from tests.property.view_rows import views_in_use

SECRET = "what nobody may read any more"


async def create_store(data: Path) -> None:
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))


async def wait_for_views(store: Store, path: Path) -> None:
    """Wait until the store uses the views at `path`."""
    async with asyncio.timeout(20):
        while store.views.path != path:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_the_name_of_deleted_views_is_not_used_again(tmp_path: Path) -> None:
    asyncio.run(create_store(tmp_path / "data"))
    before = views_in_use(tmp_path / "data")
    before.unlink()
    assert ViewsDirectory(tmp_path / "data", all_projectors()).vacant() != before


@pytest.mark.parametrize("damaged", [False, True])
async def test_two_processes_that_find_the_views_lost_build_them_once(
    tmp_path: Path, damaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    await create_store(data)
    lost = views_in_use(data)
    for file in data.glob("views-*"):
        file.unlink()
    if damaged:
        lost.write_bytes(b"garbage" * 1_000)
    follow, builds = ViewsBuild.follow, []

    async def slowly(build: ViewsBuild, *arguments: object, **options: object) -> None:
        builds.append(build.path)
        await follow(build, *arguments, **options)  # type: ignore[arg-type]
        await asyncio.sleep(0.5)

    monkeypatch.setattr(ViewsBuild, "follow", slowly)
    async with asyncio.timeout(20), open_store(data) as first, open_store(data) as second:
        assert first.views.path == second.views.path
    assert len(builds) == 1


@pytest.mark.parametrize("garbage", [b"garbage", b'{"current":"\xff"}', b"[" * 100_000, b""])
async def test_an_invalid_pointer_file_is_replaced(tmp_path: Path, garbage: bytes) -> None:
    data = tmp_path / "data"
    await create_store(data)
    async with open_store(data) as store:
        (data / "views.json").write_bytes(garbage)
        await asyncio.sleep(0.3)
        await done("views", "list", "--data", data)
        await done("status", "--data", data)
        await rebuild(data)
        await wait_for_views(store, views_in_use(data))
        await store.commands.handle(CreatePost(title="Another post"))


async def test_a_store_with_damaged_views_switches_to_rebuilt_views(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await create_store(data)
    async with open_store(data) as store:
        with store.snapshot():
            pass
        for file in data.glob("views-*"):
            with file.open("r+b") as views:
                views.write(os.urandom(file.stat().st_size))
        await done("rebuild", "--data", data)
        await wait_for_views(store, views_in_use(data))
        with store.snapshot() as snapshot:
            assert snapshot.db.execute("SELECT count(*) FROM post").fetchone() == (1,)


def with_failing_people(after: int) -> FeatureSet:
    """Return the first-party features, whose people projection fails at each event after a position."""

    def altered(projector: Projector) -> Projector:
        is_altered = projector.name == "people"
        return failing(projector, lambda recorded: recorded.position > after) if is_altered else projector

    return FeatureSet(
        [replace(feature, projectors=tuple(map(altered, feature.projectors))) for feature in FIRST_PARTY]
    )


async def test_a_withdrawal_reaches_views_that_are_paused_at_an_earlier_position(tmp_path: Path) -> None:
    data, broken = tmp_path / "data", with_failing_people(after=8)
    await create_store(data)
    with closing(sqlite3.connect(data / LOG_FILE)) as db:
        (position,) = db.execute("SELECT position FROM event WHERE type = 'post.created'").fetchone()
    async with open_store(data, features=broken) as store:
        for number in range(4):
            await store.commands.handle(CreatePost(title=f"Post {number}"))
        assert store.checkpoints["people"].is_paused
        await withdraw(data, position, "by law", features=broken)
        await wait_for_views(store, views_in_use(data))
    for file in data.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


def test_a_position_that_is_too_large_is_rejected(tmp_path: Path) -> None:
    asyncio.run(create_store(tmp_path / "data"))
    for command in (("withdraw", "9" * 30, "--reason", "x", "--yes"), ("events", "show", "9" * 30)):
        assert run(*command, "--data", tmp_path / "data").exit_code == 2
