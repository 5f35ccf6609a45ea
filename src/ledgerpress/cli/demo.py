"""`ledgerpress demo`: a small newsroom with three weeks of history."""

from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledgerpress.cli.terminal import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    UNUSABLE,
    DataOption,
    LogOption,
    clear_errors,
    err,
    fail,
    progress,
    run,
)
from ledgerpress.eventlog.clock import SystemClock
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.features.demo import DEMO_WEEKS, DemoClock, load_demo
from ledgerpress.operator.log_copy import copy_of
from ledgerpress.server.data_directory import ASIDE, LOG_FILE, is_vacant
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.open_log import reading_log
from ledgerpress.server.store import open_store
from ledgerpress.server.wait_for_log import open_when_available


def demo(data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG) -> None:
    """Make a store with the demo newsroom in it, in a directory that is empty or new, or where --log has no log yet."""
    url = LogUrl.parse(log)
    if load_demo_into(data, log):
        place, how = (str(data), "") if url.is_local else (str(url), " --log URL")
        err.print(f"The demo newsroom is in {place}; serve it with: ledgerpress serve --data {data}{how}")
    elif url.is_local:
        fail(f"there is a store in {data} already; the demo needs a directory that is empty or new", UNUSABLE)
    else:
        fail(f"there is a log at {url} already; the demo needs a publication that is new", UNUSABLE)


def load_demo_into(data: Path, log: str = LOCAL, *, patience: float = 0.0) -> bool:
    """Make a store with the demo in `data`, or at the URL `log`; return whether that was done: not where there is one.

    A directory that holds something else ends the program, and a log that cannot be reached for `patience` seconds.
    """
    url = LogUrl.parse(log)
    if not url.is_local:
        return run(_copied(url, data, patience))
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


async def _copied(url: LogUrl, data: Path, patience: float) -> bool:
    """Write the demo aside, and copy its log to `url`, where it is a log only when it is whole."""
    try:
        async with aclosing(await open_when_available(url, data, create_as=None, patience=patience)):
            return False
    except LogUnusable:
        # There is none; or what is in the way is met again by the copy.
        pass
    with TemporaryDirectory() as aside:
        place = Path(aside) / "store"
        await _write_demo(place)
        async with reading_log(place) as made:
            await copy_of(made, url, data)
    return True


async def _write_demo(place: Path) -> None:
    start = SystemClock().now() - timedelta(weeks=DEMO_WEEKS) // timedelta(microseconds=1)
    clock = DemoClock(start)
    with progress("Writing the demo newsroom") as report:
        async with open_store(place, clock=clock) as store:
            await load_demo(store.commands, clock, progress=report)
