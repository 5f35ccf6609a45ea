"""Real logs of each engine, and the faults that can happen to them."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import asyncpg
import pytest

from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer
from tests.integration.system_call_trace import require_strace

PUBLICATION: Final = "daily"
_DISK_BYTES: Final = 12 * 1024 * 1024
_IMAGE_BYTES: Final = 32 * 1024 * 1024
_MOUNT_EXT4: Final = ("mount", "-t", "ext4", "-o", "loop,errors=remount-ro")
_BLOCK: Final = 4096
_END_SECONDS: Final = 5.0
"""Seconds for which strace may take to end."""


class Component(Protocol):
    """The log of a publication on one engine. A fault is named as in `tests.faults.cells`."""

    url: str

    async def begin(self, fault: str, server: int | None) -> None:
        """Cause a fault; `server` is the process id of the server that uses the log, if one runs."""
        ...

    async def end(self, fault: str) -> None:
        """End a fault as an operator would."""
        ...


class SmallDisk:
    """A small file system of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def fill(self) -> None:
        """Use all free space."""
        with (self.directory / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * _BLOCK)

    def free(self) -> None:
        (self.directory / "filler").unlink()


@contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """Mount a small file system. Skip the test if this is not permitted."""
    with _mounted("mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs") as directory:
        yield SmallDisk(directory)


@contextmanager
def _mounted(*mount: str | Path) -> Iterator[Path]:
    """Mount a file system in a temporary directory. Skip the test if this is not permitted."""
    directory = Path(tempfile.mkdtemp(prefix="lp-disk-"))
    directory.chmod(0o755)
    result = subprocess.run([*mount, directory], capture_output=True, text=True, check=False)
    try:
        if result.returncode != 0:
            pytest.skip(f"mounting a file system is not permitted: {result.stderr.strip()}")
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


class FailingDisk(SmallDisk):
    """A small ext4 file system, which becomes read-only after an error, as after an I/O error of a real disk."""

    def __init__(self, image: Path, directory: Path) -> None:
        super().__init__(directory)
        self._image = image

    def fail(self) -> None:
        """Let ext4 report an error (ext4(5), `errors=remount-ro`). Files that are open also reject writes."""
        number = self.directory.stat().st_dev
        device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("error of the test", "ascii")

    def repair(self) -> None:
        """Check and mount the file system again; no file may be open. Raises `CalledProcessError`."""
        subprocess.run(["umount", self.directory], check=True)
        # The exit code is 1 if errors were corrected (fsck(8)).
        assert (
            subprocess.run(["fsck.ext4", "-p", self._image], capture_output=True, check=False).returncode <= 1
        )
        subprocess.run([*_MOUNT_EXT4, self._image, self.directory], check=True)


@contextmanager
def failing_disk() -> Iterator[FailingDisk]:
    """Mount a small ext4 file system from an image. Skip the test if this is not permitted."""
    with tempfile.TemporaryDirectory(prefix="lp-image-") as images:
        image = Path(images, "ext4")
        with image.open("wb") as file:
            file.truncate(_IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        with _mounted(*_MOUNT_EXT4, image) as directory:
            yield FailingDisk(image, directory)


class SqliteComponent:
    """A log in a file on a small disk."""

    def __init__(self, disk: SmallDisk) -> None:
        self._disk = disk
        self._file = disk.directory / "log.sqlite"
        self.url = f"sqlite:{self._file}"
        self._lock: sqlite3.Connection | None = None
        self._tracer: subprocess.Popen[bytes] | None = None

    async def begin(self, fault: str, server: int | None) -> None:
        match fault:
            case "disk full":
                self._disk.fill()
            case "lock held":
                self._lock = sqlite3.connect(self._file, isolation_level=None)
                self._lock.execute("BEGIN IMMEDIATE")
            case "read-only" if server is None:
                self._mount("ro")
            case "read-only" if server is not None:
                self._inject(server, "inject=pwrite64,write,ftruncate:error=EROFS")
            case "damaged":
                self._damage()
            case "slow" if server is not None:
                self._inject(server, "inject=fsync,fdatasync:delay_enter=60000000")
            case "gone":
                for file in self._disk.directory.glob("log.sqlite*"):
                    file.unlink()

    async def end(self, fault: str) -> None:
        match fault:
            case "disk full":
                self._disk.free()
            case "lock held" if self._lock is not None:
                self._lock.close()
            case "read-only" | "slow" if self._tracer is not None:
                await asyncio.to_thread(_end, self._tracer)
            case "read-only":
                self._mount("rw")

    async def aclose(self) -> None:
        if self._lock is not None:
            self._lock.close()
        if self._tracer is not None:
            await asyncio.to_thread(_end, self._tracer)

    def _mount(self, mode: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{mode}", self._disk.directory], check=True)

    def _inject(self, server: int, rule: str) -> None:
        """Let system calls of the server on the files of the log fail or wait."""
        require_strace()
        files = [option for file in self._disk.directory.glob("log.sqlite*") for option in ("-P", str(file))]
        self._tracer = subprocess.Popen(
            [
                "strace",
                "-f",
                "-q",
                "-e",
                rule,
                "-e",
                "signal=none",
                *files,
                "-o",
                os.devnull,
                "-p",
                str(server),
            ],
            stderr=subprocess.PIPE,
        )
        while not _is_traced(server):
            assert self._tracer.poll() is None, self._tracer.stderr and self._tracer.stderr.read()
            time.sleep(0.01)

    def _damage(self) -> None:
        with closing(sqlite3.connect(self._file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # The first page identifies the file as a log.
        _overwrite(self._file, _BLOCK)


def _overwrite(path: Path, begin: int) -> None:
    """Overwrite a file from an offset in bytes to its end, without creating another file as `Path.write_bytes` does."""
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xa5" * (path.stat().st_size - begin))


def _end(tracer: subprocess.Popen[bytes]) -> None:
    """End strace. It may miss the end of a process while it delays a system call of it, and then waits without end."""
    with tracer:  # closes its output
        tracer.terminate()
        try:
            tracer.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            tracer.kill()


def _is_traced(pid: int) -> bool:
    """Return whether all threads of a process have a tracer (proc(5))."""
    return all(
        "TracerPid:\t0\n" not in status.read_text("ascii")
        for status in Path(f"/proc/{pid}/task").glob("*/status")
    )


class PostgresComponent:
    """A log on a PostgreSQL server of its own, with the events on a small disk."""

    def __init__(self, server: PostgresServer, disk: SmallDisk) -> None:
        self._server = server
        self._disk = disk
        self.url = server.url(PUBLICATION)
        self._lock: asyncpg.Connection | None = None

    async def begin(self, fault: str, server: int | None) -> None:
        match fault:
            case "disk full":
                self._move_events_to_disk()
                self._disk.fill()
            case "lock held":
                self._lock = await asyncpg.connect(self._server.address())
                await self._lock.execute("BEGIN; LOCK TABLE ledgerpress.event IN EXCLUSIVE MODE")
            case "read-only":
                self._set("default_transaction_read_only = on")
            case "damaged":
                self._damage()
            case "slow":
                self._set("synchronous_standby_names = 'missing'")
            case "gone":
                await asyncio.to_thread(self._server.stop)

    async def end(self, fault: str) -> None:
        match fault:
            case "disk full":
                self._disk.free()
            case "lock held" if self._lock is not None:
                await self._lock.close()
            case "read-only":
                self._set("default_transaction_read_only = off")
            case "slow":
                self._set("synchronous_standby_names = ''")
            case "gone":
                await asyncio.to_thread(self._server.start)

    async def aclose(self) -> None:
        if self._lock is not None:
            await self._lock.close(timeout=_END_SECONDS)

    def _set(self, setting: str) -> None:
        self._server.sql(f"ALTER SYSTEM SET {setting}")
        self._server.sql("SELECT pg_reload_conf()")

    def _move_events_to_disk(self) -> None:
        folder = self._disk.directory / "events"
        folder.mkdir()
        shutil.chown(folder, self._server.data.owner())
        self._server.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        self._server.sql("ALTER TABLE ledgerpress.event SET TABLESPACE small")

    def _damage(self) -> None:
        self._server.sql("CHECKPOINT")
        relation = self._server.sql("SELECT pg_relation_filepath('ledgerpress.event')")
        self._server.stop()
        with (self._server.data / relation).open("r+b") as file:
            file.write(b"\xa5" * 8192)
        self._server.start()


class JetStreamComponent:
    """A log on a NATS server of its own, on a small disk."""

    def __init__(self, server: NatsServer, disk: SmallDisk) -> None:
        self._server = server
        self._disk = disk
        self.url = server.url(PUBLICATION)

    async def begin(self, fault: str, server: int | None) -> None:
        match fault:
            case "disk full":
                self._disk.fill()
            case "read-only" if isinstance(self._disk, FailingDisk):
                self._disk.fail()
            case "damaged":
                await asyncio.to_thread(self._damage)
            case "slow":
                await asyncio.to_thread(self._server.pause)
            case "gone":
                await asyncio.to_thread(self._server.stop)

    async def end(self, fault: str) -> None:
        match fault:
            case "disk full":
                self._disk.free()
                await asyncio.to_thread(self._server.restart)
            case "read-only" if isinstance(self._disk, FailingDisk):
                await asyncio.to_thread(self._server.stop)
                self._disk.repair()
                await asyncio.to_thread(self._server.start)
            case "slow":
                self._server.resume()
            case "gone":
                await asyncio.to_thread(self._server.start)

    def _damage(self) -> None:
        self._server.stop()
        (stream,) = self._server.directory.glob("store/jetstream/*/streams/LEDGERPRESS_daily")
        for file in stream.glob("msgs/*.blk"):
            _overwrite(file, 0)
        self._server.start()


@asynccontextmanager
async def component(engine: str, fault: str) -> AsyncIterator[Component]:
    """Run a log on an engine, on a small disk to which `fault` can happen."""
    fails = (engine, fault) == ("JetStream", "read-only")
    with failing_disk() if fails else small_disk() as disk:
        match engine:
            case "SQLite":
                async with aclosing(SqliteComponent(disk)) as log:
                    yield log
            case "PostgreSQL":
                server = await asyncio.to_thread(PostgresServer)
                with closing(server):
                    async with aclosing(PostgresComponent(server, disk)) as log:
                        yield log
            case _:
                nats = NatsServer(disk.directory / "nats")
                await asyncio.to_thread(nats.start)
                try:
                    yield JetStreamComponent(nats, disk)
                finally:
                    await asyncio.to_thread(nats.kill)
