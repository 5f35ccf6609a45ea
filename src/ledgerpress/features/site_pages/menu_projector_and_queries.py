"""The menu as of any position: the table, its part of the projection `people`, and the queries."""

import sqlite3
from typing import Final, NamedTuple

import msgspec

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.site_pages import menu_model
from ledgerpress.features.site_pages.menu_model import MenuArranged, MenuItem
from ledgerpress.views.feature_declarations import DependencyRule, FieldValue, FieldValues, Subject
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot, Topic

MENU: Final = Topic("menu", 0)
"""The topic of the items of the menu, not of their targets."""
DEPENDENCIES: Final = DependencyRule.by_type({event.name: [MENU] for event in menu_model.EVENTS})
_AS_OF: Final = "SELECT items, version FROM site_menu WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[MenuItem, ...]).decode


def _apply(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    if recorded.header.stream != menu_model.MENU.prefix:
        return  # the withdrawal of an event in another stream
    items = _encode(menu_model.evolve((), recorded.event)).decode()
    values = (recorded.position, recorded.header.stream_version, items)
    db.execute("INSERT INTO site_menu VALUES (?, ?, ?)", values)


PROJECTOR: Final = ImmediateProjector(
    name="people",
    version=1,
    schema="""
        CREATE TABLE site_menu (
            from_pos INTEGER PRIMARY KEY, version INTEGER NOT NULL,
            items TEXT NOT NULL             -- a JSON array, in order
        ) STRICT;
    """,
    events=frozenset({MenuArranged, Withdrawn}),
    apply=_apply,
    delete_rows={menu_model.MENU.prefix: lambda db, _: db.execute("DELETE FROM site_menu")},
)


class Menu(NamedTuple):
    """The menu: its items in order, and how often it was set."""

    items: tuple[MenuItem, ...] = ()
    version: int = 0


def menu(snapshot: Snapshot) -> Menu:
    row = snapshot.about(MENU).execute(_AS_OF, (snapshot.position,)).fetchone()
    return Menu(_decode(row[0]), int(row[1])) if row else Menu()


def _values(snapshot: Snapshot, _: str) -> FieldValues:
    items = menu(snapshot).items
    return {"items": FieldValue(items, lambda: [msgspec.to_builtins(item) for item in items])}


SUBJECT: Final = Subject(kind="menu", values=_values)
