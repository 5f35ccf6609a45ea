"""What an operator does with views: make them anew beside those in use, go back to the former, drop what is kept."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledgerpress.adapters.sqlite.connection import open_to_read
from ledgerpress.adapters.sqlite.views_build import TextWithdrawn
from ledgerpress.adapters.sqlite.views_comparison import RowDifference
from ledgerpress.adapters.sqlite.views_directory import ViewsBusy, ViewsDirectory, ViewsGone
from ledgerpress.adapters.sqlite.views_tables import ViewsOfAnotherKind, check_tables
from ledgerpress.application.event_codec import event_codec
from ledgerpress.compose.data_directory import check_views_directory
from ledgerpress.compose.log_url import LOCAL
from ledgerpress.compose.reading import log_of_views
from ledgerpress.compose.views_making import Compared, NotRebuilt, Progress, ViewsMaking
from ledgerpress.eventlog.log import EventLog
from ledgerpress.projections import checkpoints
from ledgerpress.projections.all import every_projector
from ledgerpress.projections.projector import Projector

ATTEMPTS: Final = 3
"""How often views are begun, where payloads are withdrawn while they are being made."""


@dataclass(frozen=True, slots=True)
class ViewsFile:
    """A views file of a data directory. `state` is `in use`, `former` or `unfinished`; `size` is in bytes."""

    name: str
    state: str
    position: int | None
    size: int


async def rebuild(
    data: Path,
    names: Collection[str] = (),
    *,
    log: str = LOCAL,
    check: bool = False,
    report: Callable[[RowDifference], None] = lambda _: None,
    again: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
    projectors: Sequence[Projector] | None = None,
    batch_size: int | None = None,
) -> Compared | None:
    """Make the views in `data` anew beside those in use, compare them, and have every process use them.

    With a `check`, they are compared and not used. `names` are the projections to make anew; the others are taken
    over. `report` takes each row that differs; `again` is called where all begins anew, and what was reported is void.
    At most `batch_size` events are written in one transaction. Returns how they compare, `None` where there were no
    views in use. Raises `LogUnusable`, `ViewsBusy`, `NotRebuilt`.
    """
    projectors = every_projector() if projectors is None else projectors
    async with log_of_views(data, log, to_make=True) as opened:
        directory = ViewsDirectory(data, projectors)
        making = ViewsMaking(opened, event_codec(), directory, projectors, batch_size=batch_size)
        with directory.building():
            for _ in range(ATTEMPTS):
                try:
                    return await making.beside(names, report, check=check, progress=progress)
                except (TextWithdrawn, ViewsGone):
                    again()
            raise NotRebuilt("payloads are being withdrawn; try again when that is done")


async def make_anew(log: EventLog, data: Path) -> None:
    """Make the views of `log` anew and put them to use, compared with nothing; a projection that fails is paused in them."""
    projectors = every_projector()
    directory = ViewsDirectory(data, projectors)
    while True:
        try:
            with directory.building():
                return await ViewsMaking(log, event_codec(), directory, projectors).make()
        except ViewsBusy:
            await asyncio.sleep(1.0)


def roll_back(data: Path, projectors: Sequence[Projector] | None = None) -> Path:
    """Have every process on `data` use the former views again; return where they are.

    Raises `LogUnusable`, `NoFormerViews`, and `NotRebuilt` where this program cannot read them.
    """
    check_views_directory(data)
    projectors = every_projector() if projectors is None else projectors
    directory = ViewsDirectory(data, projectors)
    if former := directory.former:
        with closing(open_to_read(former)) as db:
            try:
                check_tables(db, projectors)
            except (ViewsOfAnotherKind, sqlite3.Error) as error:
                raise NotRebuilt(f"{former.name} cannot be used by this version: {error}") from error
    return directory.roll_back()


def drop_views(data: Path) -> list[Path]:
    """Delete the views in `data` that are not in use, and return them. Raises `LogUnusable`."""
    check_views_directory(data)
    return ViewsDirectory(data, every_projector()).drop()


def list_views(data: Path) -> list[ViewsFile]:
    """Return the views files in `data`, those in use first. Raises `LogUnusable`."""
    check_views_directory(data)
    directory = ViewsDirectory(data, every_projector())
    kept = [(directory.current, "in use"), (directory.former, "former")]
    files = [(path, state) for path, state in kept if path]
    files += [(path, "unfinished") for path in directory.unfinished()]
    return [ViewsFile(path.name, state, _position(path), path.stat().st_size) for path, state in files]


def _position(views: Path) -> int | None:
    try:
        with closing(open_to_read(views)) as db:
            return min((point.position for point in checkpoints.read(db).values()), default=None)
    except sqlite3.Error:
        return None
