"""A proxy between a node and PostgreSQL that drops the messages that a test names."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, Self

COMMIT = b"COMMIT\0"
"""The end of the question (Q … COMMIT), and of the answer to it (C … COMMIT)."""

Loss = Literal["question", "answer", "connection after the question", "nothing but the answer"]


async def _nothing() -> None:
    pass


class Proxy:
    """Passes on bytes both ways. What `lose` says goes wrong with the next COMMIT, once."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.lose: Loss | None = None
        self.then: Callable[[], Awaitable[None]] = _nothing
        """Called when something was lost, before the node learns of it."""
        self.refuses = False
        """Whether new connections are closed at once."""
        self.cut_at: bytes | None = None
        """Whether the connection is cut, once, on which the node next asks something with these bytes in it."""
        self.stall_at_commit = False
        """Whether everything stands still from the next COMMIT on, until `go_on`."""
        self._dead: set[asyncio.StreamWriter] = set()

    @property
    def has_lost(self) -> bool:
        """Whether it has lost and cut what it was told to."""
        return self.lose is None and self.cut_at is None

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int, *, at: tuple[str, int] = ("127.0.0.1", 0)) -> AsyncIterator[Self]:
        """A proxy before the server on that port of 127.0.0.1, by default on a free port there."""
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
        """Return the URL that leads through the proxy."""
        assert self._listener is not None
        own = self._listener.sockets[0].getsockname()[1]
        return url.replace(f":{self._server}/", f":{own}/")

    def go_on(self) -> None:
        """End a stall."""
        self.stall_at_commit = False
        self._open.set()

    def forget_all(self) -> None:
        """Let nothing through any more on the connections that there are, and tell nobody; later ones are as before."""
        self._dead |= {writer for pair in self._pairs for writer in pair}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if self.refuses:
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
                self._pass_on(reader, server_writer, pair, asked=True),
                self._pass_on(server_reader, writer, pair, asked=False),
            )

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        asked: bool,
    ) -> None:
        while data := await reader.read(2**16):
            if asked and data.endswith(COMMIT) and self.stall_at_commit:
                self._open.clear()
            await self._open.wait()
            if asked and self.cut_at and self.cut_at in data:
                self.cut_at = None
                break
            if not asked and COMMIT in data and self.lose == "nothing but the answer":
                self.lose = None
                continue
            if COMMIT in data and self.lose == ("question" if asked else "answer"):
                await self._lost(pair)
                return
            if writer in self._dead:
                continue
            writer.write(data)
            if asked and data.endswith(COMMIT) and self.lose == "connection after the question":
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
