"""Processes that are measured: started on a core of their own, with the processor time of their whole tree."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from scripts.workloads.raw_client import ask, body_of

START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_FLUSH: Final = re.compile(r"\b(fsync|fdatasync|sync_file_range|msync)\(")


@dataclass(frozen=True)
class Cores:
    """The core of the load generator, and the other one, which all measured processes use."""

    generator: int
    measured: int

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """Take the last two cores that this process may use. Raises `SystemExit` if there is only one."""
        available = sorted(os.sched_getaffinity(0))
        if len(available) < 2:
            raise SystemExit("the load generator needs a core of its own: this process may use only one")
        return cls(generator=available[-1], measured=available[-2])

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let processes that are started here use only the measured core."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.measured})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Command:
    """A program with its arguments, working directory and further variables of the environment."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its descendants so far."""
    return sum(map(_ticks, _tree(pid))) / _TICKS


class MeasuredProcess:
    """A process in its own process group; its error output goes to a file."""

    def __init__(
        self, command: Command, output: Path, cores: Cores | None, stack: ExitStack, **pipes: Any
    ) -> None:
        self.output = output
        with output.open("ab") as file, cores.starting() if cores else nullcontext():
            pipes = {"stdin": subprocess.DEVNULL, "stdout": file, **pipes}
            self.process: subprocess.Popen[str] = subprocess.Popen(
                command.arguments,
                cwd=command.directory,
                env={**os.environ, **command.environment},
                stderr=file,
                start_new_session=True,
                text=True,
                **pipes,
            )
        stack.callback(self.stop)

    def processor_seconds(self) -> float:
        """Return the processor time of the process and its descendants so far."""
        return processor_seconds(self.process.pid)

    def flushes(self, work: Callable[[], int], trace: Path) -> float | None:
        """Return the flushes to disk per unit of `work`, which returns its units; `None` without strace."""
        program = shutil.which("strace")
        if program is None:
            return None
        pids = [argument for pid in _tree(self.process.pid) for argument in ("-p", str(pid))]
        calls = "trace=fsync,fdatasync,sync_file_range,msync"
        tracer: subprocess.Popen[bytes] = subprocess.Popen(
            [program, "-f", "-e", calls, "-o", str(trace), *pids],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        errors: IO[bytes] | None = tracer.stderr
        assert errors is not None  # noqa: S101
        try:
            if b"attached" not in errors.readline():
                return None
            time.sleep(0.5)
            units = work()
            time.sleep(0.2)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(_STOP_SECONDS)
            errors.close()
        return len(_FLUSH.findall(trace.read_text("utf-8", "replace"))) / units

    def stop(self) -> None:
        """End the process group, and wait for the process."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def end_of_output(self) -> str:
        """Return the end of what the process has printed."""
        return self.output.read_text("utf-8", "replace")[-2_000:]


class Server(MeasuredProcess):
    """A server on a port of 127.0.0.1."""

    def __init__(
        self,
        command: Callable[[int], Command],
        ready: bytes,
        output: Path,
        cores: Cores | None,
        stack: ExitStack,
    ) -> None:
        """Start the server, and wait until it answers the request `ready`."""
        self.port = _free_port()
        super().__init__(command(self.port), output, cores, stack)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(ready):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"the server did not start: {self.end_of_output()}")
            time.sleep(0.1)

    def ask(self, request: bytes) -> Any:
        """Return `data` of the response to a GraphQL request. Raises `SystemExit` if there is an error."""
        response = ask(self.port, request)
        answer = json.loads(body_of(response))
        if "errors" in answer or not answer.get("data"):
            raise SystemExit(f"the server rejected {request[-1_000:]!r}: {answer}\n{self.end_of_output()}")
        return answer["data"]

    def _is_ready(self, request: bytes) -> bool:
        try:
            return ask(self.port, request).startswith(b"HTTP/1.1 200")
        except (OSError, SystemExit):
            return False


class Worker(MeasuredProcess):
    """A process that does numbered units of work when a line on its input asks for it."""

    def __init__(self, command: Command, output: Path, cores: Cores | None, stack: ExitStack) -> None:
        """Start the worker, and wait until it prints a line."""
        super().__init__(command, output, cores, stack, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._line()

    def work(self, kind: str, seconds: float) -> tuple[int, float]:
        """Let it work for about `seconds`; return the number of units and the time that they took."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(f"{kind} {seconds}\n")
        self.process.stdin.flush()
        units, took = self._line().split()
        return int(units), float(took)

    def _line(self) -> str:
        assert self.process.stdout is not None  # noqa: S101
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker ended: {self.end_of_output()}")
        return line


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _tree(root: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                parents[int(entry.name)] = int(_fields(int(entry.name))[1])
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _ticks(pid: int) -> int:
    """Return the processor time of a process, and of its children that have ended."""
    try:
        return sum(map(int, _fields(pid)[11:15]))
    except OSError:
        return 0


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third one, the state, on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
