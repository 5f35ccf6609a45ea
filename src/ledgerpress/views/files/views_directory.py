"""Which views files of a data directory a set of features uses, and which other sets have files there.

Views files are called `views-<digest>-<number>.sqlite`: the digest is of the versions and tables of the projectors that
made them, and identifies the set. A small file, `views.json`, names the file in use and the former one of each set. It is
replaced in one step, and every process on the directory looks at it. A process MUST NOT write to the file of another set.
"""

import asyncio
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.sqlite.connection import open_to_read, statements
from ledgerpress.views.files.tables import normalized
from ledgerpress.views.files.views_file_connections import behind_withdrawal, is_open
from ledgerpress.views.files.views_pointers import ViewsPointer, ViewsPointers, digest_in, number_in
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorOfParts

UNUSED_SET_LIFETIME: Final = 7 * 86_400.0
"""Seconds after its last use until the files of a set of features are dropped."""
BUSY_RETRY_INTERVAL: Final = 0.2
"""Seconds until the next attempt while another process builds views."""
_NAMED_BEFORE: Final = {"eaca085b": "34636194"}
"""The digest in use for files that were named when comments and the order of the SQL were still part of the digest.

It is the digest of the same tables, so existing files stay in use. It has no effect once a projector's version changes.
"""


class ViewsBusy(EventLogError):
    """Another process is making views in this directory."""


class ViewsGone(EventLogError):
    """The views file was deleted while it was being made: what it held was withdrawn meanwhile."""


class NoPreviousViews(EventLogError):
    """There are no former views to go back to."""


class ViewsDirectory:
    """The views files in the data directory `data`, as a program with `projectors` sees them.

    What is not said to be of other sets is of the set of `projectors` alone.
    """

    def __init__(self, data: Path, projectors: Sequence[Projector]) -> None:
        self.data = data
        self.digest: Final = digest_of(projectors)
        self._versions = {projector.name: projector.version for projector in projectors}
        self._file = data / "views.json"

    @property
    def current(self) -> Path | None:
        return self._existing(self._pointer().current)

    @property
    def former(self) -> Path | None:
        """The views that were in use before, for a roll-back."""
        return self._existing(self._pointer().former)

    @property
    def needs_rebuild(self) -> bool:
        """Whether this set has no views, or outdated ones."""
        return self.current is None or self.is_outdated

    @property
    def is_outdated(self) -> bool:
        """Whether projectors of other versions made the rows of the views in use, and no operator went back to them."""
        current = self.current
        return current is not None and self._pointer().declined is None and self.is_of_other_versions(current)

    def is_of_other_versions(self, views: Path) -> bool:
        """Return whether projectors of other versions made the rows of a file: it is a copy of another set's."""
        try:
            with closing(open_to_read(views)) as db:
                return checkpoints.versions(db) != self._versions
        except sqlite3.Error:
            return False

    def is_ours(self, views: Path) -> bool:
        """Return whether a file is of this set of features, by its name."""
        return digest_in(views.name) == self.digest

    def identity(self, views: Path) -> int:
        """Return what distinguishes a file from another one of the same name. Raises `OSError` where there is none."""
        return views.stat().st_ino

    def unfinished(self) -> list[Path]:
        """Return the files that are neither in use nor the former one, newest first: begun, or left behind."""
        named = {self.current, self.former}
        files = [file for file in self._files() if self.is_ours(file) and file not in named]
        return sorted(files, key=lambda file: number_in(file.name), reverse=True)

    def resumable(self) -> Path | None:
        """Return the file that was begun last, if there is one."""
        return next((file for file in self.unfinished() if not self.is_of_other_versions(file)), None)

    def vacant(self) -> Path:
        # A name that is still given out for a file that has gone is not given to another one.
        names = {*self._pointers().names(), *(file.name for file in self._files())}
        return self.data / f"views-{self.digest}-{max(map(number_in, names), default=0) + 1}.sqlite"

    def building(self) -> AbstractContextManager[None]:
        """Be the one process that builds views here, of whichever set. Raises `ViewsBusy` if another one does."""
        return _locked(self.data / "views.build.lock", wait=False)

    @asynccontextmanager
    async def building_in_turn(self) -> AsyncIterator[None]:
        """Wait until no other process builds views here, and be the one that does.

        Check again whether anything has to be built: the other process may have built views of the same set.
        """
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self.building())
                    break
                except ViewsBusy:
                    await asyncio.sleep(BUSY_RETRY_INTERVAL)
            yield

    def switch(self, to: Path, *, keep_former: bool = True) -> None:
        """Make every process of this set use the file `to`; the one in use until now is then the former.

        Without `keep_former` that is deleted. Raises `ViewsGone` where the file `to` is missing.
        """
        with self._changing():
            if not to.exists():
                raise ViewsGone(f"{to.name} was deleted while it was being made")
            before, before_that = self.current, self.former
            former = before if before and before.name != to.name else before_that
            if not keep_former:
                former = None
            self._point(ViewsPointer(to.name, former.name if former else None))
            for file in (before, before_that):
                if file and file.name != to.name and file != former:
                    delete(file)

    def roll_back(self) -> Path:
        """Make every process of this set use the former views again; return their path. Raises `NoPreviousViews`."""
        with self._changing():
            current, former = self.current, self.former
            if former is None or current is None:
                raise NoPreviousViews("there are no former views to go back to")
            declined = self.digest if self.is_of_other_versions(former) else None
            self._point(ViewsPointer(former.name, current.name, declined))
            return former

    def drop(self) -> list[Path]:
        """Delete every views file of this set but the one in use, and return them."""
        with self._changing():
            pointer, current = self._pointer(), self.current
            dropped = [file for file in self._files() if self.is_ours(file) and file != current]
            if pointer.former:
                self._point(ViewsPointer(pointer.current, None, pointer.declined))
            for file in dropped:
                delete(file)
            return dropped

    def note_use(self) -> float:
        """Record that a process uses the views of this set now, so that none drops them as unused.

        Returns the seconds since the last use. Without the permission to write to them, nothing is recorded.
        """
        with suppress(OSError), self._changing():
            if current := self.current:
                before = _last_use(current)
                os.utime(current)
                return _last_use(current) - before
        return 0.0

    def of_other_sets(self) -> list[Path]:
        """Return the files in use of other sets of features, those that were used last first. They MUST only be read."""
        pointers = self._pointers()
        names = (pointers.of(digest).current for digest in pointers.digests if digest != self.digest)
        return sorted(filter(None, map(self._existing, names)), key=_last_use, reverse=True)

    def files_of_other_sets(self) -> list[Path]:
        """Return all views files that are not of this set of features, by their names; also those without a digest."""
        return sorted(file for file in self._files() if not self.is_ours(file))

    def states(self) -> dict[Path, str]:
        """Return all views files, those of this set first, and what each is in its set.

        That is `in use`, `former`, or `unfinished`.
        """
        states: dict[Path, str] = {}
        pointers = self._pointers()
        for digest in (self.digest, *sorted(pointers.digests)):
            pointer = pointers.of(digest)
            for name, state in ((pointer.current, "in use"), (pointer.former, "former")):
                if file := self._existing(name):
                    states.setdefault(file, state)
            if digest == self.digest:
                states.update(dict.fromkeys(self.unfinished(), "unfinished"))
        for file in self.files_of_other_sets():
            states.setdefault(file, "unfinished")
        return states

    def drop_other_sets(self) -> list[Path]:
        """Delete the files of other sets that no process has open, and return them."""
        with self._changing():
            dropped = [file for file in self.files_of_other_sets() if not is_open(file)]
            self._drop_others(dropped)
            return dropped

    def drop_unused_sets(self) -> list[Path]:
        """Delete the files of other sets that no process has used for `UNUSED_SET_LIFETIME`, and return them."""
        if not self._unused():
            return []
        with self._changing():
            unused = self._unused()
            self._drop_others(unused)
            return unused

    def drop_withdrawn_of_other_sets(self, position: int, *, spare_open: bool = True) -> bool:
        """Delete files of other sets that may hold what the event at `position` withdrew; return whether none is left.

        With `spare_open`, those stay that a process has open: it applies the withdrawal. Without, it rebuilds them.
        """
        behind = behind_withdrawal(self.files_of_other_sets(), position)
        dropped = [file for file in behind if not (spare_open and is_open(file))]
        if dropped:
            with self._changing():
                self._drop_others(dropped)
        return len(dropped) == len(behind)

    def withdrawn_files(self, position: int) -> list[Path]:
        """Return files of this set that are not in use and may hold what the event at `position` withdrew."""
        current = self.current
        files = [file for file in self._files() if self.is_ours(file) and file != current]
        return behind_withdrawal(files, position)

    def _unused(self) -> list[Path]:
        """Return the files of unused sets. The last use of the own views says what the time is: it is recorded hourly."""
        if (current := self.current) is None:
            return []
        since = _last_use(current) - UNUSED_SET_LIFETIME
        files = self.files_of_other_sets()
        used = {digest_in(file.name) for file in files if _last_use(file) > since}
        return [file for file in files if digest_in(file.name) not in {*used, None}]

    def _drop_others(self, files: Collection[Path]) -> None:
        if files:
            self._pointers().without({file.name for file in files}).write(self._file)
        for file in files:
            delete(file)

    def _changing(self) -> AbstractContextManager[None]:
        return _locked(self.data / "views.lock", wait=True)

    def _pointers(self) -> ViewsPointers:
        return ViewsPointers.read(self._file)

    def _pointer(self) -> ViewsPointer:
        return self._pointers().of(self.digest)

    def _point(self, pointer: ViewsPointer) -> None:
        self._pointers().replaced(self.digest, pointer).write(self._file)

    def _files(self) -> list[Path]:
        return list(self.data.glob("views-*.sqlite"))

    def _existing(self, name: str | None) -> Path | None:
        return file if name and (file := self.data / name).exists() else None


def digest_of(projectors: Sequence[Projector]) -> str:
    """Return the digest in the names of files that `projectors` made: of their names, versions, parts and SQL alone.

    So it identifies a set of features by what they write. The order of features does not matter.
    """
    made_by = sorted(
        f"{projector.name} {projector.version} {_sql(projector.schema, projector.indexes)}{_newer_parts(projector)}"
        for projector in projectors
    )
    text = "\n".join((normalized(checkpoints.SCHEMA), *made_by))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return _NAMED_BEFORE.get(digest, digest)


def _sql(*scripts: str) -> str:
    return " ".join(sorted(normalized(statement) for script in scripts for statement in statements(script)))


def has_only_first_parts(projector: Projector) -> bool:
    """Return whether the version of a projector says which parts it has: none is in a later version than the first."""
    return not _newer_parts(projector)


def _newer_parts(projector: Projector) -> str:
    """Return the parts whose version is not the first: two sets may have the same version of a projection by others."""
    parts = projector.parts if isinstance(projector, ProjectorOfParts) else ()
    return "".join(sorted(f"\n{part.version} {_sql(part.schema)}" for part in parts if part.version > 1))


def delete(views: Path) -> None:
    """Delete a views file, and SQLite's files alongside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{views}{suffix}").unlink(missing_ok=True)


def _last_use(views: Path) -> float:
    """Return when a process last used a file, in seconds since 1970, UTC: it recorded that, or it wrote something.

    Reading a file may create an empty write-ahead log.
    """
    times = [0.0]
    for file in (views, Path(f"{views}-wal")):
        with suppress(FileNotFoundError):
            stat = file.stat()
            times.append(stat.st_mtime if stat.st_size else 0.0)
    return max(times)


@contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends (flock(2))."""
    with file.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ViewsBusy("another process is making views in this data directory") from error
        yield
