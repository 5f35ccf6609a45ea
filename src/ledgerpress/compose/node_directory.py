"""The data directory of a node whose log is somewhere else: it holds views, and a note of which log they are of."""

import os
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.compose.data_directory import ASIDE, LOG_FILE, make_directory
from ledgerpress.eventlog.errors import LogUnusable

NOTE: Final = "node.json"


class Note(msgspec.Struct, frozen=True):
    """Which publication the directory's views are of, by its UUID."""

    publication: str


def check_node_directory(data: Path) -> None:
    """Make the directory if need be. Raises `LogUnusable` where it holds a log of its own, or other files."""
    try:
        if data.exists() and not data.is_dir():
            raise LogUnusable(f"{data} is a file; a data directory is needed")
        if (data / LOG_FILE).exists():
            raise LogUnusable(
                f"{data} holds a log of its own, and another one was named: name another directory for this node, or "
                "copy the log there first (ledgerpress log copy)"
            )
        found = [] if (data / NOTE).exists() or not data.exists() else list(data.iterdir())
        if any(not one.name.startswith((NOTE, ASIDE)) for one in found):
            raise LogUnusable(f"{data} holds other files: name an empty directory, or a new one")
        make_directory(data)
    except OSError as error:
        raise LogUnusable(f"{data} cannot be used: {error.strerror}") from error


def claim(data: Path, publication: str) -> None:
    """Note whose views the directory holds. Raises `LogUnusable` where they are another publication's."""
    note = data / NOTE
    try:
        try:
            known = msgspec.json.decode(note.read_bytes(), type=Note).publication
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            _write(note, Note(publication))
            return
    except OSError as error:
        raise LogUnusable(f"{note} cannot be used: {error.strerror}") from error
    if known != publication:
        raise LogUnusable(
            f"{data} is of the publication {known}, and the log is that of {publication}: name another directory"
        )


def _write(file: Path, note: Note) -> None:
    aside = file.with_suffix(f".json.{os.getpid()}")
    aside.write_bytes(msgspec.json.encode(note))
    aside.replace(file)
