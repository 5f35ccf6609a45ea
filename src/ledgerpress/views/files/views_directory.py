"""The views files of a data directory: the files of a program's set of features, and the files of other sets.

Views files are named `views-<digest>-<number>.sqlite`. The digest covers the versions and tables of the projectors that
wrote the file, and identifies the set. A small file, `views.json`, names the file in use and the former file of each
set. It is replaced in one step, and every process on the directory polls it. A process MUST NOT write to the file of
another set.
"""

import asyncio
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
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
from ledgerpress.sqlite.connection import open_to_read, statements, uri
from ledgerpress.views.files.tables import normalized
from ledgerpress.views.files.views_file_connections import SWEPT, user_version
from ledgerpress.views.files.views_pointers import ViewsPointer, ViewsPointers, digest_in, number_in
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorOfParts

UNUSED_SET_LIFETIME: Final = 7 * 86_400.0
"""Seconds from the last use of a set of features until its files are dropped."""
BUSY_RETRY_INTERVAL: Final = 0.2
"""Seconds between two attempts to build views while another process builds views."""


class ViewsBusy(EventLogError):
    """Another process is building views in this directory."""


class ViewsGone(EventLogError):
    """The views file was deleted while it was being built: a payload that it contained was withdrawn meanwhile."""


class NoPreviousViews(EventLogError):
    """There are no former views to go back to."""


class ViewsDirectory:
    """The views files in the data directory `data`, for a program with `projectors`.

    Methods apply only to the set of `projectors`, unless they mention other sets.
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
    def current_name(self) -> str | None:
        """The name of the file in use, even if the file no longer exists."""
        return self._pointer().current

    @property
    def former(self) -> Path | None:
        """The views that were in use before, for a rollback."""
        return self._existing(self._pointer().former)

    @property
    def needs_rebuild(self) -> bool:
        """Whether this set has no views, or outdated ones."""
        return self.current is None or self.is_outdated

    @property
    def is_outdated(self) -> bool:
        """Whether other versions of projectors wrote the views in use, and no operator rolled back to these views."""
        current = self.current
        return current is not None and self._pointer().declined is None and self.is_of_other_versions(current)

    def is_of_other_versions(self, views: Path) -> bool:
        """Return whether other versions of projectors wrote the rows of a file: it is a copy of another set's file."""
        try:
            with closing(open_to_read(views)) as db:
                return checkpoints.versions(db) != self._versions
        except sqlite3.Error:
            return False

    def is_ours(self, views: Path) -> bool:
        """Return whether a file belongs to this set of features, by its name."""
        return digest_in(views.name) == self.digest

    def identity(self, views: Path) -> int:
        """Return a number that distinguishes a file from others of the same name. Raises `OSError` if it is missing."""
        return views.stat().st_ino

    def unfinished(self) -> list[Path]:
        """Return the files that are neither in use nor former, newest first: unfinished builds and leftovers."""
        current_and_former = {self.current, self.former}
        files = [file for file in self._files() if self.is_ours(file) and file not in current_and_former]
        return sorted(files, key=lambda file: number_in(file.name), reverse=True)

    def resumable(self) -> Path | None:
        """Return the unfinished file that was begun last and can be continued, if there is one."""
        return next((file for file in self.unfinished() if not self.is_of_other_versions(file)), None)

    def vacant(self) -> Path:
        # A name in `views.json` is not used again, even if its file no longer exists.
        names = {*self._pointers().names(), *(file.name for file in self._files())}
        return self.data / f"views-{self.digest}-{max(map(number_in, names), default=0) + 1}.sqlite"

    def building(self) -> AbstractContextManager[None]:
        """Lock the directory for building views of any set. Raises `ViewsBusy` if another process has the lock."""
        return _locked(self.data / "views.build.lock", wait=False)

    @asynccontextmanager
    async def building_in_turn(self) -> AsyncIterator[None]:
        """Wait until no other process builds views here, and lock the directory for building.

        Then check again whether views have to be built: the other process may have built views of the same set.
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
        """Make every process of this set use the file `to`; the file in use until now becomes the former file.

        Without `keep_former`, the former file is deleted. Raises `ViewsGone` if the file `to` is missing.
        """
        with self._changing():
            if not to.exists():
                raise ViewsGone(f"{to.name} was deleted while it was being built")
            old_current, old_former = self.current, self.former
            former = old_current if old_current and old_current.name != to.name else old_former
            if not keep_former:
                former = None
            self._point(ViewsPointer(to.name, former.name if former else None))
            for file in (old_current, old_former):
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
        """Delete every views file of this set except the file in use, and return the deleted files."""
        with self._changing():
            pointer, current = self._pointer(), self.current
            files = [file for file in self._files() if self.is_ours(file) and file != current]
            if pointer.former:
                self._point(ViewsPointer(pointer.current, None, pointer.declined))
            for file in files:
                delete(file)
            return files

    def discard(self, views: Path, identity: int) -> bool:
        """Delete the file in use if it is still this one; return whether it was. The views then have to be rebuilt."""
        with self._changing():
            if self.current != views or self.identity(views) != identity:
                return False
            delete(views)
            return True

    def note_use(self) -> float:
        """Record that a process uses the views of this set now, so that no process drops them as unused.

        Returns the seconds since the last use. Without write permission, nothing is recorded.
        """
        with suppress(OSError), self._changing():
            if current := self.current:
                previous_use = _last_use(current)
                os.utime(current)
                return _last_use(current) - previous_use
        return 0.0

    def of_other_sets(self) -> list[Path]:
        """Return the files in use of other sets of features, most recently used first. They MUST only be read."""
        pointers = self._pointers()
        names = (pointers.of(digest).current for digest in pointers.digests if digest != self.digest)
        return sorted(filter(None, map(self._existing, names)), key=_last_use, reverse=True)

    def files_of_other_sets(self) -> list[Path]:
        """Return all views files that do not belong to this set, sorted by name, including files without a digest."""
        return sorted(file for file in self._files() if not self.is_ours(file))

    def states(self) -> dict[Path, str]:
        """Return all views files, files of this set first, with their state: `in use`, `former` or `unfinished`."""
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
        """Delete the files of other sets that no process has open, and return the deleted files."""
        with self._changing():
            files = [file for file in self.files_of_other_sets() if not is_open(file)]
            self._drop_others(files)
            return files

    def drop_unused_sets(self) -> list[Path]:
        """Delete the files of other sets that were not used for `UNUSED_SET_LIFETIME`; return the deleted files."""
        if not self._unused():
            return []
        with self._changing():
            unused = self._unused()
            self._drop_others(unused)
            return unused

    def drop_withdrawn_of_other_sets(self, position: int, *, spare_open: bool = True) -> bool:
        """Delete files of other sets that may contain the payload that the event at `position` withdrew.

        With `spare_open`, files that a process has open stay: that process applies the withdrawal. Without, they are
        deleted too, and that process rebuilds its views. Returns whether no such file is left.
        """
        candidates = _behind_withdrawal(self.files_of_other_sets(), position)
        files = [file for file in candidates if not (spare_open and is_open(file))]
        if files:
            with self._changing():
                self._drop_others(files)
        return len(files) == len(candidates)

    def withdrawn_files(self, position: int) -> list[Path]:
        """Return files of this set that are not in use, and may contain the payload withdrawn at `position`."""
        current = self.current
        files = [file for file in self._files() if self.is_ours(file) and file != current]
        return _behind_withdrawal(files, position)

    def _unused(self) -> list[Path]:
        """Return the files of unused sets. The last use of this set, recorded hourly, serves as the current time."""
        if (current := self.current) is None:
            return []
        since = _last_use(current) - UNUSED_SET_LIFETIME
        files = self.files_of_other_sets()
        used_sets = {digest_in(file.name) for file in files if _last_use(file) > since}
        return [file for file in files if digest_in(file.name) not in {*used_sets, None}]

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


def is_open(views: Path) -> bool:
    """Return whether any process has a connection to a views file open; true if that is unknown and the file exists.

    Every connection to a database with a write-ahead log holds a shared lock while it is open. The lock ends with the
    process, even if it is killed. So an exclusive lock is granted only if there is no other connection
    (https://sqlite.org/wal.html).
    """
    try:
        with closing(sqlite3.connect(uri(views, mode="rw"), uri=True, isolation_level=None, timeout=0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.Error:
        return views.exists()
    return False


def digest_of(projectors: Sequence[Projector]) -> str:
    """Return the digest in the names of files that `projectors` write. It covers only names, versions, parts and SQL.

    So it identifies a set of features by what they write. The order of features has no effect.
    """
    lines = sorted(
        f"{projector.name} {projector.version} {_sql(projector.schema, projector.indexes)}{_newer_parts(projector)}"
        for projector in projectors
    )
    text = "\n".join((normalized(checkpoints.SCHEMA), *lines))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _sql(*scripts: str) -> str:
    return " ".join(sorted(normalized(statement) for script in scripts for statement in statements(script)))


def has_only_first_parts(projector: Projector) -> bool:
    """Return whether all parts of a projector have their first version, so that its version determines its parts."""
    return not _newer_parts(projector)


def _newer_parts(projector: Projector) -> str:
    """Return the parts of a projector that have a later version than the first.

    Without them, two sets with different parts could have the same version of a projection.
    """
    parts = projector.parts if isinstance(projector, ProjectorOfParts) else ()
    return "".join(sorted(f"\n{part.version} {_sql(part.schema)}" for part in parts if part.version > 1))


def delete(views: Path) -> None:
    """Delete a views file, and SQLite's files next to it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{views}{suffix}").unlink(missing_ok=True)


def _last_use(views: Path) -> float:
    """Return when a process last recorded its use of a file or wrote to it, in seconds since 1970, UTC.

    An empty write-ahead log does not count: reading a file may create one. An empty views file counts: another process
    has just created it.
    """
    times = [0.0]
    with suppress(FileNotFoundError):
        times.append(views.stat().st_mtime)
    with suppress(FileNotFoundError):
        log = Path(f"{views}-wal").stat()
        times.append(log.st_mtime if log.st_size else 0.0)
    return max(times)


@contextmanager
def _locked(file: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock that is released when the process ends, even if it is killed (flock(2))."""
    with file.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ViewsBusy("another process is building views in this data directory") from error
        yield


def _behind_withdrawal(files: Iterable[Path], position: int) -> list[Path]:
    """Return the views files that may still contain the payload that the event at `position` withdrew.

    These are files that have not applied this event, unless they were begun after it and copied no rows, and files that
    no process has swept yet. Unreadable files are included.
    """
    return [file for file in files if not _is_past(file, position)]


def _is_past(views: Path, position: int) -> bool:
    try:
        if views.stat().st_size == 0:  # another process has just created it
            return True
        with closing(open_to_read(views)) as db:
            points = checkpoints.read(db).values()
            is_swept = user_version(db) == SWEPT
            ((began_at, copied),) = db.execute("SELECT began_at, taken_over <> '[]' FROM views")
            if began_at >= position and not copied:
                return bool(is_swept)
            return is_swept and bool(points) and all(point.position >= position for point in points)
    except FileNotFoundError:
        return True
    except sqlite3.Error:
        return not views.exists()
