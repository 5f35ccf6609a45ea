"""`ledgerpress events` exports a log as lines of JSON, and imports them into an empty store as the same log."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
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


def test_every_event_is_a_line(exported: Path) -> None:
    lines = lines_of(exported)
    assert [line["position"] for line in lines] == [str(number + 1) for number in range(len(lines))]
    assert {line["specversion"] for line in lines} == {"1.0"}
    assert lines[0]["type"] == "log.opened"


def test_show_prints_one_event(newsroom: Path, exported: Path) -> None:
    assert json.loads(run("events", "show", "12", "--data", newsroom).stdout) == lines_of(exported)[11]
    assert run("events", "show", "99999", "--data", newsroom).exit_code == 1


@pytest.mark.parametrize("count", [0, 1, 10, 100_000])
def test_tail_prints_the_last_events(newsroom: Path, exported: Path, count: int) -> None:
    result = run("events", "tail", "-n", str(count), "--data", newsroom)
    lines = exported.read_bytes().splitlines(keepends=True)
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


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\xff\n"])
def test_a_file_without_events_is_rejected(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(content)
    assert run("events", "import", file, "--data", tmp_path / "store").exit_code == 1
    assert run("events", "import", tmp_path / "none", "--data", tmp_path / "store").exit_code == 3


def test_only_the_log_is_opened(newsroom: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    data.mkdir()
    shutil.copy(newsroom / "log.sqlite", data)
    for command in (("tail",), ("show", "1"), ("export", "-")):
        assert run("events", *command, "--data", data).exit_code == 0
    assert not list(data.glob("views-*"))
    with closing(sqlite3.connect(data / "log.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
