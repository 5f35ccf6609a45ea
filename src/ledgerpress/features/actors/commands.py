"""The commands on actors, and the registration of an actor with their first command."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import AddedEvents, commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import ACTORS, Actor, ActorKind, ActorRegistered, ActorRenamed
from ledgerpress.features.actors.permissions import WRITE_PEOPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterActor:
    fingerprint_name: ClassVar[str] = "RegisterActor"

    name: str
    kind: ActorKind = ActorKind.HUMAN

    lock_key = None

    def decide(self, actor: Actor | None, facts: Facts) -> tuple[ActorRegistered, ...]:
        """Return the registration, unless the actor is registered already. Raises `Rejection`."""
        return actors.register(actor, actor_id=facts.new_id, kind=self.kind, name=self.name)

    async def plan(self, context: CommandContext) -> AppendPlan:
        context.check_version(NO_STREAM)
        actor_id = context.new_id("actor")
        events = self.decide(None, Facts(new_id=actor_id))
        return AppendPlan.of(actor_id, PlannedWrite(ACTORS.stream(actor_id), NO_STREAM, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameActor:
    fingerprint_name: ClassVar[str] = "RenameActor"

    actor_id: str
    name: str

    @property
    def lock_key(self) -> str | None:
        return ACTORS.stream(self.actor_id)

    def decide(self, actor: Actor | None, facts: Facts) -> tuple[ActorRenamed, ...]:
        """Return the event if the name differs from the current one. Raises `Rejection`."""
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        if actor is None or actor.name == name:
            return ()
        return (ActorRenamed(actor_id=actor.id, name=name),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        actor = await context.load_existing(ACTORS, self.actor_id, "actor")
        return AppendPlan.of(actor.state.id, actor.write(self.decide(actor.state, Facts())))


async def _register_with_first_command(
    command: object, plan: AppendPlan, context: CommandContext
) -> Sequence[PlannedWrite]:
    """Return the registration of the user if the command changes anything and the user is not registered yet."""
    if not plan.writes:
        return ()
    actor_id, name = context.request.actor_id, context.request.actor_name or ""
    actor = await context.load(ACTORS, actor_id)
    return (actor.write(actors.register(actor.state, actor_id=actor_id, kind=ActorKind.HUMAN, name=name)),)


COMMANDS: Final = commands(RequiredPermission(WRITE_PEOPLE), RegisterActor, RenameActor)
ADDS: Final = (AddedEvents((object,), _register_with_first_command, for_named_actor=True),)
