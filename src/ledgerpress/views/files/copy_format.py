"""The file of a views snapshot: a line of JSON that says what it is, the views themselves, and a line with a checksum.

The first line comes first so that a restore knows before it reads gigabytes whether they are of any use; the
checksum comes last so that a snapshot is written in one go, to a pipe too. `head -1 FILE` shows what it is.
"""

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Final, TypeAlias

import msgspec

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.sqlite.atomic_file import write_whole

Progress: TypeAlias = Callable[[int, int], None]
"""Takes the mebibytes copied so far, and all of them."""

VERSION: Final = 1
PIECE: Final = 1 << 20
"""Bytes that are read, hashed and written at a time."""

_FORMAT: Final = "ledgerpress-views"
_MOST_MANIFEST: Final = 64 * 1024
_MOST_TAIL: Final = 256
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class ViewsCopyInvalid(LogUnusable):
    """A file is no snapshot of views, is damaged, or is not for this log or this program."""


class RowsDigest(msgspec.Struct, frozen=True):
    """What came out when the rows of a projection were last digested: SHA-256, in hex, as of a position."""

    position: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, rename="camel", tag_field="format", tag=_FORMAT):
    """What a snapshot holds.

    The views are those of `publication` (its UUID) at `position`, where the event has the leaf hash `leaf_hash`. They
    were made by `projectors` (versions by name), whose digest, with their tables, is `made_by`. `size` is that of the
    views in bytes, `taken_at` in microseconds since 1970, UTC. `digests` has those of the rows that are known.
    """

    version: int
    publication: str
    position: int
    leaf_hash: str
    made_by: str
    projectors: dict[str, int]
    size: int
    taken_at: int
    digests: dict[str, RowsDigest] = {}

    def line(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"


class _AnyVersion(msgspec.Struct, frozen=True, tag_field="format", tag=_FORMAT):
    version: int


class _Tail(msgspec.Struct, frozen=True):
    """The checksum of everything before it, in hex."""

    sha256: str


class ViewsCopy:
    """A snapshot that is being read, from a file or a pipe. Its `manifest` is read at once."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        """Take an open file; `name` is for messages. Raises `ViewsCopyInvalid`, `OSError`."""
        self._source = source
        self.name: Final = name
        line = source.readline(_MOST_MANIFEST)
        self._digest = hashlib.sha256(line)
        self.manifest: Final = _manifest(line, name)

    def copy(self, target: BinaryIO, progress: Progress) -> None:
        """Write the views to `target`, and check them. Raises `ViewsCopyInvalid`, `OSError`."""
        copied = copy(self._source, target, self.manifest.size, self._digest, progress)
        if copied < self.manifest.size:
            raise ViewsCopyInvalid(
                f"{self.name} is cut short: {copied:,} of {self.manifest.size:,} bytes of views are there"
            )
        try:
            tail = msgspec.json.decode(self._source.readline(_MOST_TAIL), type=_Tail)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ViewsCopyInvalid(f"{self.name} is cut short, or damaged: it has no checksum") from error
        if tail.sha256 != self._digest.hexdigest() or self._source.read(1):
            raise ViewsCopyInvalid(f"{self.name} is damaged: its checksum is not that of what it holds")


def write(source: BinaryIO, manifest: Manifest, target: BinaryIO, progress: Progress) -> None:
    """Write a snapshot of the views in `source` to `target`. Raises `ViewsCopyInvalid`, `OSError`."""
    line = manifest.line()
    digest = hashlib.sha256(line)
    write_whole(target, line)
    if copy(source, target, manifest.size, digest, progress) < manifest.size:
        raise ViewsCopyInvalid("the views have become shorter while they were copied")
    write_whole(target, msgspec.json.encode(_Tail(digest.hexdigest())) + b"\n")


def copy(source: BinaryIO, target: BinaryIO, size: int, digest: "hashlib._Hash", progress: Progress) -> int:
    """Copy `size` bytes, and return how many there were. A second thread hashes each piece while this one writes it."""
    pieces = bytearray(PIECE), bytearray(PIECE)
    total, done, number = -(-size // PIECE), 0, 0
    with ThreadPoolExecutor(1) as hashing:
        hashed: Future[None] | None = None
        while done < size:
            # The other piece may still be being hashed; this one is not, since its turn came before that.
            whole = memoryview(pieces[number % 2])[: min(PIECE, size - done)]
            length = _fill(source, whole)
            if hashed is not None:
                hashed.result()
            hashed = hashing.submit(digest.update, whole[:length])
            write_whole(target, whole[:length])
            done, number = done + length, number + 1
            if length < len(whole):
                break
            progress(min(number, total), total)
    return done


def _fill(source: BinaryIO, piece: memoryview) -> int:
    """Read until `piece` is full or the source has ended, and return how many bytes there were."""
    done = 0
    while done < len(piece):
        length: int = source.readinto(piece[done:])  # type: ignore[attr-defined]  # every open binary file has it
        if not length:
            break
        done += length
    return done


def _manifest(line: bytes, name: str) -> Manifest:
    try:
        version = msgspec.json.decode(line, type=_AnyVersion).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ViewsCopyInvalid(f"{name} is no snapshot of views") from error
    if version != VERSION:
        raise ViewsCopyInvalid(
            f"{name} was written by another version of LedgerPress (format {version}; this one reads {VERSION}): "
            "take a snapshot with this version, or let the node replay the log"
        )
    try:
        manifest = msgspec.json.decode(line, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ViewsCopyInvalid(f"{name} is damaged: {error}") from error
    if manifest.size < 0 or manifest.position < 1 or not _HASH.fullmatch(manifest.leaf_hash):
        raise ViewsCopyInvalid(f"{name} is damaged: its first line makes no sense")
    return manifest
