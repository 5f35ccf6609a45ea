"""The name of the site as of any position: the table, its part of the projection `people`, and the queries."""

import sqlite3
from typing import Any, Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.site.model import SiteNamed
from ledgerpress.views.feature_declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    position, version = recorded.position, recorded.header.stream_version
    match recorded.event:
        case SiteNamed(name=name):
            db.execute("INSERT INTO site_name VALUES (?, ?, ?)", (position, name, version))
        case Withdrawn(type="site.named"):
            db.execute(
                "INSERT INTO site_name SELECT ?, name, ? FROM site_name ORDER BY from_pos DESC LIMIT 1",
                (position, version),
            )
        case _:
            pass


PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=1,
    schema="""
        CREATE TABLE site_name (
            from_pos INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL
        ) STRICT;
    """,
    events=frozenset({SiteNamed, Withdrawn}),
    apply=_apply,
)


SITE: Final = Topic("site", 0)
"""The topic of the name of the site."""
DEPENDENCIES: Final = DependencyRule.by_type({"site.named": [SITE]})


def site_name(snapshot: Snapshot) -> str | None:
    row = _row(snapshot)
    return row[0] if row else None


def site_version(snapshot: Snapshot) -> int:
    """Return how often the name was set; 0 if never."""
    row = _row(snapshot)
    return int(row[1]) if row else 0


def _row(snapshot: Snapshot) -> tuple[Any, ...] | None:
    query = "SELECT name, version FROM site_name WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1"
    row: tuple[Any, ...] | None = snapshot.about(SITE).execute(query, (snapshot.position,)).fetchone()
    return row


def _values(snapshot: Snapshot, _: str) -> FieldValues:
    return {"name": plain(site_name(snapshot))}


SUBJECT: Final = Subject(kind="site", values=_values)
