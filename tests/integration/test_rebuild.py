"""`ledgerpress rebuild` and `ledgerpress views` on the command line: check, switch and roll back."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import all_projectors
from ledgerpress.features.site.commands import NameSite
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.store import open_store
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.failing_projectors import with_failing
from tests.integration.other_version_program import FAILS_AT, changed_projectors
from tests.integration.program_runs import done, program
from tests.property.view_rows import Rows, rebuilt, rows_of, views_in_use

pytestmark = pytest.mark.usefixtures("any_silence")

POSTS: Final = 12


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A store with posts, some of them edited."""
    data = tmp_path / "store"
    async with open_store(data, clock=SetClock(), randomness=SeededBytes("posts")) as store:
        for number in range(POSTS):
            teaser = f"What number {number} says" if number % 3 else None
            post = CreatePost(title=f"Post {number}", teaser=teaser, publish=number % 2 == 0)
            created = await store.commands.handle(post)
            if number % 4 == 1:
                await store.commands.handle(
                    EditPost(post_id=created.subject_id, title=f"Post {number} again")
                )
    return data


async def expected_rows(data: Path, change: str | None = None) -> Rows:
    """Return the rows of views built one event at a time, with the projectors of the changed program."""
    path = data.parent / f"{change}.sqlite"
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    projectors = changed_projectors(change) if change else all_projectors()
    try:
        return await rebuilt(log, path, batch_size=1, projectors=projectors)
    finally:
        await log.aclose()
        path.unlink(missing_ok=True)


def teasers_changed(before: Rows, after: Rows) -> list[dict[str, Any]]:
    """Return the expected report of two sets of rows that differ only in one column of one table."""
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert differing | {"projection"} == {"content", "projection"}
    old, new = ({row[0]: row for row in set(rows["content"])} for rows in (before, after))
    removed, added = (
        set(before["content"]) - set(after["content"]),
        set(after["content"]) - set(before["content"]),
    )
    assert {row[0] for row in removed} == {row[0] for row in added}
    assert len(added) > 2
    return [
        {"table": "content", "key": {"position": at}, "before": {"teaser": old[at][3]}, "after": {"teaser": new[at][3]}}
        for at in sorted(row[0] for row in added)
    ]  # fmt: skip


def files(data: Path) -> list[tuple[str, str]]:
    """Return the views files with their inodes."""
    return sorted((path.name, str(path.stat().st_ino)) for path in data.glob("views-*.sqlite"))


def states(listed: str) -> list[str]:
    return [views["state"] for views in json.loads(listed)]


async def test_check_reports_changed_rows_rebuild_switches_and_rollback_restores(
    data: Path,
) -> None:
    before, after = rows_of(views_in_use(data)), await expected_rows(data, "unversioned")
    in_use, expected = views_in_use(data), teasers_changed(before, after)

    checks = [
        await done("rebuild", "--check", "--json", "--limit", "0", "--data", data, change="unversioned")
        for _ in range(2)
    ]
    files_before = files(data)
    assert checks[0] == checks[1]
    report = json.loads(checks[0])
    assert (report["switched"], report["rows"]) == (False, expected)
    assert report["compared"]["before"] == in_use.name
    (table,) = report["compared"]["tables"]
    assert (table["table"], table["added"], table["removed"], table["changed"]) == (
        "content",
        0,
        0,
        len(expected),
    )
    assert (views_in_use(data), rows_of(in_use)) == (in_use, before)
    assert states(await done("views", "list", "--json", "--data", data)) == ["in use", "unfinished"]

    switched = json.loads(
        await done("rebuild", "--json", "--limit", "0", "--data", data, change="unversioned")
    )
    assert (switched["switched"], switched["rows"]) == (True, expected)
    assert files(data) == files_before, "it continues with the views that the check built"
    assert views_in_use(data) != in_use
    assert rows_of(views_in_use(data)) == after
    assert states(await done("views", "list", "--json", "--data", data)) == ["in use", "former"]

    assert in_use.name in await done("views", "rollback", "--data", data)
    assert (views_in_use(data), rows_of(views_in_use(data))) == (in_use, before)
    await done("views", "rollback", "--data", data)
    assert rows_of(views_in_use(data)) == after
    assert f"{in_use.name} deleted" in await done("views", "drop", "--data", data)
    assert files(data) == [file for file in files_before if file[0] != in_use.name]
    assert "Nothing to delete" in await done("views", "drop", "--data", data)
    assert rows_of(views_in_use(data)) == after


async def test_the_text_output_of_rebuild(data: Path) -> None:
    in_use = views_in_use(data)
    expected = teasers_changed(rows_of(in_use), await expected_rows(data, "capitals"))
    lines = [
        f"~ content position={row['key']['position']}: teaser {row['before']['teaser']!r} → {row['after']['teaser']!r}"
        for row in expected
    ]
    output_lines = (await done("rebuild", "--check", "--data", data, change="capitals")).splitlines()
    assert output_lines[0].startswith("Compared at position ")
    assert f"{in_use.name} in use" in output_lines[0]
    assert [line for line in output_lines if line.startswith(("~", "+", "-", "…"))] == lines
    assert output_lines[2].split() == [
        "content", *[str(len(rows_of(in_use)["content"]))] * 2, "0", "0", str(len(expected))
    ]  # fmt: skip
    assert output_lines[-1].startswith("The views in use are unchanged.")

    short = (await done("rebuild", "--check", "--limit", "2", "--data", data, change="capitals")).splitlines()
    assert [line for line in short if line.startswith("~")] == lines[:2]
    assert short[-2] == f"… and {len(lines) - 2} more rows; --limit 0 shows all."

    same = await done("rebuild", "--data", data)
    assert "Every row is the same." in same
    assert "The rebuilt views are now in use." in same
    assert len(files(data)) == 3, "the views that the check built for the other program stay"


async def test_a_rebuild_of_one_projection_copies_the_others(data: Path) -> None:
    # Several versions of parts can have the same version of people and of listings, so these are not copied from another set.
    names = ("posts", "people", "listings")
    options = [word for name in names for word in ("--projection", name)]
    await done("rebuild", *options, "--data", data, change="capitals")
    path = views_in_use(data, changed_projectors("capitals"))
    assert rows_of(path) == await expected_rows(data, "capitals")
    with closing(sqlite3.connect(path)) as db:
        (taken_over,) = db.execute("SELECT taken_over FROM views").fetchone()
    assert json.loads(taken_over) == sorted(
        projector.name for projector in all_projectors() if projector.name not in names
    )
    await done("rebuild", *options, "--data", data)
    assert rows_of(views_in_use(data)) == await expected_rows(data)


async def test_views_with_other_tables_are_compared_and_used_only_by_their_program(data: Path) -> None:
    before, after = rows_of(views_in_use(data)), await expected_rows(data, "more-tables")
    in_use = views_in_use(data)
    report = json.loads(await done("rebuild", "--json", "--limit", "0", "--data", data, change="more-tables"))
    assert report["compared"]["before"] == in_use.name
    seen_rows = [row for row in report["rows"] if row["table"] == "seen"]
    assert [row["key"]["position"] for row in seen_rows] == [position for (position,) in after["seen"]]
    assert {(row["before"], *row["after"]) for row in seen_rows} == {(None,)}
    assert {row["table"] for row in report["rows"]} == {"seen", "content"}
    assert rows_of(views_in_use(data, changed_projectors("more-tables"))) == after
    assert (views_in_use(data), rows_of(views_in_use(data))) == (in_use, before)
    for change in ("more-tables", None):
        rejection = await program("views", "rollback", "--data", data, change=change)
        assert rejection.code == 1
        assert "no former views" in rejection.err
    assert rows_of(views_in_use(data)) == before


async def test_a_failed_rebuild_reports_the_error_and_changes_nothing(data: Path, tmp_path: Path) -> None:
    before = files(data)

    async def error_of(*arguments: str, change: str | None = None, code: int = 1) -> str:
        result = await program(*arguments, change=change)
        assert (result.code, result.out) == (code, ""), result.err
        assert change == "failing" or result.err.startswith("ledgerpress: "), result.err
        return result.err

    here = ("--data", str(data))
    assert "there is no projection post;" in await error_of("rebuild", "--projection", "post", *here)
    newer = await error_of("rebuild", "--projection", "people", *here, change="capitals")
    assert "another version of listings, posts: rebuild these projections too" in newer
    assert "no former views" in await error_of("views", "rollback", *here)
    with ViewsDirectory(data, all_projectors()).building():
        assert "another process is building views" in await error_of("rebuild", *here)
    for command in (["rebuild"], ["views", "list"], ["views", "rollback"], ["views", "drop"]):
        await error_of(*command, "--data", str(tmp_path / "nowhere"), code=3)
    assert files(data) == before

    error = await error_of("rebuild", *here, change="failing")
    assert f"projection posts fails at position {FAILS_AT}: ValueError: this cannot be" in error
    assert "the views in use remain" in error
    assert (views_in_use(data).name, "former" in await done("views", "list", *here)) == (before[0][0], False)
    await done("rebuild", *here, change="capitals")
    changed = views_in_use(data, changed_projectors("capitals"))
    assert rows_of(changed) == await expected_rows(data, "capitals")


async def test_a_paused_projection_is_not_compared(data: Path) -> None:
    broken = with_failing("people", lambda recorded: recorded.header.type == "site.named")
    clock, randomness = SetClock(), SeededBytes("paused")
    async with open_store(data, clock=clock, randomness=randomness, projectors=broken) as store:
        assert (await store.commands.handle(NameSite(name="The Tide"))).views_behind
        await store.commands.handle(CreatePost(title="After"))
    other = await program("rebuild", "--projection", "posts", "--data", data)
    assert other.code == 1
    assert "projection people fails at position" in other.err
    for names in ([], ["--projection", "people"]):
        result = await program("rebuild", "--check", *names, "--data", data)
        assert result.code == 0, result.err
        assert "Every row is the same." in result.out
        assert "Projection people is paused in the views in use and was not compared" in result.err
    await done("rebuild", "--data", data)
    assert rows_of(views_in_use(data)) == await expected_rows(data)


def damage(views: Path) -> None:
    views.write_bytes(b"nothing of the kind" * 400)


def change_leaf_hash(views: Path) -> None:
    with closing(sqlite3.connect(views)) as db, db:
        db.execute("UPDATE projection SET leaf_hash = ?", ("0" * 64,))


def move_checkpoint_ahead(views: Path) -> None:
    with closing(sqlite3.connect(views)) as db, db:
        db.execute("UPDATE projection SET position = position + 100")


@pytest.mark.parametrize("make_unusable", [damage, change_leaf_hash, move_checkpoint_ahead, Path.unlink])
async def test_unusable_views_are_replaced_and_deleted(
    data: Path, make_unusable: Callable[[Path], None]
) -> None:
    make_unusable(views_in_use(data))
    assert "There were no views to compare with." in await done("rebuild", "--data", data)
    assert rows_of(views_in_use(data)) == await expected_rows(data)
    assert states(await done("views", "list", "--json", "--data", data)) == ["in use"]
