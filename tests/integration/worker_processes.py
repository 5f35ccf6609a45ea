"""The workers of a running server: their processes, and which of them serves a connection (Linux)."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.integration.keep_alive_client import Client
from tests.integration.server_process import Server

WAIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.01


def workers_of(server: Server) -> set[int]:
    """Return the process ids of the workers that serve."""
    return {pid for pid in processes_of(server) if is_serving(pid)}


def processes_of(server: Server) -> set[int]:
    """Return the process ids of all workers, also of those that start, and of the processes that fork them."""
    forking = _children(server.pid)
    return forking.union(*map(_children, forking))


def _children(pid: int) -> set[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return set()
    return {int(child) for child in children if is_running(int(child))}


def is_running(pid: int) -> bool:
    """Return whether a process runs or is stopped; false once it has ended, even if its parent does not know yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def writer_of(server: Server) -> int:
    """Return the process id of the worker that applies events to the views."""
    sockets = {pid: _socket(pid) for pid in workers_of(server)}
    (lock,) = _directory(next(iter(sockets))).glob("writer-*")
    holder = lock.read_text("ascii")
    return next(pid for pid, path in sockets.items() if path.name == holder)


def is_serving(pid: int) -> bool:
    """Return whether a worker has opened the store, so that it accepts requests at once."""
    try:
        path = _socket(pid)
        return bool((_directory(pid) / f"memory-{path.name}").read_text("ascii"))
    except (LookupError, OSError):
        return False


def _directory(pid: int) -> Path:
    """Return the directory that workers share: the one in which a worker has its lock file open."""
    for file in _open_files(pid):
        if (path := Path(file)).name.startswith("writer-"):
            return path.parent
    raise LookupError(pid)


async def until_writer(server: Server, former: int) -> int:
    """Wait until another worker than `former` applies events; return its process id."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with suppress(LookupError, StopIteration, OSError):
                if (pid := writer_of(server)) != former:
                    return pid
            await asyncio.sleep(_POLL_SECONDS)


def _socket(pid: int) -> Path:
    """Return the path of the Unix socket on which a worker listens; its name is the number of the worker."""
    files = _open_files(pid)
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        is_listening = int(flags, 16) & 0x10000
        if is_listening and path and f"socket:[{inode}]" in files:
            return Path(path[0])
    raise LookupError(pid)


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


async def until_words(server: Server, words: str) -> None:
    """Wait until a server has printed some words."""
    async with asyncio.timeout(WAIT_SECONDS):
        while words not in server.words():  # noqa: ASYNC110 - the output is polled
            await asyncio.sleep(_POLL_SECONDS)


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
