"""A new node joins a long log: from a views copy of another node, against a replay of the whole log.

The benchmark times the steps of an operator with the real program, in one run:

- Replay: `ledgerpress serve` in an empty directory, until `/health/ready` returns 200.
- Join: `ledgerpress views restore` of a views copy into an empty directory, then `ledgerpress serve` there, until it is
  ready. The copy was taken from the first node while it served, and posts were written since.

At the end both nodes must have the same views: their digests are compared table by table. The log is that of a
generated newsroom (`scripts/workloads/generated_log.py`), about nine events per post. By default it is in a file; with
`--engine` it is in a PostgreSQL or NATS server that is started for it, and with `--log` at a URL without a log.

Exits with 1 if the views differ, or if joining a log of at least 1,000,000 events takes more than a tenth of the time
of the replay. With fewer events, the start of the programs dominates.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from ledgerpress.features.registry import all_projectors
from ledgerpress.server.log_factory import open_copy_target
from ledgerpress.server.log_url import LogUrl
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.views.files.comparison import TableDigest, table_digests
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection.checkpoints import BOOKKEEPING
from scripts.engines.nats import temporary_server
from scripts.engines.postgres import PostgresServer
from scripts.workloads.generated_log import PUBLICATION, GeneratedLog
from tests.integration.server_process import PROGRAM, Server, Servers

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
BATCH: Final = 1_000
SINCE: Final = 100
"""Posts that are written after the views copy was taken."""
MOST: Final = 0.1
TARGET_FROM: Final = 1_000_000
REPLAY_TIMEOUT: Final = 3_600.0
"""Seconds that a replay may take at most."""


@contextmanager
def place(engine: str, folder: Path) -> Iterator[str]:
    """Provide the URL of a place without a log, and run the engine's server if it needs one."""
    if engine == "postgres":
        with closing(PostgresServer()) as server:
            yield server.url("join")
    elif engine == "jetstream":
        with temporary_server() as nats:
            yield nats.url("join")
    else:
        yield f"sqlite:{folder / 'log.sqlite'}"


async def make_log(url: str, folder: Path, events: int) -> None:
    """Write a generated log with `events` events."""
    replica = await open_copy_target(LogUrl.parse(url), folder, PUBLICATION)
    try:
        for batch in GeneratedLog().batches(events, BATCH):
            await replica.extend(batch)
        await replica.finish()
    finally:
        await replica.aclose()


async def ready(server: Server) -> Server:
    """Wait until a server is ready, for at most `REPLAY_TIMEOUT`."""
    async with asyncio.timeout(REPLAY_TIMEOUT):
        while b"/graphql" not in server.output.read_bytes():
            if not server.is_running:
                raise SystemExit(f"the server has ended: {server.words()}")
            await asyncio.sleep(0.02)
    return await server.ready()


async def command(*arguments: str | Path) -> float:
    """Run a `ledgerpress` command, and return the seconds that it took."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*PROGRAM, *arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode:
        raise SystemExit(f"ledgerpress {' '.join(map(str, arguments))} failed: {errors.decode()}")
    return time.perf_counter() - started


async def write(server: Server) -> None:
    """Write `SINCE` posts."""
    async with await server.connect() as editor:
        for number in range(SINCE):
            (await editor.mutate("postCreate", title=f"Since the snapshot, number {number}")).done  # noqa: B018


def views_of(data: Path) -> Path:
    views = ViewsDirectory(data, all_projectors()).current
    if views is None:
        raise SystemExit(f"there are no views in {data}")
    return views


def digests_of(data: Path) -> dict[str, TableDigest]:
    with closing(open_to_read(views_of(data))) as db:
        return table_digests(db, BOOKKEEPING)


async def measure(folder: Path, url: str, events: int) -> bool:
    """Measure, print the results, and return whether the views are equal and the target is met."""
    print(f"writing a log of {events:,} events", flush=True)
    await make_log(url, folder, events)
    first, second, copy = folder / "first", folder / "second", folder / "snapshot"
    async with Servers(folder) as servers:
        started = time.perf_counter()
        server = await ready(await servers.launch(first, "--log", url))
        replay = time.perf_counter() - started
        size = views_of(first).stat().st_size
        print(
            f"replay        {replay:8.1f} s   {events / replay:,.0f} events/s, including the start of the program"
        )
        print(f"views         {size / 2**20:8,.0f} MiB {size / events:,.0f} bytes per event", flush=True)
        copying = await command("views", "snapshot", copy, "--data", first)
        print(f"views copy    {copying:8.1f} s   while the node serves", flush=True)
        await write(server)

        started = time.perf_counter()
        restore = await command("views", "restore", copy, "--data", second, "--log", url)
        joined = await ready(await servers.launch(second, "--log", url))
        join = time.perf_counter() - started
        print(
            f"join          {join:8.1f} s   restore {restore:.1f} s, start until ready {join - restore:.1f} s"
        )
        for node in (server, joined):
            await node.stop()
    ratio = join / replay
    same = digests_of(first) == digests_of(second)
    print(f"the views are {'equal' if same else 'DIFFERENT'}")
    has_target = events >= TARGET_FROM
    verdict = ("met" if ratio <= MOST else "MISSED") if has_target else f"applies from {TARGET_FROM:,} events"
    print(f"join / replay {ratio:8.3f}     target: at most {MOST}: {verdict}")
    return same and (ratio <= MOST or not has_target)


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the log (1,000,000)")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "jetstream"), default="sqlite")
    parser.add_argument("--log", help="the URL of a place without a log, instead of --engine")
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT, help="directory for the files (the checkout)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as name:
        folder = Path(name)
        with nullcontext(options.log) if options.log else place(options.engine, folder) as url:
            met = asyncio.run(measure(folder, url, options.events))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
