"""Rebuild outdated views in a separate process while the old ones are served, so that requests do not wait."""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.server.settings import LOG_VARIABLE
from ledgerpress.views.files.views_directory import ViewsDirectory

logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 1.0
"""Seconds between two checks whether the views in use are outdated."""
RETRY_INTERVAL: Final = 60.0
"""Seconds until a failed rebuild is retried."""


async def rebuild_in_background(
    data: Path, log: str, program: Sequence[str], features: FeatureSet = FEATURES
) -> None:
    """Run `program rebuild` whenever the views in `data` are outdated or missing, until cancelled.

    `features` are those of this process and of `program`. Views that an operator rolled back to stay in use. The URL of the log is passed in the environment: it may contain a
    password, and every user of a machine can see the arguments of a program.
    """
    environment = {**os.environ, LOG_VARIABLE: log}
    directory = ViewsDirectory(data, features.projectors)
    while True:
        failed = False
        try:
            if directory.needs_rebuild:
                logger.warning("the views in use are missing or outdated: rebuilding them alongside")
                command = [*program, "rebuild", "--if-outdated", "--data", str(data)]
                failed = not await _run(command, environment)
        except OSError as error:
            failed = True
            logger.warning("the views could not be rebuilt: %s", error)
        await asyncio.sleep(RETRY_INTERVAL if failed else POLL_INTERVAL)


async def _run(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if process.returncode:
        logger.warning("the views could not be rebuilt: %s", errors.decode(errors="replace").strip())
    return process.returncode == 0
