"""Restores a views copy in a data directory that has no views."""

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
"""The prefix of files that are being copied. The next restore deletes the files of a killed process."""


def check_kind(manifest: Manifest, directory: ViewsDirectory, name: str) -> None:
    """Raise `ViewsCopyInvalid` if the copy is not of the set of `directory`, or if `directory` already has views."""
    if manifest.made_by != directory.digest:
        raise ViewsCopyInvalid(
            f"the views in {name} were built by another version of LedgerPress (digest {manifest.made_by}; this "
            f"version has {directory.digest}): create a copy on a node of this version, or start the node without a "
            "copy, and it replays the log"
        )
    if directory.current is not None:
        raise ViewsCopyInvalid(
            f"{directory.data} has views already ({directory.current.name}), which were not changed: start the node, "
            "and they follow the log"
        )


class CopiedViews:
    """The checked views of a views copy, in the data directory but not in use yet."""

    def __init__(
        self,
        views_copy: ViewsCopy,
        directory: ViewsDirectory,
        projectors: Sequence[Projector],
        progress: Progress,
    ) -> None:
        """Copy and check the views. Raises `ViewsCopyInvalid`, `OSError`; an error leaves no file behind."""
        self._directory = directory
        for leftover in directory.data.glob(f"{ASIDE}*"):
            leftover.unlink(missing_ok=True)
        self._path = directory.data / f"{ASIDE}{os.getpid()}"
        try:
            self._path.touch(mode=0o600, exist_ok=False)
            with self._path.open("wb", buffering=0) as file:
                views_copy.copy(file, progress)
                sync_open(file.fileno())
            _check(self._path, views_copy, projectors)
        except BaseException:
            self.delete()
            raise

    def put_to_use(self) -> Path:
        """Make every process on the directory use the views, and return their path.

        Raises `ViewsBusy` if another process is building views there, `ViewsCopyInvalid` if it has already done so.
        """
        with self._directory.building():
            if self._directory.current is not None:
                raise ViewsCopyInvalid(
                    f"another process has built views in {self._directory.data} in the meantime; they were not changed"
                )
            for unfinished in self._directory.unfinished():
                delete(unfinished)
            # If the process is killed from here on, complete views are left, and the next build continues with them.
            views = self._directory.vacant()
            self._path.rename(views)
            with suppress(OSError):  # some file systems cannot sync a directory
                sync(self._directory.data)
            self._directory.switch(views)
        return views

    def delete(self) -> None:
        """Delete the views, unless they have been put to use."""
        self._path.unlink(missing_ok=True)


def _check(path: Path, views_copy: ViewsCopy, projectors: Sequence[Projector]) -> None:
    """Raise `ViewsCopyInvalid` unless the file contains the views that the manifest describes."""
    manifest = views_copy.manifest
    try:
        # No other process uses this file: `immutable` avoids the extra files that a write-ahead log would need.
        with closing(sqlite3.connect(uri(path, mode="ro", immutable=1), uri=True)) as db:
            check_tables(db, projectors)
            points = checkpoints.read(db).values()
    except (sqlite3.Error, ViewsOfOtherVersions) as error:
        raise ViewsCopyInvalid(f"{views_copy.name} contains no usable views: {error}") from error
    if {(point.position, point.leaf_hash) for point in points} != {(manifest.position, manifest.leaf_hash)}:
        raise ViewsCopyInvalid(
            f"{views_copy.name} is damaged: its views are not at the position in its manifest"
        )
