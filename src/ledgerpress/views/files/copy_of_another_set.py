"""Copies the views of another set of features, to serve the copy while the views of this set are built.

That is possible if only the rules of projectors have changed, not their tables, as after most upgrades.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ledgerpress.eventlog.log import EventLog
from ledgerpress.sqlite.connection import create_private, open_to_read, uri
from ledgerpress.views.files.tables import ViewsOfOtherVersions, check_tables
from ledgerpress.views.files.views_directory import ViewsDirectory, delete
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector

logger = logging.getLogger(__name__)


async def copy_from_another_set(
    log: EventLog, directory: ViewsDirectory, projectors: Sequence[Projector]
) -> bool:
    """Use a copy of the views of another set with the same tables; return whether such views existed.

    In the copy, all projectors have version 0, so `ViewsDirectory.is_outdated` is true until a rebuild. The caller MUST
    hold the directory's `building` lock. Raises `sqlite3.Error`, `OSError`.
    """
    for source in directory.of_other_sets():
        if not await _is_usable(log, source, projectors):
            continue
        target = directory.vacant()
        try:
            await asyncio.to_thread(_copy, source, target)
            directory.switch(target)
        except BaseException:
            delete(target)
            raise
        logger.warning(
            "%s is a copy of %s, which other versions built: it has to be rebuilt", target, source.name
        )
        return True
    return False


async def _is_usable(log: EventLog, views: Path, projectors: Sequence[Projector]) -> bool:
    try:
        with closing(open_to_read(views)) as db:
            check_tables(db, projectors)
            points = checkpoints.read(db).values()
    except (ViewsOfOtherVersions, sqlite3.Error):
        return False
    return await checkpoints.belong_to_log(log, points)


def _copy(source: Path, target: Path) -> None:
    """Copy the views as of one commit, while other processes write to them (https://sqlite.org/backup.html)."""
    create_private(target)
    with (
        closing(open_to_read(source)) as db,
        closing(sqlite3.connect(uri(target, mode="rw"), uri=True)) as copy,
    ):
        db.backup(copy)
        with copy:
            copy.execute("UPDATE projection SET version = 0")
            copy.execute("DELETE FROM projection_digest")
