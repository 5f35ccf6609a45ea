"""A proxy between a node and PostgreSQL that loses the messages that a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, Self

COMMIT = b"COMMIT\0"
"""The end of the query message (Q … COMMIT) and of the response to it (C … COMMIT)."""

Loss = Literal["question", "answer", "connection after the question", "nothing but the answer"]


async def _nothing() -> None:
    pass


class Proxy:
    """Forwards bytes in both directions. `lose` is the fault of the next COMMIT; it happens once."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.lose: Loss | None = None
        self.then: Callable[[], Awaitable[None]] = _nothing
        """Called when something was lost, before the node notices it."""
        self.rejects_connections = False
        """Whether the proxy closes new connections immediately."""
        self.cut_at: bytes | None = None
        """Cut the next connection on which the node sends these bytes, once."""
        self.stall_at_commit = False
        """Whether the proxy stops forwarding at the next COMMIT, until `go_on` is called."""
        self._dead: set[asyncio.StreamWriter] = set()

    @property
    def has_lost(self) -> bool:
        """Whether the faults of `lose` and `cut_at` have happened."""
        return self.lose is None and self.cut_at is None

    @property
    def connections(self) -> int:
        """The number of connections so far."""
        return len(self._pairs)

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int, *, at: tuple[str, int] = ("127.0.0.1", 0)) -> AsyncIterator[Self]:
        """Run a proxy in front of the server at `port` of 127.0.0.1; the proxy listens on a free port by default."""
        proxy = cls(port)
        listener = await asyncio.start_server(proxy._accept, *at)
        proxy._listener = listener
        try:
            yield proxy
        finally:
            listener.close()
            proxy.go_on()
            for pair in proxy._pairs:
                proxy._cut(pair)
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def through(self, url: str) -> str:
        """Return the URL of the same log through the proxy."""
        assert self._listener is not None
        own = self._listener.sockets[0].getsockname()[1]
        return url.replace(f":{self._server}/", f":{own}/")

    def go_on(self) -> None:
        """Forward again after a stall."""
        self.stall_at_commit = False
        self._open.set()

    def forget_all(self) -> None:
        """Drop all bytes on the existing connections without closing them; later connections are not affected."""
        self._dead |= {writer for pair in self._pairs for writer in pair}

    def send_to_nodes(self, data: bytes) -> None:
        """Send bytes to the nodes as if the server had sent them."""
        for node, _ in self._pairs:
            node.write(data)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if self.rejects_connections:
            writer.close()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.close()
            return
        pair = (writer, server_writer)
        self._pairs.append(pair)
        with suppress(OSError):
            await asyncio.gather(
                self._pass_on(reader, server_writer, pair, from_node=True),
                self._pass_on(server_reader, writer, pair, from_node=False),
            )

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        from_node: bool,
    ) -> None:
        while data := await reader.read(2**16):
            if from_node and data.endswith(COMMIT) and self.stall_at_commit:
                self._open.clear()
            await self._open.wait()
            if from_node and self.cut_at and self.cut_at in data:
                self.cut_at = None
                break
            if not from_node and COMMIT in data and self.lose == "nothing but the answer":
                self.lose = None
                continue
            if COMMIT in data and self.lose == ("question" if from_node else "answer"):
                await self._lost(pair)
                return
            if writer in self._dead:
                continue
            writer.write(data)
            if from_node and data.endswith(COMMIT) and self.lose == "connection after the question":
                await writer.drain()
                await self._lost(pair)
                return
        self._cut(pair)

    async def _lost(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.lose = None
        pair[1].close()
        await self.then()
        self._cut(pair)

    def _cut(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        for writer in pair:
            writer.close()
