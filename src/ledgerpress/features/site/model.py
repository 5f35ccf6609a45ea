"""The site, which has a name: event, state and stream."""

from dataclasses import dataclass
from typing import Final

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn


class SiteNamed(Event, frozen=True):
    """The site was named."""

    name: str


@dataclass(frozen=True, slots=True)
class Site:
    """The site. The name is `None` until it is set."""

    name: str | None = None


def evolve(site: Site, event: SiteNamed | Withdrawn) -> Site:
    return Site(event.name) if isinstance(event, SiteNamed) else site


SITE: Final = StreamCategory("site", Site(), evolve)
EVENTS: Final = (EventType[Event]("site.named", 1, SiteNamed),)
