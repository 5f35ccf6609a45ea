"""A thousand subscribers to one document: the cost of an event for each, against writing its bytes to a socket.

In one run, in turn: events are recorded with nobody subscribed, and with everybody; the difference, by subscriber and
event, is the share. Against it stands `socket.send` of the very bytes to as many loopback sockets, from a loop. Both are
read by the same other process. Then everybody leaves, and the memory is compared with what it was when everybody had
come for the first time and left.

Exits with 1 where the ratio of the medians, by processor time or by the clock, misses what is promised.
"""

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import multiprocessing
import os
import selectors
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store, open_store
from scripts.workloads.generated_posts import START, Generator, make_categories, record

GREATEST_RATIO = 5.0
GREATEST_GROWTH_BYTES = 4_000_000
DOCUMENT = """subscription Follow {
    changes { position type version recordedAt actor { id } subject { id __typename } changedFields }
}"""
ROUND_EVENTS = 20


def reader(address: tuple[str, int], pipe: Connection) -> None:
    """Read from sockets in a process of its own: connect `count` of them, tell when so many events have come."""
    sockets: list[socket.socket] = []
    while True:
        match pipe.recv():
            case ("subscribe", count):
                sockets = [subscribed(address) for _ in range(count)]
                pipe.send("subscribed")
            case ("connect", port, count):
                sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
                pipe.send("connected")
            case ("read", marks):
                read_marks(sockets, marks)
                pipe.send("read")
            case ("frame",):
                pipe.send(sockets[0].recv(65_536))
            case ("leave",):
                for one in sockets:
                    one.close()
                sockets = []
                pipe.send("left")
            case _:
                return


def subscribed(address: tuple[str, int]) -> socket.socket:
    """Return a socket that has subscribed."""
    one = socket.create_connection(address)
    key = base64.b64encode(os.urandom(16)).decode()
    one.sendall(
        (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
    )
    until(one, b"\r\n\r\n")
    one.sendall(masked({"type": "connection_init"}))
    until(one, b"connection_ack")
    one.sendall(masked({"id": "1", "type": "subscribe", "payload": {"query": DOCUMENT}}))
    return one


def masked(message: dict[str, Any]) -> bytes:
    """Return a client's text frame (RFC 6455, 5.2), masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


def until(one: socket.socket, mark: bytes) -> None:
    """Read until `mark` has come."""
    data = b""
    while mark not in data:
        part = one.recv(4096)
        if not part:
            raise SystemExit(f"the server closed a connection: {data!r}")
        data += part


def read_marks(sockets: list[socket.socket], marks: int) -> None:
    """Read until every socket has got that many events, as frames that say next."""
    with selectors.DefaultSelector() as selector:
        missing = dict.fromkeys(sockets, marks)
        for one in sockets:
            selector.register(one, selectors.EVENT_READ, one)
        while missing:
            for ready, _ in selector.select():
                one = ready.data
                missing[one] -= one.recv(262_144).count(b'"type":"next"')
                if missing[one] <= 0:
                    del missing[one]
                    selector.unregister(one)


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[tuple[str, int]]:
    """Serve the store in this process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    app = make_app(
        store,
        graphql_schema(),
        authenticator=FixedIdentity(LOCAL_OPERATOR),
        settings=HttpSettings(requests_per_second=0, anonymous_requests_per_second=0),
        subscriptions=SubscriptionSettings(),
    )
    config = uvicorn.Config(
        app, ws="websockets-sansio", ws_per_message_deflate=False, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()
    server.should_exit = True
    await task


class Costs:
    """Processor time and time by the clock, of several rounds."""

    def __init__(self) -> None:
        self.rounds: list[tuple[float, float]] = []

    @contextlib.contextmanager
    def measured(self) -> Any:
        """Measure a round."""
        processor, clock = time.process_time(), time.perf_counter()
        yield
        self.rounds.append((time.process_time() - processor, time.perf_counter() - clock))

    @property
    def medians(self) -> tuple[float, float]:
        """The medians, in seconds."""
        processor, clock = zip(*self.rounds, strict=True)
        return statistics.median(processor), statistics.median(clock)


class Writer:
    """Records events one by one, each as soon as the views show the one before."""

    def __init__(self, store: Store, generator: Generator) -> None:
        self._store = store
        self._generator = generator
        self._version = 3

    async def begin(self) -> None:
        """Record the post that is edited from then on."""
        await record(self._store, [self._generator.post(0, START)])

    async def record(self, count: int) -> None:
        """Record `count` events."""
        for _ in range(count):
            position = await self._store.log.append([self._generator.retitle(0, self._version)])
            self._version += 1
            await self._store.views.wait_for(position, 60)


async def ask(pipe: Connection, *what: Any) -> Any:
    """Ask the reading process for something, and return its answer."""
    pipe.send(what)
    return await asyncio.to_thread(pipe.recv)


def resident() -> int:
    """Return the memory of this process, in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def measure(subscribers: int, rounds: int) -> bool:
    """Measure, print, and return whether the promises are kept."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_store(Path(directory) / "store") as store, serving(store) as address:
            writer = Writer(store, Generator(await make_categories(store)))
            await writer.begin()
            pipe, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=reader, args=(address, theirs), daemon=True
            )
            process.start()
            frame = await one_frame(pipe, writer)
            alone, together, sending = Costs(), Costs(), Costs()
            memory: list[int] = []
            for number in range(rounds + 1):
                if number == 1:
                    alone, together, sending = Costs(), Costs(), Costs()
                with alone.measured():
                    await writer.record(ROUND_EVENTS)
                await ask(pipe, "subscribe", subscribers)
                await settled()
                with together.measured():
                    pipe.send(("read", ROUND_EVENTS))
                    await writer.record(ROUND_EVENTS)
                    await asyncio.to_thread(pipe.recv)
                await ask(pipe, "leave")
                await asyncio.sleep(1)
                memory.append(resident())
                await send_round(pipe, frame, subscribers, sending)
            pipe.send(("stop",))
            return report(subscribers, frame, alone, together, sending, memory)


async def one_frame(pipe: Connection, writer: Writer) -> bytes:
    """Return the bytes of one event's frame."""
    await ask(pipe, "subscribe", 1)
    await asyncio.sleep(0.5)
    await writer.record(1)
    frame: bytes = await ask(pipe, "frame")
    await ask(pipe, "leave")
    return frame


async def settled() -> None:
    """Wait until this process has nothing left to do: everybody waits for what comes."""
    busy = 1.0
    while busy > 0.02:
        before = time.process_time()
        await asyncio.sleep(0.5)
        busy = time.process_time() - before


async def send_round(pipe: Connection, frame: bytes, count: int, sending: Costs) -> None:
    """Write the frame to as many sockets, as often."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        pipe.send(("connect", listener.getsockname()[1], count))
        sockets = [(await asyncio.to_thread(listener.accept))[0] for _ in range(count)]
        pipe.recv()
        with sending.measured():
            pipe.send(("read", ROUND_EVENTS))
            for _ in range(ROUND_EVENTS):
                for one in sockets:
                    one.send(frame)
            pipe.recv()
        for one in sockets:
            one.close()
        await ask(pipe, "leave")


def report(
    subscribers: int, frame: bytes, alone: Costs, together: Costs, sending: Costs, memory: list[int]
) -> bool:
    """Print what was measured, and return whether the promises are kept."""
    shares = subscribers * ROUND_EVENTS
    kept = True
    print(f"{subscribers:,} subscribers, {ROUND_EVENTS} events a round, frames of {len(frame)} bytes")
    for name, which in (("processor", 0), ("clock", 1)):
        share = (together.medians[which] - alone.medians[which]) / shares
        write = sending.medians[which] / shares
        kept = kept and share <= GREATEST_RATIO * write
        print(
            f"  {name:10} a share of an event {share * 1e6:6.1f} us, a write {write * 1e6:5.1f} us:"
            f" {share / write:.2f} times (at most {GREATEST_RATIO:g})"
        )
    growth = memory[-1] - memory[0]
    print(f"  memory after they left: {growth / 1e6:+.1f} MB since the first time")
    return kept and growth <= GREATEST_GROWTH_BYTES


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    kept = uvloop.run(measure(arguments.subscribers, arguments.rounds))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
