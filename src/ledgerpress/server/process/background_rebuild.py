"""Rebuild outdated views while the old ones are served, in another process or thread, so that requests do not wait."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.server.settings import LOG_VARIABLE
from ledgerpress.server.views_rebuild import ViewsUpToDate, rebuild
from ledgerpress.views.files.views_directory import ViewsDirectory

logger = logging.getLogger(__name__)

POLL_INTERVAL: Final = 1.0
"""Seconds between two checks whether the views in use are outdated."""
RETRY_INTERVAL: Final = 60.0
"""Seconds until a failed rebuild is retried."""


async def rebuild_in_background(
    data: Path,
    log: str,
    program: Sequence[str] | None,
    features: FeatureSet = FEATURES,
    *,
    is_due: Callable[[], bool] = lambda: True,
) -> None:
    """Run `program rebuild` whenever the views in `data` are outdated or missing and `is_due`, until cancelled.

    `features` are those of this process and of `program`. If no program has them, `program` is `None`, and a thread of
    this process rebuilds the views. Views that an operator rolled back to stay in use. The URL of the log is passed in
    the environment: it may contain a password, and every user of a machine can see the arguments of a program.
    """
    environment = {**os.environ, LOG_VARIABLE: log}
    directory = ViewsDirectory(data, features.projectors)
    while True:
        failed = False
        try:
            if is_due() and directory.needs_rebuild:
                name_before = directory.current_name
                logger.warning("the views in use are missing or outdated: rebuilding them in the background")
                if program is None:
                    failed = not await _rebuild_in_thread(data, log, features)
                else:
                    command = [*program, "rebuild", "--if-outdated", "--data", str(data)]
                    failed = not await _run(command, environment)
                # Views that were rebuilt may have been lost again already.
                if not failed and directory.current_name == name_before and directory.needs_rebuild:
                    # Without this delay, two programs with different features would rebuild endlessly.
                    failed = True
                    logger.warning("the views were rebuilt by a program with other features or versions")
        except OSError as error:
            failed = True
            logger.warning("the views could not be rebuilt: %s", error)
        await asyncio.sleep(RETRY_INTERVAL if failed else POLL_INTERVAL)


async def _rebuild_in_thread(data: Path, log: str, features: FeatureSet) -> bool:
    """Rebuild the views in a thread, and return whether that succeeded."""
    try:
        await _run_in_thread(partial(rebuild, data, log=log, features=features, if_outdated=True))
    except ViewsUpToDate:
        return True
    except Exception as error:  # noqa: BLE001 - whatever fails, the old views are served
        logger.warning("the views could not be rebuilt: %s", error)
        return False
    return True


async def _run_in_thread(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run a coroutine in a thread with its own event loop. If this is cancelled, cancel it and wait for its end."""
    tasks: list[asyncio.Task[Any]] = []
    is_cancelled = False

    async def run() -> None:
        task = asyncio.current_task()
        tasks.extend([task] if task else [])
        if not is_cancelled:
            with suppress(asyncio.CancelledError):
                await work()

    executor = ThreadPoolExecutor(1, thread_name_prefix="views rebuild")
    ended = asyncio.get_running_loop().run_in_executor(executor, lambda: asyncio.run(run()))
    executor.shutdown(wait=False)  # the thread ends with the coroutine
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        # The thread adds its task before it reads the variable: we see its task, or it sees the variable.
        is_cancelled = True
        for task in tasks:
            with suppress(RuntimeError):  # its event loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)
        await asyncio.wait([ended])
        raise


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
        await process.communicate()  # wait for its end, so that no pipe stays open
        raise
    if process.returncode:
        logger.warning("the views could not be rebuilt: %s", errors.decode(errors="replace").strip())
    return process.returncode == 0
