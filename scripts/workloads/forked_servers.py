"""Server processes that start quickly: forks of one process that has already imported LedgerPress.

Most of the time of an ordinary start is spent on imports. A forked server runs `ledgerpress serve` in its own process,
in its own process group and with its own files, like any other. So a benchmark can start a thousand of them.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.integration.server_process import PROGRAM, Server, Servers

_forks: Final = multiprocessing.get_context("forkserver")


class ForkedProcess:
    """A forked process, with the methods of `asyncio.subprocess.Process` that `Server` needs."""

    def __init__(self, process: Any) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        pid: int = self._process.pid
        return pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or `None` while the process runs."""
        code: int | None = self._process.exitcode
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait until the process has ended; return its exit code."""
        while self.returncode is None:
            await asyncio.to_thread(self._process.join, 1.0)
        return self.returncode


class ForkedServers(Servers):
    """Starts servers as forks, and on exit kills those that still run."""

    def __init__(self, outputs: Path, environment: Mapping[str, str]) -> None:
        super().__init__(outputs, environment)
        _forks.set_forkserver_preload(["scripts.workloads.imported_program", __name__])

    async def launch(self, data: Path, *options: str, program: Sequence[str | Path] = PROGRAM) -> Server:
        """Start a server without waiting until it is ready. Raises `ValueError` for another program."""
        if tuple(program) != PROGRAM:
            raise ValueError("only ledgerpress can be forked")
        output = self.next_output()
        arguments = ["ledgerpress", "serve", "--port", "0", "--data", str(data), *options]
        output.touch()
        process = _forks.Process(target=_run, args=(arguments, output, dict(self.environment)), daemon=True)
        await asyncio.to_thread(process.start)
        while process.exitcode is None and os.getpgid(process.pid or 0) != process.pid:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return self.started(Server(ForkedProcess(process), output))


def _run(arguments: list[str], output: Path, environment: dict[str, str]) -> None:
    """Become the leader of a process group, and run the program with these arguments."""
    os.setsid()
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment)
    sys.argv = arguments
    from ledgerpress.cli import main  # noqa: PLC0415 - imported by the first process, not by the benchmark

    main()
