"""Commands that write to a full disk report it, exit with 3 and leave nothing that prevents a second attempt."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final

import pytest

from tests.integration.program_runs import ROOT


def run(
    *arguments: str | Path, max_bytes: int | None = None, output: IO[bytes] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program with a limit of `max_bytes` on the size of files; the write that reaches it is cut short."""

    def limit_file_size() -> None:
        if max_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))

    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.PIPE,
        check=False,
        encoding="utf-8",
        timeout=120,
        preexec_fn=limit_file_size,
    )


def reports_unwritable_output(failed: subprocess.CompletedProcess[str]) -> bool:
    """Return whether a program reported that standard output cannot be written, and exited with 3."""
    return failed.returncode == 3 and failed.stderr.startswith(
        "ledgerpress: standard output cannot be written: "
    )


TOO_LARGE: Final = "the file is larger than the file system or a limit (ulimit -f) allows"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("store") / "data"
    assert run("demo", "--data", data).returncode == 0
    assert run("status", "--data", data).returncode == 0
    return data


def test_a_views_copy(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "snapshot"
    assert run("views", "snapshot", file, "--data", store).returncode == 0
    full_size = file.stat().st_size
    file.unlink()
    for limit in (100_000, full_size - 10):
        failed = run("views", "snapshot", file, "--data", store, max_bytes=limit)
        assert (failed.returncode, f"{file} cannot be written: {TOO_LARGE}" in failed.stderr) == (3, True), (
            failed.stderr
        )
        assert not list(tmp_path.iterdir())


def test_restoring_a_views_copy(store: Path, tmp_path: Path) -> None:
    snapshot, node, log = tmp_path / "snapshot", tmp_path / "node", f"sqlite:{store / 'log.sqlite'}"
    assert run("views", "snapshot", snapshot, "--data", store).returncode == 0
    failed = run("views", "restore", snapshot, "--data", node, "--log", log, max_bytes=100_000)
    assert failed.returncode == 3
    assert re.search(rf"{re.escape(str(node))}/\S+: {re.escape(TOO_LARGE)}", failed.stderr), failed.stderr
    assert not node.exists()
    assert run("views", "restore", snapshot, "--data", node, "--log", log).returncode == 0


def test_a_backup_and_its_restore(store: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    file, new = tmp_path / "backups" / "log", tmp_path / "new"
    failed = run("log", "backup", file, "--data", store, max_bytes=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    assert not list(file.parent.iterdir())
    assert run("log", "backup", file, "--data", store).returncode == 0
    failed = run("log", "restore", file, "--data", new, max_bytes=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    assert not list(new.iterdir())
    for leftover in (".log.sqlite.1.2.unfinished", ".log.sqlite.1.2.unfinished-journal"):  # as after a kill
        (new / leftover).touch()
    assert run("log", "restore", file, "--data", new).returncode == 0


def test_a_log_copy(store: Path, tmp_path: Path) -> None:
    copy = f"sqlite:{tmp_path / 'copy'}"
    failed = run("log", "copy", "sqlite:", copy, "--data", store, max_bytes=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    retry = run("log", "copy", "sqlite:", copy, "--data", store)
    assert retry.returncode == 0, retry.stderr


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("events export FILE --data STORE", "FILE: "),
        ("rebuild --data STORE", "/views-"),
        ("verify --data STORE", "/.verify-"),
        ("views snapshot FILE --data STORE", "FILE"),
    ],
)
def test_the_error_names_the_file(store: Path, tmp_path: Path, command: str, file: str) -> None:
    data, target = shutil.copytree(store, tmp_path / "store"), str(tmp_path / "file")
    arguments = [word.replace("STORE", str(data)).replace("FILE", target) for word in command.split()]
    failed = run(*arguments, max_bytes=100_000)
    assert (failed.returncode, len(failed.stderr.splitlines())) == (3, 1), failed.stderr
    assert file.replace("FILE", target) in failed.stderr
    assert not (tmp_path / "file").exists()


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
    replacements = {"STORE": str(store), "sqlite:COPY": f"sqlite:{tmp_path / 'copy'}"}
    with Path("/dev/full").open("wb") as full:
        failed = run(*(replacements.get(word, word) for word in command.split()), output=full)
    assert reports_unwritable_output(failed), failed.stderr
    assert len(failed.stderr.splitlines()) == 1, failed.stderr


@pytest.mark.parametrize("command", [("views", "snapshot", "-"), ("events", "export", "-")])
def test_the_last_bytes_to_standard_output(store: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    with file.open("wb") as output:
        assert run(*command, "--data", store, output=output).returncode == 0
    with file.open("r+b") as output:
        failed = run(*command, "--data", store, output=output, max_bytes=file.stat().st_size - 10)
    assert reports_unwritable_output(failed), failed.stderr


def test_closed_standard_output_is_reported_before_any_work(store: Path, tmp_path: Path) -> None:
    for command in ("status --data STORE", "log backup BACKUP --data STORE", "events export - --data STORE"):
        arguments = command.replace("STORE", str(store)).replace("BACKUP", str(tmp_path / "backup")).split()
        result = subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "ledgerpress", *arguments],
            cwd=ROOT, stderr=subprocess.PIPE, check=False, encoding="utf-8", timeout=120,
        )  # fmt: skip
        assert (result.returncode, result.stderr.splitlines()) == (
            3,
            ["ledgerpress: standard output is closed: redirect it to /dev/null if you do not need it"],
        )
    assert not list(tmp_path.iterdir())


def test_a_non_blocking_pipe_receives_everything(store: Path) -> None:
    expected = run("events", "export", "-", "--data", store).stdout
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(
        [sys.executable, "-m", "ledgerpress", "events", "export", "-", "--data", str(store)],
        cwd=ROOT, stdout=writing, stderr=subprocess.PIPE,
    ) as exporting:  # fmt: skip
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            time.sleep(2)
            assert pipe.read() == expected
        assert exporting.wait(60) == 0
    assert len(expected) > 2 * 65_536
