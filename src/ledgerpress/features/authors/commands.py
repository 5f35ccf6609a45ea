"""The commands that register and rename authors."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.actors.permissions import WRITE_PEOPLE
from ledgerpress.features.authors.model import AUTHORS, Author, AuthorRegistered, AuthorRenamed


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAuthor:
    fingerprint_name: ClassVar[str] = "RegisterAuthor"

    name: str

    lock_key = None

    def decide(self, author: Author | None, facts: Facts) -> tuple[AuthorRegistered, ...]:
        """Return the registration, or nothing if the author exists. Raises `Rejection` for an invalid name."""
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        return () if author else (AuthorRegistered(author_id=facts.new_id, name=name),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        context.check_version(NO_STREAM)
        author_id = context.new_id("author")
        events = self.decide(None, Facts(new_id=author_id))
        return AppendPlan.of(author_id, PlannedWrite(AUTHORS.stream(author_id), NO_STREAM, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameAuthor:
    fingerprint_name: ClassVar[str] = "RenameAuthor"

    author_id: str
    name: str

    @property
    def lock_key(self) -> str | None:
        return AUTHORS.stream(self.author_id)

    def decide(self, author: Author | None, facts: Facts) -> tuple[AuthorRenamed, ...]:
        """Return the event, or nothing if the name is unchanged. Raises `Rejection` for an invalid name."""
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        if author is None or author.name == name:
            return ()
        return (AuthorRenamed(author_id=author.id, name=name),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        author = await context.load_existing(AUTHORS, self.author_id, "author")
        return AppendPlan.of(author.state.id, author.write(self.decide(author.state, Facts())))


COMMANDS: Final = commands(RequiredPermission(WRITE_PEOPLE), RegisterAuthor, RenameAuthor)
