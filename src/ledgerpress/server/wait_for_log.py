"""Waits, when a server starts, for a log whose engine is not up yet: whatever starts a machine starts both at once."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl

logger = logging.getLogger(__name__)

FIRST_DELAY: Final = 0.25
MAX_DELAY: Final = 4.0
"""Seconds between two attempts: at first, and at most."""


async def open_when_available(
    url: LogUrl, data: Path, *, create_as: Callable[[], str] | None, patience: float
) -> OpenedLog:
    """Open the log at `url` as `open_log` does, and try for `patience` seconds where it cannot be reached."""
    deadline, pause, said = time.monotonic() + patience, FIRST_DELAY, ""
    while True:
        try:
            # One attempt is made in any case; the others end with the whole wait.
            async with asyncio.timeout(None if not said else deadline - time.monotonic()):
                return await open_log(url, data, create_as=create_as)
        except (LogUnavailable, TimeoutError) as error:
            said = str(error) or said
            left = deadline - time.monotonic()
            if left <= 0:
                raise LogUnavailable(
                    f"the log cannot be reached: {said}: see whether its server runs, and whether the URL is right "
                    "(--log, LEDGERPRESS_LOG)"
                ) from error
            if pause == FIRST_DELAY:
                logger.warning(
                    "the log cannot be reached; waiting for it up to %.0f s in all: %s", patience, error
                )
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, MAX_DELAY)
