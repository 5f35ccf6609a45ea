"""The messages between a supervisor, its workers and its fork server, over sockets that both have from the start.

A socket also shows each side the end of the other: a worker without its supervisor stops.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import msgspec

VARIABLE: Final = "_LEDGERPRESS_WORKER"
"""The environment variable by which a supervisor passes a `ForkServerStart` to the program that it starts."""


HURRY: Final = signal.SIGUSR1
"""The signal for a worker to end without waiting any longer. A repeated SIGTERM is not: service managers send it, too."""


class ForkServerStart(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork server needs to start: file descriptors, which it inherits, and the directory of the workers' sockets."""

    link: int
    listeners: tuple[int, ...]
    sockets: str
    store: str
    """Where the store is. Settings cannot change it while the supervisor runs."""

    @classmethod
    def taken_from_environment(cls) -> Self | None:
        """Remove the variable from the environment and return its content; `None` if there is none."""
        text = os.environ.pop(VARIABLE, None)
        return None if text is None else msgspec.json.decode(text, type=cls)

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the fork server."""
        return {**os.environ, VARIABLE: msgspec.json.encode(self).decode()}

    def descriptors(self) -> tuple[int, ...]:
        """Return the file descriptors that the fork server inherits."""
        return (self.link, *self.listeners)


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


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """Another worker has taken the place of this one: finish what has begun, and end."""


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """The fork server has imported everything, and forks workers from now on."""


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """Fork a worker. The message comes with the file descriptor of its socket to the supervisor."""

    worker: int


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """A worker was forked; `pid` is its process."""

    worker: int
    pid: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A worker has ended. `code` is its exit code, or the negative number of the signal that killed it."""

    worker: int
    code: int


Message: TypeAlias = Beat | Ready | Retire | Prepared | Fork | Forked | Ended
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def encoded(message: Message) -> bytes:
    """Return a message as it is sent: JSON on a line."""
    return msgspec.json.encode(message) + b"\n"


def decoded(line: bytes) -> Message:
    """Return the message on a line. Raises `msgspec.MsgspecError`."""
    return _decoder.decode(line)


class Link:
    """One end of the socket between a supervisor and a worker or a fork server."""

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
            self._writer.write(encoded(message))

    async def messages(self) -> AsyncIterator[Message]:
        """Yield the messages of the other side until it has ended."""
        with suppress(OSError):
            async for line in self._reader:
                with suppress(msgspec.MsgspecError):  # a newer program may send more
                    yield decoded(line)

    def close(self) -> None:
        self._writer.close()
