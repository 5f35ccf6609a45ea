"""A thousand subscribers to one document: the cost of an event for each, against writing its bytes to a socket.

Each round records events without subscribers and then with all subscribers. The difference, per subscriber and event,
is a subscriber's share of an event. It is compared with `socket.send` of the same bytes to the same number of loopback
sockets in a loop. In both cases the same other process reads. Then all subscribers leave, and the memory is compared
with the memory after they left for the first time.

Exits with 1 if the ratio of the medians, in processor time or wall-clock time, or the growth of memory misses its
target. `--transport sse` measures event streams instead of WebSockets.
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
import uuid
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

GREATEST_RATIOS = {"processor": 2.0, "clock": 5.0}
"""Wall-clock time depends on how the reading process and others share the processors."""
GREATEST_GROWTH_BYTES = 4_000_000
DOCUMENT = """subscription Follow {
    changes { position type version recordedAt actor { id } subject { id __typename } changedFields }
}"""
ROUND_EVENTS = 20


MARKS = {"websocket": b'"type":"next"', "sse": b"event: next"}
"""What every event contains, by transport."""


def reader(address: tuple[str, int], transport: str, pipe: Connection) -> None:
    """Connect and read sockets in another process, on requests through `pipe`; report when each request is done."""
    subscribe = {"websocket": subscribed_websocket, "sse": subscribed_event_stream}[transport]
    sockets: list[socket.socket] = []
    while True:
        match pipe.recv():
            case ("subscribe", count):
                sockets = [subscribe(address) for _ in range(count)]
                pipe.send("subscribed")
            case ("connect", port, count):
                sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
                pipe.send("connected")
            case ("read", marks):
                read_marks(sockets, MARKS[transport], marks)
                pipe.send("read")
            case ("frame",):
                pipe.send(sockets[0].recv(65_536))
            case ("leave",):
                for connection in sockets:
                    connection.close()
                sockets = []
                pipe.send("left")
            case _:
                return


def subscribed_websocket(address: tuple[str, int]) -> socket.socket:
    """Return a socket with a subscription to `DOCUMENT`. Its id is random, as those of npm's graphql-ws are."""
    connection = socket.create_connection(address)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
    )
    until(connection, b"\r\n\r\n")
    connection.sendall(masked({"type": "connection_init"}))
    until(connection, b"connection_ack")
    connection.sendall(masked({"id": str(uuid.uuid4()), "type": "subscribe", "payload": {"query": DOCUMENT}}))
    return connection


def subscribed_event_stream(address: tuple[str, int]) -> socket.socket:
    """Return a socket with an event stream for `DOCUMENT`."""
    connection = socket.create_connection(address)
    body = json.dumps({"query": DOCUMENT}).encode()
    connection.sendall(
        (
            "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        + body
    )
    until(connection, b":\n\n\r\n")
    return connection


def masked(message: dict[str, Any]) -> bytes:
    """Return a client's text frame (RFC 6455, 5.2), masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + data


def until(connection: socket.socket, mark: bytes) -> None:
    """Read until `mark` has arrived."""
    data = b""
    while mark not in data:
        part = connection.recv(4096)
        if not part:
            raise SystemExit(f"the server closed a connection: {data!r}")
        data += part


def read_marks(sockets: list[socket.socket], mark: bytes, marks: int) -> None:
    """Read until every socket has received `mark` as often as `marks`, once per event."""
    with selectors.DefaultSelector() as selector:
        missing = dict.fromkeys(sockets, marks)
        for connection in sockets:
            selector.register(connection, selectors.EVENT_READ, connection)
        while missing:
            for ready, _ in selector.select():
                connection = ready.data
                missing[connection] -= connection.recv(262_144).count(mark)
                if missing[connection] <= 0:
                    del missing[connection]
                    selector.unregister(connection)


@asynccontextmanager
async def serving(store: Store) -> AsyncIterator[tuple[str, int]]:
    """Serve the store in this process, and provide the address."""
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
    """Processor time and wall-clock time of several rounds."""

    def __init__(self) -> None:
        self.rounds: list[tuple[float, float]] = []

    @contextlib.contextmanager
    def measured(self) -> Any:
        """Measure the `with` block as one round."""
        processor, clock = time.process_time(), time.perf_counter()
        yield
        self.rounds.append((time.process_time() - processor, time.perf_counter() - clock))

    @property
    def medians(self) -> tuple[float, float]:
        """The medians, in seconds."""
        processor, clock = zip(*self.rounds, strict=True)
        return statistics.median(processor), statistics.median(clock)


class Writer:
    """Records events one by one, each as soon as the views contain the previous one."""

    def __init__(self, store: Store, generator: Generator) -> None:
        self._store = store
        self._generator = generator
        self._version = 3

    async def begin(self) -> None:
        """Record the post that later events edit."""
        await record(self._store, [self._generator.post(0, START)])

    async def record(self, count: int) -> None:
        """Record `count` events."""
        for _ in range(count):
            position = await self._store.log.append([self._generator.retitle(0, self._version)])
            self._version += 1
            await self._store.views.wait_for(position, 60)


async def ask(pipe: Connection, *request: Any) -> Any:
    """Send a request to the reading process, and return its response."""
    pipe.send(request)
    return await asyncio.to_thread(pipe.recv)


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def measure(subscribers: int, rounds: int, transport: str) -> bool:
    """Measure, print the results, and return whether all targets are met."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_store(Path(directory) / "store") as store, serving(store) as address:
            writer = Writer(store, Generator(await make_categories(store)))
            await writer.begin()
            pipe, theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(
                target=reader, args=(address, transport, theirs), daemon=True
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
    """Return the bytes of the frame of one event."""
    await ask(pipe, "subscribe", 1)
    await asyncio.sleep(0.5)
    await writer.record(1)
    frame: bytes = await ask(pipe, "frame")
    await ask(pipe, "leave")
    return frame


async def settled() -> None:
    """Wait until this process is idle, with all subscribers waiting for events."""
    busy = 1.0
    while busy > 0.02:
        before = time.process_time()
        await asyncio.sleep(0.5)
        busy = time.process_time() - before


async def send_round(pipe: Connection, frame: bytes, count: int, sending: Costs) -> None:
    """Write the frame to `count` sockets, once per event of a round."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        pipe.send(("connect", listener.getsockname()[1], count))
        sockets = [(await asyncio.to_thread(listener.accept))[0] for _ in range(count)]
        pipe.recv()
        with sending.measured():
            pipe.send(("read", ROUND_EVENTS))
            for _ in range(ROUND_EVENTS):
                for connection in sockets:
                    connection.send(frame)
            pipe.recv()
        for connection in sockets:
            connection.close()
        await ask(pipe, "leave")


def report(
    subscribers: int, frame: bytes, alone: Costs, together: Costs, sending: Costs, memory: list[int]
) -> bool:
    """Print the measurements, and return whether all targets are met."""
    shares = subscribers * ROUND_EVENTS
    met = True
    print(f"{subscribers:,} subscribers, {ROUND_EVENTS} events per round, frames of {len(frame)} bytes")
    for name, index in (("processor", 0), ("clock", 1)):
        share = (together.medians[index] - alone.medians[index]) / shares
        write = sending.medians[index] / shares
        met = met and share <= GREATEST_RATIOS[name] * write
        print(
            f"  {name:10} a share of an event {share * 1e6:6.1f} us, a write {write * 1e6:5.1f} us:"
            f" {share / write:.2f} times (at most {GREATEST_RATIOS[name]:g})"
        )
    growth = memory[-1] - memory[0]
    print(f"  memory after all subscribers left: {growth / 1e6:+.1f} MB compared with the first round")
    return met and growth <= GREATEST_GROWTH_BYTES


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--transport", choices=MARKS, default="websocket")
    arguments = parser.parse_args()
    met = uvloop.run(measure(arguments.subscribers, arguments.rounds, arguments.transport))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
