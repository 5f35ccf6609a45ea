"""The messages between a supervisor and its workers, over a socket that both have from the start.

The socket also shows each the end of the other: a worker without its supervisor stops.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import msgspec

VARIABLE: Final = "_LEDGERPRESS_WORKER"
"""The environment variable by which a supervisor passes a `WorkerStart` to the program that it starts."""


class WorkerStart(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to start: file descriptors, which it inherits, and the directory of the workers' sockets."""

    number: int
    link: int
    listeners: tuple[int, ...]
    sockets: str

    @classmethod
    def taken_from_environment(cls) -> Self | None:
        """Remove the variable from the environment and return its content; `None` if there is none."""
        text = os.environ.pop(VARIABLE, None)
        return None if text is None else msgspec.json.decode(text, type=cls)

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the worker."""
        return {**os.environ, VARIABLE: msgspec.json.encode(self).decode()}

    def descriptors(self) -> tuple[int, ...]:
        """Return the file descriptors that the worker inherits."""
        return (self.link, *self.listeners)

    @contextmanager
    def opened(self) -> "Iterator[Worker]":
        """Open the socket to the supervisor and the listening sockets, in the worker."""
        link = socket.socket(fileno=self.link)
        listeners = [socket.socket(fileno=descriptor) for descriptor in self.listeners]
        for descriptor in self.descriptors():
            os.set_inheritable(descriptor, False)
        try:
            yield Worker(self.number, link, listeners, Path(self.sockets))
        finally:
            for opened in (link, *listeners):
                opened.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """The place of this process among the workers: its number, its sockets to the supervisor and to clients, and the workers' directory."""

    number: int
    link: socket.socket
    listeners: list[socket.socket]
    directory: Path


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The event loop of the worker runs."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker accepts requests. `head` is the position of the log, `token` the first admin token if it created it.

    `workers` is the number of workers in its settings.
    """

    head: int
    token: str | None
    workers: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The worker opens the store and serves. Until then it only prepares for that, so that it can begin soon."""


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """Another worker has taken the place of this one: finish what has begun, and end."""


Message: TypeAlias = Beat | Ready | Begin | Retire
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


class Link:
    """One end of the socket between a supervisor and a worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connected: socket.socket) -> Self:
        """Return a link over a connected socket, which it closes."""
        return cls(*await asyncio.open_unix_connection(sock=connected))

    def send(self, message: Message) -> None:
        """Send a message. If the other side has ended, nothing happens."""
        if not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(message) + b"\n")

    async def messages(self) -> AsyncIterator[Message]:
        """Yield the messages of the other side until it has ended."""
        with suppress(OSError):
            async for line in self._reader:
                with suppress(msgspec.MsgspecError):  # a newer program may send more
                    yield _decoder.decode(line)

    def close(self) -> None:
        self._writer.close()
