"""`head`, `verify` and `events` read a store that cannot be written: without permission, and after a crash."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.program_runs import ROOT
from tests.integration.server_process import Servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are a feature of Linux")

READS: Final = (
    ("head", "--json"),
    ("verify",),
    ("events", "tail"),
    ("events", "export", "-"),
)


_libc: Final = ctypes.CDLL(None, use_errno=True)
_PR_CAPBSET_DROP: Final = 24
_CAPABILITIES: Final = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: without them, permissions apply to root too (capabilities(7))."""


def obey_permissions() -> None:
    if os.geteuid() == 0:
        for capability in _CAPABILITIES:
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "the capability cannot be dropped")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program without the capabilities of root to ignore permissions."""
    return subprocess.run(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        cwd=ROOT, capture_output=True, check=False, encoding="utf-8", timeout=120, preexec_fn=obey_permissions,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory whose files can be deleted at the end."""
    yield tmp_path
    writable(tmp_path)


def read_only(data: Path) -> None:
    for file in data.rglob("*"):
        file.chmod(0o555 if file.is_dir() else 0o444)
    data.chmod(0o555)


def writable(data: Path) -> None:
    for directory in (data, *(path for path in data.rglob("*") if path.is_dir())):
        directory.chmod(0o755)


def contents(data: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in data.iterdir() if file.is_file()}


def demo(data: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "ledgerpress", "demo", "--data", data],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("views", [True, False], ids=["with views", "only the log"])
def test_a_closed_store_is_read_and_not_changed(place: Path, *, views: bool) -> None:
    data = place / "store"
    demo(data)
    if not views:
        for file in data.glob("views-*"):
            file.unlink()
    read_only(data)
    before = contents(data)
    for command in READS:
        result = run(*command, "--data", data)
        assert result.returncode == 0, (command, result.stderr)
    assert contents(data) == before
    failed = run("withdraw", "20", "--reason", "a court", "--data", data)
    assert (failed.returncode, "cannot be" in failed.stderr) == (3, True), failed.stderr


@pytest.mark.parametrize("removed", [(), ("-shm",)], ids=["with all side files", "without the index"])
async def test_a_store_of_a_killed_server_is_read_with_its_last_events(
    place: Path, removed: tuple[str, ...]
) -> None:
    data, copy = place / "store", place / "copy"
    async with Servers(place) as servers:
        server = await servers.start(data)
        async with await server.connect() as client:
            outcome = await client.mutate("postCreate", title="Only in the write-ahead log", publish=True)
        await server.kill()
    assert (data / "log.sqlite-wal").stat().st_size > 0
    shutil.copytree(data, copy)
    for suffix in removed:
        for file in copy.glob(f"*{suffix}"):
            file.unlink()
    read_only(copy)
    verified = run("verify", "--data", copy)
    assert verified.returncode == 0, verified.stderr
    assert json.loads(run("head", "--json", "--data", copy).stdout)["size"] == outcome.position
    assert "Only in the write-ahead log" in run("events", "export", "-", "--data", copy).stdout


async def test_a_running_server_is_read_without_permission_to_write(place: Path) -> None:
    data = place / "store"
    async with Servers(place) as servers:
        server = await servers.start(data)
        read_only(data)
        async with await server.connect() as client:
            for number in range(2):
                outcome = await client.mutate("postCreate", title=f"Post {number}", publish=True)
                last = json.loads(run("events", "tail", "-n", "1", "--data", data).stdout)
                assert int(last["position"]) == outcome.position
        assert run("verify", "--data", data).returncode == 0
        writable(data)
