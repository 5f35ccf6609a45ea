"""What a feature declares to the command handler, first-party and third-party alike.

docs/decisions/0028-features-extend-commands.md explains guards, added events and inputs.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration
from ledgerpress.commands.roles_and_permissions import RequiredPermission, RolePermissions
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite, StateLoader
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.unknown_third_party_events import feature_of

OwnershipCheck: TypeAlias = Callable[[Any, StateLoader, str], Awaitable[None]]
"""Takes a command, the states and an actor's id. Raises `Rejection` if what the command is about is not the actor's."""


class Command(Protocol):
    """A change that a client wants: a dataclass whose fields are the client's input.

    A class that derives from it has a `lock_key` of `None`: its commands wait for no others.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    fingerprint_name: ClassVar[str]
    """The name in fingerprints and spans. Stored in the log: MUST never change, whatever the class is called."""

    @property
    def lock_key(self) -> str | None:
        """Commands with the same key, most often a stream's name, are executed one after another in a process."""
        return None

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Load what the decision needs, decide, and return what to record. Raises `Rejection`."""
        ...


class CommandInput(Protocol):
    """Values that a feature adds to a command of a feature below: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    fingerprint_name: ClassVar[str]
    """The name in fingerprints. Stored in the log: MUST never change."""


@dataclass(frozen=True, slots=True)
class CommandDeclaration:
    """A command and the permission that it requires.

    If the required permission has an `own` alternative, `check_own` decides whether it is enough for a command.
    """

    command: type
    required: RequiredPermission
    check_own: OwnershipCheck | None = None


@dataclass(frozen=True, slots=True)
class GuardDeclaration:
    """A rule on commands of features below, which can reject them.

    It applies to the classes in `commands`, and to every command that records one of `events`: a post is published by
    creating and editing, too. `load` takes the command, its plan and the context, and returns the facts. All streams that
    it loads become part of the append with the versions loaded, so no command that is recorded in between can bypass the
    rule. Views may be behind, so its context raises `TypeError` for a query of them. `check` is pure: it takes the command, the events to be recorded and the facts, and
    raises `Rejection`.
    """

    commands: tuple[type, ...]
    load: Callable[[Any, AppendPlan, CommandContext], Awaitable[Any]]
    check: Callable[[Any, Sequence[Event], Any], None]
    events: tuple[type[Event], ...] = ()

    def applies(self, command: object, plan: AppendPlan) -> bool:
        return isinstance(command, self.commands) or any(
            isinstance(event, self.events) for event in plan.events
        )


@dataclass(frozen=True, slots=True)
class AddedEvents:
    """A feature's own events in the append of commands of features below. `object` stands for every command.

    `add` takes the command, its plan so far and the context. A feature above comes before the features below it.
    With `for_named_actor`, it is only called for a request that has the name of its actor.
    """

    commands: tuple[type, ...]
    add: Callable[[Any, AppendPlan, CommandContext], Awaitable[Sequence[PlannedWrite]]]
    for_named_actor: bool = False


@dataclass(frozen=True, slots=True)
class InputDeclaration:
    """An input that a feature adds to commands of features below: see `CommandRequest.inputs`."""

    commands: tuple[type, ...]
    input: type[CommandInput]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDeclarations:
    """What all features of a process declare, in the order of the features: those below first."""

    commands: dict[type, CommandDeclaration] = field(default_factory=dict)
    guards: tuple[GuardDeclaration, ...] = ()
    adds: tuple[AddedEvents, ...] = ()
    inputs: tuple[InputDeclaration, ...] = ()
    content: tuple[ContentDeclaration, ...] = ()
    roles: RolePermissions = field(default_factory=RolePermissions)
    streams: tuple[str, ...] = ()
    """The prefixes of the streams in which third-party features may record events."""
    third_party: Mapping[object, str] = field(default_factory=dict)
    """The third-party feature that declares a class of commands, or an `AddedEvents`."""

    def check_events(self, declared: object, types: Iterable[str]) -> None:
        """Raise `ValueError` for events of others in what a third-party feature records by `declared`."""
        feature = self.third_party.get(declared)
        if feature is None:
            return
        for type_ in types:
            if feature_of(type_) != feature:
                raise ValueError(
                    f"feature {feature} cannot record {type_}: its commands and added events record its own events only, "
                    f"x.{feature}.…; to change something else, run the command of the feature that owns it"
                )

    def check_stream(self, event: str, stream: str) -> None:
        """Raise `ValueError` for an event of a third-party feature in a stream that no feature declares."""
        if not any(stream == prefix or stream.startswith(f"{prefix}.") for prefix in self.streams):
            raise ValueError(
                f"{event} cannot be recorded in {stream}: no feature declares such streams (Feature.streams)"
            )

    def check_input(self, command: object, given: object) -> None:
        """Raise `TypeError` for an input that no feature adds to the command."""
        if not any(one.input is type(given) and isinstance(command, one.commands) for one in self.inputs):
            raise TypeError(f"{type(command).__name__} has no input {type(given).__name__}")


def commands(
    required: RequiredPermission, *classes: type, check_own: OwnershipCheck | None = None
) -> tuple[CommandDeclaration, ...]:
    """Return declarations of commands that require the same permission."""
    return tuple(CommandDeclaration(command, required, check_own) for command in classes)
