"""All rows of a views file, and of views that are rebuilt from a log."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.projector_interface_and_composition import Projector
from ledgerpress.views.projection.runner import ProjectionRunner

Rows: TypeAlias = dict[str, list[tuple[Any, ...]]]


def views_in_use(data: Path, projectors: Sequence[Projector] | None = None) -> Path:
    """Return the views file that processes with `projectors`, or the first-party ones, use in a data directory."""
    path = ViewsDirectory(data, all_projectors() if projectors is None else projectors).current
    assert path
    return path


def rows_of(path: Path) -> Rows:
    """Return all rows of all tables, sorted by their columns, without the tables that describe the file."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return rows_in(db)


def rows_in(db: sqlite3.Connection) -> Rows:
    """Return all rows of all tables of a database, sorted by their columns, without tables that describe the file."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    return {name: _table(db, name) for (name,) in tables if name not in ("views", "projection_digest")}


def _table(db: sqlite3.Connection, name: str) -> list[tuple[Any, ...]]:
    columns = len(db.execute(f'SELECT * FROM "{name}" LIMIT 0').description)
    order = ", ".join(str(number + 1) for number in range(columns))
    return db.execute(f'SELECT * FROM "{name}" ORDER BY {order}').fetchall()


async def rebuilt(
    log: EventLog, path: Path, *, batch_size: int, projectors: Sequence[Projector] | None = None
) -> Rows:
    """Build views of the whole log in a new file at `path`, and return their rows."""
    projectors = all_projectors() if projectors is None else projectors
    views = await ViewsFile.open(path, projectors)
    try:
        runner = ProjectionRunner(log, event_codec(), views, projectors, batch_size=batch_size)
        await runner.start()
        await runner.catch_up()
    finally:
        await views.aclose()
    return rows_of(path)
