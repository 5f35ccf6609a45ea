"""Periodic checks of the views file in use: is it damaged or readable again, and how large is its write-ahead log?"""

import asyncio
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from ledgerpress.sqlite.connection import MAX_WRITE_AHEAD_LOG, open_to_read, size_of_write_ahead_log
from ledgerpress.views.files.tables import is_damage
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.files.views_file_connections import ViewsFile

logger = logging.getLogger(__name__)

READ_CHECK_INTERVAL: Final = 1.0
"""Seconds between two checks of a file that could not be read."""
SIZE_CHECK_INTERVAL: Final = 5.0
"""Seconds between two checks of the size of the write-ahead log."""
MAX_READ_SECONDS: Final = 60.0
"""Seconds after which an open read is ended, if the write-ahead log is too large: the read prevents emptying it."""
_MEBIBYTE: Final = 2**20


class ViewsChecks:
    """Checks the views file that a process uses, and deletes it if it is damaged."""

    def __init__(self, directory: ViewsDirectory) -> None:
        self._directory = directory
        self._read_check_at = 0.0
        self._size_check_at = 0.0
        self.damaged_files = 0
        """The number of damaged files that this process has deleted."""

    async def run(self, views: ViewsFile, identity: int) -> None:
        """Run the checks that are due. `identity` distinguishes the file from others of the same name.

        Raises `sqlite3.Error` and `OSError`.
        """
        now = time.monotonic()
        if views.health.unreadable and now >= self._read_check_at:
            self._read_check_at = now + READ_CHECK_INTERVAL
            await self._check_reads(views, identity)
        if now >= self._size_check_at:
            self._size_check_at = now + SIZE_CHECK_INTERVAL
            await self._check_size(views)

    async def _check_reads(self, views: ViewsFile, identity: int) -> None:
        """Delete the file if it is damaged: the views are then rebuilt, as after any other loss of the file."""
        health = views.health
        try:
            damage = await asyncio.to_thread(find_damage, views.path)
        except sqlite3.Error as error:
            health.read_failed(error)
            return
        if damage is None:
            health.readable()
            return
        health.damaged(damage)
        if self._directory.discard(views.path, identity):
            self.damaged_files += 1
            logger.error(
                "the damaged views file %s was deleted: a server rebuilds the views from the log; without a server, run "
                "`ledgerpress rebuild`",
                views.path,
            )

    async def _check_size(self, views: ViewsFile) -> None:
        """Empty a write-ahead log that is too large. Reads prevent that; own reads are ended if they are old."""
        health = views.health
        if size_of_write_ahead_log(views.path) <= MAX_WRITE_AHEAD_LOG:
            health.oversized = None
            return
        if ended := views.end_reads_older_than(MAX_READ_SECONDS):
            logger.warning("%d reads of the views were ended after more than %g s", ended, MAX_READ_SECONDS)
        if await views.empty_write_ahead_log():
            health.oversized = None
            return
        notice = (
            f"the write-ahead log of {views.path.name} is larger than {MAX_WRITE_AHEAD_LOG // _MEBIBYTE} MiB and grows: a "
            "read that stays open prevents emptying it. If this persists, find the program that reads the file, such as "
            "with `fuser`, and end it"
        )
        if health.oversized is None:
            logger.warning("%s", notice)
        health.oversized = notice


def find_damage(views: Path) -> str | None:
    """Return how a views file is damaged, `None` if it is not. Reads the whole file.

    Raises `sqlite3.Error` if the file cannot be read for another reason.
    """
    try:
        with closing(open_to_read(views)) as db:
            if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'projection'").fetchone() is None:
                return "it has no checkpoints"
            (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return str(error)
    return None if result == "ok" else " ".join(str(result).split())
