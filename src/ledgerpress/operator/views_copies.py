"""Copy the views of one node, and start a new node with the copy."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Progress
from ledgerpress.server.data_directory import (
    LOG_FILE,
    check_claim,
    check_node_directory,
    check_views_directory,
    claim_directory,
    create_directory,
    known_publication,
)
from ledgerpress.server.log_factory import existing_log
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.sqlite.atomic_file import check_free, give_name, sync_open, unfinished
from ledgerpress.system_errors import reason_of
from ledgerpress.views.files.copy_export import create_copy
from ledgerpress.views.files.copy_format import Manifest, ViewsCopy, ViewsCopyInvalid
from ledgerpress.views.files.copy_restore import CopiedViews, check_kind
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection.projector_interface_and_composition import Projector

PIPE: Final = "-"
"""The file name that means standard output or standard input."""


async def copy_views_to_file(
    data: Path, file: Path, progress: Progress, *, features: FeatureSet = FEATURES
) -> Manifest:
    """Write a copy of the views in use in `data` to the new file `file`; return its manifest.

    If the copy fails, no file remains. Raises `LogUnusable`, `sqlite3.Error`.
    """
    try:
        check_free(file)
        with unfinished(file) as temporary:
            with temporary.open("wb", buffering=0) as target:
                manifest = await copy_views(data, target, progress, features=features)
                sync_open(target.fileno())
            give_name(temporary, file)
    except FileExistsError as error:
        raise LogUnusable(f"{file} exists already and was not changed") from error
    except OSError as error:
        raise LogUnusable(f"{file} cannot be written: {reason_of(error)}") from error
    return manifest


async def copy_views(
    data: Path, target: BinaryIO, progress: Progress, *, features: FeatureSet = FEATURES
) -> Manifest:
    """Write a copy of the views in use in `data` to `target`; return its manifest. Blocks the event loop."""
    check_views_directory(data)
    directory = ViewsDirectory(data, features.projectors)
    return create_copy(directory, await _publication(data), SystemClock().now(), target, progress)


async def restore_views(
    source: BinaryIO,
    name: str,
    data: Path,
    log: str,
    progress: Progress,
    *,
    features: FeatureSet = FEATURES,
) -> Manifest:
    """Start the node in `data`, whose log is at the URL `log`, with the views copy in `source`; return its manifest.

    `name` identifies the copy in messages. If the restore fails, nothing is changed. Blocks the event loop. Raises
    `LogUnusable`, `LogUnavailable`, `ViewsBusy`, `OSError`.
    """
    url, projectors = LogUrl.parse(log), features.projectors
    if url.is_local and not (data / LOG_FILE).exists():
        raise LogUnusable(f"there is no log in {data}: use --log with the URL of the publication's log")
    copy = ViewsCopy(source, name)
    directory = ViewsDirectory(data, projectors)
    check_kind(copy.manifest, directory, name)
    if not url.is_local:
        check_node_directory(data, create=False)
        check_claim(data, copy.manifest.publication)
    async with existing_log(data, log) as opened:
        await _check_origin(opened, copy.manifest, name)
    _install(copy, directory, projectors, progress, is_node=not url.is_local)
    return copy.manifest


def _install(
    copy: ViewsCopy,
    directory: ViewsDirectory,
    projectors: Sequence[Projector],
    progress: Progress,
    *,
    is_node: bool,
) -> None:
    data = directory.data
    existed = data.exists()
    create_directory(data)
    try:
        new_views = CopiedViews(copy, directory, projectors, progress)
        try:
            if is_node:
                claim_directory(data, copy.manifest.publication)
            new_views.put_to_use()
        finally:
            new_views.delete()
    except BaseException:
        if not existed:
            with suppress(OSError):
                data.rmdir()
        raise


async def _check_origin(log: OpenedLog, manifest: Manifest, name: str) -> None:
    """Raise `ViewsCopyInvalid` unless the views were built from this log."""
    if log.publication != manifest.publication:
        raise ViewsCopyInvalid(
            f"{name} contains views of publication {manifest.publication}, but the log belongs to {log.publication}"
        )
    head = await log.head()
    if manifest.position > head:
        raise ViewsCopyInvalid(
            f"{name} contains views up to position {manifest.position:,}, but the log ends at {head:,}: the views show "
            "events that the log does not have. Was the log restored from an older backup?"
        )
    (event,) = await log.read(manifest.position - 1, 1)
    if event.header.leaf_hash().hex() != manifest.leaf_hash:
        raise ViewsCopyInvalid(
            f"{name} contains views of another log: they were not built from this log's event at position "
            f"{manifest.position:,}"
        )


async def _publication(data: Path) -> str:
    """Return the publication whose views are in `data`, without connecting to a log in another place."""
    if publication := known_publication(data):
        return publication
    async with existing_log(data, LOCAL) as log:
        return log.publication
