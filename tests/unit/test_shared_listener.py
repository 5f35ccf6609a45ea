"""Several processes accept connections on one socket: each gets about as many, and none is lost when one stops."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from ledgerpress.server.process.shared_listener import SharedListener

CONNECTIONS = 32


class Acceptor:
    """One of several processes, in the event loop of this test, with a descriptor of its own."""

    def __init__(self, listener: socket.socket) -> None:
        self.open: set[asyncio.BaseTransport] = set()
        self.socket = listener.dup()
        self.listener = SharedListener(self.socket, lambda: _Greeting(self.open), lambda: len(self.open))


class _Greeting(asyncio.Protocol):
    def __init__(self, connections: set[asyncio.BaseTransport]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._connections.add(transport)
        transport.write(b"hello\n")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)) as listener:
        yield listener


async def greeted(listener: socket.socket) -> asyncio.StreamWriter:
    """Connect, and wait until the connection has been accepted."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await reader.readline() == b"hello\n"
    return writer


async def test_each_process_accepts_about_as_many_connections(listener: socket.socket) -> None:
    acceptors = [Acceptor(listener) for _ in range(2)]
    clients = await asyncio.gather(*(greeted(listener) for _ in range(CONNECTIONS)))
    for _ in range(CONNECTIONS):
        clients.append(await greeted(listener))
    counts = [len(acceptor.open) for acceptor in acceptors]
    assert sum(counts) == 2 * CONNECTIONS
    assert min(counts) >= CONNECTIONS // 2
    await end(acceptors, clients)


async def test_connections_that_wait_are_accepted_by_the_others(listener: socket.socket) -> None:
    first = Acceptor(listener)
    clients = [await greeted(listener)]
    first.listener.close()
    waiting = asyncio.gather(*(greeted(listener) for _ in range(4)))
    await asyncio.sleep(0)
    second = Acceptor(listener)
    clients += await waiting
    assert (len(first.open), len(second.open)) == (1, 4)
    await end([first, second], clients)


async def end(acceptors: list[Acceptor], clients: list[asyncio.StreamWriter]) -> None:
    for acceptor in acceptors:
        acceptor.listener.close()
        await acceptor.listener.wait_closed()
        acceptor.socket.close()
        for transport in acceptor.open:
            transport.close()
    for client in clients:
        client.close()
        await client.wait_closed()
