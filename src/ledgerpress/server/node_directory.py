"""The data directory of a node whose log is somewhere else: it holds views, and a note of which log they are of."""

import os
from pathlib import Path

import msgspec

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.data_directory import ASIDE, LOG_FILE, NOTE, make_directory


class NodeNote(msgspec.Struct, frozen=True):
    """Which publication the directory's views are of, by its UUID."""

    publication: str


def check_node_directory(data: Path, *, create: bool = True) -> None:
    """Make the directory if need be. Raises `LogUnusable` where it holds a log of its own, or other files."""
    try:
        if data.exists() and not data.is_dir():
            raise LogUnusable(f"{data} is a file; a data directory is needed")
        if (data / LOG_FILE).exists():
            raise LogUnusable(
                f"{data} holds a log of its own, and another one was named: name another directory for this node "
                "(--data), or copy the log there first (ledgerpress log copy)"
            )
        found = [] if (data / NOTE).exists() or not data.exists() else list(data.iterdir())
        if any(not one.name.startswith((NOTE, ASIDE)) for one in found):
            raise LogUnusable(f"{data} holds other files: name an empty directory, or a new one")
        if create:
            make_directory(data)
    except OSError as error:
        raise LogUnusable(f"{data} cannot be used: {error.strerror}") from error


def claim(data: Path, publication: str) -> None:
    """Note whose views the directory holds. Raises `LogUnusable` where they are another publication's."""
    try:
        if not _is_known(data, publication):
            _write(data / NOTE, NodeNote(publication))
    except OSError as error:
        raise LogUnusable(f"{data / NOTE} cannot be used: {error.strerror}") from error


def check_claim(data: Path, publication: str) -> None:
    """Raise `LogUnusable` where the directory holds the views of another publication."""
    try:
        _is_known(data, publication)
    except OSError as error:
        raise LogUnusable(f"{data / NOTE} cannot be used: {error.strerror}") from error


def known_publication(data: Path) -> str | None:
    """Return whose views the directory holds, as far as that is noted. Raises `OSError`."""
    try:
        return msgspec.json.decode((data / NOTE).read_bytes(), type=NodeNote).publication
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _is_known(data: Path, publication: str) -> bool:
    known = known_publication(data)
    if known is not None and known != publication:
        raise LogUnusable(
            f"{data} is of the publication {known}, and the log is that of {publication}: name another directory "
            "(--data), or the log that the directory is of (--log)"
        )
    return known is not None


def _write(file: Path, note: NodeNote) -> None:
    aside = file.with_suffix(f".json.{os.getpid()}")
    aside.write_bytes(msgspec.json.encode(note))
    aside.replace(file)
