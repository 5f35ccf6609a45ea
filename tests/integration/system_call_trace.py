"""The system calls of a server, as strace(1) records them, to find out when data became durable.

strace records the beginning of a call before the kernel executes it, and its end after that. No thread continues before
strace has written this. So if the end of a call precedes the beginning of another, the first had really ended before.
"""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

WRITES: Final = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg")
SYNCS: Final = ("fsync", "fdatasync")
FRAME_HEADER_BYTES: Final = 24
"""A page in the write-ahead log follows a header of this size (https://sqlite.org/fileformat.html, section 4.1)."""

_LINE = re.compile(r"(?P<thread>\d+) +(?P<call>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<fd>\d+)<(?P<file>.*?)>(?=[,)]| <unfinished)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"= (-?\d+)[^)]*$")


def require_strace() -> None:
    """Skip the test if strace is not available; fail it if the variable CI is set."""
    reason = "strace is not installed"
    if shutil.which("strace"):
        probe = subprocess.run(
            ["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False
        )
        if probe.returncode == 0:
            return
        reason = f"strace is not allowed to trace here: {probe.stderr.strip()}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def traced(program: Sequence[str | Path], output: Path) -> list[str | Path]:
    """Return the command that runs `program` and writes its calls to `output`.

    The process that is started is the program itself; strace runs as a separate process (-D).
    """
    calls = ",".join((*WRITES, *SYNCS))
    options = ["-D", "-f", "-q", "-yy", "-s", "65536", "-e", f"trace={calls}", "-e", "signal=none"]
    return ["strace", *options, "-o", output, *program]


def killed_at(step: int, program: Sequence[str | Path], *files: Path) -> list[str | Path]:
    """Return the command that runs `program` and kills it at its `step`-th change or sync of `files`."""
    calls = ",".join((*WRITES, *SYNCS, "ftruncate", "unlink"))
    options: list[str | Path] = ["-f", "-qq", "-e", f"inject={calls}:signal=KILL:when={step}"]
    for file in files:
        options += ["-P", file]
    return ["strace", *options, "-o", os.devnull, *program]


@dataclass
class Call:
    """A call on the open file, directory or socket `file`. `began` and `ended` are line numbers of the trace."""

    name: str
    file: str
    data: bytes
    began: int
    ended: int | None = None
    result: int | None = None


def has_seen_the_end(trace: Path, pid: int) -> bool:
    """Return whether the trace is complete: whether it contains the exit of the process."""
    return re.search(rf"^{pid} +\+\+\+ exited with 0 ", trace.read_text("ascii"), re.MULTILINE) is not None


def calls_in(trace: Path) -> list[Call]:
    """Return the calls of a trace in the order in which they began."""
    calls: list[Call] = []
    unfinished: dict[str, Call] = {}
    for place, line in enumerate(trace.read_text("ascii").splitlines()):
        thread, text = _fields(line)
        if _RESUMED.match(text):
            call = unfinished.pop(thread)
        elif beginning := _BEGUN.match(text):
            call = Call(beginning["name"], beginning["file"], _bytes_in(text), began=place)
            calls.append(call)
        else:
            continue
        if text.endswith("<unfinished ...>"):
            unfinished[thread] = call
        elif result := _RESULT.search(text):
            call.ended, call.result = place, int(result[1])
    return calls


@dataclass(frozen=True, slots=True)
class Journal:
    """The frames written to one write-ahead log, in order, and its successful syncs."""

    frames: list[tuple[Call, Call]]
    syncs: list[Call]

    @classmethod
    def of(cls, calls: Iterable[Call], file: Path) -> "Journal":
        """Select the calls on `file`, and pair each page with the header before it."""
        own = [call for call in calls if call.file == str(file)]
        writes = [call for call in own if call.name in WRITES]
        frames = [
            (header, page) for header, page in pairwise(writes) if len(header.data) == FRAME_HEADER_BYTES
        ]
        return cls(frames, [call for call in own if call.name in SYNCS and call.result == 0])

    def durable(self, words: bytes) -> int | None:
        """Return the line at which the first transaction that contains `words` was durable; `None` if it never was.

        A transaction is durable at the end of a sync that began after its last frame was written.
        """
        first = next((number for number, (_, page) in enumerate(self.frames) if words in page.data), None)
        if first is None:
            return None
        last = next((page for header, page in self.frames[first:] if is_commit(header)), None)
        if last is None or last.ended is None:
            return None
        ends = [sync.ended for sync in self.syncs if sync.began > last.ended and sync.ended is not None]
        return min(ends, default=None)

    @property
    def commits(self) -> int:
        """The number of transactions."""
        return sum(is_commit(header) for header, _ in self.frames)


def is_commit(frame_header: Call) -> bool:
    """Return whether a frame ends a transaction: then its header contains the size of the database, otherwise zero."""
    return frame_header.data[4:8] != b"\0\0\0\0"


def answers(calls: Iterable[Call], words: bytes) -> Iterator[int]:
    """Yield the lines at which the server began to send responses that contain `words`."""
    heads: dict[str, int] = {}
    for call in calls:
        if call.file.startswith("TCP:") and call.name in WRITES:
            if call.data.startswith(b"HTTP/1.1 "):
                heads[call.file] = call.began
            if words in call.data:
                yield heads[call.file]


def _fields(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    return (match["thread"], match["call"]) if match else ("", "")


def _bytes_in(text: str) -> bytes:
    """Return the bytes that a call writes; strace escapes them as C does, which Python can parse."""
    return b"".join(ast.literal_eval(f'b"{literal}"') for literal in _TEXT.findall(text))
