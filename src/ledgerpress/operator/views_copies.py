"""Views from one node to another: a snapshot of those in use, and a new node that begins with it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ledgerpress.eventlog.clock import SystemClock
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.features.registry import all_projectors
from ledgerpress.server.data_directory import LOG_FILE, NOTE, check_views_directory, make_directory
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.node_directory import NodeNote, check_claim, check_node_directory, claim
from ledgerpress.server.open_log import reading_log
from ledgerpress.sqlite.atomic_file import check_free, give_name, sync_open, unfinished
from ledgerpress.views.files.copy_create import create_copy
from ledgerpress.views.files.copy_format import Manifest, ViewsCopy, ViewsCopyInvalid
from ledgerpress.views.files.copy_restore import Copied, check_kind
from ledgerpress.views.files.directory import ViewsDirectory
from ledgerpress.views.projection.projector import Projector

Progress = Callable[[int, int], None]
PIPE: Final = "-"
"""In the place of a file: standard output, or standard input."""


async def snapshot_to_file(data: Path, file: Path, progress: Progress) -> Manifest:
    """Write a snapshot of the views in use in `data` to the new file `file`, and return what it holds.

    Nothing is left behind where that fails. Raises `LogUnusable`, `sqlite3.Error`.
    """
    try:
        check_free(file)
        with unfinished(file) as aside:
            with aside.open("wb", buffering=0) as target:
                manifest = await snapshot_to(data, target, progress)
                sync_open(target.fileno())
            give_name(aside, file)
    except FileExistsError as error:
        raise LogUnusable(f"{file} exists already, and is left as it is") from error
    except OSError as error:
        raise LogUnusable(f"{file} cannot be written: {error.strerror}") from error
    return manifest


async def snapshot_to(data: Path, target: BinaryIO, progress: Progress) -> Manifest:
    """Write a snapshot of the views in use in `data` to `target`, and return what it holds. For a process that does nothing else."""
    check_views_directory(data)
    directory = ViewsDirectory(data, all_projectors())
    return create_copy(directory, await _publication(data), SystemClock().now(), target, progress)


async def restore_views(source: BinaryIO, name: str, data: Path, log: str, progress: Progress) -> Manifest:
    """Have the node in `data`, whose log is at the URL `log`, begin with the snapshot in `source`; return what it holds.

    `name` is for messages. Nothing is changed where that fails. Raises `LogUnusable`, `LogUnavailable`, `ViewsBusy`,
    `OSError`. For a process that does nothing else.
    """
    url, projectors = LogUrl.parse(log), all_projectors()
    if url.is_local and not (data / LOG_FILE).exists():
        raise LogUnusable(f"there is no log in {data}: say with --log where the log of the publication is")
    snapshot = ViewsCopy(source, name)
    directory = ViewsDirectory(data, projectors)
    check_kind(snapshot.manifest, directory, name)
    if not url.is_local:
        check_node_directory(data, create=False)
        check_claim(data, snapshot.manifest.publication)
    async with reading_log(data, log) as opened:
        await _check_origin(opened, snapshot.manifest, name)
    _put_in_place(snapshot, directory, projectors, progress, is_elsewhere=not url.is_local)
    return snapshot.manifest


def _put_in_place(
    snapshot: ViewsCopy,
    directory: ViewsDirectory,
    projectors: Sequence[Projector],
    progress: Progress,
    *,
    is_elsewhere: bool,
) -> None:
    data = directory.data
    was_there = data.exists()
    make_directory(data)
    try:
        copied = Copied(snapshot, directory, projectors, progress)
        try:
            if is_elsewhere:
                claim(data, snapshot.manifest.publication)
            copied.put_to_use()
        finally:
            copied.delete()
    except BaseException:
        if not was_there:
            with suppress(OSError):
                data.rmdir()
        raise


async def _check_origin(log: OpenedLog, manifest: Manifest, name: str) -> None:
    """Raise `ViewsCopyInvalid` unless the views were made of this log."""
    if log.publication != manifest.publication:
        raise ViewsCopyInvalid(
            f"{name} holds views of the publication {manifest.publication}, and the log is that of {log.publication}"
        )
    head = await log.head()
    if manifest.position > head:
        raise ViewsCopyInvalid(
            f"{name} holds views up to position {manifest.position:,}, and the log ends at {head:,}: was it restored from "
            "an older backup? Such views show what the log does not have"
        )
    (event,) = await log.read(manifest.position - 1, 1)
    if event.header.leaf_hash().hex() != manifest.leaf_hash:
        raise ViewsCopyInvalid(
            f"{name} holds views of another log: the event at position {manifest.position:,} is not the one that they were "
            "made of"
        )


async def _publication(data: Path) -> str:
    """Return the id of the publication whose views are in `data`, without asking a log that is elsewhere."""
    try:
        return msgspec.json.decode((data / NOTE).read_bytes(), type=NodeNote).publication
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        async with reading_log(data, LOCAL) as log:
            return log.publication
