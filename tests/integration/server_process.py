"""Real server processes on a data directory: start, wait, stop and kill them. No process survives the test."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final, Protocol, Self

from tests.integration.keep_alive_client import Client, ConnectionLost

PROGRAM: Final = (sys.executable, "-m", "ledgerpress")
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0

EVERYONE_IS_ADMIN: Final = {"LEDGERPRESS_ANONYMOUS_ROLE": "admin"}
"""With this environment, clients need no token."""

_ADDRESS = re.compile(rb"http://([0-9.]+):(\d+)(?:/[a-z]+)?/graphql")
_ADMIN_TOKEN = re.compile(r"^  admin token (lp_[A-Za-z0-9_-]{43}) ", re.MULTILINE)
_BANNER = re.compile(
    r"LedgerPress |  log  |  front page |  GraphQL |  GraphiQL |  admin token |  no token  |  metrics |Press Ctrl\+C"
)


class Process(Protocol):
    """The part of `asyncio.subprocess.Process` that a `Server` needs."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def send_signal(self, number: int, /) -> None: ...

    async def wait(self) -> int: ...


class Server:
    """A server process, the leader of its own process group. Its output is written to the file `output`."""

    def __init__(self, process: Process, output: Path) -> None:
        self._process = process
        self.output = output

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not been reported as ended yet."""
        return self._process.returncode is None

    async def address(self) -> tuple[str, int]:
        """Wait until the server has printed its address; return host and port."""
        async with asyncio.timeout(START_SECONDS):
            while not (match := _ADDRESS.search(self.output.read_bytes())):
                assert self.is_running, self.words()
                await asyncio.sleep(0.01)
        return match[1].decode(), int(match[2])

    async def connect(self, authorization: str | None = None) -> Client:
        """Open a connection to the server; its requests have `authorization` in the Authorization header."""
        return await Client.connect(*await self.address(), authorization)

    def admin_token(self) -> str | None:
        """Return the admin token that the server has printed, or `None`."""
        match = _ADMIN_TOKEN.search(self.output.read_text("utf-8"))
        return match[1] if match else None

    async def ready(self) -> Self:
        """Wait until the server accepts requests and its views have caught up with the log."""
        await self.address()
        async with asyncio.timeout(START_SECONDS):
            while not await self._is_ready():
                assert self.is_running, self.words()
                await asyncio.sleep(0.02)
        return self

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the server, wait until it has ended, and return its exit code."""
        self.signal(number)
        return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until the server has ended; return its exit code."""
        async with asyncio.timeout(STOP_SECONDS):
            return await self._process.wait()

    async def kill(self) -> None:
        """Kill the server and all processes of its group."""
        if self.is_running:
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()

    def words(self) -> str:
        """Return the output so far without the banner: empty if nothing went wrong."""
        lines = self.output.read_text("utf-8").splitlines()
        return "\n".join(line for line in lines if line and not _BANNER.match(line))

    async def _is_ready(self) -> bool:
        try:
            async with await self.connect() as client:
                return await client.get("/health/ready") == 200
        except ConnectionLost:
            return False


HANG_SECONDS: Final = "LEDGERPRESS_WORKER_HANG_SECONDS"


class Servers:
    """Starts servers, and on exit kills those that still run."""

    def __init__(self, outputs: Path, environment: Mapping[str, str] = EVERYONE_IS_ADMIN) -> None:
        """Write the servers' output to the directory `outputs`; add `environment` to their environment variables."""
        self._outputs = outputs
        self.environment = environment
        self._numbers = count(1)
        self._started: list[Server] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(server.kill() for server in self._started))

    async def launch(self, data: Path, *options: str, program: Sequence[str | Path] = PROGRAM) -> Server:
        """Start a server without waiting until it is ready."""
        output = self.next_output()
        with output.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *program, "serve", "--port", "0", "--data", data, *options,
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                env={HANG_SECONDS: "15", **os.environ, **self.environment},  # for a busy machine
            )  # fmt: skip
        return self.started(Server(process, output))

    def next_output(self) -> Path:
        """Return a new path for the output of a server."""
        return self._outputs / f"server-{next(self._numbers)}.log"

    def started(self, server: Server) -> Server:
        """Return `server`, which is killed on exit if it still runs then."""
        self._started.append(server)
        return server

    async def start(self, data: Path, *options: str, program: Sequence[str | Path] = PROGRAM) -> Server:
        """Start a server and wait until it is ready."""
        return await (await self.launch(data, *options, program=program)).ready()


@asynccontextmanager
async def serving(data: Path, processes: int) -> AsyncIterator[list[Server]]:
    """Yield `processes` servers on one data directory; at the end, none may have printed more than the banner."""
    async with Servers(data.parent) as servers:
        first = await servers.start(data)
        others = await asyncio.gather(*(servers.start(data) for _ in range(processes - 1)))
        yield [first, *others]
        for server in (first, *others):
            assert server.words() == ""
