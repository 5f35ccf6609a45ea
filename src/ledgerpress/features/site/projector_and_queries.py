"""The site as of any position: the table, its part of the projection `people`, and the queries."""

import sqlite3
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.site.model import (
    DEFAULT_LANGUAGE,
    DEFAULT_TIME_ZONE,
    EVENTS,
    Site,
    SiteLocalized,
    SiteNamed,
    evolve,
)
from ledgerpress.views.feature_declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

_EVENTS: Final = frozenset(event.name for event in EVENTS)
_AS_OF: Final = "SELECT name, language, time_zone, version FROM site_state WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1"


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    if isinstance(recorded.event, Withdrawn) and recorded.event.type not in _EVENTS:
        return
    position, row = recorded.position, db.execute(_AS_OF, (recorded.position,)).fetchone()
    site = evolve(Site(*row[:3]) if row else Site(), recorded.event)
    values = (position, site.name, site.language, site.time_zone, recorded.header.stream_version)
    db.execute("INSERT INTO site_state VALUES (?, ?, ?, ?, ?)", values)


PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=2,
    schema="""
        CREATE TABLE site_state (
            from_pos INTEGER PRIMARY KEY, name TEXT, language TEXT, time_zone TEXT, version INTEGER NOT NULL
        ) STRICT;
    """,
    events=frozenset({SiteNamed, SiteLocalized, Withdrawn}),
    apply=_apply,
    delete_rows={"site": lambda db, _: db.execute("DELETE FROM site_state")},
)


SITE: Final = Topic("site", 0)
"""The topic of the name, the language and the time zone of the site."""
DEPENDENCIES: Final = DependencyRule.by_type({name: [SITE] for name in _EVENTS})


def site_name(snapshot: Snapshot) -> str | None:
    return _site(snapshot).name


def site_language(snapshot: Snapshot) -> str:
    """Return the language of the site, a BCP 47 tag."""
    return _site(snapshot).language or DEFAULT_LANGUAGE


def site_time_zone(snapshot: Snapshot) -> str:
    """Return the IANA name of the site's time zone."""
    return _site(snapshot).time_zone or DEFAULT_TIME_ZONE


def site_tzinfo(snapshot: Snapshot) -> tzinfo:
    """Return the site's time zone. It is UTC if this machine does not know the zone."""
    try:
        return ZoneInfo(site_time_zone(snapshot))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A node with newer time zone data recorded the name.
        return UTC


def site_version(snapshot: Snapshot) -> int:
    """Return how often the site was changed; 0 if never."""
    row = _row(snapshot)
    return int(row[3]) if row else 0


def _site(snapshot: Snapshot) -> Site:
    row = _row(snapshot)
    return Site(*row[:3]) if row else Site()


def _row(snapshot: Snapshot) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = snapshot.about(SITE).execute(_AS_OF, (snapshot.position,)).fetchone()
    return row


def _values(snapshot: Snapshot, _: str) -> FieldValues:
    site = _site(snapshot)
    return {
        "name": plain(site.name),
        "language": plain(site.language),
        "timeZone": plain(site.time_zone),
    }


SUBJECT: Final = Subject(kind="site", values=_values)
