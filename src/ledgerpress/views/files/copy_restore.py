"""Puts the views of a snapshot to use in a data directory that has none."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ledgerpress.sqlite.atomic_file import sync, sync_open
from ledgerpress.sqlite.connection import uri
from ledgerpress.views.files.copy_format import Manifest, Progress, ViewsCopy, ViewsCopyInvalid
from ledgerpress.views.files.tables import ViewsOfOtherVersions, check_tables
from ledgerpress.views.files.views_directory import ViewsDirectory, delete
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector

ASIDE: Final = ".aside-views-"
"""How the names of files begin that are being copied; those of a process that was killed are deleted by the next."""


def check_kind(manifest: Manifest, directory: ViewsDirectory, name: str) -> None:
    """Raise `ViewsCopyInvalid` where other projectors made the views than those of `directory`, or it has views."""
    if manifest.made_by != directory.digest:
        raise ViewsCopyInvalid(
            f"the views in {name} were made by another version of LedgerPress ({manifest.made_by}, and this one makes "
            f"{directory.digest}): take a snapshot on a node of this version, or just start the node, which then replays the log"
        )
    if directory.current is not None:
        raise ViewsCopyInvalid(
            f"{directory.data} has views already ({directory.current.name}), and they stay as they are: a node that "
            "has views follows the log from there"
        )


class Copied:
    """Views from a snapshot, checked, in the data directory and not in use yet."""

    def __init__(
        self,
        snapshot: ViewsCopy,
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        progress: Progress,
    ) -> None:
        """Copy and check them. Raises `ViewsCopyInvalid`, `OSError`; nothing is left then."""
        self._directory = directory
        for left_behind in directory.data.glob(f"{ASIDE}*"):
            left_behind.unlink(missing_ok=True)
        self._path = directory.data / f"{ASIDE}{os.getpid()}"
        try:
            self._path.touch(mode=0o600, exist_ok=False)
            with self._path.open("wb", buffering=0) as file:
                snapshot.copy(file, progress)
                sync_open(file.fileno())
            _check(self._path, snapshot, projectors)
        except BaseException:
            self.delete()
            raise

    def put_to_use(self) -> Path:
        """Have every process on the directory use them, and return where they are.

        Raises `ViewsBusy` where another process is making views there, `ViewsCopyInvalid` where one has.
        """
        with self._directory.building():
            if self._directory.current is not None:
                raise ViewsCopyInvalid(
                    f"{self._directory.data} has got views meanwhile, and they stay as they are"
                )
            for begun in self._directory.unfinished():
                delete(begun)
            # Killed from here on, it leaves complete views that are not in use, with which the next build continues.
            views = self._directory.vacant()
            self._path.rename(views)
            with suppress(OSError):  # as where a file system cannot sync a directory
                sync(self._directory.data)
            self._directory.switch(views)
        return views

    def delete(self) -> None:
        """Delete them, unless they have been put to use."""
        self._path.unlink(missing_ok=True)


def _check(path: Path, snapshot: ViewsCopy, projectors: Sequence[Projector]) -> None:
    """Raise `ViewsCopyInvalid` unless the file holds what the manifest says."""
    manifest = snapshot.manifest
    try:
        # No other process knows this file: `immutable` spares the side files that a write-ahead log would need.
        with closing(sqlite3.connect(uri(path, mode="ro", immutable=1), uri=True)) as db:
            check_tables(db, projectors)
            points = checkpoints.read(db).values()
    except (sqlite3.Error, ViewsOfOtherVersions) as error:
        raise ViewsCopyInvalid(f"{snapshot.name} holds no views that can be used: {error}") from error
    if {(point.position, point.leaf_hash) for point in points} != {(manifest.position, manifest.leaf_hash)}:
        raise ViewsCopyInvalid(f"{snapshot.name} is damaged: its views are not at the position that it names")
