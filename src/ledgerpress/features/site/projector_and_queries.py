"""The site as of any position: the table, its part of the projection `people`, and the queries."""

import sqlite3
from dataclasses import astuple, fields
from datetime import UTC, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.features.site.model import (
    DEFAULT_LANGUAGE,
    DEFAULT_TIME_ZONE,
    EVENTS,
    Site,
    SiteDescribed,
    SiteLocalized,
    SiteNamed,
    evolve,
)
from ledgerpress.views.feature_declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

_EVENTS: Final = frozenset(event.name for event in EVENTS)
_COLUMNS: Final = tuple(field.name for field in fields(Site))
_AS_OF: Final = f"SELECT {', '.join(_COLUMNS)}, version FROM site_state WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1"  # noqa: S608
_INSERT: Final = (
    f"INSERT INTO site_state (from_pos, version, {', '.join(_COLUMNS)}) VALUES (?, ?{', ?' * len(_COLUMNS)})"  # noqa: S608
)


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    if isinstance(recorded.event, Withdrawn) and recorded.event.type not in _EVENTS:
        return
    position, row = recorded.position, db.execute(_AS_OF, (recorded.position,)).fetchone()
    site = evolve(Site(*row[:-1]) if row else Site(), recorded.event)
    db.execute(_INSERT, (position, recorded.header.stream_version, *astuple(site)))


PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=3,
    schema="""
        CREATE TABLE site_state (
            from_pos INTEGER PRIMARY KEY, name TEXT, language TEXT, time_zone TEXT,
            description TEXT, logo_url TEXT, logo_text TEXT, address TEXT, version INTEGER NOT NULL
        ) STRICT;
    """,
    events=frozenset({SiteNamed, SiteLocalized, SiteDescribed, Withdrawn}),
    apply=_apply,
    delete_rows={"site": lambda db, _: db.execute("DELETE FROM site_state")},
)


SITE: Final = Topic("site", 0)
"""The topic of everything that is set for the site, such as its name and its language."""
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


def site_description(snapshot: Snapshot) -> str | None:
    return _site(snapshot).description


def site_logo(snapshot: Snapshot) -> Logo | None:
    """Return the logo of the site, `None` if it has none."""
    site = _site(snapshot)
    if site.logo_url is None or site.logo_text is None:
        return None
    return Logo(url=site.logo_url, text=site.logo_text)


def site_address(snapshot: Snapshot) -> str | None:
    """Return the postal address of the site, or how to contact it, in lines."""
    return _site(snapshot).address


def site_version(snapshot: Snapshot) -> int:
    """Return how often the site was changed; 0 if never."""
    row = _row(snapshot)
    return int(row[-1]) if row else 0


def _site(snapshot: Snapshot) -> Site:
    row = _row(snapshot)
    return Site(*row[:-1]) if row else Site()


def _row(snapshot: Snapshot) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = snapshot.about(SITE).execute(_AS_OF, (snapshot.position,)).fetchone()
    return row


def _values(snapshot: Snapshot, _: str) -> FieldValues:
    site = _site(snapshot)
    return {
        "name": plain(site.name),
        "language": plain(site.language),
        "timeZone": plain(site.time_zone),
        "description": plain(site.description),
        "logoUrl": plain(site.logo_url),
        "logoAlternativeText": plain(site.logo_text),
        "address": plain(site.address),
    }


SUBJECT: Final = Subject(kind="site", values=_values)
