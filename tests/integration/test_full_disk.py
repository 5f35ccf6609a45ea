"""What copies to a disk that takes no more: it is said, ends with 3, and nothing is left that is in the way later."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from tests.integration.program_runs import ROOT


def run(
    *arguments: str | Path, most: int | None = None, output: IO[bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program, which can write no more than `most` bytes to a file: the last write before that is cut short."""

    def limited() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.PIPE,
        check=False,
        encoding="utf-8",
        timeout=120,
        preexec_fn=limited,
    )


def refuses_its_output(failed: subprocess.CompletedProcess[str]) -> bool:
    """Return whether a program said in one line that it is standard output that takes no more, and ended with 3."""
    return failed.returncode == 3 and failed.stderr.startswith(
        "ledgerpress: standard output cannot be written: "
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("store") / "data"
    assert run("demo", "--data", data).returncode == 0
    assert run("status", "--data", data).returncode == 0
    return data


def test_a_snapshot_of_views(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "snapshot"
    assert run("views", "snapshot", file, "--data", store).returncode == 0
    whole = file.stat().st_size
    file.unlink()
    for size in (100_000, whole - 10):
        failed = run("views", "snapshot", file, "--data", store, most=size)
        assert (failed.returncode, "File too large" in failed.stderr) == (3, True), failed.stderr
        assert not list(tmp_path.iterdir())


def test_a_snapshot_that_is_restored(store: Path, tmp_path: Path) -> None:
    snapshot, node, log = tmp_path / "snapshot", tmp_path / "node", f"sqlite:{store / 'log.sqlite'}"
    assert run("views", "snapshot", snapshot, "--data", store).returncode == 0
    failed = run("views", "restore", snapshot, "--data", node, "--log", log, most=100_000)
    assert (failed.returncode, "File too large" in failed.stderr) == (3, True), failed.stderr
    assert not node.exists()
    assert run("views", "restore", snapshot, "--data", node, "--log", log).returncode == 0


def test_a_backup_and_its_restore(store: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    file, new = tmp_path / "backups" / "log", tmp_path / "new"
    failed = run("log", "backup", file, "--data", store, most=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    assert not list(file.parent.iterdir())
    assert run("log", "backup", file, "--data", store).returncode == 0
    failed = run("log", "restore", file, "--data", new, most=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    assert not list(new.iterdir())
    for left in (".log.sqlite.1.2.unfinished", ".log.sqlite.1.2.unfinished-journal"):  # as by a kill
        (new / left).touch()
    assert run("log", "restore", file, "--data", new).returncode == 0


def test_a_copy(store: Path, tmp_path: Path) -> None:
    copy = f"sqlite:{tmp_path / 'copy'}"
    failed = run("log", "copy", "sqlite:", copy, "--data", store, most=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    again = run("log", "copy", "sqlite:", copy, "--data", store)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "settings --json",
        "status --data STORE",
        "head --data STORE",
        "verify --json --data STORE",
        "views list --data STORE",
        "views snapshot - --data STORE",
        "events tail --data STORE",
        "events export - --data STORE",
        "log copy sqlite: sqlite:COPY --json --data STORE",
    ],
)
def test_standard_output(store: Path, tmp_path: Path, command: str) -> None:
    places = {"STORE": str(store), "sqlite:COPY": f"sqlite:{tmp_path / 'copy'}"}
    with Path("/dev/full").open("wb") as full:
        failed = run(*(places.get(word, word) for word in command.split()), output=full)
    assert refuses_its_output(failed), failed.stderr
    assert len(failed.stderr.splitlines()) == 1, failed.stderr


@pytest.mark.parametrize("command", [("views", "snapshot", "-"), ("events", "export", "-")])
def test_the_last_bytes_to_standard_output(store: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    with file.open("wb") as output:
        assert run(*command, "--data", store, output=output).returncode == 0
    with file.open("r+b") as output:
        failed = run(*command, "--data", store, output=output, most=file.stat().st_size - 10)
    assert refuses_its_output(failed), failed.stderr


def test_a_standard_output_that_is_closed_is_said_before_anything_is_done(
    store: Path, tmp_path: Path
) -> None:
    for command in ("status --data STORE", "log backup BACKUP --data STORE", "events export - --data STORE"):
        arguments = command.replace("STORE", str(store)).replace("BACKUP", str(tmp_path / "backup")).split()
        closed = subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "ledgerpress", *arguments],
            cwd=ROOT, stderr=subprocess.PIPE, check=False, encoding="utf-8", timeout=120,
        )  # fmt: skip
        assert (closed.returncode, closed.stderr.splitlines()) == (
            3,
            ["ledgerpress: standard output is closed: redirect it to /dev/null if you do not need it"],
        )
    assert not list(tmp_path.iterdir())


def test_a_pipe_that_does_not_block_gets_all(store: Path) -> None:
    whole = run("events", "export", "-", "--data", store).stdout
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(
        [sys.executable, "-m", "ledgerpress", "events", "export", "-", "--data", str(store)],
        cwd=ROOT, stdout=writing, stderr=subprocess.PIPE,
    ) as exporting:  # fmt: skip
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            time.sleep(2)
            assert pipe.read() == whole
        assert exporting.wait(60) == 0
    assert len(whole) > 2 * 65_536
