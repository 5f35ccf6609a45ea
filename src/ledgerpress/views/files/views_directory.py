"""Which views file of a data directory is in use, which is the former one, and which is being built.

A small file, `views.json`, names the one in use and the former one. It is replaced in one step, and every process on
the directory looks at it. Views files are called `views-<digest>-<number>.sqlite`: the digest is of the versions and
tables of the projectors that made them.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.sqlite.connection import statements
from ledgerpress.views.files.tables import normalized
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector

_NAMED_BEFORE: Final = {"eaca085b": "34636194"}
"""The digest in use for files that were named when comments and the order of the SQL were still part of the digest.

It is the digest of the same tables, so existing files stay in use. It has no effect once a projector's version changes.
"""
_NAME: Final = re.compile(r"views-(?P<digest>[0-9a-f]{8})-(?P<number>[0-9]{1,9})\.sqlite")


class ViewsBusy(EventLogError):
    """Another process is making views in this directory."""


class ViewsGone(EventLogError):
    """The views file was deleted while it was being made: what it held was withdrawn meanwhile."""


class NoPreviousViews(EventLogError):
    """There are no former views to go back to."""


class ViewsPointer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The names of the file in use and of the former one.

    `declined` is the digest of the views that an operator went back from: they are not made again by themselves.
    """

    current: str | None = None
    former: str | None = None
    declined: str | None = None


class ViewsDirectory:
    """The views files in the data directory `data`, as a program with `projectors` sees them."""

    def __init__(self, data: Path, projectors: Sequence[Projector]) -> None:
        self.data = data
        self.digest: Final = digest_of(projectors)
        self._pointer = data / "views.json"

    def in_use(self) -> ViewsPointer:
        """Return which files are in use; names whose file is missing are left out."""
        named = self._named()
        return ViewsPointer(self._existing(named.current), self._existing(named.former), named.declined)

    @property
    def current(self) -> Path | None:
        name = self.in_use().current
        return self.data / name if name else None

    @property
    def former(self) -> Path | None:
        """The views that were in use before, for a roll-back."""
        name = self.in_use().former
        return self.data / name if name else None

    @property
    def is_outdated(self) -> bool:
        """Whether the views in use are another version's, and no operator chose them over this one's."""
        in_use = self.in_use()
        return in_use.current is not None and self.digest not in (_digest(in_use.current), in_use.declined)

    def is_ours(self, views: Path) -> bool:
        """Whether projectors like these made a file, by its name."""
        return _digest(views.name) == self.digest

    def identity(self, views: Path) -> int:
        """Return what distinguishes a file from another one of the same name. Raises `OSError` where there is none."""
        return views.stat().st_ino

    def unfinished(self) -> list[Path]:
        """Return the files that are neither in use nor the former one, newest first: begun, or left behind."""
        in_use = self.in_use()
        files = [
            file
            for file in self.data.glob("views-*.sqlite")
            if file.name not in (in_use.current, in_use.former)
        ]
        return sorted(files, key=lambda file: _number(file.name), reverse=True)

    def resumable(self) -> Path | None:
        """Return the file that these projectors had begun, if there is one."""
        return next((file for file in self.unfinished() if _digest(file.name) == self.digest), None)

    def vacant(self) -> Path:
        # A name that is still given out for a file that has gone is not given to another one.
        named = self._named()
        names = [
            named.current or "",
            named.former or "",
            *(file.name for file in self.data.glob("views-*.sqlite")),
        ]
        return self.data / f"views-{self.digest}-{max(_number(name) for name in names) + 1}.sqlite"

    def building(self) -> AbstractContextManager[None]:
        """Be the one process that makes views here. Raises `ViewsBusy` where another one is."""
        return _locked(self.data / "views.build.lock", wait=False)

    def switch(self, to: Path, *, keep_former: bool = True) -> None:
        """Make every process use the file `to`; the one in use until now is then the former.

        Without `keep_former` that is deleted. Raises `ViewsGone` where the file `to` is missing.
        """
        with self._changing():
            before = self.in_use()
            if not to.exists():
                raise ViewsGone(f"{to.name} was deleted while it was being made")
            former = before.current if before.current != to.name else before.former
            former = former if keep_former else None
            self._write(ViewsPointer(to.name, former))
            for name in {before.current, before.former} - {to.name, former, None}:
                delete(self.data / str(name))

    def roll_back(self) -> Path:
        """Have every process use the former views again; return where they are. Raises `NoPreviousViews`."""
        with self._changing():
            before = self.in_use()
            if before.former is None or before.current is None:
                raise NoPreviousViews("there are no former views to go back to")
            declined = _digest(before.current) if _digest(before.former) != _digest(before.current) else None
            self._write(ViewsPointer(before.former, before.current, declined))
            return self.data / before.former

    def drop(self) -> list[Path]:
        """Delete every views file but the one in use, and return them."""
        with self._changing():
            in_use = self.in_use()
            dropped = [file for file in self.data.glob("views-*.sqlite") if file.name != in_use.current]
            if in_use.former:
                self._write(ViewsPointer(in_use.current, None, in_use.declined))
            for file in dropped:
                delete(file)
            return dropped

    def _changing(self) -> AbstractContextManager[None]:
        return _locked(self.data / "views.lock", wait=True)

    def _named(self) -> ViewsPointer:
        try:
            return msgspec.json.decode(self._pointer.read_bytes(), type=ViewsPointer)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ViewsPointer()

    def _write(self, in_use: ViewsPointer) -> None:
        aside = self._pointer.with_suffix(".new")
        with aside.open("wb") as file:
            file.write(msgspec.json.encode(in_use))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._pointer)

    def _existing(self, name: str | None) -> str | None:
        return name if name and _NAME.fullmatch(name) and (self.data / name).exists() else None


def digest_of(projectors: Sequence[Projector]) -> str:
    """Return the digest in the names of files that `projectors` made: of their names, versions and SQL alone.

    So it identifies a set of features by what they write. The order of features does not matter.
    """
    made_by = sorted(
        f"{projector.name} {projector.version} {' '.join(sorted(map(normalized, statements(projector.schema + projector.indexes))))}"
        for projector in projectors
    )
    text = "\n".join((normalized(checkpoints.SCHEMA), *made_by))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return _NAMED_BEFORE.get(digest, digest)


def delete(views: Path) -> None:
    """Delete a views file, and SQLite's files alongside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{views}{suffix}").unlink(missing_ok=True)


def _digest(name: str) -> str | None:
    match = _NAME.fullmatch(name)
    return match["digest"] if match else None


def _number(name: str) -> int:
    match = _NAME.fullmatch(name)
    return int(match["number"]) if match else 0


@contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends (flock(2))."""
    with file.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ViewsBusy("another process is making views in this data directory") from error
        yield
