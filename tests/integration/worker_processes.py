"""The workers of a running server: their processes, and which of them serves a connection (Linux)."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ledgerpress.server.workers.supervision_messages import VARIABLE
from tests.integration.keep_alive_client import Client
from tests.integration.server_process import Server

WAIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.01


def workers_of(server: Server) -> set[int]:
    """Return the process ids of the workers that serve."""
    return {pid for pid in processes_of(server) if is_serving(pid)}


def processes_of(server: Server) -> set[int]:
    """Return the process ids of all workers, also of those that start and of the spare one."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text("ascii").split()
    return {int(pid) for pid in children if is_running(int(pid))}


def is_running(pid: int) -> bool:
    """Return whether a process runs or is stopped; false once it has ended, even if its parent does not know yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def writer_of(server: Server) -> int:
    """Return the process id of the worker that applies events to the views."""
    pids = {_start(pid)["number"]: pid for pid in workers_of(server)}
    sockets = Path(next(iter(map(_start, pids.values())))["sockets"])
    (lock,) = sockets.glob("writer-*")
    return pids[int(lock.read_text("ascii"))]


def is_serving(pid: int) -> bool:
    """Return whether a worker has opened the store, so that it accepts requests at once."""
    try:
        start = _start(pid)
    except (KeyError, OSError):
        return False
    return (Path(start["sockets"]) / f"memory-{start['number']}").exists()


async def until_writer(server: Server, former: int) -> int:
    """Wait until another worker than `former` applies events; return its process id."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with suppress(KeyError, OSError):
                if (pid := writer_of(server)) != former:
                    return pid
            await asyncio.sleep(_POLL_SECONDS)


def _start(pid: int) -> dict[str, Any]:
    """Return what the supervisor has passed to a worker."""
    for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name.decode() == VARIABLE:
            start: dict[str, Any] = json.loads(value)
            return start
    raise KeyError(pid)


def worker_of(server: Server, client: Client) -> int:
    """Return the process id of the worker that serves a connection."""
    return worker_at(server, client.address)


def worker_at(server: Server, address: tuple[str, int]) -> int:
    """Return the process id of the worker that serves the connection from a client's address."""
    _, port = address
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}"):
            name = f"socket:[{fields[9]}]"
            for pid in workers_of(server):
                if name in _open_files(pid):
                    return pid
    raise AssertionError(f"no worker serves the connection from port {port}")


def _open_files(pid: int) -> set[str]:
    files = set[str]()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            files.add(str(descriptor.readlink()))
        except OSError:
            continue
    return files


async def connections_to_each(server: Server) -> dict[int, Client]:
    """Return a connection to each worker, by its process id."""
    clients = dict[int, Client]()
    async with asyncio.timeout(WAIT_SECONDS):
        while clients.keys() != workers_of(server):
            client = await server.connect()
            await client.get("/health/live")
            if (pid := worker_of(server, client)) in clients:
                await client.aclose()
            else:
                clients[pid] = client
    return clients


async def connections_to(server: Server, pids: Collection[int], number: int) -> list[Client]:
    """Return so many connections to some workers, in equal parts."""
    clients = list[Client]()
    left = Counter({pid: number // len(pids) for pid in pids})
    async with asyncio.timeout(WAIT_SECONDS):
        while left.total():
            client = await server.connect()
            await client.get("/health/live")
            pid = worker_of(server, client)
            if left[pid] > 0:
                left[pid] -= 1
                clients.append(client)
            else:
                await client.aclose()
    return clients


async def until_replaced(server: Server, former: set[int], count: int) -> set[int]:
    """Wait until `count` workers serve, none of which is one of `former`; return their process ids."""
    async with asyncio.timeout(WAIT_SECONDS):
        while len(workers := workers_of(server)) != count or workers & former:  # noqa: ASYNC110 - processes are polled
            await asyncio.sleep(_POLL_SECONDS)
        for client in (await connections_to_each(server)).values():
            await client.aclose()
    return workers


async def until_ended(*pids: int) -> None:
    """Wait until processes have ended."""
    async with asyncio.timeout(WAIT_SECONDS):
        while any(map(is_running, pids)):  # noqa: ASYNC110 - processes are polled
            await asyncio.sleep(_POLL_SECONDS)


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a worker."""
    os.kill(pid, number)


async def append_groups(client: Client) -> int:
    """Return the number of transactions in which the workers of a server have recorded appends."""
    match = re.search(
        rb"^ledgerpress_log_append_groups_total (\S+)", await client.fetch("/metrics"), re.MULTILINE
    )
    assert match
    return int(float(match[1]))
