"""Processes with different features or projector versions on one data directory: each uses the views of its set."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.eventlog.kernel_events import WITHDRAWAL
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.registry import all_projectors, declared_views
from ledgerpress.operator.rebuild_and_switch_views import drop_views, list_views, roll_back
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import ViewsUpToDate, rebuild
from ledgerpress.views.files import active_views
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.rebuild_compare_and_switch import RebuildFailed
from ledgerpress.views.files.views_directory import (
    UNUSED_SET_LIFETIME,
    NoPreviousViews,
    ViewsDirectory,
    digest_of,
)
from ledgerpress.views.files.views_pointers import digest_in
from ledgerpress.views.projection.projector_interface_and_composition import (
    ComposedProjector,
    ImmediateProjector,
    Projector,
)
from tests.contract.tags_feature import TAGS
from tests.integration.other_version_program import changed_projectors
from tests.integration.program_runs import done
from tests.integration.server_process import PROGRAM, Server, Servers
from tests.property.view_rows import rebuilt, rows_of

LONG_TIMEOUT: Final = 1e6
"""Seconds: longer than any test, for timeouts that must not delay what the test checks."""
SECRET: Final = "what nobody may read any more"
SETS: Final[Mapping[str, Sequence[Projector]]] = {
    "first-party": all_projectors(),
    "changed rules": changed_projectors("capitals"),
    "changed tables": changed_projectors("more-tables"),
    "another feature": declared_views(TAGS).projectors,
}
FIRST_PARTY: Final = SETS["first-party"]
CHANGED: Final = SETS["changed rules"]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the views files that this process has built from the first event on."""
    follow, names = ViewsBuild.follow, list[str]()

    async def counted(build: ViewsBuild, *arguments: object, **options: object) -> None:
        if build.position == 0:
            names.append(build.path.name)
        await follow(build, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ViewsBuild, "follow", counted)
    return names


@pytest.fixture(autouse=True)
def short_use_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes record the use of their views, and drop unused sets, several times in a test."""
    monkeypatch.setattr(active_views, "USE_INTERVAL", 0.1)


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data directory with some posts, whose first set is the first-party set."""
    async with open_store(tmp_path / "data") as store:
        for number in range(4):
            await store.commands.handle(CreatePost(title=f"Post {number}", teaser="as it was", publish=True))
    return tmp_path / "data"


@pytest.fixture
async def stores(data: Path) -> AsyncIterator[dict[str, Store]]:
    """A store of each set, all open at the same time."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(open_store(data, projectors=projectors))
            for name, projectors in SETS.items()
        }


async def build_all(data: Path) -> dict[str, Path]:
    paths = {}
    for name, projectors in SETS.items():
        async with open_store(data, projectors=projectors) as store:
            paths[name] = store.views.path
    return paths


def views_files(data: Path) -> dict[str, int]:
    """Return the names of the views files with their inodes."""
    return {file.name: file.stat().st_ino for file in data.glob("views-*.sqlite")}


def age(views: Path, seconds: float) -> None:
    """Set the last use of a views file to a time some seconds ago."""
    for file in views.parent.glob(f"{views.name}*"):
        os.utime(file, times=(time.time() - seconds,) * 2)


def last_post(data: Path) -> int:
    """Return the position of the event that created the last post."""
    with closing(sqlite3.connect(data / LOG_FILE)) as db:
        (position,) = db.execute("SELECT max(position) FROM event WHERE type = 'post.created'").fetchone()
        return int(position)


def files_called(data: Path, name: str) -> list[Path]:
    """Return a views file, and the files that SQLite stores alongside it."""
    return list(data.glob(f"{name}*"))


async def wait_until_deleted(path: Path) -> None:
    """Wait until a file is deleted."""
    async with asyncio.timeout(20):
        while path.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.05)


async def wait_until_erased(views: Path, text: str) -> None:
    """Wait until a views file and its write-ahead log no longer contain a text."""
    async with asyncio.timeout(60):
        while any(text.encode() in file.read_bytes() for file in files_called(views.parent, views.name)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def files_with(data: Path, text: str) -> list[Path]:
    return [file for file in data.iterdir() if text.encode() in file.read_bytes()]


async def test_sets_that_are_opened_in_turn_build_their_views_only_once(
    data: Path, builds: list[str]
) -> None:
    first = await build_all(data)
    files = views_files(data)
    assert len(set(first.values())) == len(SETS)
    assert sorted(builds) == sorted(path.name for name, path in first.items() if name != "first-party")
    for _ in range(3):
        assert await build_all(data) == first
    assert (views_files(data), len(builds)) == (files, len(SETS) - 1)


async def test_sets_that_are_open_together_apply_their_own_rules_and_never_switch(
    stores: dict[str, Store], data: Path, tmp_path: Path, builds: list[str]
) -> None:
    files, paths = views_files(data), {name: store.views.path for name, store in stores.items()}
    for number in range(8):
        for name, store in stores.items():
            written = await store.commands.handle(CreatePost(title=f"{number} by {name}", teaser="small"))
            assert not written.views_behind
        await asyncio.sleep(0.05)
    head = await stores["first-party"].log.head()
    for name, store in stores.items():
        assert await store.views.wait_for(head, 10)
        assert store.views.path == paths[name]
        rebuilt_rows = await rebuilt(
            store.log, tmp_path / f"{name}.sqlite", batch_size=500, projectors=SETS[name]
        )
        assert rows_of(store.views.path) == rebuilt_rows, name
    assert (views_files(data), builds) == (files, [])


async def test_tasks_on_one_set_leave_the_files_of_other_sets(data: Path, builds: list[str]) -> None:
    first_party = (await build_all(data))["first-party"]
    others = {name: inode for name, inode in views_files(data).items() if name != first_party.name}
    before = {name: (data / name).read_bytes() for name in others}
    async with open_store(data, projectors=CHANGED) as store:
        path = store.views.path
        await rebuild(data)
        assert roll_back(data) == first_party
        assert len(drop_views(data)) == 1
        await rebuild(data, check=True)
        with pytest.raises(NoPreviousViews):
            roll_back(data, CHANGED)
        await asyncio.sleep(active_views.POLL_INTERVAL * 3)
        assert store.views.path == path
    assert {name: views_files(data)[name] for name in others} == others
    assert {name: (data / name).read_bytes() for name in others} == before


async def test_the_files_of_all_sets_are_listed(data: Path) -> None:
    paths = await build_all(data)
    await rebuild(data, projectors=CHANGED)
    listed = {file.name: (file.state, file.own) for file in list_views(data)}
    assert listed.pop(paths["first-party"].name) == ("in use", True)
    assert listed.pop(paths["changed rules"].name) == ("former", False)
    assert set(listed.values()) == {("in use", False)}
    assert len(listed) == len(SETS) - 1


async def test_files_of_other_sets_are_deleted_on_request_unless_a_process_has_them_open(data: Path) -> None:
    paths = await build_all(data)
    async with open_store(data, projectors=CHANGED):
        listed = {file.name: (file.set, file.open) for file in list_views(data)}
        assert listed == {
            path.name: (digest_of(SETS[name]), name == "changed rules") for name, path in paths.items()
        }
        await done("views", "drop", "--other-sets", "--data", data)
        assert set(views_files(data)) == {paths["first-party"].name, paths["changed rules"].name}
    assert drop_views(data, other_sets=True) == [paths["changed rules"]]
    assert json.loads((data / "views.json").read_bytes()) == {"current": paths["first-party"].name}


async def test_a_partial_rebuild_copies_no_projection_that_has_other_parts_in_another_set(
    data: Path,
) -> None:
    """The version of a composed projection, such as `people`, does not show which of its parts is newer."""

    def in_versions(first: int, second: int) -> Sequence[Projector]:
        parts = [
            ImmediateProjector(
                name="parted",
                version=version,
                schema=f"CREATE TABLE {table} (position INTEGER PRIMARY KEY) STRICT;",
                events=frozenset(),
                apply=lambda *_: None,
            )
            for table, version in (("first_part", first), ("second_part", second))
        ]
        return [*FIRST_PARTY, ComposedProjector(parts)]

    async with open_store(data, projectors=in_versions(1, 2)):
        pass
    for path in data.glob(f"views-{digest_of(FIRST_PARTY)}-*"):  # noqa: ASYNC240
        path.unlink()
    with pytest.raises(RebuildFailed, match="another version of listings, people, parted"):
        await rebuild(data, ["posts"], projectors=in_versions(2, 1))
    compared = await rebuild(data, ["posts", "listings", "people", "parted"], projectors=in_versions(2, 1))
    assert compared is not None
    assert digest_in(compared.before) == digest_of(in_versions(1, 2))


async def test_a_rebuild_of_outdated_views_waits_its_turn_and_leaves_other_sets(
    data: Path, builds: list[str]
) -> None:
    """Servers of one set that start together each begin such a rebuild."""
    async with open_store(data, projectors=CHANGED, serve_while_rebuilding=True):
        with ViewsDirectory(data, FIRST_PARTY).building():
            rebuilding = [
                asyncio.create_task(rebuild(data, if_outdated=True, projectors=CHANGED)) for _ in range(3)
            ]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in rebuilding)
        results = await asyncio.gather(*rebuilding, return_exceptions=True)
        assert sum(isinstance(result, ViewsUpToDate) for result in results) == 2, results
        assert len(builds) == 1
        assert not ViewsDirectory(data, CHANGED).is_outdated
        assert "up to date" in await done("rebuild", "--if-outdated", "--data", data)
        assert len(views_files(data)) == 3


async def test_a_rebuild_compares_with_the_views_of_another_set_and_does_not_write_to_them(
    data: Path,
) -> None:
    (name,) = views_files(data)
    before = (data / name).read_bytes()
    compared = await rebuild(data, check=True, projectors=CHANGED)
    assert compared is not None
    assert compared.before == name
    assert [table.table for table in compared.tables] == ["content"]
    assert (data / name).read_bytes() == before


# --- views.json ---------------------------------------------------------------------------------------


async def test_earlier_versions_that_know_only_one_set_use_the_first_set(data: Path) -> None:
    """These versions read `current`, `former` and `declined`, and ignore fields that they do not know."""
    one_set = (data / "views.json").read_bytes()
    (name,) = views_files(data)
    assert one_set == f'{{"current":"{name}"}}'.encode()
    paths = await build_all(data)
    pointer = json.loads((data / "views.json").read_bytes())
    sets = pointer.pop("sets")
    assert pointer == {"current": name}
    assert {entry["current"] for entry in sets.values()} == {path.name for path in paths.values()} - {name}
    assert all(entry["current"].split("-")[1] == digest for digest, entry in sets.items())


async def test_files_of_two_sets_that_an_earlier_version_named_stay_in_use(
    data: Path, builds: list[str]
) -> None:
    """After an upgrade, the earlier version named the newer file as current, and the older file as former."""
    paths = await build_all(data)
    builds.clear()
    older, newer = paths["first-party"], paths["changed rules"]
    pointer = {"current": newer.name, "former": older.name}
    (data / "views.json").write_text(json.dumps(pointer))
    for projectors, path in ((FIRST_PARTY, older), (CHANGED, newer)) * 2:
        async with open_store(data, projectors=projectors) as store:
            assert store.views.path == path
    assert builds == []


@pytest.mark.parametrize("content", ["garbage", '{"current":"views-34636194-1.sqlite"}', "[1]"])
async def test_a_lost_map_of_sets_causes_no_rebuild(data: Path, builds: list[str], content: str) -> None:
    paths, files = await build_all(data), views_files(data)
    (data / "views.json").write_text(content)
    builds.clear()
    assert await build_all(data) == paths
    assert (views_files(data), builds) == (files, [])


@pytest.mark.parametrize(
    "sets",
    [
        {"x": {"current": "../../etc/passwd"}},
        {"34636194": {"current": "../log.sqlite"}},
        {"01234567": {"current": LOG_FILE}},
    ],
)
async def test_a_map_that_names_other_files_does_not_harm_them(data: Path, sets: dict[str, object]) -> None:
    (name,) = views_files(data)
    (data / "views.json").write_text(json.dumps({"current": name, "sets": sets}))
    await build_all(data)
    drop_views(data)
    async with open_store(data) as store:
        assert store.views.path.name == name


# --- sets that are no longer used ---------------------------------------------------------------------


async def test_a_set_that_no_process_has_used_for_some_days_is_dropped(data: Path) -> None:
    paths = await build_all(data)
    age(paths["changed tables"], UNUSED_SET_LIFETIME + 60)
    age(paths["changed rules"], UNUSED_SET_LIFETIME - 60)
    age(paths["first-party"], UNUSED_SET_LIFETIME * 9)
    dropped = paths.pop("changed tables")
    async with open_store(data):
        await wait_until_deleted(dropped)
    assert set(views_files(data)) == {path.name for path in paths.values()}
    assert not files_called(data, dropped.name)
    assert dropped.name not in (data / "views.json").read_text()


async def test_opening_the_views_counts_as_use(data: Path) -> None:
    path = (await build_all(data))["changed rules"]
    age(path, UNUSED_SET_LIFETIME * 2)
    async with open_store(data, projectors=CHANGED), open_store(data):
        await asyncio.sleep(active_views.POLL_INTERVAL * 3)
    assert time.time() - path.stat().st_mtime < 60
    assert path.exists()


async def test_a_running_process_keeps_its_set(data: Path) -> None:
    async with open_store(data, projectors=CHANGED) as store, open_store(data) as other:
        age(store.views.path, UNUSED_SET_LIFETIME - 1)
        await asyncio.sleep(1.5)
        assert store.views.path.exists()
        assert time.time() - store.views.path.stat().st_mtime < 60
        assert other.views.path.exists()


async def test_after_a_long_break_all_processes_have_time_to_record_their_use(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine was off or asleep for longer than unused sets live: the first process keeps the views of the second."""
    monkeypatch.setattr(active_views, "USE_INTERVAL", 1.5)
    paths = await build_all(data)
    for path in paths.values():
        age(path, UNUSED_SET_LIFETIME * 2)
    async with open_store(data) as first:
        await asyncio.sleep(0.5)
        async with open_store(data, projectors=CHANGED) as second:
            for store in (first, second):
                age(store.views.path, UNUSED_SET_LIFETIME * 2)
            await asyncio.sleep(4)
            assert first.views.path.exists()
            assert second.views.path.exists()
            await wait_until_deleted(paths["changed tables"])


async def test_the_first_set_is_dropped_like_the_others(data: Path, builds: list[str]) -> None:
    paths = await build_all(data)
    age(paths["first-party"], UNUSED_SET_LIFETIME + 60)
    builds.clear()
    async with open_store(data, projectors=CHANGED):
        await wait_until_deleted(paths["first-party"])
    assert "current" not in json.loads((data / "views.json").read_bytes())
    async with open_store(data, projectors=CHANGED) as store:
        assert store.views.path == paths["changed rules"]
    assert builds == []
    async with open_store(data) as store:
        assert store.views.path.exists()
    assert len(builds) == 1


# --- withdrawals --------------------------------------------------------------------------------------


async def test_a_withdrawal_reaches_the_views_of_every_set(
    data: Path, monkeypatch: pytest.MonkeyPatch, builds: list[str]
) -> None:
    """A process applies the withdrawal to the views of its set. Views that no process uses are deleted at once."""
    monkeypatch.setattr("ledgerpress.operator.withdraw.OTHER_SETS_TIMEOUT", LONG_TIMEOUT)
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))
    unused = (await build_all(data))["changed tables"]
    async with open_store(data, projectors=CHANGED) as changed:
        path, inode = changed.views.path, changed.views.path.stat().st_ino
        builds.clear()
        await withdraw(data, last_post(data), "by law")
        assert (changed.views.path, path.stat().st_ino, builds) == (path, inode, [])
        assert files_with(data, SECRET) == []
    assert not unused.exists()
    assert unused.name not in (data / "views.json").read_text()


async def test_a_withdrawal_on_another_node_reaches_the_views_of_every_set(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other node cannot know the files here: a process that follows the log deletes views that no process uses."""
    monkeypatch.setattr(active_views, "OTHER_SETS_TIMEOUT", LONG_TIMEOUT)
    log = f"sqlite:{data / LOG_FILE}"
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))
    node = tmp_path / "node"
    async with open_store(node, log=log, projectors=CHANGED) as unused:
        path = unused.views.path
    async with open_store(node, log=log):
        assert path.exists()
        await withdraw(data, last_post(data), "by law")
        await wait_until_deleted(path)


async def test_a_process_that_ends_early_leaves_no_withdrawn_text(data: Path, tmp_path: Path) -> None:
    log = f"sqlite:{data / LOG_FILE}"
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))
    node = tmp_path / "node"
    for projectors in (CHANGED, FIRST_PARTY):
        async with open_store(node, log=log, projectors=projectors):
            pass
    assert files_with(node, SECRET)
    await withdraw(data, last_post(data), "by law")
    async with open_store(node, log=log):
        pass
    assert files_with(node, SECRET) == []


async def test_a_killed_process_leaves_withdrawn_text_until_the_next_process_starts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = f"sqlite:{data / LOG_FILE}"
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))
    node = tmp_path / "node"
    for projectors in (CHANGED, SETS["changed tables"]):
        async with open_store(node, log=log, projectors=projectors):
            pass
    await rebuild(node, log=log, projectors=CHANGED)
    await withdraw(data, last_post(data), "by law")
    with monkeypatch.context() as killed:
        killed.setattr(ViewsDirectory, "drop", lambda _: [])
        killed.setattr(ViewsDirectory, "drop_withdrawn_of_other_sets", lambda *_, **__: True)
        async with open_store(node, log=log, projectors=CHANGED) as store:
            in_use = store.views.path
    assert {digest_in(file.name) for file in files_with(node, SECRET) if file.suffix == ".sqlite"} == {
        digest_of(CHANGED),
        digest_of(SETS["changed tables"]),
    }
    async with open_store(node, log=log, projectors=CHANGED) as store:
        assert store.views.path == in_use
        assert files_with(node, SECRET) == []


async def test_a_withdrawal_waits_for_a_process_of_another_set_until_it_is_killed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.operator.withdraw.OTHER_SETS_TIMEOUT", LONG_TIMEOUT)
    async with open_store(data) as store:
        await store.commands.handle(CreatePost(title="A post", body=SECRET, publish=True))
    async with Servers(tmp_path) as servers, open_store(data) as store:
        server = await servers.start(data, program=program_with("more-tables"))
        path = ViewsDirectory(data, SETS["changed tables"]).current
        assert path
        server.signal(signal.SIGSTOP)
        withdrawing = asyncio.create_task(withdraw(data, last_post(data), "by law"))
        await wait_until_erased(store.views.path, SECRET)
        assert not withdrawing.done()
        assert path.exists()
        await server.kill()
        await withdrawing
    assert files_with(data, SECRET) == []


async def test_views_that_were_begun_after_a_withdrawal_are_not_deleted(data: Path) -> None:
    """A long build is behind the withdrawal for a while, but contains no withdrawn text."""
    await withdraw(data, last_post(data), "by law")
    async with open_store(data) as store:
        head = await store.log.head()
        path = ViewsDirectory(data, CHANGED).vacant()
        build = ViewsBuild.open(path, CHANGED, began_at=head)
        build.close()
        (withdrawal,) = (event for event in await store.log.read(0, head) if event.header.type == WITHDRAWAL)
        assert ViewsDirectory(data, FIRST_PARTY).drop_withdrawn_of_other_sets(withdrawal.position)
    assert path.exists()


async def test_a_views_file_that_another_process_has_just_created_is_not_deleted(data: Path) -> None:
    """SQLite writes to a new file only after the file exists: until then, it is empty."""
    path = ViewsDirectory(data, CHANGED).vacant()
    path.touch()
    assert ViewsDirectory(data, FIRST_PARTY).drop_unused_sets() == []
    assert ViewsDirectory(data, FIRST_PARTY).drop_withdrawn_of_other_sets(1)
    assert path.exists()


# --- the command line and servers ---------------------------------------------------------------------


async def test_status_neither_builds_nor_switches_views_if_only_another_set_has_views(data: Path) -> None:
    files, pointer = views_files(data), (data / "views.json").read_bytes()
    for change in ("more-tables", "capitals"):
        status = json.loads(await done("status", "--json", "--data", data, change=change))
        assert status["projections"] == []
        assert status["head"] > 0
        assert "no views of this version here" in " ".join(status["log"]["notices"])
    assert (views_files(data), (data / "views.json").read_bytes()) == (files, pointer)


async def test_a_directory_that_was_copied_while_in_use_needs_no_rebuild(
    data: Path, tmp_path: Path, builds: list[str]
) -> None:
    paths = await build_all(data)
    shutil.copytree(data, tmp_path / "copy")
    builds.clear()
    assert {name: path.name for name, path in (await build_all(tmp_path / "copy")).items()} == {
        name: path.name for name, path in paths.items()
    }
    assert builds == []


def program_with(change: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.integration.other_version_program", change)


async def test_servers_of_several_versions_run_together(data: Path, tmp_path: Path) -> None:
    """Each server rebuilds at most once, responds by its own rules, and continues when another server stops."""
    programs = {
        None: PROGRAM,
        "capitals": program_with("capitals"),
        "more-tables": program_with("more-tables"),
    }
    async with Servers(tmp_path) as servers:
        running = [await servers.start(data, program=program) for program in programs.values()]
        directory = ViewsDirectory(data, CHANGED)
        async with asyncio.timeout(60):
            while directory.current is None or directory.is_outdated:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        files = views_files(data)
        for number in range(12):
            for server in running:
                async with await server.connect() as client:
                    await client.mutate("postCreate", title=f"Post {number}", teaser="small", publish=True)
        await asyncio.sleep(2.5)
        assert views_files(data) == files
        while running:
            responses = [await teasers(server) for server in running]
            assert [any(teaser.isupper() for teaser in response) for response in responses] == [
                change is not None for change in programs
            ]
            for change in programs:
                await done("verify", "--data", data, change=change)
            await running.pop().stop()
            programs.popitem()
        assert views_files(data) == files


async def teasers(server: Server) -> list[str]:
    async with await server.connect() as client:
        data, _ = await client.execute("{ recentPosts { nodes { teaser } } }")
    return [node["teaser"] for node in data["recentPosts"]["nodes"] if node["teaser"]]
