"""`scripts/cluster`: a newsroom on several servers of one machine, which shows what a kill does, and cleans up."""

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
        said, _ = await process.communicate()
    return said.decode()


def nothing_left(temporary: Path, said: str) -> None:
    """Fail unless all processes that were named are gone, and all files."""
    pids = {int(one) for one in _PROCESS.findall(said)}
    assert len(pids) >= 4
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert list(temporary.iterdir()) == []


@pytest.fixture
def temporary() -> Iterator[Path]:
    # Not below pytest's own directory, which only its owner may enter: PostgreSQL may have to run as another user.
    with tempfile.TemporaryDirectory(prefix="lp-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@pytest.mark.serial
@pytest.mark.parametrize("options", [(), ("--postgres",)], ids=["jetstream", "postgres"])
async def test_the_show_ends_well_and_leaves_nothing_behind(
    temporary: Path, options: tuple[str, ...]
) -> None:
    process = await started(temporary, "--once", *options)
    said = await rest(process)
    print(said)  # noqa: T201
    assert process.returncode == 0, said
    assert "Each acknowledged write is in the log exactly once." in said
    assert "The three nodes agree." in said
    assert re.search(r"repeated: .*connection refused \d+.* rejected", said), "of the killed node"
    assert not re.search(r" rejected,.*(refused|LOG_UNAVAILABLE)", said)
    assert said.count("Writes stalled for") == 3
    assert not re.search(r" (?!none)\S+ failed\.", said), "a read failed"
    nothing_left(temporary, said)


async def test_it_stays_up_starts_again_what_is_killed_and_stops_on_a_signal(temporary: Path) -> None:
    process = await started(temporary, "--no-show")
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(SECONDS):
        while "Ctrl+C" not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        victim = re.search(r"kill -9 (\d+) +# node-2", said)
        assert victim, said
        os.kill(int(victim[1]), signal.SIGKILL)
        while "node-2 is back" not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    process.send_signal(signal.SIGTERM)
    said += await rest(process)
    assert process.returncode == 0, said
    nothing_left(temporary, said)
