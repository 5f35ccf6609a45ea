"""Declarations of features for the command handler; first-party and third-party features use the same ones.

docs/decisions/0028-features-extend-commands.md explains guards, added events and inputs.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration
from ledgerpress.commands.roles_and_permissions import (
    PermissionDenied,
    RequiredPermission,
    RolePermissions,
)
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite, StateLoader
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.unknown_third_party_events import feature_of

OwnershipCheck: TypeAlias = Callable[[Any, StateLoader, str], Awaitable[None]]
"""Takes a command, the state loader and an actor's id.

Raises `Rejection` if the object that the command changes does not belong to the actor.
"""


class Command(Protocol):
    """A request to change something: a dataclass whose fields are the client's input.

    By default, `lock_key` is `None`: the command does not wait for other commands.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    fingerprint_name: ClassVar[str]
    """The name in fingerprints and spans. Stored in the log: MUST never change, even if the class is renamed."""

    @property
    def lock_key(self) -> str | None:
        """The key of a lock, usually the name of a stream.

        Within a process, commands with the same key are executed one after another.
        """
        return None

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Load the data for the decision, decide, and return the events to append. Raises `Rejection`."""
        ...


class CommandInput(Protocol):
    """Values that a feature adds to a command of a feature below it: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    fingerprint_name: ClassVar[str]
    """The name in fingerprints. Stored in the log: MUST never change."""


@dataclass(frozen=True, slots=True)
class CommandDeclaration:
    """A command and the permission that it requires.

    If `required` has an `own` alternative, `check_own` decides whether that is sufficient for a command.
    """

    command: type
    required: RequiredPermission
    check_own: OwnershipCheck | None = None


@dataclass(frozen=True, slots=True)
class GuardDeclaration:
    """A rule that can reject commands of features below it.

    It applies to the classes in `commands`, and to every command that records one of `events`: for example, a post can
    also be published when it is created or edited. `load` takes the command, its plan and the context, and returns the
    facts. The append also checks the versions of all streams that `load` loads, so that no command recorded in between
    can bypass the rule. Views may be behind the log, so the guard's context raises `TypeError` for a query of them.
    `check` is pure: it takes the command, the events to record and the facts, and raises `Rejection`.
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
    """A feature's own events that are appended together with commands of features below it.

    `commands` are the classes of these commands; `object` means every command. `add` takes the command, its plan so far
    and the context. The `add` of a feature is called before those of the features below it. If `for_named_actor` is
    true, `add` is only called for requests with an `actor_name`.
    """

    commands: tuple[type, ...]
    add: Callable[[Any, AppendPlan, CommandContext], Awaitable[Sequence[PlannedWrite]]]
    for_named_actor: bool = False


@dataclass(frozen=True, slots=True)
class InputDeclaration:
    """An input that a feature adds to commands of features below it (`CommandRequest.inputs`)."""

    commands: tuple[type, ...]
    input: type[CommandInput]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDeclarations:
    """The declarations of all features of a process. A feature comes after the features below it."""

    commands: dict[type, CommandDeclaration] = field(default_factory=dict)
    guards: tuple[GuardDeclaration, ...] = ()
    adds: tuple[AddedEvents, ...] = ()
    inputs: tuple[InputDeclaration, ...] = ()
    content: tuple[ContentDeclaration, ...] = ()
    roles: RolePermissions = field(default_factory=RolePermissions)
    streams: tuple[str, ...] = ()
    """The prefixes of the streams in which third-party features may record events."""
    third_party: Mapping[object, str] = field(default_factory=dict)
    """The name of the third-party feature that declares a command class or an `AddedEvents`."""

    def check_permission(self, command: object, identity: Identity) -> None:
        """Raise `PermissionDenied` if the user is not permitted to execute the command, not even on their own objects.

        A command that is not declared requires every permission.
        """
        declaration = self.commands.get(type(command))
        required = declaration.required if declaration else RequiredPermission(None)
        if identity.actor_id is not None:
            if identity.meets(required, self.roles):
                return
            if declaration and declaration.check_own and identity.meets_with_own(required):
                return
        raise PermissionDenied(required.permission)

    async def check_owner(self, command: object, identity: Identity, states: StateLoader) -> None:
        """Raise `Rejection` if the user may only work on their own objects, and this command changes another one.

        The rejection is the same as if the object did not exist.
        """
        declaration = self.commands.get(type(command))
        if declaration is None or declaration.check_own is None or identity.actor_id is None:
            return
        if not identity.meets(declaration.required, self.roles):
            await declaration.check_own(command, states, identity.actor_id)

    def check_events(self, declared: object, types: Iterable[str]) -> None:
        """Raise `ValueError` if a third-party feature records events of other features.

        `declared` is the command class or the `AddedEvents` that records events of the types `types`.
        """
        feature = self.third_party.get(declared)
        if feature is None:
            return
        for type_ in types:
            if feature_of(type_) != feature:
                raise ValueError(
                    f"feature {feature} cannot record {type_}: its commands and added events record only its own "
                    f"events, x.{feature}.…. To change something else, run the command of the feature that owns it"
                )

    def check_stream(self, event: str, stream: str) -> None:
        """Raise `ValueError` for an event of a third-party feature in a stream that no feature declares."""
        if not any(stream == prefix or stream.startswith(f"{prefix}.") for prefix in self.streams):
            raise ValueError(
                f"{event} cannot be recorded in {stream}: no feature declares such streams (Feature.streams)"
            )

    def check_input(self, command: object, value: object) -> None:
        """Raise `TypeError` for an input that no feature adds to the command."""
        if not any(
            declaration.input is type(value) and isinstance(command, declaration.commands)
            for declaration in self.inputs
        ):
            raise TypeError(f"{type(command).__name__} has no input {type(value).__name__}")


def commands(
    required: RequiredPermission, *classes: type, check_own: OwnershipCheck | None = None
) -> tuple[CommandDeclaration, ...]:
    """Return the declarations of commands that require the same permission."""
    return tuple(CommandDeclaration(command, required, check_own) for command in classes)
