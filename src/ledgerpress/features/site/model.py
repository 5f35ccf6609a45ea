"""The site: its name, its language and its time zone. Events, state and stream."""

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


@dataclass(frozen=True, slots=True)
class Site:
    """The site. A value is `None` until it is set."""

    name: str | None = None
    language: str | None = None
    time_zone: str | None = None


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
        case _:
            return site


SITE: Final = StreamCategory[Site]("site", Site(), evolve)
EVENTS: Final = (
    EventType[Event]("site.named", 1, SiteNamed),
    EventType[Event]("site.localized", 1, SiteLocalized),
)
