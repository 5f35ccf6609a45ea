"""`scripts/cluster`: a newsroom on several servers of one machine; it demonstrates failures and cleans up."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
SECONDS = 150.0
_PROCESS = re.compile(r"process (\d+)")


async def started(temporary: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.clustering.cluster", *options,
        cwd=CHECKOUT, env={**os.environ, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def rest(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(SECONDS):
        output, _ = await process.communicate()
    return output.decode()


def assert_nothing_left(temporary: Path, output: str) -> None:
    """Fail unless all processes in the output have ended and all files are deleted."""
    pids = {int(pid) for pid in _PROCESS.findall(output)}
    assert len(pids) >= 4
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert list(temporary.iterdir()) == []


@pytest.fixture
def temporary() -> Iterator[Path]:
    # Not in the directory of pytest, which only its owner may enter: PostgreSQL may have to run as another user.
    with tempfile.TemporaryDirectory(prefix="lp-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.mark.serial
@pytest.mark.parametrize("options", [(), ("--postgres",)], ids=["jetstream", "postgres"])
async def test_the_demonstration_succeeds_and_cleans_up(temporary: Path, options: tuple[str, ...]) -> None:
    process = await started(temporary, "--once", *options)
    output = await rest(process)
    print(output)  # noqa: T201
    assert process.returncode == 0, output
    assert "Each acknowledged write is in the log exactly once." in output
    assert "The three nodes agree." in output
    assert re.search(r"repeated: .*connection refused \d+.* rejected", output), "of the killed node"
    assert not re.search(r" rejected,.*(refused|LOG_UNAVAILABLE)", output)
    assert output.count("Writes stalled for") == 3
    assert not re.search(r" (?!none)\S+ failed\.", output), "a read failed"
    assert_nothing_left(temporary, output)


async def test_the_cluster_restarts_killed_processes_and_stops_on_a_signal(temporary: Path) -> None:
    process = await started(temporary, "--no-show")
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(SECONDS):
        while "Ctrl+C" not in output:
            line = await process.stdout.readline()
            assert line, output
            output += line.decode()
        victim = re.search(r"kill -9 (\d+) +# node-2", output)
        assert victim, output
        os.kill(int(victim[1]), signal.SIGKILL)
        while "node-2 is back" not in output:
            line = await process.stdout.readline()
            assert line, output
            output += line.decode()
    process.send_signal(signal.SIGTERM)
    output += await rest(process)
    assert process.returncode == 0, output
    assert_nothing_left(temporary, output)
