"""Requests and results of commands, and the context that a command uses to plan: time, ids, streams and views."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeVar

from ledgerpress.commands import text_rules
from ledgerpress.commands.client_identity import LOCAL_OPERATOR, OPERATOR_ACTOR_ID, Identity
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration
from ledgerpress.commands.errors import ErrorCode, Rejection, version_conflict
from ledgerpress.commands.roles_and_permissions import PermissionDenied, RolePermissions
from ledgerpress.commands.streams_and_append_plan import LoadedStream, StateLoader, StreamCategory
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.leases import Fence
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """The user and the reason of a command, and the conditions under which it is executed.

    `identity` decides what the user may do; `actor_id` is the actor that the events record. `expected_version` is the
    version that the client saw: if it is no longer current, the command is rejected and not retried. Commands of one
    actor with the same `idempotency_key` take effect once. If `actor_name` is given, an actor that is not registered
    yet is registered together with the command's events. `inputs` are values that other features add to the command.
    A command that needs a lease has a `fence`: it is recorded only while the lease is held.

    If the payload of an executed command was withdrawn, a command with the same key cannot be compared with it and is
    rejected; with `key_names_command`, the key alone shows that it is the same command.
    """

    actor_id: str = OPERATOR_ACTOR_ID
    identity: Identity = LOCAL_OPERATOR
    actor_name: str | None = None
    on_behalf_of_actor_id: str | None = None
    idempotency_key: str | None = None
    key_names_command: bool = False
    reason: str | None = None
    expected_version: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    trace_id: str | None = None
    inputs: tuple[Any, ...] = ()
    fence: Fence | None = None

    def checked_reason(self) -> str | None:
        """Return the reason in the form in which it is recorded. Raises `Rejection` if it is invalid."""
        return text_rules.optional_text(self.reason, field="reason", limit=text_rules.MAX_NOTE)

    def checked_key(self) -> str | None:
        """Return the idempotency key. Raises `Rejection` if it is invalid."""
        if self.idempotency_key is None:
            return None
        return text_rules.line(
            self.idempotency_key, field="idempotencyKey", limit=text_rules.MAX_IDEMPOTENCY_KEY
        )


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    `subject_id` is the id of the object that the command changed. `position` is the position of the command's last
    event, or the head of the log if there was nothing to do. `views_behind` is true if the views did not reach
    `position` within the timeout.
    """

    subject_id: str
    position: int
    replayed: bool = False
    views_behind: bool = False


class CommandViews(Protocol):
    """The views as commands use them. No rule depends on views alone: the versions of streams protect it."""

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Return a snapshot of the views as of the position that every projection has reached."""
        ...

    @property
    def checkpoints(self) -> Mapping[str, Checkpoint]:
        """The checkpoint of each projection, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts that `decide` needs in addition to the command and the state. Features add references that they resolve.

    `now` is in microseconds since 1970, UTC. `new_id` is the id of the object that the command creates.
    """

    now: int = 0
    new_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """The context of one attempt to execute a command. `now` is in microseconds since 1970, UTC.

    `loaded` contains the version at which each stream was first loaded. `content` is the content that features add to
    objects of features below them. `roles` contains the permissions of each role. `catch_up` waits until a projection
    has reached the head of the log, and raises `Rejection` if that takes too long.
    """

    states: StateLoader
    views: CommandViews
    name_key: bytes
    command_id: str
    request: CommandRequest
    now: int
    content: Sequence[ContentDeclaration]
    roles: RolePermissions
    catch_up: Callable[[str], Awaitable[None]]
    loaded: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    """The names of those fields of `request` that the plan MUST use if the client sets them, and has used."""

    @property
    def expected_version(self) -> int | None:
        """The version that the client expects. If it is set, the plan MUST check it, as `check_version` does."""
        self.used.add("expected_version")
        return self.request.expected_version

    def check_used(self) -> None:
        """Raise `Rejection` if the client expects a version, but the plan has not checked it."""
        if self.request.expected_version is not None and "expected_version" not in self.used:
            raise Rejection(
                ErrorCode.INVALID_VALUE,
                "This command does not check a version: leave expectedVersion out.",
                field=("expectedVersion",),
            )

    def new_id(self, kind: str) -> str:
        """Return the id of an object that this command creates. A repeated command gets the same id."""
        return uuid8(self.command_id, kind)

    def input(self, type_: type[T]) -> T | None:
        """Return the input of the class `type_`, `None` if the client did not send it."""
        return next((value for value in self.request.inputs if isinstance(value, type_)), None)

    def require(self, permission: str) -> None:
        """Raise `PermissionDenied` if the user lacks `permission`, which the command does not require in general."""
        if not self.request.identity.may(permission):
            raise PermissionDenied(permission)

    def check_version(self, current: int) -> None:
        """Raise `Rejection` if the client expects a version other than `current`."""
        expected = self.expected_version
        if expected is not None and expected != current:
            raise version_conflict(expected=expected, current=current)

    def for_guard(self) -> Self:
        """Return the context for a guard. It does not allow queries of the views, which may be behind the log."""
        return replace(self, catch_up=_no_views)

    async def load(self, category: StreamCategory[S], id: str = "") -> LoadedStream[S]:
        loaded = await self.states.load(category, id)
        self.loaded.setdefault(loaded.name, loaded.version)
        return loaded

    async def load_existing(self, category: StreamCategory[S | None], id: str, noun: str) -> LoadedStream[S]:
        """Return the state of an object that exists.

        Raises `Rejection` if it does not exist, or if the client expects another version. `noun` names the object in
        the message.
        """
        loaded = await self.load(category, id)
        if loaded.state is None:
            raise Rejection(ErrorCode.NOT_FOUND, f"There is no such {noun}.", field=("id",))
        self.check_version(loaded.version)
        return LoadedStream(loaded.name, loaded.version, loaded.state, loaded.created_by)

    async def events(self, stream: str) -> list[Event]:
        events = await self.states.events(stream)
        self.loaded.setdefault(stream, len(events))
        return events

    async def query(self, projection: str, query: Callable[[Snapshot], T], *, is_settled: bool = False) -> T:
        """Return the result of `query` on views in which `projection` has reached the head of the log.

        Raises `Rejection` if that takes too long, or if the views lack events of commands that are executed together
        with this one. With `is_settled`, these do not matter: the result depends only on events that no command records
        any more.
        """
        if self.states.has_planned_events and not is_settled:
            raise Rejection(
                ErrorCode.MUST_BE_FIRST,
                "This command depends on views that do not show the commands before it in the same request. Put it first, "
                "or send it in another request.",
            )
        await self.catch_up(projection)
        with self.views.snapshot() as snapshot:
            return query(snapshot)


async def _no_views(projection: str) -> None:
    raise TypeError(
        "A guard cannot query views, which may be behind the log. Load the streams that the rule depends on."
    )
