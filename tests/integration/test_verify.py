"""`ledgerpress verify`: an intact log passes; for a log that was tampered with, the first wrong position is reported.

Each test changes a copy whose triggers are dropped, as an attacker with access to the file can.
"""

import asyncio
import hashlib
import hmac
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from tests.integration.graphql_client import client

Tamper = Callable[[sqlite3.Connection], object]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def verified(data: Path, *options: str | Path, code: int) -> dict[str, Any]:
    """Run `verify --json`, check that it exits with `code`, and return its report."""
    result = run("verify", "--data", data, "--json", *options)
    assert result.exit_code == code, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["intact"] == (code == 0)
    return report


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which three posts were written, edited in turn and published."""
    data = tmp_path_factory.mktemp("newsroom") / "store"

    async def write() -> None:
        async with client(data) as api:
            posts = [await api.write(title) for title in ("Tide tables", "Low water", "The mill")]
            for number in range(3):
                for post in posts:
                    await api.do("postEdit", id=post["id"], body=f"Edition {number} of {post['slug']}")
            for post in posts:
                await api.do("postPublish", id=post["id"])

    asyncio.run(write())
    return data


@pytest.fixture
def data(newsroom: Path, tmp_path: Path) -> Path:
    """A copy of the store."""
    return Path(shutil.copytree(newsroom, tmp_path / "store"))


@pytest.fixture
def saved_head(newsroom: Path, tmp_path: Path) -> Path:
    """A file with the head of the intact log."""
    file = tmp_path / "head.json"
    file.write_text(run("head", "--json", "--data", newsroom).stdout)
    return file


def tamper(data: Path, *changes: Tamper, views: bool = False) -> None:
    """Change the log without its triggers, and delete the views if `views` is set."""
    with closing(sqlite3.connect(data / "log.sqlite", isolation_level=None)) as db:
        triggers = db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for change in changes:
            change(db)
    if views:
        remove_views(data)


def remove_views(data: Path) -> None:
    for file in data.glob("views-*"):
        file.unlink()


def sql(statement: str, *parameters: object) -> Tamper:
    return lambda db: db.execute(statement, parameters)


def edits(data: Path) -> Iterator[int]:
    """Yield the positions of the edits, each of which is one command."""
    with closing(sqlite3.connect(data / "log.sqlite")) as db:
        rows = db.execute("SELECT position FROM event WHERE type = 'post.edited' ORDER BY position")
        yield from [position for (position,) in rows]


def flip_a_byte(position: int) -> Tamper:
    def flip(db: sqlite3.Connection) -> None:
        (payload,) = db.execute("SELECT payload FROM event WHERE position = ?", (position,)).fetchone()
        forged = bytearray(payload)
        forged[forged.index(b"Edition")] ^= 1
        db.execute("UPDATE event SET payload = ? WHERE position = ?", (bytes(forged), position))

    return flip


def swap(first: int, second: int) -> Tamper:
    def exchange(db: sqlite3.Connection) -> None:
        for old, new in ((first, -1), (second, first), (-1, second)):
            db.execute("UPDATE event SET position = ? WHERE position = ?", (new, old))

    return exchange


def rewrite(position: int) -> Tamper:
    """Replace the text of an event, and compute a matching commitment."""

    def forge(db: sqlite3.Connection) -> None:
        payload, salt, encoding = db.execute(
            "SELECT payload, salt, encoding FROM event WHERE position = ?", (position,)
        ).fetchone()
        forged = payload.replace(b"Edition", b"Forgery")
        assert forged != payload
        commitment = hmac.new(salt, encoding.encode() + b"\x00" + forged, hashlib.sha256).digest()
        db.execute(
            "UPDATE event SET payload = ?, payload_commitment = ? WHERE position = ?",
            (forged, commitment, position),
        )

    return forge


# --- intact ---------------------------------------------------------------------------------------


def test_an_intact_log_passes(data: Path, saved_head: Path) -> None:
    result = run("verify", "--data", data, "--head", saved_head)
    assert result.exit_code == 0, result.output
    assert "The log is intact" in result.stdout
    assert "It extends the saved head" in result.stdout
    report = verified(data, "--head", saved_head, code=0)
    assert report["head"] == json.loads(saved_head.read_text()) == report["extends"]
    assert report["views"]["position"] == report["head"]["size"]
    assert report["views"]["differing"] == []
    assert report["views"]["tables"]["post"]["rows"] == 3
    assert not list(data.glob(".verify-*"))


def test_a_log_that_has_grown_extends_the_saved_head(data: Path, saved_head: Path) -> None:
    async def write() -> None:
        async with client(data) as api:
            await api.write("One more")

    asyncio.run(write())
    report = verified(data, "--head", saved_head, code=0)
    assert report["head"]["size"] > report["extends"]["size"]


def test_a_log_without_views_is_checked_too(data: Path) -> None:
    remove_views(data)
    report = verified(data, code=0)
    assert report["views"] is None
    assert "no views yet" in run("verify", "--data", data).stdout
    assert not list(data.glob("views-*"))


# --- tampered with --------------------------------------------------------------------------------


@pytest.mark.parametrize("without_views", [False, True])
class TestLogAlone:
    """Changes that the log alone reveals, with and without views."""

    def check(self, data: Path, change: Tamper, position: int, message: str, *, without_views: bool) -> None:
        tamper(data, change, views=without_views)
        report = verified(data, code=1)
        assert (report["position"], message in report["wrong"]) == (position, True), report["wrong"]
        assert report["head"]["size"] == position - 1
        assert f"position {position}: " in run("verify", "--data", data).stderr

    def test_one_flipped_byte_in_a_payload(self, data: Path, *, without_views: bool) -> None:
        position = list(edits(data))[4]
        self.check(data, flip_a_byte(position), position, "match the commitment", without_views=without_views)

    def test_a_deleted_row(self, data: Path, *, without_views: bool) -> None:
        position = list(edits(data))[4]
        deletion = sql("DELETE FROM event WHERE position = ?", position)
        self.check(data, deletion, position, "missing", without_views=without_views)

    def test_a_deleted_row_with_later_rows_moved_up(self, data: Path, *, without_views: bool) -> None:
        position = list(edits(data))[4]

        def close_the_gap(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM event WHERE position = ?", (position,))
            rest = db.execute("SELECT position FROM event WHERE position > ? ORDER BY position", (position,))
            for (later,) in rest.fetchall():
                db.execute("UPDATE event SET position = position - 1 WHERE position = ?", (later,))

        tamper(data, close_the_gap, views=without_views)
        report = verified(data, code=1)
        # Without views, the error shows only at the next event of the same post, whose version is too high.
        expected = list(edits(data))[6] if without_views else position
        assert report["position"] == expected

    def test_two_swapped_rows_of_one_stream(self, data: Path, *, without_views: bool) -> None:
        _, first, *_, last = list(edits(data))[:5]
        self.check(data, swap(first, last), first, "version", without_views=without_views)

    def test_two_swapped_rows_of_one_command(self, data: Path, *, without_views: bool) -> None:
        self.check(data, swap(2, 3), 2, "event 2 of its command", without_views=without_views)

    def test_a_forged_commitment(self, data: Path, *, without_views: bool) -> None:
        position = list(edits(data))[2]
        forged = sql("UPDATE event SET payload_commitment = randomblob(32) WHERE position = ?", position)
        self.check(data, forged, position, "match the commitment", without_views=without_views)

    def test_a_payload_erased_without_a_withdrawal(self, data: Path, *, without_views: bool) -> None:
        position = list(edits(data))[2]
        erasure = sql("UPDATE event SET payload = NULL, salt = NULL WHERE position = ?", position)
        self.check(data, erasure, position, "no withdrawal", without_views=without_views)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("type = 'post.imagined'", "is unknown"),
            ("type = 'post.created'", "cannot be read"),
            ("schema_version = 9", "newer LedgerPress"),
            ("encoding = 'zstd'", "match the commitment"),
            ("event_id = upper(event_id)", "not a UUID"),
            ("stream = 'Post'", "not a stream name"),
            ("recorded_at = 9007199254740993", "out of range"),
            ("stream_version = 77", "expected version"),
            ("command_id = actor_id", "of its command"),
        ],
    )
    def test_a_changed_column(self, data: Path, change: str, message: str, *, without_views: bool) -> None:
        position = list(edits(data))[5]
        forged = sql(f"UPDATE event SET {change} WHERE position = ?", position)
        self.check(data, forged, position, message, without_views=without_views)

    def test_a_second_opening_of_the_log(self, data: Path, *, without_views: bool) -> None:
        with closing(sqlite3.connect(data / "log.sqlite")) as db:
            events = db.execute("SELECT position, type FROM event").fetchall()
        (first_post,) = [position for position, type_ in events if type_ == "post.created"][:1]
        forged = sql(
            "UPDATE event SET type = 'log.opened', schema_version = 1 WHERE position = ?", first_post
        )
        self.check(data, forged, first_post, "cannot be read", without_views=without_views)


@pytest.mark.parametrize(
    "change", ["actor_id = '00000000-0000-8000-8000-000000000009'", "recorded_at = recorded_at + 1"]
)
def test_a_changed_header_is_detected_by_the_views_or_a_saved_head(
    data: Path, saved_head: Path, change: str
) -> None:
    position = list(edits(data))[5]
    tamper(data, sql(f"UPDATE event SET {change} WHERE position = ?", position))
    report = verified(data, code=1)
    assert (report["position"], "views were built" in report["wrong"]) == (position, True)
    remove_views(data)
    verified(data, code=0)
    assert "differ from the saved head" in verified(data, "--head", saved_head, code=1)["wrong"]


def test_swapped_commands_are_detected_by_the_views_or_a_saved_head(data: Path, saved_head: Path) -> None:
    first, second, *_ = edits(data)
    tamper(data, swap(first, second))
    assert verified(data, code=1)["position"] == first
    remove_views(data)
    assert "differ from the saved head" in verified(data, "--head", saved_head, code=1)["wrong"]


def test_a_truncated_log_is_detected_by_the_views_or_a_saved_head(data: Path, saved_head: Path) -> None:
    size = json.loads(saved_head.read_text())["size"]
    tamper(data, sql("DELETE FROM event WHERE position > ?", size - 2))
    report = verified(data, code=1)
    assert (report["position"], "the head in the views" in report["wrong"]) == (size - 1, True)
    remove_views(data)
    assert verified(data, code=0)["head"]["size"] == size - 2
    report = verified(data, "--head", saved_head, code=1)
    assert (report["position"], "the log ends" in report["wrong"]) == (size - 1, True)


def test_a_log_rewritten_with_matching_hashes_is_detected_by_a_saved_head(
    data: Path, saved_head: Path
) -> None:
    size = json.loads(saved_head.read_text())["size"]
    position = list(edits(data))[4]
    tamper(data, rewrite(position))
    assert verified(data, code=1)["position"] == position, "the views contain the original leaf"
    remove_views(data)
    run("head", "--data", data)  # rebuilds the views from the rewritten log
    report = verified(data, code=0)
    assert report["head"]["size"] == size
    report = verified(data, "--head", saved_head, code=1)
    assert f"the first {size} events differ from the saved head" in report["wrong"]


def test_a_log_rewritten_from_its_first_event_is_detected_by_a_saved_head(
    data: Path, saved_head: Path
) -> None:
    def rename_commands(db: sqlite3.Connection) -> None:
        rows = db.execute("SELECT position, command_id FROM event ORDER BY position").fetchall()
        index, before = 0, ""
        for position, command_id in rows:
            index, before = (index + 1 if command_id == before else 0), command_id
            forged = uuid8("forged", command_id)
            db.execute(
                "UPDATE event SET command_id = ?1, correlation_id = ?1, event_id = ?2 WHERE position = ?3",
                (forged, uuid8(forged, index), position),
            )

    tamper(data, rename_commands, views=True)
    verified(data, code=0)
    verified(data, "--head", saved_head, code=1)


# --- views and heads ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE body SET markdown = 'Nobody wrote this.'", "body"),
        ("DELETE FROM post", "post"),
        ("UPDATE merkle_subtree SET hash = randomblob(32) WHERE id = 2", "merkle_subtree"),
        ("UPDATE merkle_subtree SET hash = randomblob(32) WHERE id = 30", "the head in the views"),
    ],
)
def test_views_that_differ_from_the_log_are_reported(data: Path, statement: str, message: str) -> None:
    (views,) = data.glob("views-*.sqlite")
    with closing(sqlite3.connect(views, isolation_level=None)) as db:
        db.execute(statement)
    report = verified(data, code=1)
    assert report["position"] is None
    assert message in report["wrong"]


def test_views_behind_the_log_are_compared_up_to_their_position(data: Path, tmp_path: Path) -> None:
    copies = [shutil.copy(file, tmp_path) for file in data.glob("views-*")]

    async def write() -> None:
        async with client(data) as api:
            await api.write("One more")

    asyncio.run(write())
    remove_views(data)
    for file in copies:
        shutil.copy(file, data)
    report = verified(data, code=0)
    assert 0 < report["views"]["position"] < report["head"]["size"]


def test_a_head_of_another_publication_is_reported(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run("demo", "--data", other).exit_code == 0
    head = tmp_path / "other.json"
    head.write_text(run("head", "--json", "--data", other).stdout)
    assert "belongs to publication" in verified(data, "--head", head, code=1)["wrong"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}", b"[]", b"\xff", b'{"v":2,"publication":"","size":1,"root":"","recordedTime":1}'],
)
def test_an_invalid_head_is_rejected(data: Path, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "none.json"
    if content is not None:
        file.write_bytes(content)
    assert run("verify", "--data", data, "--head", file).exit_code == 2


def test_a_missing_store_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    for command in ("head", "verify"):
        assert run(command, "--data", tmp_path / "none").exit_code == 3
    assert not (tmp_path / "none").exists()


KEYS: Final = {"v", "publication", "size", "root", "recordedTime"}


def test_head_prints_the_root_and_the_recorded_time(data: Path) -> None:
    head = json.loads(run("head", "--json", "--data", data).stdout)
    assert set(head) == KEYS
    text = run("head", "--data", data).stdout
    assert head["root"] in text
    assert "2024-05-04T08:" in text


def test_head_and_verify_work_without_views_and_build_none(data: Path, tmp_path: Path) -> None:
    log, node = f"sqlite:{data / 'log.sqlite'}", tmp_path / "node"
    head = run("head", "--json", "--data", data).stdout
    for command in (("head", "--json"), ("verify",)):
        assert run(*command, "--log", log, "--data", node).exit_code == 0
        assert not node.exists()
    assert run("head", "--json", "--log", log, "--data", node).stdout == head
    remove_views(data)
    assert run("head", "--json", "--data", data).stdout == head
    position = list(edits(data))[4]
    tamper(data, flip_a_byte(position), views=True)
    result = run("head", "--log", log, "--data", node)
    assert (result.exit_code, f"position {position}: " in result.stderr) == (1, True), result.output
