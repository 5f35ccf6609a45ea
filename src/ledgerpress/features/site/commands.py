"""The commands that set the name, the language and the time zone of the site."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.site.language_and_time_zone_rules import language_tag, time_zone_name
from ledgerpress.features.site.model import SITE, WRITE_SITE, Site, SiteLocalized, SiteNamed


class _SiteCommand(ABC):
    """A command about the site. `decide` returns its event, or nothing if the value is unchanged."""

    __slots__ = ()

    lock_key = SITE.prefix

    @abstractmethod
    def decide(self, site: Site, facts: Facts) -> tuple[Event, ...]:
        """Raises `Rejection` for an invalid value."""

    async def plan(self, context: CommandContext) -> AppendPlan:
        site = await context.load(SITE)
        context.check_version(site.version)
        return AppendPlan.of("site", site.write(self.decide(site.state, Facts())))


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSite(_SiteCommand):
    fingerprint_name: ClassVar[str] = "NameSite"

    name: str

    def decide(self, site: Site, facts: Facts) -> tuple[Event, ...]:
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        return () if name == site.name else (SiteNamed(name=name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalizeSite(_SiteCommand):
    """Set the language, the time zone or both of the site."""

    fingerprint_name: ClassVar[str] = "LocalizeSite"

    language: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET

    def decide(self, site: Site, facts: Facts) -> tuple[Event, ...]:
        language = UNSET if self.language is UNSET else language_tag(self.language)
        time_zone = UNSET if self.time_zone is UNSET else time_zone_name(self.time_zone)
        localized = SiteLocalized(
            language=UNSET if language == site.language else language,
            time_zone=UNSET if time_zone == site.time_zone else time_zone,
        )
        return () if localized == SiteLocalized() else (localized,)


COMMANDS: Final = commands(RequiredPermission(WRITE_SITE), NameSite, LocalizeSite)
