"""Kills of a server during bulk requests of 1,000 commands: an atomic one applies all or none, and a retry nothing twice.

Every other request is atomic. Each edits 1,000 posts. The server is killed with SIGKILL at a random moment of the request
and started again. Then the log contains all commands of an atomic request or none. The request is sent again with the same
key, twice. At the end, each command must be in the log exactly once, without a gap, and `ledgerpress verify` must succeed,
which compares the views with rebuilt ones.

Exits with 1 if a check fails. The same seed chooses the same moments again, as parts of the duration of a request.
"""

# ruff: noqa: S311 - the choices need no cryptography

import argparse
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from random import Random

import uvloop

from ledgerpress.server.data_directory import LOG_FILE
from scripts.benchmarks.kills import CHECKOUT, verify
from scripts.workloads.killed_parts import ENGINES
from tests.integration.bulk_kills import MODES, KilledBulkRequests
from tests.integration.server_process import Servers


async def measure(engine_name: str, kills: int, commands: int, seed: int) -> None:
    """Send the requests and kill the server, and print a summary. Raises `AssertionError` if a check fails."""
    began = time.monotonic()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT)))
        engine = stack.enter_context(ENGINES[engine_name]()) if engine_name in ENGINES else None
        data = place / "data"
        url = f"sqlite:{data / LOG_FILE}" if engine is None else engine.url()
        async with Servers(place) as servers:
            requests = KilledBulkRequests(
                servers, data, url, commands, Random(seed), () if engine is None else ("--log", url)
            )
            await requests.run(kills)
        await verify(data, url if engine else "sqlite:")
    for mode in MODES:
        print(f"{mode:<11} {requests.seconds[mode]:.2f} s for {commands:,} commands without a kill")
    for name, count in sorted(requests.counts.items()):
        print(f"{count:>3}  {name}")
    print(f"{kills} kills, {time.monotonic() - began:.0f} s")
    print("Atomic requests were recorded as a whole or not at all, and each command once.")


def main() -> None:
    """Run the benchmark, and exit with 1 if a check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["sqlite", *ENGINES], default="sqlite")
    parser.add_argument("--kills", type=int, default=20, help="kills (20)")
    parser.add_argument("--commands", type=int, default=1_000, help="commands in each request (1000)")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="the seed of an earlier run"
    )
    options = parser.parse_args()
    name = f"--engine {options.engine} --kills {options.kills} --commands {options.commands} --seed {options.seed}"
    print(name, flush=True)
    try:
        uvloop.run(measure(options.engine, options.kills, options.commands, options.seed))
    except* (AssertionError, RuntimeError, TimeoutError):
        traceback.print_exc()
        sys.exit(f"FAILED: {name}")


if __name__ == "__main__":
    main()
