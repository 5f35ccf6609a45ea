"""What prevents reading or writing a views file. Its connections report failures, and operators see them."""

import logging
from pathlib import Path
from typing import Final

from ledgerpress.sqlite import faults

logger = logging.getLogger(__name__)

READ_TOO_LONG: Final = (
    "the read was open for too long and was ended, so that the write-ahead log can be emptied"
)


class ViewsUnavailable(Exception):
    """The views cannot be read at the moment: they are damaged and will be rebuilt, or the machine prevents it.

    A retry may succeed.
    """


class ViewsHealth:
    """The health of one views file, as known to this process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.unreadable: str | None = None
        """Why the file, or a part of it, cannot be read."""
        self.unwritable: str | None = None
        """Why the last write failed."""
        self.oversized: str | None = None
        """Why the write-ahead log is larger than it should be."""
        self.is_damaged = False
        """Whether a read or a write found damage. Then only other views help."""
        self.is_locked = False
        """Whether reads waited for a lock that was not released. Then no request tries to read before a check has succeeded."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What operators should know."""
        parts = {"read": self.unreadable, "written": self.unwritable}
        name = self._file.name
        cannot = tuple(f"the views file {name} cannot be {done}: {why}" for done, why in parts.items() if why)
        return (*cannot, *([self.oversized] if self.oversized else []))

    def damaged(self, reason: str) -> None:
        """Note that the file is damaged. A check confirms this before the file is deleted."""
        if not self.is_damaged:
            logger.error(
                "the views file %s is damaged: %s. Requests that read the damaged part get the code VIEWS_UNAVAILABLE "
                "until the views are rebuilt",
                self._file,
                reason,
            )
        self.is_damaged = True
        self.unreadable = f"it is damaged ({reason}), and the views are rebuilt"

    def read_failed(self, error: Exception) -> None:
        """Note that the machine prevented a read."""
        if self.unreadable is None:
            logger.error(
                "the views file %s cannot be read: %s. Requests that need it get the code VIEWS_UNAVAILABLE until it can "
                "be read: check that the file exists, its permissions, its disk, and which processes lock it",
                self._file,
                error,
            )
        if not self.is_damaged:
            self.unreadable = str(error)
            self.is_locked = faults.is_lock(error)

    def readable(self) -> None:
        """Note that a check has found the file readable and undamaged."""
        if self.unreadable is not None:
            logger.warning("the views file %s can be read again", self._file)
        self.unreadable = None
        self.is_damaged = self.is_locked = False
