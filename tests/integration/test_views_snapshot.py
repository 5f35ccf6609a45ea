"""`ledgerpress views snapshot` and `restore`: a copy must be complete, of one position, this log and this version."""

import asyncio
import json
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.cli import app
from ledgerpress.features.registry import all_projectors
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.files import copy_export
from ledgerpress.views.files.copy_restore import ASIDE
from tests.integration.failing_projectors import store_in, with_failing
from tests.integration.graphql_client import Client, client
from tests.integration.program_runs import done, program
from tests.integration.server_process import Servers
from tests.property.view_rows import Rows, rebuilt, rows_of, views_in_use

pytestmark = pytest.mark.usefixtures("any_silence")

SECRET: Final = "The heron nests behind number nine"
LARGE: Final = 200_000
"""Characters: more than fits into a pipe."""


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def log_of(data: Path) -> str:
    """Return the URL of the log in a data directory, for another node."""
    return f"sqlite:{data / LOG_FILE}"


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def write_some(api: Client, count: int = 3) -> None:
    for number in range(count):
        post = await api.write(f"Post {number}", body=f"What happened {number} times. " * 40)
        await api.do("postPublish", id=post["id"])


async def rows_of_the_log(data: Path, path: Path) -> Rows:
    log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
    try:
        return await rebuilt(log, path, batch_size=500)
    finally:
        await log.aclose()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """The directory of a closed store with some posts."""
    async with client(tmp_path / "store") as api:
        await write_some(api)
    return tmp_path / "store"


@pytest.fixture
def snapshot(data: Path, tmp_path: Path) -> Path:
    """A views copy of the store."""
    result = run("views", "snapshot", tmp_path / "snapshot", "--data", data)
    assert result.exit_code == 0, result.stderr
    return tmp_path / "snapshot"


@pytest.fixture
def content(snapshot: Path) -> bytes:
    return snapshot.read_bytes()


def test_the_manifest_describes_the_views_copy(data: Path, snapshot: Path) -> None:
    manifest = json.loads(snapshot.read_bytes().partition(b"\n")[0])
    with closing(sqlite3.connect(views_in_use(data))) as db:
        ((position, leaf_hash),) = set(db.execute("SELECT position, leaf_hash FROM projection"))
        digests = dict(db.execute("SELECT name, sha256 FROM projection_digest"))
    assert (manifest["format"], manifest["version"]) == ("ledgerpress-views", 1)
    assert (manifest["position"], manifest["leafHash"]) == (position, leaf_hash)
    assert manifest["size"] == views_in_use(data).stat().st_size
    assert manifest["projectors"] == {projector.name: projector.version for projector in all_projectors()}
    assert {name: digest["sha256"] for name, digest in manifest["digests"].items()} == digests
    assert manifest["publication"] in run("status", "--data", data).stdout
    assert snapshot.stat().st_mode & 0o077 == 0, "the copy contains drafts: only its owner may read it"


async def test_a_node_continues_from_a_views_copy_and_can_be_copied_itself(
    data: Path, snapshot: Path, tmp_path: Path
) -> None:
    log, second, third = log_of(data), tmp_path / "second", tmp_path / "third"
    await done("views", "restore", snapshot, "--data", second, "--log", log)
    async with client(data) as api:
        await write_some(api, 2)
    pipe = f"{sys.executable} -m ledgerpress views snapshot - --data {second}"
    pipe += f" | {sys.executable} -m ledgerpress views restore - --data {third} --log {log}"
    process = await asyncio.create_subprocess_shell(
        pipe, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (0, b""), err.decode()
    assert rows_of(views_in_use(third)) == rows_of(views_in_use(second))
    inode = views_in_use(third).stat().st_ino
    verified = await done("verify", "--data", third, "--log", log)
    await done("status", "--data", third, "--log", log)
    assert "differ" not in verified
    assert views_in_use(third).stat().st_ino == inode, "the restored views are used"
    assert rows_of(views_in_use(third)) == await rows_of_the_log(data, tmp_path / "anew.sqlite")
    again = await program("views", "restore", snapshot, "--data", third, "--log", log)
    assert (again.code, "has views already" in again.err) == (3, True)


def test_the_default_node_can_restore_lost_views(data: Path, snapshot: Path) -> None:
    rows = rows_of(views_in_use(data))
    for file in data.glob("views*"):
        file.unlink()
    result = run("views", "restore", snapshot, "--data", data)
    assert result.exit_code == 0, result.stderr
    assert rows_of(views_in_use(data)) == rows


async def test_a_views_copy_is_of_one_position_even_during_writes(tmp_path: Path) -> None:
    """The copy pauses in the middle, while so much is written that SQLite would normally write to the copied file."""
    data, other = tmp_path / "store", tmp_path / "other"
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        async with await server.connect() as editor:
            for number in range(8):
                await editor.mutate("postCreate", title=f"Before {number}", body="x" * LARGE)
            copying = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ledgerpress", "views", "snapshot", "-", "--data", data,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1_024,
            )  # fmt: skip
            assert copying.stdout
            first_byte = await copying.stdout.readexactly(1)
            before = views_in_use(data).read_bytes()
            # The server closes a connection that was idle for too long.
            async with await server.connect() as another:
                for number in range(40):
                    written = await another.mutate("postCreate", title=f"During {number}", body="y" * LARGE)
                    assert not written.views_behind
            assert (data / f"{views_in_use(data).name}-wal").stat().st_size > 40 * LARGE
            assert views_in_use(data).read_bytes() == before
            out, err = await copying.communicate()
            assert copying.returncode == 0, err.decode()
            file = tmp_path / "snapshot"
            file.write_bytes(first_byte + out)
            async with await server.connect() as another:
                await another.mutate("postCreate", title="After")
            await done("views", "restore", file, "--data", other, "--log", log_of(data))
            with closing(sqlite3.connect(views_in_use(other))) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                titles = [title for (title,) in db.execute("SELECT title FROM content ORDER BY title")]
                assert titles == [f"Before {number}" for number in range(8)]
            joined = await servers.start(other, "--log", log_of(data))
            assert await joined.stop() == 0
        assert await server.stop() == 0
        assert server.words() == ""
    rows = await rows_of_the_log(data, tmp_path / "anew.sqlite")
    assert rows_of(views_in_use(other)) == rows
    assert rows_of(views_in_use(data)) == rows


@pytest.mark.parametrize("existing", ["a file", "a link to nowhere"])
def test_a_views_copy_overwrites_no_file(data: Path, tmp_path: Path, existing: str) -> None:
    file = tmp_path / "snapshot"
    if existing == "a file":
        file.write_text("Dear diary")
    else:
        file.symlink_to("nowhere")
    before = names(tmp_path)
    result = run("views", "snapshot", file, "--data", data)
    assert (result.exit_code, "exists already" in result.stderr) == (3, True)
    assert names(tmp_path) == before


def test_the_reason_why_views_cannot_be_copied_is_reported(data: Path, tmp_path: Path) -> None:
    before = names(tmp_path)
    for arguments, message in (
        ((tmp_path / "missing" / "snapshot", "--data", data), "cannot be written"),
        ((tmp_path / "snapshot", "--data", tmp_path / "nothing"), "there is no LedgerPress store"),
    ):
        result = run("views", "snapshot", *arguments)
        assert (result.exit_code, message in result.stderr) == (3, True), result.stderr
    assert names(tmp_path) == before
    for file in data.glob("views*"):
        file.unlink()
    result = run("views", "snapshot", tmp_path / "snapshot", "--data", data)
    assert (result.exit_code, "there are no views" in result.stderr) == (3, True)


async def test_views_with_a_paused_projection_are_not_copied(tmp_path: Path) -> None:
    data = tmp_path / "store"
    projectors = with_failing("posts", lambda recorded: recorded.header.type == "post.created")
    async with client(data, projectors=projectors) as api:
        await api.do("postCreate", title="One")
    result = await program("views", "snapshot", tmp_path / "snapshot", "--data", data)
    assert result.code == 3
    assert "projection posts is paused at position" in result.err
    assert not (tmp_path / "snapshot").exists()


def test_copying_views_that_are_read_without_interruption_times_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_export, "BUSY_TIMEOUT", 0.2)
    with (
        closing(sqlite3.connect(views_in_use(data), isolation_level=None)) as db,
        closing(sqlite3.connect(views_in_use(data), isolation_level=None)) as writer,
    ):
        writer.execute("UPDATE views SET began_at = began_at + 1")
        db.execute("BEGIN")
        db.execute("SELECT * FROM projection").fetchall()
        writer.execute("UPDATE views SET began_at = began_at - 1")
        result = run("views", "snapshot", tmp_path / "snapshot", "--data", data)
    assert (result.exit_code, "without interruption" in result.stderr) == (3, True), result.stderr
    assert run("views", "snapshot", tmp_path / "snapshot", "--data", data).exit_code == 0


# --- copies that are not restored --------------------------------------------------------------------


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _with(name: str, value: object) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        line, _, rest = content.partition(b"\n")
        return json.dumps(json.loads(line) | {name: value}).encode() + b"\n" + rest

    return change


DAMAGES: Final[dict[str, tuple[Callable[[bytes], bytes], str]]] = {
    "empty": (lambda _: b"", "is not a views copy"),
    "text": (lambda _: b"Dear diary\n" * 9_000, "is not a views copy"),
    "a database": (lambda content: content.partition(b"\n")[2], "is not a views copy"),
    "part of the first line": (lambda content: content[:100], "is not a views copy"),
    "half": (lambda content: content[: len(content) // 2], "is truncated"),
    "no checksum": (lambda content: content[: content.rindex(b"{")], "has no checksum"),
    "part of the checksum": (lambda content: content[:-10], "has no checksum"),
    "one bit": (_flipped, "its checksum does not match its content"),
    "something added": (lambda content: content + b"\0", "its checksum does not match its content"),
    "another time": (_with("takenAt", 1), "its checksum does not match its content"),
    "a newer format": (_with("version", 2), "was written by another version of LedgerPress"),
    "no size": (_with("size", None), "is damaged"),
    "no hash": (_with("leafHash", "x"), "its first line is invalid"),
    "other projectors": (_with("madeBy", "01234567"), "were built by another version of LedgerPress"),
    "another publication": (
        _with("publication", "9c6a1f0e-0000-7000-8000-000000000000"),
        "but the log belongs to",
    ),
    "beyond the head": (_with("position", 1_000), "but the log ends at"),
    "another position": (_with("position", 3), "contains views of another log"),
    "another event": (_with("leafHash", "0" * 64), "contains views of another log"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("channel", ["file", "pipe"])
def test_an_invalid_copy_is_rejected_and_nothing_is_changed(
    data: Path, snapshot: Path, tmp_path: Path, damage: str, channel: str
) -> None:
    change, message = DAMAGES[damage]
    content = change(snapshot.read_bytes())
    snapshot.write_bytes(content)
    empty = tmp_path / "empty"
    empty.mkdir()
    for node in (tmp_path / "new", empty):
        source = ("-", content) if channel == "pipe" else (snapshot, None)
        result = run("views", "restore", source[0], "--data", node, "--log", log_of(data), stdin=source[1])
        assert result.exit_code == 3, result.stderr
        assert message in result.stderr
        assert result.stdout == ""
    assert names(empty) == []
    assert not (tmp_path / "new").exists()


async def test_views_of_another_version_are_rejected(data: Path, snapshot: Path, tmp_path: Path) -> None:
    restoring = await program(
        "views", "restore", snapshot, "--data", tmp_path / "new", "--log", log_of(data), change="capitals"
    )
    assert restoring.code == 3
    assert "were built by another version" in restoring.err
    assert "replays the log" in restoring.err
    copying = await program("views", "snapshot", tmp_path / "another", "--data", data, change="capitals")
    assert (copying.code, "were built by another version" in copying.err) == (3, True)
    assert sorted({"store", "snapshot"} & set(names(tmp_path))) == names(tmp_path)


async def test_a_copy_of_a_log_with_another_history_is_rejected(data: Path, tmp_path: Path) -> None:
    """A log that was restored from a backup and then written to: the same publication, but other events."""
    older = tmp_path / "older"
    shutil.copytree(data, older)
    async with client(data) as api:
        await write_some(api)
    await done("views", "snapshot", tmp_path / "snapshot", "--data", data)
    restore = ("views", "restore", tmp_path / "snapshot", "--data", tmp_path / "b", "--log", log_of(older))
    shorter_log = await program(*restore)
    assert (shorter_log.code, "but the log ends at" in shorter_log.err) == (3, True)
    async with store_in(older), client(older) as api:
        for number in range(20):
            await api.write(f"Something else {number}")
    other_events = await program(*restore)
    assert (other_events.code, "views of another log" in other_events.err) == (3, True), other_events.err
    assert not (tmp_path / "b").exists()


def test_the_reason_why_a_copy_cannot_be_restored_is_reported(
    data: Path, snapshot: Path, tmp_path: Path
) -> None:
    log, diary = log_of(data), tmp_path / "diary"
    diary.mkdir()
    (diary / "diary.txt").write_text("Dear diary")
    for arguments, code, message in (
        ((snapshot, "--data", diary, "--log", log), 3, "contains other files"),
        ((snapshot, "--data", data, "--log", log), 3, "has views already"),
        ((snapshot, "--data", tmp_path / "new"), 3, "use --log with the URL of the publication's log"),
        ((tmp_path / "missing", "--data", tmp_path / "new", "--log", log), 2, "cannot be read"),
        ((snapshot, "--data", tmp_path / "new", "--log", f"{log}.not"), 3, "there is no log at"),
    ):
        result = run("views", "restore", *arguments)
        assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert names(diary) == ["diary.txt"]
    assert not (tmp_path / "new").exists()


async def test_a_killed_restore_leaves_no_views_in_use(
    data: Path, snapshot: Path, content: bytes, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledgerpress", "views", "restore", "-", "--data", new, "--log", log_of(data),
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(content[: len(content) // 2])
    async with asyncio.timeout(60):
        while not list(new.glob(f"{ASIDE}*")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    assert not list(new.glob("views*"))
    await done("views", "restore", snapshot, "--data", new, "--log", log_of(data))
    assert not list(new.glob(f"{ASIDE}*"))
    path, rows = views_in_use(new), rows_of(views_in_use(data))
    assert rows_of(path) == rows
    # As if it was killed after the views got their name and before they were in use.
    (new / "views.json").unlink()
    inode = path.stat().st_ino
    await done("status", "--data", new, "--log", log_of(data))
    assert views_in_use(new).stat().st_ino == inode, "the restored views are used"
    assert rows_of(views_in_use(new)) == rows


# --- withdrawals -------------------------------------------------------------------------------------


async def test_withdrawn_text_is_not_copied_and_does_not_return(tmp_path: Path) -> None:
    """A copy from before a withdrawal contains the text; a node that starts with it erases the text before serving."""
    data, new = tmp_path / "store", tmp_path / "new"
    async with client(data) as api:
        await write_some(api)
        post = await api.write("Birds of the marsh")
        edited = await api.do("postEdit", id=post["id"], body=f"{SECRET}, said a ranger.")
        await api.do("postPublish", id=post["id"])
        await api.do("postEdit", id=post["id"], body="Herons nest somewhere.")
        await done("views", "snapshot", tmp_path / "before", "--data", data)
        await done("withdraw", str(edited["position"]), "--reason", "Order 7/24", "--yes", "--data", data)
        await done("views", "snapshot", tmp_path / "after", "--data", data)
        await write_some(api)
    assert SECRET.encode() in (tmp_path / "before").read_bytes()
    assert SECRET.encode() not in (tmp_path / "after").read_bytes()
    log = log_of(data)
    await done("views", "restore", tmp_path / "before", "--data", new, "--log", log)
    async with Servers(tmp_path) as servers:
        await (await servers.start(new, "--log", log)).stop()
    for file in new.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file
    assert rows_of(views_in_use(new)) == await rows_of_the_log(data, tmp_path / "anew.sqlite")


# --- serving -----------------------------------------------------------------------------------------


async def test_a_node_does_not_listen_before_it_has_caught_up(
    data: Path, snapshot: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    await done("views", "restore", snapshot, "--data", new, "--log", log_of(data))
    async with client(data) as api:
        await write_some(api)
        head = await api.store.log.head()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with Servers(tmp_path) as servers:
        with closing(sqlite3.connect(views_in_use(new), isolation_level=None)) as db:
            # All writers of the views wait for this transaction, so the server cannot catch up.
            db.execute("BEGIN IMMEDIATE")
            server = await servers.launch(new, "--port", str(port), "--log", log_of(data))
            async with asyncio.timeout(60):
                while not _has_open(server.pid, views_in_use(new)):
                    assert server.is_running, server.words()
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            assert server.is_running
            assert "http://" not in server.output.read_text("utf-8")
            db.execute("ROLLBACK")
        await server.ready()
        assert (await server.address())[1] == port
        async with await server.connect() as reader:
            _, position = await reader.execute("{ posts(first: 1) { totalCount } }")
        assert position == head


def _has_open(pid: int, file: Path) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if descriptor.readlink() == file:
                return True
    return False
