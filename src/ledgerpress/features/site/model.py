"""The site: its name, language and time zone, its description, logo and address. Events, state and stream."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands.roles_and_permissions import Permission, Role
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import KEPT, Event, Withdrawn

WRITE_SITE: Final = Permission("site:write", roles=[Role.EDITOR], enum_name="WRITE_SITE", order=8)
DEFAULT_LANGUAGE: Final = "en"
"""The language of a site whose language was never set."""
DEFAULT_TIME_ZONE: Final = "UTC"
"""The time zone of a site whose time zone was never set."""


class SiteNamed(Event, frozen=True):
    """The site was named."""

    TEXT: ClassVar = {"name": ""}

    name: str


class SiteLocalized(Event, frozen=True):
    """The language (a BCP 47 tag), the time zone (an IANA name) or both of the site were set. Absent means unchanged."""

    TEXT: ClassVar = {"language": KEPT, "time_zone": KEPT}

    language: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class SiteDescribed(Event, frozen=True):
    """The description, the logo or the address of the site was set, or cleared (null). Absent means unchanged.

    A logo has a URL, or a path on the site, and the text that stands for it where the picture is not seen. A withdrawal
    clears what the event set: an address that was replaced must not come back.
    """

    TEXT: ClassVar = {"description": None, "logo_url": None, "logo_text": None, "address": None}

    description: str | UnsetType | None = UNSET
    logo_url: str | UnsetType | None = UNSET
    logo_text: str | UnsetType | None = UNSET
    address: str | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class Site:
    """The site. A value is `None` until it is set. The URL of the logo is set if and only if its text is."""

    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    description: str | None = None
    logo_url: str | None = None
    logo_text: str | None = None
    address: str | None = None


def evolve(site: Site, event: Event) -> Site:
    match event:
        case SiteNamed(name=name):
            return replace(site, name=name)
        case (
            SiteLocalized(language=language, time_zone=time_zone)
            | Withdrawn(remaining=SiteLocalized(language=language, time_zone=time_zone))
        ):
            return replace(
                site,
                language=site.language if language is UNSET else language,
                time_zone=site.time_zone if time_zone is UNSET else time_zone,
            )
        case (SiteDescribed() as described) | Withdrawn(remaining=SiteDescribed() as described):
            return replace(
                site,
                description=_changed(described.description, site.description),
                logo_url=_changed(described.logo_url, site.logo_url),
                logo_text=_changed(described.logo_text, site.logo_text),
                address=_changed(described.address, site.address),
            )
        case _:
            return site


def _changed(value: str | UnsetType | None, before: str | None) -> str | None:
    return before if value is UNSET else value


SITE: Final = StreamCategory[Site]("site", Site(), evolve)
EVENTS: Final = (
    EventType[Event]("site.named", 1, SiteNamed),
    EventType[Event]("site.localized", 1, SiteLocalized),
    EventType[Event]("site.described", 1, SiteDescribed),
)
