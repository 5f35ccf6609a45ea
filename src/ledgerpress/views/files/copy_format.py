"""The format of a views copy: a line of JSON (the manifest), the views themselves, and a line with a checksum.

The manifest comes first, so a restore can reject a file before it reads gigabytes. The checksum comes last, so a copy
can be written in one pass, even to a pipe. `head -1 FILE` prints the manifest.
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
"""Receives the mebibytes copied so far, and their total number."""

VERSION: Final = 1
PIECE: Final = 1 << 20
"""The number of bytes that are read, hashed and written at a time."""

_FORMAT: Final = "ledgerpress-views"
_MOST_MANIFEST: Final = 64 * 1024
_MOST_TAIL: Final = 256
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class ViewsCopyInvalid(LogUnusable):
    """The views cannot be copied, or a file is not a valid views copy for this log and this program."""


class RowsDigest(msgspec.Struct, frozen=True):
    """The last digest of a projection's rows: SHA-256, in hex, as of a position."""

    position: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, rename="camel", tag_field="format", tag=_FORMAT):
    """The content of a views copy.

    The copy contains the views of `publication` (its UUID) at `position`, where the event has the leaf hash
    `leaf_hash`. `projectors` (versions by name) built the views; `made_by` is the digest of these projectors and their
    tables. `size` is the size of the views in bytes; `taken_at` is in microseconds since 1970, UTC. `digests` contains
    the digests of rows that are known, by projection.
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
    """The last line: the checksum of everything before it, in hex."""

    sha256: str


class ViewsCopy:
    """A views copy that is being read from a file or a pipe."""

    def __init__(self, source: BinaryIO, name: str) -> None:
        """Read the manifest from an open file; `name` is for messages. Raises `ViewsCopyInvalid`, `OSError`."""
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
                f"{self.name} is truncated: it contains {copied:,} of {self.manifest.size:,} bytes of views"
            )
        try:
            tail = msgspec.json.decode(self._source.readline(_MOST_TAIL), type=_Tail)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ViewsCopyInvalid(f"{self.name} is truncated or damaged: it has no checksum") from error
        if tail.sha256 != self._digest.hexdigest() or self._source.read(1):
            raise ViewsCopyInvalid(f"{self.name} is damaged: its checksum does not match its content")


def write(source: BinaryIO, manifest: Manifest, target: BinaryIO, progress: Progress) -> None:
    """Write a copy of the views in `source` to `target`. Raises `ViewsCopyInvalid`, `OSError`."""
    line = manifest.line()
    digest = hashlib.sha256(line)
    write_whole(target, line)
    if copy(source, target, manifest.size, digest, progress) < manifest.size:
        raise ViewsCopyInvalid("the views file became shorter while it was copied")
    write_whole(target, msgspec.json.encode(_Tail(digest.hexdigest())) + b"\n")


def copy(source: BinaryIO, target: BinaryIO, size: int, digest: "hashlib._Hash", progress: Progress) -> int:
    """Copy up to `size` bytes, and return how many were copied.

    A second thread hashes each piece while this thread writes it.
    """
    pieces = bytearray(PIECE), bytearray(PIECE)
    total, done, number = -(-size // PIECE), 0, 0
    with ThreadPoolExecutor(1) as hashing:
        last_hash: Future[None] | None = None
        while done < size:
            # The previous step waited until this buffer was hashed, so it can be overwritten. The hash of the other
            # buffer may still be in progress.
            piece = memoryview(pieces[number % 2])[: min(PIECE, size - done)]
            length = _fill(source, piece)
            if last_hash is not None:
                last_hash.result()
            last_hash = hashing.submit(digest.update, piece[:length])
            write_whole(target, piece[:length])
            done, number = done + length, number + 1
            if length < len(piece):
                break
            progress(min(number, total), total)
    return done


def _fill(source: BinaryIO, piece: memoryview) -> int:
    """Read until `piece` is full or the source ends, and return the number of bytes read."""
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
        raise ViewsCopyInvalid(f"{name} is not a views copy") from error
    if version != VERSION:
        raise ViewsCopyInvalid(
            f"{name} was written by another version of LedgerPress (format {version}; this one reads {VERSION}): "
            "create a copy with this version, or let the node replay the log"
        )
    try:
        manifest = msgspec.json.decode(line, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ViewsCopyInvalid(f"{name} is damaged: {error}") from error
    if manifest.size < 0 or manifest.position < 1 or not _HASH.fullmatch(manifest.leaf_hash):
        raise ViewsCopyInvalid(f"{name} is damaged: its first line is invalid")
    return manifest
