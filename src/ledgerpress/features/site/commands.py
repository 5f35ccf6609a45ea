"""The commands that set the name, the language and the time zone of the site, its description, logo and address."""

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
from ledgerpress.features.site.logo_rules import Logo, checked_logo
from ledgerpress.features.site.model import SITE, WRITE_SITE, Site, SiteDescribed, SiteLocalized, SiteNamed


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeSite(_SiteCommand):
    """Set the description, the logo or the address of the site. `None` clears a value, `UNSET` leaves it unchanged."""

    fingerprint_name: ClassVar[str] = "DescribeSite"

    description: str | UnsetType | None = UNSET
    logo: Logo | UnsetType | None = UNSET
    address: str | UnsetType | None = UNSET

    def decide(self, site: Site, facts: Facts) -> tuple[Event, ...]:
        values: dict[str, str | None] = {}
        if self.description is not UNSET:
            values["description"] = text_rules.optional_text(
                self.description, field="description", limit=text_rules.MAX_DESCRIPTION
            )
        if self.logo is not UNSET:
            logo = None if self.logo is None else checked_logo(self.logo)
            values["logo_url"], values["logo_text"] = (logo.url, logo.text) if logo else (None, None)
        if self.address is not UNSET:
            values["address"] = text_rules.optional_text(
                self.address, field="address", limit=text_rules.MAX_NOTE
            )
        changed = {name for name, value in values.items() if value != getattr(site, name)}
        if not changed.isdisjoint(_LOGO):
            changed.update(_LOGO)
        described = SiteDescribed(**{name: value for name, value in values.items() if name in changed})
        return () if described == SiteDescribed() else (described,)


_LOGO: Final = ("logo_url", "logo_text")
"""The values of a logo, which are recorded together: a withdrawal must not leave one of them."""

COMMANDS: Final = commands(RequiredPermission(WRITE_SITE), NameSite, LocalizeSite, DescribeSite)
