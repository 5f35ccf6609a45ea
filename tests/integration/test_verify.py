"""`ledgerpress verify`: an intact log passes; of one that was tampered with it names the first position that is wrong.

Each thing is done to a copy whose triggers are dropped, as somebody would who has the file in hand.
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
    """What `verify --json` says, after it has exited with `code`."""
    result = run("verify", "--data", data, "--json", *options)
    assert result.exit_code == code, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    assert answer["intact"] == (code == 0)
    return answer


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which three posts were written, edited in turn, and published."""
    data = tmp_path_factory.mktemp("newsroom") / "store"

    async def write() -> None:
        async with client(data) as one:
            posts = [await one.write(title) for title in ("Tide tables", "Low water", "The mill")]
            for number in range(3):
                for post in posts:
                    await one.do("postEdit", id=post["id"], body=f"Edition {number} of {post['slug']}")
            for post in posts:
                await one.do("postPublish", id=post["id"])

    asyncio.run(write())
    return data


@pytest.fixture
def data(newsroom: Path, tmp_path: Path) -> Path:
    """A copy of the store."""
    return Path(shutil.copytree(newsroom, tmp_path / "store"))


@pytest.fixture
def kept(newsroom: Path, tmp_path: Path) -> Path:
    """The head of the intact log, kept in a file."""
    file = tmp_path / "head.json"
    file.write_text(run("head", "--json", "--data", newsroom).stdout)
    return file


def tamper(data: Path, *what: Tamper, views: bool = False) -> None:
    """Change the log past its triggers, and with `views` make the views be gone."""
    with closing(sqlite3.connect(data / "log.sqlite", isolation_level=None)) as db:
        triggers = db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for one in what:
            one(db)
    if views:
        remove_views(data)


def remove_views(data: Path) -> None:
    for file in data.glob("views-*"):
        file.unlink()


def sql(statement: str, *parameters: object) -> Tamper:
    return lambda db: db.execute(statement, parameters)


def edits(data: Path) -> Iterator[int]:
    """The positions of the edits, each a command of its own."""
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


def swap(one: int, other: int) -> Tamper:
    def exchange(db: sqlite3.Connection) -> None:
        for old, new in ((one, -1), (other, one), (-1, other)):
            db.execute("UPDATE event SET position = ? WHERE position = ?", (new, old))

    return exchange


def rewrite(position: int) -> Tamper:
    """Put another text into an event, with a commitment that fits it."""

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


def test_an_intact_log_passes(data: Path, kept: Path) -> None:
    result = run("verify", "--data", data, "--head", kept)
    assert result.exit_code == 0, result.output
    assert "The log is intact" in result.stdout
    assert "It extends the saved head" in result.stdout
    answer = verified(data, "--head", kept, code=0)
    assert answer["head"] == json.loads(kept.read_text()) == answer["extends"]
    assert answer["views"]["position"] == answer["head"]["size"]
    assert answer["views"]["differing"] == []
    assert answer["views"]["tables"]["post"]["rows"] == 3
    assert not list(data.glob(".verify-*"))


def test_a_log_that_has_grown_extends_the_head_kept(data: Path, kept: Path) -> None:
    async def write() -> None:
        async with client(data) as one:
            await one.write("One more")

    asyncio.run(write())
    answer = verified(data, "--head", kept, code=0)
    assert answer["head"]["size"] > answer["extends"]["size"]


def test_without_views_the_log_is_checked_all_the_same(data: Path) -> None:
    remove_views(data)
    answer = verified(data, code=0)
    assert answer["views"] is None
    assert "no views yet" in run("verify", "--data", data).stdout
    assert not list(data.glob("views-*"))


# --- tampered with --------------------------------------------------------------------------------


@pytest.mark.parametrize("views_gone", [False, True])
class TestByItself:
    """What the log shows by itself, whether there are views or not."""

    def found(self, data: Path, what: Tamper, position: int, says: str, *, views_gone: bool) -> None:
        tamper(data, what, views=views_gone)
        answer = verified(data, code=1)
        assert (answer["position"], says in answer["wrong"]) == (position, True), answer["wrong"]
        assert answer["head"]["size"] == position - 1
        assert f"position {position}: " in run("verify", "--data", data).stderr

    def test_one_flipped_byte_in_a_payload(self, data: Path, *, views_gone: bool) -> None:
        position = list(edits(data))[4]
        self.found(data, flip_a_byte(position), position, "match the commitment", views_gone=views_gone)

    def test_a_deleted_row(self, data: Path, *, views_gone: bool) -> None:
        position = list(edits(data))[4]
        deletion = sql("DELETE FROM event WHERE position = ?", position)
        self.found(data, deletion, position, "missing", views_gone=views_gone)

    def test_a_deleted_row_with_those_after_it_moved_up(self, data: Path, *, views_gone: bool) -> None:
        position = list(edits(data))[4]

        def close_the_gap(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM event WHERE position = ?", (position,))
            rest = db.execute("SELECT position FROM event WHERE position > ? ORDER BY position", (position,))
            for (later,) in rest.fetchall():
                db.execute("UPDATE event SET position = position - 1 WHERE position = ?", (later,))

        tamper(data, close_the_gap, views=views_gone)
        answer = verified(data, code=1)
        # The next event of the same post has a version too many.
        expected = list(edits(data))[6] if views_gone else position
        assert answer["position"] == expected

    def test_two_swapped_rows_of_one_stream(self, data: Path, *, views_gone: bool) -> None:
        _, first, *_, last = list(edits(data))[:5]
        self.found(data, swap(first, last), first, "version", views_gone=views_gone)

    def test_two_swapped_rows_of_one_command(self, data: Path, *, views_gone: bool) -> None:
        self.found(data, swap(2, 3), 2, "event 2 of its command", views_gone=views_gone)

    def test_a_forged_commitment(self, data: Path, *, views_gone: bool) -> None:
        position = list(edits(data))[2]
        forged = sql("UPDATE event SET payload_commitment = randomblob(32) WHERE position = ?", position)
        self.found(data, forged, position, "match the commitment", views_gone=views_gone)

    def test_a_payload_gone_without_a_withdrawal(self, data: Path, *, views_gone: bool) -> None:
        position = list(edits(data))[2]
        gone = sql("UPDATE event SET payload = NULL, salt = NULL WHERE position = ?", position)
        self.found(data, gone, position, "no withdrawal", views_gone=views_gone)

    @pytest.mark.parametrize(
        ("change", "says"),
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
    def test_a_changed_column(self, data: Path, change: str, says: str, *, views_gone: bool) -> None:
        position = list(edits(data))[5]
        forged = sql(f"UPDATE event SET {change} WHERE position = ?", position)
        self.found(data, forged, position, says, views_gone=views_gone)

    def test_a_log_that_does_not_begin_with_its_opening(self, data: Path, *, views_gone: bool) -> None:
        with closing(sqlite3.connect(data / "log.sqlite")) as db:
            events = db.execute("SELECT position, type FROM event").fetchall()
        (first_post,) = [position for position, type_ in events if type_ == "post.created"][:1]
        forged = sql("UPDATE event SET type = 'log.opened' WHERE position = ?", first_post)
        self.found(data, forged, first_post, "cannot be read", views_gone=views_gone)


@pytest.mark.parametrize(
    "change", ["actor_id = '00000000-0000-8000-8000-000000000009'", "recorded_at = recorded_at + 1"]
)
def test_a_changed_header_is_found_by_the_views_or_a_head_kept(data: Path, kept: Path, change: str) -> None:
    position = list(edits(data))[5]
    tamper(data, sql(f"UPDATE event SET {change} WHERE position = ?", position))
    answer = verified(data, code=1)
    assert (answer["position"], "views were built" in answer["wrong"]) == (position, True)
    remove_views(data)
    verified(data, code=0)
    assert "differ from the saved head" in verified(data, "--head", kept, code=1)["wrong"]


def test_swapped_commands_are_found_by_the_views_or_a_head_kept(data: Path, kept: Path) -> None:
    first, second, *_ = edits(data)
    tamper(data, swap(first, second))
    assert verified(data, code=1)["position"] == first
    remove_views(data)
    assert "differ from the saved head" in verified(data, "--head", kept, code=1)["wrong"]


def test_a_tail_cut_off_is_caught_by_a_head_kept_earlier(data: Path, kept: Path) -> None:
    size = json.loads(kept.read_text())["size"]
    tamper(data, sql("DELETE FROM event WHERE position > ?", size - 2))
    answer = verified(data, code=1)
    assert (answer["position"], "the head in the views" in answer["wrong"]) == (size - 1, True)
    remove_views(data)
    assert verified(data, code=0)["head"]["size"] == size - 2
    answer = verified(data, "--head", kept, code=1)
    assert (answer["position"], "the log ends" in answer["wrong"]) == (size - 1, True)


def test_a_log_rewritten_with_all_its_hashes_is_caught_by_a_head_kept_earlier(data: Path, kept: Path) -> None:
    size = json.loads(kept.read_text())["size"]
    position = list(edits(data))[4]
    tamper(data, rewrite(position))
    assert verified(data, code=1)["position"] == position, "the views remember the leaf"
    remove_views(data)
    run("head", "--data", data)  # the views are made anew, from what is there now
    answer = verified(data, code=0)
    assert answer["head"]["size"] == size
    answer = verified(data, "--head", kept, code=1)
    assert f"the first {size} events differ from the saved head" in answer["wrong"]


def test_a_log_rewritten_from_its_first_event_on_is_caught_by_a_head_kept_earlier(
    data: Path, kept: Path
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
    verified(data, "--head", kept, code=1)


# --- views and heads ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE body SET markdown = 'Nobody wrote this.'", "body"),
        ("DELETE FROM post", "post"),
        ("UPDATE merkle_subtree SET hash = randomblob(32) WHERE id = 2", "merkle_subtree"),
        ("UPDATE merkle_subtree SET hash = randomblob(32) WHERE id = 30", "the head in the views"),
    ],
)
def test_views_that_do_not_follow_from_the_log(data: Path, statement: str, says: str) -> None:
    (views,) = data.glob("views-*.sqlite")
    with closing(sqlite3.connect(views, isolation_level=None)) as db:
        db.execute(statement)
    answer = verified(data, code=1)
    assert answer["position"] is None
    assert says in answer["wrong"]


def test_views_that_lag_behind_are_compared_as_far_as_they_reach(data: Path, tmp_path: Path) -> None:
    old = [shutil.copy(file, tmp_path) for file in data.glob("views-*")]

    async def write() -> None:
        async with client(data) as one:
            await one.write("One more")

    asyncio.run(write())
    remove_views(data)
    for file in old:
        shutil.copy(file, data)
    answer = verified(data, code=0)
    assert 0 < answer["views"]["position"] < answer["head"]["size"]


def test_a_head_of_another_publication_is_told(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run("demo", "--data", other).exit_code == 0
    head = tmp_path / "other.json"
    head.write_text(run("head", "--json", "--data", other).stdout)
    assert "belongs to publication" in verified(data, "--head", head, code=1)["wrong"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}", b"[]", b"\xff", b'{"v":2,"publication":"","size":1,"root":"","recordedTime":1}'],
)
def test_a_head_that_is_none_is_refused(data: Path, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "none.json"
    if content is not None:
        file.write_bytes(content)
    assert run("verify", "--data", data, "--head", file).exit_code == 2


def test_there_must_be_a_store(tmp_path: Path) -> None:
    for command in ("head", "verify"):
        assert run(command, "--data", tmp_path / "none").exit_code == 3
    assert not (tmp_path / "none").exists()


KEYS: Final = {"v", "publication", "size", "root", "recordedTime"}


def test_a_head_says_what_the_log_is(data: Path) -> None:
    head = json.loads(run("head", "--json", "--data", data).stdout)
    assert set(head) == KEYS
    text = run("head", "--data", data).stdout
    assert head["root"] in text
    assert "2024-05-04T08:" in text


def test_a_head_is_told_without_views_and_none_are_made_for_it(data: Path, tmp_path: Path) -> None:
    elsewhere, node = f"sqlite:{data / 'log.sqlite'}", tmp_path / "node"
    head = run("head", "--json", "--data", data).stdout
    for command in (("head", "--json"), ("verify",)):
        assert run(*command, "--log", elsewhere, "--data", node).exit_code == 0
        assert not node.exists()
    assert run("head", "--json", "--log", elsewhere, "--data", node).stdout == head
    remove_views(data)
    assert run("head", "--json", "--data", data).stdout == head
    position = list(edits(data))[4]
    tamper(data, flip_a_byte(position), views=True)
    wrong = run("head", "--log", elsewhere, "--data", node)
    assert (wrong.exit_code, f"position {position}: " in wrong.stderr) == (1, True), wrong.output
