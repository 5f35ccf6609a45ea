"""The menu of the site: an ordered list of items, which is set as a whole. Events, state and stream."""

from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn


class MenuPlace(StrEnum):
    """The place of an item on pages."""

    HEADER = "HEADER"
    FOOTER = "FOOTER"


class TargetKind(StrEnum):
    """What an item leads to."""

    PAGE = "page"
    CATEGORY = "category"
    ADDRESS = "address"


class MenuItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An item of the menu. `target` is the id of a page or of a category, a path on the site, or an https URL."""

    label: str
    place: MenuPlace
    kind: TargetKind
    target: str


class MenuArranged(Event, frozen=True):
    """The items of the menu were set, in order; without items, the site has no menu."""

    TEXT: ClassVar = {"items": ()}

    items: tuple[MenuItem, ...]


def evolve(items: tuple[MenuItem, ...], event: Event) -> tuple[MenuItem, ...]:
    """Return the items after `event`. A withdrawn menu is empty: an earlier one must not come back."""
    match event:
        case MenuArranged(items=arranged):
            return arranged
        case Withdrawn(type="menu.arranged"):
            return ()
        case _:
            return items


MENU: Final = StreamCategory[tuple[MenuItem, ...]]("menu", (), evolve)
EVENTS: Final = (EventType[Event]("menu.arranged", 1, MenuArranged),)
