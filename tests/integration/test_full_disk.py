"""What copies to a disk that takes no more: it is said, ends with 3, and nothing is left that is in the way later."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.programs import ROOT


def run(*arguments: str | Path, most: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program, which can write no more than `most` bytes to a file: the last write before that is cut short."""

    def limited() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=120,
        preexec_fn=limited,
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
