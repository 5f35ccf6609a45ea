"""Load the demo newsroom into a new store."""

from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.feature import FeatureSet
from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.features.demo.load import (
    DEMO_WEEKS,
    EVENTS_TO_IDENTIFY,
    DemoClock,
    begins_with_demo,
    load_demo,
)
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Progress
from ledgerpress.operator.log_copy import copy_of
from ledgerpress.server.data_directory import LOG_FILE, TEMPORARY, is_vacant
from ledgerpress.server.log_factory import existing_log, open_when_available
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.store import open_store


async def load_demo_into(
    data: Path,
    url: LogUrl,
    progress: Progress,
    *,
    features: FeatureSet = FEATURES,
    log_timeout: float = 0.0,
) -> bool:
    """Create a store with the demo in `data`, or at the URL of a log; return `False` if there already is a store.

    Raises `LogUnusable` if the directory contains other files, and `LogUnavailable` if the log cannot be reached for
    `log_timeout` seconds.
    """
    if not url.is_local:
        return await _copy_demo_to(url, data, progress, log_timeout, features)
    if not is_vacant(data):
        return False
    with TemporaryDirectory(prefix=TEMPORARY, dir=data) as temporary:
        # Write the store elsewhere, then move it with the log last: an interruption leaves no incomplete demo.
        place = Path(temporary) / "store"
        await _write_demo(place, progress, features)
        for file in sorted(place.iterdir(), key=lambda file: file.name == LOG_FILE):
            file.rename(data / file.name)
    return True


async def is_demo(data: Path, url: LogUrl, *, features: FeatureSet = FEATURES) -> bool:
    """Return whether the existing log begins with the demo. Raises `LogUnusable` and `LogUnavailable`."""
    async with existing_log(data, url.text) as log:
        stored = await log.read(FIRST_EVENT_COUNT, EVENTS_TO_IDENTIFY)
    codec = features.codec()
    return begins_with_demo(codec.decode(event).event for event in stored)


async def _copy_demo_to(
    url: LogUrl, data: Path, progress: Progress, log_timeout: float, features: FeatureSet
) -> bool:
    """Write the demo elsewhere, then copy its log to `url`. The copy becomes a log only when it is complete."""
    try:
        async with aclosing(await open_when_available(url, data, create_as=None, timeout=log_timeout)):
            return False
    except LogUnusable:
        # There is no log. If it was another error, the copy fails with the same error.
        pass
    with TemporaryDirectory() as temporary:
        place = Path(temporary) / "store"
        await _write_demo(place, progress, features)
        async with existing_log(place) as log:
            await copy_of(log, url, data)
    return True


async def _write_demo(place: Path, progress: Progress, features: FeatureSet) -> None:
    start = SystemClock().now() - timedelta(weeks=DEMO_WEEKS) // timedelta(microseconds=1)
    clock = DemoClock(start)
    async with open_store(place, features=features, clock=clock) as store:
        await load_demo(store.commands, clock, progress=progress)
