"""Write the golden log to standard output. Read `tests/contract/test_golden_log.py` first."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from tests.golden.log_lines import line_of
from tests.golden.recorded_commands import PUBLICATION, happen


async def record() -> list[str]:
    """Return the lines."""
    with TemporaryDirectory() as folder:
        log = await SqliteEventLog.open(Path(folder) / "log.sqlite", create_as=lambda: PUBLICATION)
        try:
            await happen(log, Path(folder) / "views.sqlite")
            return [line_of(stored) for stored in await log.read(0, 10_000)]
        finally:
            await log.aclose()


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in asyncio.run(record()))
