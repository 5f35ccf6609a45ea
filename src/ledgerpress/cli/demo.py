"""`ledgerpress demo`: a small newsroom with three weeks of history."""

from datetime import timedelta
from pathlib import Path

from ledgerpress.application.sources import SystemClock
from ledgerpress.cli.terminal import DEFAULT_DATA, REFUSED, DataOption, err, fail, progress, run
from ledgerpress.compose import open_store, store_is_empty
from ledgerpress.demo import DEMO_WEEKS, DemoClock, load_demo


def demo(data: DataOption = DEFAULT_DATA) -> None:
    """Load the demo newsroom into an empty store."""
    if not run(load_demo_into(data)):
        fail(f"the store in {data} is not empty; the demo loads into an empty one", REFUSED)
    err.print(f"The demo newsroom is in {data}; serve it with: ledgerpress serve --data {data}")


async def load_demo_into(data: Path) -> bool:
    """Load the demo, and return whether it was: only an empty store takes it. Raises `LogUnusable`."""
    if not await store_is_empty(data):
        return False
    start = SystemClock().now() - timedelta(weeks=DEMO_WEEKS) // timedelta(microseconds=1)
    clock = DemoClock(start)
    with progress("Writing the demo newsroom") as report:
        async with open_store(data, clock=clock) as store:
            await load_demo(store.press, clock, progress=report)
    return True
