"""`ledgerpress demo`: a small newsroom with three weeks of history."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledgerpress.application.sources import SystemClock
from ledgerpress.cli.terminal import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    REFUSED,
    DataOption,
    LogOption,
    clear_errors,
    err,
    fail,
    progress,
    run,
)
from ledgerpress.compose.data_directory import ASIDE, LOG_FILE, is_vacant
from ledgerpress.compose.log_url import LOCAL, LogUrl
from ledgerpress.compose.store import open_store
from ledgerpress.demo import DEMO_WEEKS, DemoClock, load_demo
from ledgerpress.demo.load import StoreNotEmpty


def demo(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG) -> None:
    """Make a store with the demo newsroom in it, in a directory that is empty or new, or in a log that is."""
    if load_demo_into(data, log):
        elsewhere = "" if log == LOCAL else " --log URL"
        err.print(
            f"The demo newsroom is in {_place(data, log)}; serve it with: ledgerpress serve --data {data}{elsewhere}"
        )
    elif log == LOCAL:
        fail(f"there is a store in {data} already; the demo needs a directory that is empty or new", REFUSED)
    else:
        fail(
            f"there is something in {_place(data, log)} already; the demo needs a log that is empty", REFUSED
        )


def load_demo_into(data: Path, log: str = LOCAL) -> bool:
    """Make a store with the demo in `data`; return whether that was done: not where there is a store already.

    A directory that holds something else ends the program.
    """
    if log != LOCAL:
        try:
            run(_write_demo(data, log))
        except StoreNotEmpty:
            return False
        return True
    with clear_errors():
        vacant = is_vacant(data)
    if not vacant:
        return False
    with clear_errors(), TemporaryDirectory(prefix=ASIDE, dir=data) as aside:
        # Written aside and then moved, the log last, so that an interrupted load leaves no half newsroom behind.
        place = Path(aside) / "store"
        run(_write_demo(place))
        for file in sorted(place.iterdir(), key=lambda file: file.name == LOG_FILE):
            file.rename(data / file.name)
    return True


async def _write_demo(place: Path, log: str = LOCAL) -> None:
    start = SystemClock().now() - timedelta(weeks=DEMO_WEEKS) // timedelta(microseconds=1)
    clock = DemoClock(start)
    with progress("Writing the demo newsroom") as report:
        async with open_store(place, log=log, clock=clock) as store:
            await load_demo(store.press, clock, progress=report)


def _place(data: Path, log: str) -> str:
    return str(data) if log == LOCAL else str(LogUrl.parse(log))
