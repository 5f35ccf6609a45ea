"""The channel between workers in one process: order, errors, other users, frames in pieces, and its directory."""

import asyncio
import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledgerpress.server.data_directory import WORKERS, check_data_directory, check_node_directory
from ledgerpress.server.workers import frames, peer_connection
from ledgerpress.server.workers.channel import WorkerChannel
from ledgerpress.server.workers.errors import (
    RequestFailed,
    RequestNotHandled,
    WorkerEnded,
    WorkerLost,
    WorkerTimeout,
    WorkerUnavailable,
)
from ledgerpress.server.workers.frames import BadFrame, Broadcast, Frame, FrameReader, Hello, Request, encoded
from ledgerpress.server.workers.socket_directory import (
    MAX_PATH_BYTES,
    socket_directory,
    socket_path,
    workers_in,
)

ENOUGH = 30.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with socket_directory(tmp_path) as directory:
        yield directory


async def echo(sender: int, payload: bytes) -> bytes:
    return str(sender).encode() + payload


async def test_both_workers_send_requests_on_the_connection_that_one_has_opened(directory: Path) -> None:
    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"echo": echo})
        second.serve({"echo": echo})
        assert await second.request(1, "echo", b"a", timeout=ENOUGH) == b"2a"
        assert await first.request(2, "echo", b"b", timeout=ENOUGH) == b"1b"
        assert (first.peers, second.peers) == ((2,), (1,))


async def test_workers_that_start_at_the_same_time_find_one_another(directory: Path) -> None:
    channels = [WorkerChannel(directory, worker) for worker in range(1, 7)]
    for channel in channels:
        channel.serve({"echo": echo})
    await asyncio.gather(*(channel.open() for channel in channels))
    for channel in channels:
        others = {worker for worker in range(1, 7) if worker != channel.worker}
        for worker in others:
            expected = f"{channel.worker}x".encode()
            assert await channel.request(worker, "echo", b"x", timeout=ENOUGH) == expected
        assert set(channel.peers) == others
    await asyncio.gather(*(channel.close() for channel in channels))


async def test_broadcasts_and_requests_arrive_in_the_order_in_which_they_are_sent(directory: Path) -> None:
    received: list[bytes] = []

    async def note(_: int, payload: bytes) -> bytes:
        received.append(payload)
        return b""

    async with WorkerChannel(directory, 1) as receiver, WorkerChannel(directory, 2) as sender:
        receiver.serve({"request": note}, {"note": lambda _, payload: received.append(payload)})
        for number in range(50):
            sender.broadcast("note", str(number).encode())
        await sender.request(1, "request", b"last", timeout=ENOUGH)
    assert received == [*(str(number).encode() for number in range(50)), b"last"]


async def test_large_messages_pass(directory: Path) -> None:
    payload = os.urandom(5_000_000)
    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"echo": echo})
        assert await second.request(1, "echo", payload, timeout=ENOUGH) == b"2" + payload


async def test_a_handler_that_fails_and_a_kind_without_a_handler_are_reported(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_sender: int, _payload: bytes) -> bytes:
        raise KeyError("reason")

    def broken(_sender: int, _payload: bytes) -> None:
        raise KeyError("reason")

    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"fail": fail}, {"bad": broken})
        with pytest.raises(RequestFailed, match="reason"):
            await second.request(1, "fail", timeout=ENOUGH)
        with pytest.raises(RequestNotHandled, match="does not handle other"):
            await second.request(1, "other", timeout=ENOUGH)
        second.broadcast("bad")
        second.broadcast("without a handler")
        first.serve({"echo": echo})
        assert await second.request(1, "echo", timeout=ENOUGH) == b"2"
    assert "a broadcast of worker 2 failed: bad" in caplog.text


async def test_a_handler_that_is_removed_handles_nothing_and_reports_no_failure(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    has_begun, is_closed = asyncio.Event(), asyncio.Event()

    async def fail(_sender: int, _payload: bytes) -> bytes:
        has_begun.set()
        await is_closed.wait()
        raise OSError("closed")

    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"fail": fail})
        pending = asyncio.ensure_future(second.request(1, "fail", timeout=ENOUGH))
        await has_begun.wait()
        first.end_serving(["fail"])
        is_closed.set()
        for request in (pending, second.request(1, "fail", timeout=ENOUGH)):
            with pytest.raises(RequestNotHandled):
                await request
    assert caplog.text == ""


async def test_a_kind_has_one_handler(directory: Path) -> None:
    channel = WorkerChannel(directory, 1)
    channel.serve({"echo": echo})
    with pytest.raises(ValueError, match="handlers of echo exist already"):
        channel.serve({"echo": echo})


async def test_a_request_without_a_response_times_out_and_a_late_response_is_ignored(directory: Path) -> None:
    release = asyncio.Event()

    async def wait(_sender: int, _payload: bytes) -> bytes:
        await release.wait()
        return b"late"

    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"wait": wait, "echo": echo})
        with pytest.raises(WorkerTimeout) as failure:
            await second.request(1, "wait", timeout=0.01)
        assert failure.value.is_outcome_unknown
        release.set()
        assert await second.request(1, "wait", timeout=ENOUGH) == b"late"
        assert await second.request(1, "echo", b"x", timeout=ENOUGH) == b"2x"


async def test_a_worker_that_closes_its_channel_fails_pending_requests_and_cannot_be_reached(
    directory: Path,
) -> None:
    has_begun = asyncio.Event()

    async def never(_sender: int, _payload: bytes) -> bytes:
        has_begun.set()
        await asyncio.Event().wait()
        return b""

    lost = asyncio.Event()
    first = WorkerChannel(directory, 1)
    first.serve({"never": never})
    await first.open()
    async with WorkerChannel(directory, 2) as second:
        second.watch(lost=lambda worker: lost.set() if worker == 1 else None)
        pending = asyncio.ensure_future(second.request(1, "never", timeout=ENOUGH))
        await has_begun.wait()
        await first.close()
        with pytest.raises(WorkerLost):
            await pending
        await lost.wait()
        with pytest.raises(WorkerEnded):
            await second.request(1, "never", timeout=ENOUGH)
        assert second.peers == ()
        assert workers_in(directory) == [2]
    with pytest.raises(WorkerUnavailable):
        await second.request(1, "never", timeout=ENOUGH)


async def test_a_worker_that_reads_nothing_is_cut_off_and_connects_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_connection, "MAX_BACKLOG_BYTES", 1_000_000)
    events: asyncio.Queue[str] = asyncio.Queue()
    async with WorkerChannel(directory, 1) as first, WorkerChannel(directory, 2) as second:
        first.serve({"echo": echo})
        second.watch(
            connected=lambda _: events.put_nowait("connected"), lost=lambda _: events.put_nowait("lost")
        )
        for _ in range(10):  # without a pause: the other worker, in the same loop, cannot read
            second.broadcast("note", bytes(500_000))
        assert await asyncio.wait_for(events.get(), ENOUGH) == "lost"
        assert await asyncio.wait_for(events.get(), ENOUGH) == "connected"
        assert await second.request(1, "echo", b"x", timeout=ENOUGH) == b"2x"


async def test_other_users_and_other_versions_are_rejected(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with WorkerChannel(directory, 1) as channel:
        reader, writer = await asyncio.open_unix_connection(str(socket_path(directory, 1)))
        writer.write(encoded(Hello(7, frames.PROTOCOL + 1)))
        await asyncio.wait_for(reader.read(), ENOUGH)
        writer.close()
        assert "worker 7 uses another protocol" in caplog.text
        if hasattr(socket, "SO_PEERCRED"):
            monkeypatch.setattr(os, "geteuid", lambda: -1)
            reader, writer = await asyncio.open_unix_connection(str(socket_path(directory, 1)))
            with caplog.at_level(logging.WARNING):
                assert await asyncio.wait_for(reader.read(), ENOUGH) == b""
            writer.close()
            assert "another user has connected" in caplog.text
        assert channel.peers == ()


def test_frames_are_read_from_pieces_of_any_length() -> None:
    sent: list[Frame] = [Hello(3), Request(1, "kind", b"payload" * 100), Broadcast("kind", b"")]
    data = b"".join(map(encoded, sent))
    for length in (1, 2, 3, 7, 100, len(data)):
        reader = FrameReader()
        pieces = [data[start : start + length] for start in range(0, len(data), length)]
        assert [frame for piece in pieces for frame in reader.feed(piece)] == sent


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x01\xc1", b"\0\0\0\x02\x92\xa5"])
def test_other_bytes_are_rejected(data: bytes) -> None:
    with pytest.raises(BadFrame):
        list(FrameReader().feed(data))


def test_a_frame_that_is_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    with pytest.raises(ValueError, match="the limit is 100"):
        encoded(Broadcast("kind", bytes(101)))


def test_the_directory_is_private_and_is_deleted(tmp_path: Path) -> None:
    with socket_directory(tmp_path) as directory:
        assert directory.parent == tmp_path
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_with_a_long_path_has_its_sockets_elsewhere(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 100)
    data.mkdir()
    with socket_directory(data) as directory:
        assert directory.parent == data
        sockets = socket_path(directory, 9_999_999_999).parent
        assert sockets != directory
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert len(os.fsencode(socket_path(directory, 9_999_999_999))) <= MAX_PATH_BYTES
    assert not sockets.exists()
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("name", ["data", "x" * 100])
def test_directories_of_killed_supervisors_are_deleted_and_those_in_use_are_not(
    tmp_path: Path, name: str
) -> None:
    data = tmp_path / name
    data.mkdir()
    program = (
        "import os, sys, pathlib; from ledgerpress.server.workers.socket_directory import socket_directory\n"
        "with socket_directory(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(data)], check=False)
    (left,) = data.glob(f"{WORKERS}*")
    sockets = socket_path(left, 1).parent
    with ExitStack() as stack:
        directories = {stack.enter_context(socket_directory(data)) for _ in range(2)}
        assert set(data.glob(f"{WORKERS}*")) == directories
    assert not sockets.exists()
    assert list(data.iterdir()) == []


def test_a_directory_that_a_killed_supervisor_has_left_does_not_prevent_a_new_store(tmp_path: Path) -> None:
    (tmp_path / f"{WORKERS}abc").mkdir()
    check_data_directory(tmp_path, create=True)
    check_node_directory(tmp_path)
