"""The publication itself: the opening of its log, its site's name, and payloads withdrawn by law."""

from dataclasses import dataclass
from typing import assert_never

from ledgerpress.commands import text_rules
from ledgerpress.eventlog.event import Event, Withdrawn


class LogOpened(Event, frozen=True):
    """The first event of every log. `name_key` is 32 random bytes in hex, the key of slugs' stream names."""

    format_version: int
    name_key: str


class SiteNamed(Event, frozen=True):
    """The site has a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Site:
    """The site; it has no name at first."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSite:
    """Name the site."""

    name: str


def evolve(site: Site, event: SiteNamed | Withdrawn) -> Site:
    """Return the site after `event`."""
    match event:
        case SiteNamed(name=name):
            return Site(name)
        case Withdrawn():
            return site
        case _ as unreachable:
            assert_never(unreachable)


def decide(command: NameSite, site: Site) -> tuple[SiteNamed, ...]:
    """Return what happens on `command`. Raises `Rejected`."""
    name = text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME)
    return () if name == site.name else (SiteNamed(name=name),)
