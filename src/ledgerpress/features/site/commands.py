"""The command that names the site."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import Permission, RequiredPermission, Role
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.features.site.model import SITE, Site, SiteNamed


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSite:
    fingerprint_name: ClassVar[str] = "NameSite"

    name: str

    lock_key = SITE.prefix

    def decide(self, site: Site, facts: Facts) -> tuple[SiteNamed, ...]:
        """Return the event, or nothing if the name is unchanged. Raises `Rejection` for an invalid name."""
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        return () if name == site.name else (SiteNamed(name=name),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        site = await context.load(SITE)
        context.check_version(site.version)
        return AppendPlan.of("site", site.write(self.decide(site.state, Facts())))


WRITE_SITE: Final = Permission("site:write", roles=[Role.EDITOR], enum_name="WRITE_SITE", order=8)
COMMANDS: Final = commands(RequiredPermission(WRITE_SITE), NameSite)
