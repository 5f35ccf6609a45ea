"""The command line: its output, its files and its exit codes."""

import asyncio
import json
import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgerpress import __version__
from ledgerpress.cli import app
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.features.site.commands import LocalizeSite
from ledgerpress.server.store import open_store

PAGE = Path(__file__).parent.parent / "pages" / "tide-mill.txt"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def head(data: Path) -> int:
    result = run("status", "--data", data, "--json")
    assert result.exit_code == 0, result.stderr
    position: int = json.loads(result.stdout)["head"]
    return position


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with an imported page in it."""
    data = tmp_path / "store"
    assert run("import", "page", PAGE, "--retrieved-at", "2024-12-22", "--data", data).exit_code == 0
    return data


def test_a_repeated_import_records_nothing_and_reports_all_as_unchanged(store: Path) -> None:
    before = head(store)
    again = run("import", "page", PAGE, "--retrieved-at", "2024-12-22", "--data", store)
    assert again.exit_code == 0
    assert "Nothing was recorded" in again.stderr
    assert head(store) == before
    report = json.loads(
        run("import", "page", PAGE, "--retrieved-at", "2024-12-22", "--data", store, "--json").stdout
    )
    assert report["made"] == []
    assert {entry["action"] for entry in report["unchanged"]} == {"unchanged"}


def test_a_dry_run_creates_no_store(tmp_path: Path) -> None:
    result = run(
        "import", "page", PAGE, "--retrieved-at", "2024-12-22", "--data", tmp_path / "no", "--dry-run"
    )
    assert result.exit_code == 0
    assert "would be made" in result.stdout
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("content", "text"), [(None, "cannot be read"), (b"", "empty"), (b"\xff\xfe\x00", "not UTF-8 text")]
)
def test_an_unreadable_page_is_rejected(tmp_path: Path, content: bytes | None, text: str) -> None:
    page = tmp_path / "page.txt"
    if content is not None:
        page.write_bytes(content)
    result = run("import", "page", page, "--retrieved-at", "2024-12-22", "--data", tmp_path / "store")
    assert (result.exit_code, text in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "store").exists()


def test_a_file_without_an_article_is_rejected_unless_forced(tmp_path: Path) -> None:
    page, store = tmp_path / "passwd", tmp_path / "store"
    page.write_text("root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n")
    command = ("import", "page", page, "--retrieved-at", "2024-12-22", "--data", store)
    result = run(*command)
    assert result.exit_code == 2
    for text in ("not an article page", "lacks a headline", "paragraphs", "--force"):
        assert text in result.stderr
    assert not store.exists()
    assert run(*command, "--force").exit_code == 0
    assert head(store) > 4


def test_another_text_with_the_same_headline_and_date_is_an_error(tmp_path: Path) -> None:
    page, store = tmp_path / "page.txt", tmp_path / "store"
    command = ("import", "page", page, "--retrieved-at", "2024-12-22", "--data", store)
    page.write_text("Letters\nDecember 5, 2024\nSir, the dogs on the quay bark all night.\n")
    assert run(*command).exit_code == 0
    before = head(store)
    page.write_text("Letters\nDecember 5, 2024\nMadam, the bell of the chapel rings a minute late.\n")
    result = run(*command)
    assert (result.exit_code, head(store)) == (1, before)
    assert "was not imported" in result.stderr
    assert "everything on this page" not in result.stderr
    page.write_text("Letters\nDecember 12, 2024\nMadam, the bell of the chapel rings a minute late.\n")
    result = run(*command)
    assert (result.exit_code, "letters-2" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("options", "date"),
    [((), "2024-12-05"), (("--month-first",), "2024-12-05"), (("--day-first",), "2024-05-12")],
)
def test_the_order_of_day_and_month_can_be_set(tmp_path: Path, options: tuple[str, ...], date: str) -> None:
    page, store = tmp_path / "page.txt", tmp_path / "store"
    page.write_text("A headline\nBy Ada Example | 12/5/2024\nSome text that is a paragraph.\n")
    result = run("import", "page", page, "--retrieved-at", "2024-12-22", "--data", store, *options)
    assert result.exit_code == 0
    assert ("can be 2024-12-05 or 2024-05-12" in result.stdout) is (not options)
    assert "Ada Example" in result.stdout
    assert f'"publishedAt": "{date}' in run(
        "history", "a-headline", "--data", store, "--json"
    ).stdout.replace('"publishedAt":"', '"publishedAt": "')


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("yesterday", 2),
        ("2024-W51-7", 2),
        ("2024-12-22T09:00+01:00", 2),
        ("2024-12-22T09:00:00", 2),
        ("2024-12-22T09:00:00+0100", 2),
        ("2999-01-01", 1),
        ("2999-01-01t00:00:00z", 1),
    ],
)
def test_an_invalid_retrieval_date_is_rejected(tmp_path: Path, moment: str, code: int) -> None:
    result = run("import", "page", PAGE, "--retrieved-at", moment, "--data", tmp_path / "store")
    assert result.exit_code == code
    assert moment[:4] in result.stderr or "future" in result.stderr


@pytest.mark.parametrize(
    "moment", ["2024-12-22t09:00:00.123456789z", "2016-12-31T15:59:60-08:00", "2024-12-22"]
)
def test_a_retrieval_time_of_rfc_3339_is_accepted(tmp_path: Path, moment: str) -> None:
    result = run("import", "page", PAGE, "--retrieved-at", moment, "--data", tmp_path / "store", "--dry-run")
    assert result.exit_code == 0, result.stderr


def test_the_demo_loads_only_into_an_empty_store(store: Path, tmp_path: Path) -> None:
    assert run("demo", "--data", tmp_path / "new").exit_code == 0
    before = head(store)
    result = run("demo", "--data", store)
    assert (result.exit_code, "already" in result.stderr) == (3, True)
    assert head(store) == before


def test_a_directory_with_other_files_is_rejected_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "holiday.txt").write_text("sun")
    for command in (("status",), ("demo",), ("serve", "--port", "0")):
        result = run(*command, "--data", tmp_path)
        assert result.exit_code == 3, (command, result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_a_log_written_by_a_newer_version_is_rejected(store: Path) -> None:
    with sqlite3.connect(store / "log.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    result = run("status", "--data", store)
    assert (result.exit_code, "newer LedgerPress" in result.stderr) == (3, True)


def test_the_error_names_a_port_in_use(store: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = run("serve", "--port", str(port), "--data", store)
    assert result.exit_code == 1
    assert f"port {port}" in result.stderr
    assert "--port" in result.stderr


def test_only_the_local_address_is_served_in_development(tmp_path: Path) -> None:
    result = run("serve", "--host", "0.0.0.0", "--data", tmp_path / "store")
    assert (result.exit_code, "--profile production" in result.stderr) == (2, True)
    assert not (tmp_path / "store").exists()


def test_a_restored_backup_has_the_same_events(store: Path, tmp_path: Path) -> None:
    copy, restored = tmp_path / "copy.sqlite", tmp_path / "restored"
    assert run("log", "backup", copy, "--data", store).exit_code == 0
    again = run("log", "backup", copy, "--data", store)
    assert again.exit_code == 3, "a backup must not overwrite files"
    assert run("log", "restore", copy, "--data", restored).exit_code == 0
    assert head(restored) == head(store)
    assert run("log", "restore", copy, "--data", store).exit_code == 3
    assert run("log", "restore", PAGE, "--data", tmp_path / "third").exit_code == 3


def test_only_the_owner_may_read_logs_and_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files contain drafts and the key of the publication."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        for command in (
            "demo --data store",
            f"import page {PAGE} --retrieved-at 2024-12-22 --data imported",
            "log backup backup.sqlite --data store",
            "log restore backup.sqlite --data restored",
            "log copy sqlite: sqlite:copy.sqlite --data store",
            "log copy --keep-open sqlite: sqlite:begun.sqlite --data store",
            "events export events.jsonl --data store",
            "events import events.jsonl --data again",
            "views snapshot views --data store",
            "views restore views --data node --log sqlite:copy.sqlite",
            "rebuild --data store",
        ):
            done = run(*command.split())
            assert done.exit_code == 0, done.output
    finally:
        os.umask(before)
    modes = {str(file): file.stat().st_mode & 0o777 for file in Path().rglob("*.sqlite")}
    assert len(modes) == 11
    assert set(modes.values()) == {0o600}, modes
    assert Path("events.jsonl").stat().st_mode & 0o777 == 0o600


def status(store: Path) -> dict[str, Any]:
    """Return the status of a store without the digests, which differ between builds of the views."""
    report: dict[str, Any] = json.loads(run("status", "--data", store, "--json").stdout)
    for projection in report["projections"]:
        projection.pop("digest")
    return report


def test_deleting_the_views_loses_nothing(store: Path) -> None:
    before = status(store)
    for views in store.glob("views-*"):
        views.unlink()
    assert status(store) == before


def test_the_schema_check_finds_changed_files(tmp_path: Path) -> None:
    assert run("schema", "--directory", tmp_path).exit_code == 0
    assert run("schema", "--directory", tmp_path, "--check").exit_code == 0
    (tmp_path / "events" / "post.created.v2.schema.json").write_text("{}")
    (tmp_path / "schema.graphql").write_text("")
    drifted = run("schema", "--directory", tmp_path, "--check")
    assert drifted.exit_code == 1
    assert "post.created" in drifted.stderr
    assert "schema.graphql" in drifted.stderr


def test_the_schema_command_writes_the_access_table_to_the_given_file(tmp_path: Path) -> None:
    table = tmp_path / "access.md"
    both = ("schema", "--directory", tmp_path, "--access", table)
    assert run(*both).exit_code == 0
    assert run(*both, "--check").exit_code == 0
    table.write_text(table.read_text("utf-8").replace("| Query.posts |", "| Query.pasts |"), "utf-8")
    drifted = run(*both, "--check")
    assert drifted.exit_code == 1
    assert str(table) in drifted.stderr.replace("\n", "")


@pytest.mark.parametrize("damage", ["garbage", "cut", "a table dropped", "checkpoints deleted"])
def test_damaged_views_are_rebuilt(store: Path, damage: str) -> None:
    before = status(store)
    (views,) = store.glob("views-*.sqlite")
    if damage == "garbage":
        views.write_bytes(b"garbage" * 1_000)
    elif damage == "cut":
        views.write_bytes(views.read_bytes()[:5_000])
    else:
        with sqlite3.connect(views) as db:
            db.execute("DROP TABLE projection" if damage == "a table dropped" else "DELETE FROM projection")
        db.close()
    assert status(store) == before


def test_an_emptied_log_is_not_a_new_publication(store: Path) -> None:
    (store / "log.sqlite").write_bytes(b"")
    for command in (("serve", "--port", "0"), ("status",)):
        result = run(*command, "--data", store)
        assert (result.exit_code, "backup" in result.stderr) == (3, True), result.stderr
    assert list(store.glob("views-*.sqlite"))


def test_the_demo_accepts_any_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("demo", "--data", ".").exit_code == 0
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert run("demo", "--data", tmp_path / "link").exit_code == 0
    assert head(tmp_path / "link") == head(tmp_path / "real") > 100


def test_json_output_contains_emoji_codes_unchanged(tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text(
        "Categories: :fire: Stuff\n\nA headline\n\nSome text that is a paragraph, and ends in a stop.\n"
    )
    result = run(
        "import", "page", page, "--retrieved-at", "2024-12-22", "--data", tmp_path / "store", "--json"
    )
    assert result.exit_code == 0
    assert ":fire: Stuff" in result.stdout
    odd = run(
        "import", "page", page, "--retrieved-at", "0001-01-01T00:00:00+14:00", "--data", tmp_path / "store"
    )
    assert odd.exit_code == 2


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"ledgerpress {__version__}\n")


def test_times_without_a_zone_are_in_the_time_zone_of_the_site(tmp_path: Path) -> None:
    store = tmp_path / "store"
    page = tmp_path / "page.txt"
    page.write_text(
        "Ferry back\n\nFerry back\n\nDecember 5, 2024 at 9:00 PM\n\nThe ferry sails again on Monday.\n"
    )

    async def localize() -> None:
        async with open_store(store) as opened:
            await opened.commands.handle(LocalizeSite(time_zone="America/New_York"), CommandRequest())

    asyncio.run(localize())
    result = run("import", "page", page, "--retrieved-at", "2024-12-05", "--data", store)
    assert result.exit_code == 0, result.output
    history = run("history", "ferry-back", "--data", store, "--json").stdout
    assert '"2024-12-06T02:00:00Z"' in history
