"""Manage the views files of a data directory: rebuild them after a withdrawal, roll back, delete and list them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledgerpress.eventlog.log import EventLog
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.server.data_directory import check_views_directory
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.system_errors import reason_of
from ledgerpress.views.files.rebuild_compare_and_switch import RebuildFailed, ViewsBuilder
from ledgerpress.views.files.tables import ViewsOfOtherVersions, check_tables
from ledgerpress.views.files.views_directory import ViewsDirectory, is_open
from ledgerpress.views.files.views_pointers import digest_in
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector


@dataclass(frozen=True, slots=True)
class ViewsFileInfo:
    """A views file of a data directory. `state` is `in use`, `former` or `unfinished` in its set; `size` is in bytes.

    `set` is the digest of the file's set of features; `None` if the file name has no digest. `own` is true if it is
    this program's set. `open` is true if a process uses the file.
    """

    name: str
    state: str
    position: int | None
    size: int
    own: bool
    set: str | None
    open: bool


async def rebuild_now(log: EventLog, data: Path, features: FeatureSet = FEATURES) -> None:
    """Rebuild the views of `log` and switch to them without a comparison. A projection that fails is paused."""
    projectors = features.projectors
    directory = ViewsDirectory(data, projectors)
    async with directory.building_in_turn():
        await ViewsBuilder(log, features.codec(), directory, projectors).build()


def roll_back(
    data: Path, projectors: Sequence[Projector] | None = None, *, features: FeatureSet = FEATURES
) -> Path:
    """Switch all processes with this set of features in `data` back to the former views; return the path of the views.

    Raises `LogUnusable`, `NoFormerViews`, and `RebuildFailed` if this version cannot read the former views.
    """
    check_views_directory(data)
    projectors = features.projectors if projectors is None else projectors
    directory = ViewsDirectory(data, projectors)
    if former := directory.former:
        with closing(open_to_read(former)) as db:
            try:
                check_tables(db, projectors)
            except (ViewsOfOtherVersions, sqlite3.Error) as error:
                raise RebuildFailed(
                    f"{former.name} cannot be used by this version: {_reason(error)}"
                ) from error
    return directory.roll_back()


def drop_views(data: Path, *, features: FeatureSet = FEATURES, other_sets: bool = False) -> list[Path]:
    """Delete the views in `data` that are not in use, and return their paths.

    Views of other sets of features stay. With `other_sets`, those that no process has open are deleted too. Raises
    `LogUnusable`.
    """
    check_views_directory(data)
    directory = ViewsDirectory(data, features.projectors)
    return [*directory.drop(), *(directory.drop_other_sets() if other_sets else ())]


def list_views(data: Path, *, features: FeatureSet = FEATURES) -> list[ViewsFileInfo]:
    """Return the views files in `data`: files in use first, files of other sets last. Raises `LogUnusable`."""
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


def _reason(error: ViewsOfOtherVersions | sqlite3.Error) -> str:
    return reason_of(error) if isinstance(error, sqlite3.Error) else str(error)
