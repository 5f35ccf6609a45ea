"""`ledgerpress events` exports a log as lines of JSON, and imports them into an empty store as the same log."""

import gzip
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def root(data: Path) -> str:
    merkle_root: str = json.loads(run("head", "--json", "--data", data).stdout)["root"]
    return merkle_root


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("newsroom") / "store"
    assert run("demo", "--data", data).exit_code == 0
    return data


@pytest.fixture(scope="module")
def exported(newsroom: Path) -> Path:
    file = newsroom.parent / "events.jsonl"
    assert run("events", "export", file, "--data", newsroom).exit_code == 0
    return file


@pytest.fixture
def file(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported, tmp_path / "events.jsonl"))


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_an_imported_export_has_the_same_root_and_is_intact(
    newsroom: Path, exported: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    result = run("events", "import", exported, "--data", copy)
    assert result.exit_code == 0, result.stderr
    assert root(copy) == root(newsroom)
    assert root(newsroom) in result.stderr
    assert run("verify", "--data", copy).exit_code == 0
    again = tmp_path / "again.jsonl"
    assert run("events", "export", again, "--data", copy).exit_code == 0
    assert again.read_bytes() == exported.read_bytes()
    statuses = [json.loads(run("status", "--json", "--data", data).stdout) for data in (newsroom, copy)]
    for status in statuses:
        for projection in status["projections"]:
            projection.pop("digest")  # computed when the views were built
    assert statuses[0] == statuses[1]


def test_a_withdrawn_payload_stays_withdrawn(newsroom: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(newsroom, tmp_path / "one"))
    assert run("withdraw", "20", "--reason", "By order of a court.", "--yes", "--data", store).exit_code == 0
    file, copy = tmp_path / "events.jsonl", tmp_path / "copy"
    assert run("events", "export", file, "--data", store).exit_code == 0
    assert "data" not in lines_of(file)[19]
    assert run("events", "import", file, "--data", copy).exit_code == 0
    assert root(copy) == root(store)
    assert run("verify", "--data", copy).exit_code == 0


def test_every_event_is_a_line_and_the_last_line_is_the_end_record(newsroom: Path, exported: Path) -> None:
    *lines, end = lines_of(exported)
    head = json.loads(run("head", "--json", "--data", newsroom).stdout)
    assert (end["type"], end["events"], end["position"]) == ("log.exported", str(len(lines)), str(len(lines)))
    assert (end["source"], end["root"]) == (f"urn:uuid:{head['publication']}", head["root"])
    assert [line["position"] for line in lines] == [str(number + 1) for number in range(len(lines))]
    assert {line["specversion"] for line in lines} == {"1.0"}
    assert lines[0]["type"] == "log.opened"


def test_show_prints_one_event(newsroom: Path, exported: Path) -> None:
    assert json.loads(run("events", "show", "12", "--data", newsroom).stdout) == lines_of(exported)[11]
    assert run("events", "show", "99999", "--data", newsroom).exit_code == 1


@pytest.mark.parametrize("count", [0, 1, 10, 100_000])
def test_tail_prints_the_last_events(newsroom: Path, exported: Path, count: int) -> None:
    result = run("events", "tail", "-n", str(count), "--data", newsroom)
    lines = exported.read_bytes().splitlines(keepends=True)[:-1]
    assert result.stdout_bytes == b"".join(lines[max(0, len(lines) - count) :])


def test_follow_prints_the_events_that_another_process_records(newsroom: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(newsroom, tmp_path / "store"))
    page = Path(__file__).parent.parent / "pages" / "tide-mill.txt"
    following = subprocess.Popen(
        [sys.executable, "-m", "ledgerpress", "events", "tail", "-f", "-n", "1", "--data", str(data)],
        stdout=subprocess.PIPE,
    )
    assert following.stdout
    with following.stdout as printed:
        last = json.loads(printed.readline())
        assert run("import", "page", page, "--retrieved-at", "2024-12-22", "--data", data).exit_code == 0
        after = json.loads(printed.readline())
        assert int(after["position"]) == int(last["position"]) + 1
        following.send_signal(signal.SIGINT)
    assert following.wait(10) in (0, 130)


def test_an_export_goes_to_standard_output_and_overwrites_nothing(newsroom: Path, file: Path) -> None:
    assert run("events", "export", "-", "--data", newsroom).stdout_bytes == file.read_bytes()
    file.write_text("mine")
    assert run("events", "export", file, "--data", newsroom).exit_code == 3
    assert file.read_text() == "mine"


def test_a_store_that_is_not_empty_is_rejected(newsroom: Path, file: Path) -> None:
    before = root(newsroom)
    result = run("events", "import", file, "--data", newsroom)
    assert (result.exit_code, "already" in result.stderr) == (3, True)
    assert root(newsroom) == before


def drop_line(lines: list[dict[str, Any]]) -> None:
    del lines[30]


def swap_lines(lines: list[dict[str, Any]]) -> None:
    lines[30], lines[31] = lines[31], lines[30]


def renumber(lines: list[dict[str, Any]]) -> None:
    del lines[30]
    for number, line in enumerate(lines, start=1):
        line["position"] = str(number)


def other_publication(lines: list[dict[str, Any]]) -> None:
    lines[30]["source"] = "urn:uuid:00000000-0000-7000-8000-000000000000"


def other_text(lines: list[dict[str, Any]]) -> None:
    lines[30]["data"]["reason"] = "forged"


def other_commitment(lines: list[dict[str, Any]]) -> None:
    lines[30]["payloadcommitment"] = "0" * 64


def short_commitment(lines: list[dict[str, Any]]) -> None:
    lines[30]["payloadcommitment"] = "00"


def no_payload(lines: list[dict[str, Any]]) -> None:
    for name in ("data", "salt", "payloadencoding"):
        del lines[30][name]


def other_actor(lines: list[dict[str, Any]]) -> None:
    lines[30]["actorid"] = "nobody"


def duplicate_line(lines: list[dict[str, Any]]) -> None:
    lines.insert(30, dict(lines[29], position="31"))
    for number, line in enumerate(lines, start=1):
        line["position"] = str(number)


def incomplete_line(lines: list[dict[str, Any]]) -> None:
    del lines[30]["id"]


@pytest.mark.parametrize(
    "damage",
    [
        drop_line,
        swap_lines,
        renumber,
        other_publication,
        other_text,
        other_commitment,
        short_commitment,
        no_payload,
        other_actor,
        duplicate_line,
        incomplete_line,
    ],
)
def test_a_damaged_file_is_rejected_and_leaves_nothing_behind(
    file: Path, tmp_path: Path, damage: Any
) -> None:
    lines = lines_of(file)
    damage(lines)
    file.write_text(
        "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
    )
    data = tmp_path / "store"
    result = run("events", "import", file, "--data", data)
    assert (result.exit_code, "31" in result.stderr or "position" in result.stderr) == (1, True), (
        result.stderr
    )
    assert [path.name for path in tmp_path.iterdir() if path != file] == ["store"]
    assert not list(data.iterdir())


def imported(content: bytes, data: Path, *options: str | Path) -> Result:
    """Import from standard input."""
    arguments = ["events", "import", "-", "--data", str(data), *map(str, options)]
    return CliRunner().invoke(app, arguments, input=content)


def test_an_export_that_ends_early_is_rejected(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    lines = whole.splitlines(keepends=True)
    for count in (1, 2, len(lines) // 2, len(lines) - 1):
        for content in (b"".join(lines[:count]), b"".join(lines[:count])[:-1]):
            result = imported(content, tmp_path / "store")
            assert result.exit_code == 1, count
            assert f"the file ends after {count:,} events without an end record" in result.stderr
            assert "--without-end-record" in result.stderr
    for length in (len(lines[0]) // 2, len(whole) // 2, len(whole) - 2):
        result = imported(whole[:length], tmp_path / "store")
        assert (result.exit_code, "it is incomplete" in result.stderr) == (1, True), result.stderr
    assert not list((tmp_path / "store").iterdir())
    assert imported(whole[:-1], tmp_path / "store").exit_code == 0


def test_an_export_of_an_earlier_version_is_checked_with_a_head_or_accepted_explicitly(
    newsroom: Path, exported: Path, tmp_path: Path
) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)[:-1]
    head = tmp_path / "head.json"
    head.write_text(run("head", "--json", "--data", newsroom).stdout)
    checked, accepted = tmp_path / "checked", tmp_path / "accepted"
    assert imported(b"".join(lines), checked, "--head", head).exit_code == 0
    assert imported(b"".join(lines), accepted, "--without-end-record").exit_code == 0
    assert root(checked) == root(accepted) == root(newsroom)

    shorter = imported(b"".join(lines[:-1]), tmp_path / "new", "--head", head, "--without-end-record")
    assert (shorter.exit_code, "the saved head" in shorter.stderr) == (1, True), shorter.stderr
    earlier = {**json.loads(head.read_text()), "size": 1, "root": root_of_first(lines, tmp_path)}
    head.write_text(json.dumps(earlier))
    longer = imported(b"".join(lines), tmp_path / "new", "--head", head)
    assert (longer.exit_code, "without an end record" in longer.stderr) == (1, True), longer.stderr
    assert imported(exported.read_bytes(), tmp_path / "new", "--head", head).exit_code == 0


def root_of_first(lines: list[bytes], tmp_path: Path) -> str:
    assert imported(lines[0], tmp_path / "first", "--without-end-record").exit_code == 0
    return root(tmp_path / "first")


def test_a_head_that_does_not_belong_to_the_file_is_rejected(
    newsroom: Path, exported: Path, tmp_path: Path
) -> None:
    saved = json.loads(run("head", "--json", "--data", newsroom).stdout)
    head = tmp_path / "head.json"
    for change in ({"root": "0" * 64}, {"publication": "another"}, {"size": saved["size"] + 1}):
        head.write_text(json.dumps({**saved, **change}))
        result = imported(exported.read_bytes(), tmp_path / "store", "--head", head)
        assert result.exit_code == 1, change
        assert not list((tmp_path / "store").iterdir())
    head.write_text("{}")
    assert imported(exported.read_bytes(), tmp_path / "store", "--head", head).exit_code == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            b'{"name": "Mine"}',
            "it has no specversion, id, source, type, subject, time, position, streamversion",
        ),
        (b'{"type": 7}', "it has no specversion, id"),
        (b"[]", "it is not a JSON object"),
        (b"post,title", "it is not JSON in UTF-8"),
        (b"\xff", "it is not JSON in UTF-8"),
    ],
)
def test_a_line_of_another_file_is_named_and_described(
    exported: Path, tmp_path: Path, line: bytes, problem: str
) -> None:
    first = exported.read_bytes().splitlines(keepends=True)[0]
    for number, content in ((1, line), (2, first + line)):
        result = imported(content + b"\n", tmp_path / "store")
        message = " ".join(result.stderr.split())
        assert (result.exit_code, f"line {number}: it is not an event of an export: {problem}" in message) == (1, True), message  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:5], lines[-1]], "the end record describes"),
        (lambda lines: [*lines, lines[-1]], "the file continues after its end record"),
        (lambda lines: [*lines, *lines], "the file continues after its end record"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"root":"', b'"root":"00')], "the end record describes"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"root"', b'"tree"')], "it has no root"),
        (lambda lines: [lines[-1]], "contains no events"),
        (lambda lines: [lines[0], *lines], "line 2: expected position 2, not 1"),
    ],
)  # fmt: skip
def test_an_end_record_that_does_not_belong_to_the_file_is_rejected(
    exported: Path, tmp_path: Path, change: Any, message: str
) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    result = imported(b"".join(change(lines)), tmp_path / "store")
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert not list((tmp_path / "store").iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content + b"\n\n",
    ],
    ids=["byte order mark", "CRLF", "blank lines at the end"],
)
def test_changes_of_editors_that_leave_every_event_as_it_was_are_accepted(
    newsroom: Path, exported: Path, tmp_path: Path, change: Any
) -> None:
    data = tmp_path / "store"
    result = imported(change(exported.read_bytes()), data)
    assert result.exit_code == 0, result.stderr
    assert root(data) == root(newsroom)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gzip.compress, "gunzip -c FILE"),
        (lambda content: content.decode().encode("utf-16"), "the file is UTF-16"),
        (lambda _: b"SQLite format 3\x00", "ledgerpress log restore"),
    ],
)
def test_other_formats_are_named(exported: Path, tmp_path: Path, change: Any, message: str) -> None:
    result = imported(change(exported.read_bytes()), tmp_path / "store")
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr


def test_a_store_is_copied_through_a_pipe(newsroom: Path, tmp_path: Path) -> None:
    program = f"{sys.executable} -m ledgerpress"
    command = (
        f"{program} events export - --data {newsroom} | {program} events import - --data {tmp_path / 'copy'}"
    )
    piped = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False, timeout=120)
    assert piped.returncode == 0, piped.stderr
    assert root(tmp_path / "copy") == root(newsroom)


def test_an_interrupted_import_can_be_repeated(exported: Path, newsroom: Path, tmp_path: Path) -> None:
    data, whole = tmp_path / "store", exported.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "ledgerpress", "events", "import", "-", "--data", data], stdin=subprocess.PIPE
    ) as importing:
        assert importing.stdin
        importing.stdin.write(whole[: len(whole) // 2])
        importing.stdin.flush()
        wait_until_exists(tmp_path, ".import-*/store/log.sqlite")
        importing.kill()
    assert not list(data.iterdir())
    assert imported(whole, data).exit_code == 0
    assert root(data) == root(newsroom)
    again = imported(whole, data)
    assert (again.exit_code, "already contains a store" in again.stderr) == (3, True)
    assert not list(tmp_path.glob(".import-*"))


def test_directories_that_look_like_those_of_killed_imports_are_left_alone(
    exported: Path, tmp_path: Path
) -> None:
    # Every user can create such names in a folder like /tmp.
    (file := tmp_path / "notes").write_text("important")
    (linked := tmp_path / "linked").mkdir()
    (linked / "lock").write_text("important")
    (tmp_path / ".import-link").symlink_to(linked)
    (other := tmp_path / ".import-file").mkdir()
    (other / "lock").symlink_to(file)
    assert imported(exported.read_bytes(), tmp_path / "store").exit_code == 0
    assert file.read_text() == "important"
    assert (linked / "lock").read_text() == "important"
    assert other.is_dir()


def wait_until_exists(directory: Path, pattern: str) -> None:
    give_up = time.monotonic() + 60
    while not list(directory.glob(pattern)):
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\xff\n"])
def test_a_file_without_events_is_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(content)
    assert run("events", "import", file, "--data", tmp_path / "store").exit_code == 1
    assert run("events", "import", tmp_path / "none", "--data", tmp_path / "store").exit_code == 2


def test_only_the_log_is_opened(newsroom: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    data.mkdir()
    shutil.copy(newsroom / "log.sqlite", data)
    for command in (("tail",), ("show", "1"), ("export", "-")):
        assert run("events", *command, "--data", data).exit_code == 0
    assert not list(data.glob("views-*"))
    with closing(sqlite3.connect(data / "log.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
