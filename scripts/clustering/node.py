"""One LedgerPress node: a server process with its own data directory, and requests to it."""

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0
RESPONSE_SECONDS: Final = 30.0

_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)/graphql")
_ADMIN_TOKEN: Final = re.compile(r"^  admin token (lp_[A-Za-z0-9_-]{43}) ", re.MULTILINE)


class NodeGone(Exception):
    """The node did not respond: it is not running, or the response took too long."""


class NodeUnreachable(NodeGone):
    """The connection failed, so the request was certainly not sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response of a node to a GraphQL request."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str | None:
        """The code of the first GraphQL error, or `None` if the response contains no errors."""
        errors = self.body.get("errors")
        return str(errors[0].get("extensions", {}).get("code", "ERROR")) if errors else None


class Node:
    """A node that can be killed and restarted at the same address."""

    def __init__(self, name: str, directory: Path, log: str) -> None:
        """Store everything in `directory`; `log` is the URL of the publication's log."""
        self.name = name
        self.data = directory / "data"
        self.output = directory / "output"
        self._log = log
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx2.AsyncClient(timeout=RESPONSE_SECONDS)

    @property
    def address(self) -> str:
        """The base URL of the node."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def is_running(self) -> bool:
        """Whether the process is running, as asyncio last noticed."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The id of the process."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    async def start(self, *options: str) -> None:
        """Start the node, and wait until it is ready: its views have caught up with the log."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        earlier_output = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ledgerpress", "serve",
                "--log", self._log, "--data", self.data, "--port", str(self._port), *options,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("LEDGERPRESS_")},
            )  # fmt: skip
        async with asyncio.timeout(START_SECONDS):
            while not (address := _ADDRESS.search(self._output_text()[earlier_output:])):
                self._must_run()
                await asyncio.sleep(0.02)
            self._port = int(address[1])
            while not await self.is_ready():
                self._must_run()
                await asyncio.sleep(0.02)

    def admin_token(self) -> str | None:
        """Return the administrator's token if the node has printed it, otherwise `None`."""
        match = _ADMIN_TOKEN.search(self._output_text())
        return match[1] if match else None

    async def ask(self, query: str, token: str | None = None, **variables: object) -> Response:
        """Send a GraphQL request.

        Raises `NodeUnreachable` if the request was not sent, and `NodeGone` if there is no response.
        """
        try:
            response = await self._client.post(
                f"{self.address}/graphql",
                json={"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {token}"} if token else None,
            )
            return Response(response.status_code, response.json())
        except httpx2.ConnectError as error:
            raise NodeUnreachable(self.name) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise NodeGone(self.name) from error

    async def health(self) -> dict[str, Any]:
        """Return the readiness report of the node. Raises `NodeGone`."""
        try:
            report: dict[str, Any] = (await self._client.get(f"{self.address}/health/ready")).json()
        except (httpx2.HTTPError, ValueError) as error:
            raise NodeGone(self.name) from error
        return report

    async def is_ready(self) -> bool:
        """Return whether the node reports that it is ready."""
        try:
            return bool((await self.health())["status"] == "ready")
        except NodeGone:
            return False

    async def kill(self) -> None:
        """Kill the node with SIGKILL."""
        await self._end(signal.SIGKILL)

    async def aclose(self) -> None:
        """Stop the node; kill it if it does not end in time."""
        await self._end(signal.SIGTERM)
        await self._client.aclose()

    async def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self.is_running:
            os.killpg(self._process.pid, number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def _must_run(self) -> None:
        if not self.is_running:
            raise RuntimeError(f"{self.name} has ended: {self._output_text()[-2_000:]}")

    def _output_text(self) -> str:
        return self.output.read_text("utf-8", "replace")
