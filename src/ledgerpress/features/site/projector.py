"""The part of the projection `people` that holds the site: every name that it ever had."""

import sqlite3
from typing import Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event import Event, Withdrawn
from ledgerpress.features.site.model import SiteNamed
from ledgerpress.views.projection.projector_interface import ImmediateProjector


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
