"""The program, killed while it copies: `python -m tests.integration.killed_copy_program POSITION SECONDS ARGUMENT…`.

The process gets SIGKILL `SECONDS` after the copy has reached `POSITION`, whatever it is doing then.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable

from ledgerpress.cli import main
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.operator.log_copy import LogCopier


def killed_main() -> None:
    """Run the program."""
    at, delay = int(sys.argv.pop(1)), float(sys.argv.pop(1))
    copy, has_reached = LogCopier.run, threading.Event()

    async def copy_and_watch(self: LogCopier, progress: Callable[[int, int], None] | None = None) -> TreeHead:
        def report(position: int, end: int) -> None:
            if position >= at and not has_reached.is_set():
                has_reached.set()
                threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
            if progress:
                progress(position, end)

        return await copy(self, report)

    LogCopier.run = copy_and_watch  # type: ignore[method-assign]
    main()


if __name__ == "__main__":
    killed_main()
