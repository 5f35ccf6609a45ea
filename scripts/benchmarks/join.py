"""A new node joins a long log: from a views copy of another node, against a replay of the whole log.

What an operator does is timed, with the real program, in one run:

- Replay: `ledgerpress serve` in an empty directory, until `/health/ready` says 200.
- Join: `ledgerpress views restore` of a snapshot into an empty directory, and then `ledgerpress serve` there, until it
  says so. The snapshot was taken from the first node while it served, and posts were written there since.

Both nodes end with the same views: their digests, table by table, are compared. The log is that of a generated newsroom
(`scripts/workloads/generated_log.py`), about ten events a post, by default in a file; with `--engine` in a PostgreSQL or a NATS
server that is started for it, and with `--log` at a URL where no log is yet. Exits with 1 where the views differ, and where a log of at least 1,000,000 events is joined in more than
a tenth of the time that the replay takes: with fewer events the start of the programs themselves counts more.
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
"""Posts that are written after the snapshot was taken."""
MOST: Final = 0.1
PROMISED_AT: Final = 1_000_000
PATIENCE: Final = 3_600.0
"""Seconds that a replay may take."""


@contextmanager
def place(engine: str, folder: Path) -> Iterator[str]:
    """Lend the URL of a place where no log is yet."""
    if engine == "postgres":
        with closing(PostgresServer()) as server:
            yield server.url("join")
    elif engine == "jetstream":
        with temporary_server() as nats:
            yield nats.url("join")
    else:
        yield f"sqlite:{folder / 'log.sqlite'}"


async def make_log(url: str, folder: Path, events: int) -> None:
    """Write the generated log."""
    replica = await open_copy_target(LogUrl.parse(url), folder, PUBLICATION)
    try:
        for batch in GeneratedLog().batches(events, BATCH):
            await replica.extend(batch)
        await replica.finish()
    finally:
        await replica.aclose()


async def ready(server: Server) -> Server:
    """Wait until a server is ready, for as long as a replay may take."""
    async with asyncio.timeout(PATIENCE):
        while b"/graphql" not in server.output.read_bytes():
            if not server.is_running:
                raise SystemExit(f"the server has ended: {server.words()}")
            await asyncio.sleep(0.02)
    return await server.ready()


async def command(*arguments: str | Path) -> float:
    """Run the program, and return how many seconds that took."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*PROGRAM, *arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    if process.returncode:
        raise SystemExit(f"ledgerpress {' '.join(map(str, arguments))}: {errors.decode()}")
    return time.perf_counter() - started


async def write(server: Server) -> None:
    """Write some posts."""
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
    """Measure, print, and return whether what is promised is kept."""
    print(f"writing a log of {events:,} events", flush=True)
    await make_log(url, folder, events)
    first, second, snapshot = folder / "first", folder / "second", folder / "snapshot"
    async with Servers(folder) as servers:
        started = time.perf_counter()
        server = await ready(await servers.launch(first, "--log", url))
        replay = time.perf_counter() - started
        size = views_of(first).stat().st_size
        print(
            f"replay        {replay:8.1f} s   {events / replay:,.0f} events/s, start of the program included"
        )
        print(f"views         {size / 2**20:8,.0f} MiB {size / events:,.0f} bytes an event", flush=True)
        taken = await command("views", "snapshot", snapshot, "--data", first)
        print(f"snapshot      {taken:8.1f} s   while the node serves", flush=True)
        await write(server)

        started = time.perf_counter()
        restore = await command("views", "restore", snapshot, "--data", second, "--log", url)
        joined = await ready(await servers.launch(second, "--log", url))
        join = time.perf_counter() - started
        print(
            f"join          {join:8.1f} s   of which restore {restore:.1f} s, start until ready {join - restore:.1f} s"
        )
        for one in (server, joined):
            await one.stop()
    ratio = join / replay
    same = digests_of(first) == digests_of(second)
    print(f"the views are {'the same' if same else 'DIFFERENT'}")
    promised = events >= PROMISED_AT
    verdict = (
        ("kept" if ratio <= MOST else "MISSED") if promised else f"promised from {PROMISED_AT:,} events on"
    )
    print(f"join / replay {ratio:8.3f}     at most {MOST}: {verdict}")
    return same and (ratio <= MOST or not promised)


def main() -> None:
    """Measure, and exit with 1 where a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the log (1,000,000)")
    parser.add_argument("--engine", choices=("sqlite", "postgres", "jetstream"), default="sqlite")
    parser.add_argument("--log", help="the URL of a place where no log is yet, instead of --engine")
    parser.add_argument("--folder", type=Path, default=CHECKOUT, help="where to put the files (the checkout)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as name:
        folder = Path(name)
        with nullcontext(options.log) if options.log else place(options.engine, folder) as url:
            kept = asyncio.run(measure(folder, url, options.events))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
