"""Rebuild the views alongside those in use, roll back to the former ones, delete and list views files."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.log import EventLog
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Progress
from ledgerpress.server.data_directory import check_views_directory
from ledgerpress.server.log_factory import log_of_views
from ledgerpress.server.log_url import LOCAL
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.views.files.build import PayloadWithdrawnDuringBuild
from ledgerpress.views.files.comparison import RowDifference
from ledgerpress.views.files.rebuild_compare_and_switch import RebuildFailed, ViewsBuilder, ViewsComparison
from ledgerpress.views.files.tables import ViewsOfOtherVersions, check_tables
from ledgerpress.views.files.views_directory import ViewsDirectory, ViewsGone
from ledgerpress.views.files.views_file_connections import is_open
from ledgerpress.views.files.views_pointers import digest_in
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector

MAX_ATTEMPTS: Final = 3
"""Attempts to build views while payloads are withdrawn."""


class ViewsUpToDate(Exception):
    """No views have to be rebuilt."""


@dataclass(frozen=True, slots=True)
class ViewsFileInfo:
    """A views file of a data directory. `state` is `in use`, `former` or `unfinished` in its set; `size` is in bytes.

    `set` is the digest of its set of features; `None` for a name without one. `own` says whether that is the set of this
    program, and `open` whether a process uses the file.
    """

    name: str
    state: str
    position: int | None
    size: int
    own: bool
    set: str | None
    open: bool


async def rebuild(
    data: Path,
    names: Collection[str] = (),
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    check: bool = False,
    if_outdated: bool = False,
    report: Callable[[RowDifference], None] = lambda _: None,
    restarted: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
    projectors: Sequence[Projector] | None = None,
    batch_size: int | None = None,
) -> ViewsComparison | None:
    """Rebuild the views in `data` alongside those in use, compare them, and switch every process to them.

    With `check`, they are only compared. With `if_outdated`, wait while another process builds views, and rebuild only if
    the views in use are then outdated or missing. `names` are the projections to rebuild; the others are copied. `report` takes
    each row that differs; `restarted` is called if the rebuild starts again, and what was reported is void. At most
    `batch_size` events are written in one transaction. Returns the comparison, or `None` if there were no views in use.
    Raises `LogUnusable`, `ViewsBusy`, `RebuildFailed`, and with `if_outdated` `ViewsUpToDate`.
    """
    projectors = features.projectors if projectors is None else projectors
    async with log_of_views(data, log, create=True) as opened:
        directory = ViewsDirectory(data, projectors)
        builder = ViewsBuilder(opened, features.codec(), directory, projectors, batch_size=batch_size)
        async with AsyncExitStack() as stack:
            if if_outdated:
                await stack.enter_async_context(directory.building_in_turn())
                if not directory.needs_rebuild:
                    raise ViewsUpToDate("the views in use are up to date")
            else:
                stack.enter_context(directory.building())
            for _ in range(MAX_ATTEMPTS):
                try:
                    return await builder.rebuild(names, report, check=check, progress=progress)
                except (PayloadWithdrawnDuringBuild, ViewsGone):
                    restarted()
            raise RebuildFailed("payloads are being withdrawn; try again when that is done")


async def rebuild_now(log: EventLog, data: Path, features: FeatureSet = FEATURES) -> None:
    """Rebuild the views of `log` and use them without a comparison; a projection that fails is paused in them."""
    projectors = features.projectors
    directory = ViewsDirectory(data, projectors)
    async with directory.building_in_turn():
        await ViewsBuilder(log, features.codec(), directory, projectors).build()


def roll_back(
    data: Path, projectors: Sequence[Projector] | None = None, *, features: FeatureSet = FEATURES
) -> Path:
    """Switch every process of this set of features on `data` back to its former views; return their path.

    Raises `LogUnusable`, `NoFormerViews`, and `RebuildFailed` if this version cannot read them.
    """
    check_views_directory(data)
    projectors = features.projectors if projectors is None else projectors
    directory = ViewsDirectory(data, projectors)
    if former := directory.former:
        with closing(open_to_read(former)) as db:
            try:
                check_tables(db, projectors)
            except (ViewsOfOtherVersions, sqlite3.Error) as error:
                raise RebuildFailed(f"{former.name} cannot be used by this version: {error}") from error
    return directory.roll_back()


def drop_views(data: Path, *, features: FeatureSet = FEATURES, other_sets: bool = False) -> list[Path]:
    """Delete the views in `data` that are not in use, and return them.

    Those of other sets stay; with `other_sets`, all that no process has open are deleted, too. Raises `LogUnusable`.
    """
    check_views_directory(data)
    directory = ViewsDirectory(data, features.projectors)
    return [*directory.drop(), *(directory.drop_other_sets() if other_sets else ())]


def list_views(data: Path, *, features: FeatureSet = FEATURES) -> list[ViewsFileInfo]:
    """Return the views files in `data`, those in use first, and those of other sets last. Raises `LogUnusable`."""
    check_views_directory(data)
    directory = ViewsDirectory(data, features.projectors)
    return [
        ViewsFileInfo(
            path.name,
            state,
            _position(path),
            path.stat().st_size,
            directory.is_ours(path),
            digest_in(path.name),
            is_open(path),
        )
        for path, state in directory.states().items()
    ]


def _position(views: Path) -> int | None:
    try:
        with closing(open_to_read(views)) as db:
            return min((point.position for point in checkpoints.read(db).values()), default=None)
    except sqlite3.Error:
        return None
