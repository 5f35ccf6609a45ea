"""Write events to a new log file."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

from ledgerpress.adapters.sqlite_log.copy_target import SqliteCopyTarget
from ledgerpress.eventlog.envelope import StoredEvent


async def write_copy(path: Path, publication: str, batches: Iterable[Sequence[StoredEvent]]) -> int:
    """Create a log at `path` from the events of `batches`, in order, and return its head."""
    async with aclosing(await SqliteCopyTarget.open(path, publication)) as target:
        for batch in batches:
            await target.extend(batch)
        await target.finish()
        return await target.head()
