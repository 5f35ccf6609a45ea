"""The file `views.json`: the views file that each set of features uses, and the file that the set used before.

The first set in the directory is at the top level, where versions that support only one set read it. The others are in
`sets`, by the digest in the names of their files. With one set, the file has the same format as in these versions.
"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec

_NAME: Final = re.compile(r"views-(?P<digest>[0-9a-f]{8})-(?P<number>[0-9]{1,9})\.sqlite")


class ViewsPointer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The names of the file in use and of the former file, of one set of features.

    `declined` is the digest of the set if an operator rolled back to outdated views: these are not rebuilt
    automatically.
    """

    current: str | None = None
    former: str | None = None
    declined: str | None = None


class _PointerFile(ViewsPointer, frozen=True, omit_defaults=True):
    sets: dict[str, ViewsPointer] = {}


class ViewsPointers:
    """The pointer of each set of features, by its digest."""

    def __init__(self, first: str | None, pointers: Mapping[str, ViewsPointer]) -> None:
        """`first` is the digest of the set at the top level."""
        self._first = first
        self._pointers = dict(pointers)

    @classmethod
    def read(cls, file: Path) -> "ViewsPointers":
        """Return the content of `file`; no pointers if the file is missing or unreadable.

        A version that supports only one set may have named files of two sets. Each of these files then becomes the
        current file of its own set.
        """
        try:
            content = msgspec.json.decode(file.read_bytes(), type=_PointerFile)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            content = _PointerFile()
        pointers = {digest: _of_set(digest, pointer) for digest, pointer in content.sets.items()}
        for name in filter(None, (content.former, content.current)):
            if digest := digest_in(name):
                pointers[digest] = _of_set(digest, content, otherwise=name)
        first = digest_in(content.current or content.former or "")
        return cls(first, pointers)

    def write(self, file: Path) -> None:
        """Replace `file` in one step."""
        others = dict(self._pointers)
        top = others.pop(self._first or "", ViewsPointer())
        content = _PointerFile(top.current, top.former, top.declined, others)
        temporary = file.with_suffix(".new")
        with temporary.open("wb") as target:
            target.write(msgspec.json.encode(content))
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)

    def of(self, digest: str) -> ViewsPointer:
        return self._pointers.get(digest, ViewsPointer())

    @property
    def digests(self) -> list[str]:
        return list(self._pointers)

    def names(self) -> set[str]:
        """Return the names of all files in use and former files. Some files may no longer exist."""
        files = (name for pointer in self._pointers.values() for name in (pointer.current, pointer.former))
        return {name for name in files if name}

    def replaced(self, digest: str, pointer: ViewsPointer) -> "ViewsPointers":
        """Return these pointers with a new one for the set `digest`, which becomes the first set if there is none."""
        return ViewsPointers(self._first or digest, {**self._pointers, digest: pointer})

    def without(self, names: Collection[str]) -> "ViewsPointers":
        """Return these pointers without the files `names`. If the first set has no file left, no set replaces it."""
        rest = {
            digest: ViewsPointer(
                None if pointer.current in names else pointer.current,
                None if pointer.former in names else pointer.former,
                pointer.declined,
            )
            for digest, pointer in self._pointers.items()
        }
        rest = {digest: pointer for digest, pointer in rest.items() if pointer.current or pointer.former}
        return ViewsPointers(self._first if self._first in rest else None, rest)


def digest_in(name: str) -> str | None:
    """Return the digest in the name of a views file, which identifies its set; `None` if it is not such a name."""
    match = _NAME.fullmatch(name)
    return match["digest"] if match else None


def number_in(name: str) -> int:
    """Return the number in the name of a views file; 0 if it is not such a name."""
    match = _NAME.fullmatch(name)
    return int(match["number"]) if match else 0


def _of_set(digest: str, pointer: ViewsPointer, *, otherwise: str | None = None) -> ViewsPointer:
    """Return the pointer without files of sets other than `digest`.

    If that leaves no current file, `otherwise` becomes the current file.
    """
    current, former = (
        name if name and digest_in(name) == digest else None for name in (pointer.current, pointer.former)
    )
    current = current or otherwise
    declined = digest if pointer.declined == digest else None
    return ViewsPointer(current, None if former == current else former, declined)
