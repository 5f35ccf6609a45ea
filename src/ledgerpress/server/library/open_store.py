"""`ledgerpress.open_store`: a store in the caller's process. docs/how-to/use-as-a-library.md is its guide.

It does not change the process: no logging, signal handlers, resource limits or garbage collection. The store belongs to
the event loop in which it was opened.
"""

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ledgerpress.commands import client_identity
from ledgerpress.commands.client_identity import LOCAL_OPERATOR, OPERATOR_ACTOR_ID, Identity
from ledgerpress.commands.command_and_guard_declarations import Command, CommandInput
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.errors import LogClosed
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.feature import Feature, FeatureSet
from ledgerpress.features.actors.model import RESERVED
from ledgerpress.features.registry import FIRST_PARTY, installed_features
from ledgerpress.graphql.exception_hooks import unchanged_exception_hooks
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.server.library.event_reading import check_not_negative, follow_events, read_events
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import Store
from ledgerpress.server.store import open_store as open_internal_store
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema
    from ledgerpress.server.library.graphql_execution import GraphQLExecution, GraphQLResult

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class StoreClosed(Exception):
    """The store was used after the end of `async with open_store(…)`."""

    def __init__(self) -> None:
        super().__init__("The store is closed: use it inside `async with ledgerpress.open_store(…)`.")


class OpenStore:
    """An open store. It belongs to the thread and the event loop in which it was opened.

    Each method raises `StoreClosed` after the store is closed, `RuntimeError` in another thread or event loop, and
    `LogUnavailable` if it needs a log that cannot be reached.
    """

    def __init__(self, store: Store, limits: Limits, schema: "Schema | None" = None) -> None:
        """`limits` and `schema` apply to GraphQL operations. The default schema is that of the store's features."""
        self._store = store
        self._limits = limits
        self._schema = schema
        self._execution: GraphQLExecution | None = None
        self._is_closed = False
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    # --- writing ---

    async def execute(
        self,
        command: Command,
        *,
        identity: Identity = LOCAL_OPERATOR,
        reason: str | None = None,
        expected_version: int | None = None,
        idempotency_key: str | None = None,
        on_behalf_of_actor_id: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        inputs: Sequence[CommandInput] = (),
    ) -> CommandResult | Rejection:
        """Execute a command, wait until the views show it, and return the result, or a `Rejection` if it was rejected.

        A rejection is not raised: nothing was recorded, for a reason that a user can correct. `identity` determines the
        permissions, and its actor is recorded with the events; the default has all permissions, like the command line.
        `reason` is recorded, too. `expected_version` is the version of the object that the caller has seen, 0 if the
        object must not exist; without it, the command is decided again after a conflict. If the same actor repeats a
        command with the same `idempotency_key`, it takes effect only once. `causation_id` is the id of the event that
        led to the command. `inputs` are values that features add to the command.

        Raises `PermissionDenied`, `LogUnavailable` if nothing was recorded, and `AppendUnresolved` if it is unknown
        whether anything was recorded: then repeat the command with its idempotency key.
        """
        store = self._opened()
        request = CommandRequest(
            actor_id=identity.actor_id or OPERATOR_ACTOR_ID,
            identity=identity,
            actor_name=identity.actor_name,
            on_behalf_of_actor_id=on_behalf_of_actor_id,
            idempotency_key=idempotency_key,
            reason=reason,
            expected_version=expected_version,
            correlation_id=correlation_id,
            causation_id=causation_id,
            inputs=tuple(inputs),
        )
        with self._closed_meanwhile():
            try:
                return await store.commands.handle(command, request)
            except Rejection as rejection:
                return rejection

    def identity(
        self, role: Role, actor_id: str, *, name: str | None = None, scopes: Collection[str] | None = None
    ) -> Identity:
        """Return the identity of a user with `role`, restricted to the permissions in `scopes` unless it is `None`.

        `actor_id` is a UUID in lower case. An actor that is not registered yet is registered under `name` with the
        first command. Raises `ValueError` for an invalid id or the id of a built-in actor, and `TypeError` if `role` is
        not a `Role`.
        """
        if not isinstance(role, Role):
            raise TypeError(f"{role!r} is not a Role: use a member of Role, such as Role.EDITOR")
        if actor_id in {actor.id for actor in RESERVED}:
            raise ValueError(f"{actor_id} is a built-in actor of LedgerPress: use another id for the user")
        if not _UUID.fullmatch(actor_id):
            raise ValueError(f"{actor_id!r} is not an actor id: it must be a UUID in lower case")
        roles = self._opened().features.roles
        granted = roles.of(role) if scopes is None else roles.of(role).intersection(scopes)
        return client_identity.Identity(role, granted, actor_id, actor_name=name)

    # --- GraphQL ---

    async def graphql(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        identity: Identity = LOCAL_OPERATOR,
        operation_name: str | None = None,
    ) -> "GraphQLResult":
        """Execute a query or a mutation. Failures of the operation are in the `errors` of the result, not raised.

        `identity` determines the permissions: pass `ANONYMOUS` to see what readers see. The first call builds the
        schema.
        """
        return await self._graphql().execute(
            document, variables, identity=identity, operation_name=operation_name
        )

    def subscribe(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        identity: Identity = LOCAL_OPERATOR,
        operation_name: str | None = None,
    ) -> "AsyncGenerator[GraphQLResult, None]":
        """Return the results of a subscription, which begins with the first iteration.

        If the subscription is rejected or ends with errors, its last result contains them. It ends when the store is
        closed.
        """
        return self._graphql().subscribe(
            document, variables, identity=identity, operation_name=operation_name
        )

    # --- events ---

    def events(
        self,
        after: int = 0,
        *,
        until: int | None = None,
        stream: str | None = None,
        types: Collection[str] = (),
    ) -> AsyncGenerator[Recorded[Event], None]:
        """Return the events after the position `after`, up to and including `until`, by default the current head.

        `after` is at least 0. `stream` selects one stream, such as `post.<id>`, and `types` some types, such as
        `["post.published"]`. Raises `ValueError` for an unknown type, and `UndecodableEvent` for an event that a newer
        version wrote.
        """
        store = self._opened()
        check_not_negative(after)
        return self._until_closed(
            read_events(store.log, store.codec, after=after, until=until, stream=stream, types=types)
        )

    def follow(self, after: int = 0, *, types: Collection[str] = ()) -> AsyncGenerator[Recorded[Event], None]:
        """Return the events after the position `after` in order, without a gap; at the head, wait for new events.

        Events are read as the caller takes them, at most 500 at a time. While the log cannot be reached, the iterator
        retries. It ends when the store is closed. Raises the errors of `events`, and `ValueError` if `after` is beyond
        the head.
        """
        store = self._opened()
        return follow_events(
            store.log, store.codec, after=after, types=types, is_closed=lambda: self._is_closed
        )

    async def head(self) -> int:
        """Return the position of the last recorded event."""
        with self._closed_meanwhile():
            return await self._opened().log.head()

    # --- views ---

    @property
    def position(self) -> int:
        """The position that the views have reached, as known to this process."""
        return self._opened().position

    @property
    def publication(self) -> str:
        """The UUID of the publication. Positions refer to its log."""
        return self._opened().log.publication

    async def wait_for(self, position: int, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until the views have reached `position`; return whether they have."""
        return await self._opened().views.wait_for(position, timeout)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot of the views, as of one position, for queries of a feature's own tables."""
        return self._opened().snapshot()

    def _opened(self) -> Store:
        if self._is_closed:
            raise StoreClosed
        if threading.get_ident() != self._thread or _running_loop() not in {self._loop, None}:
            raise RuntimeError(
                "Use a store only in the thread and the event loop in which it was opened. From another thread, use "
                "asyncio.run_coroutine_threadsafe(store.execute(…), loop)."
            )
        return self._store

    def _graphql(self) -> "GraphQLExecution":
        store = self._opened()
        if self._execution is None:
            with unchanged_exception_hooks():
                from ledgerpress.server.library.graphql_execution import GraphQLExecution  # noqa: PLC0415 - slow to import

            self._execution = GraphQLExecution(store, self._limits, self._schema)
        return self._execution

    async def _until_closed(
        self, events: AsyncGenerator[Recorded[Event], None]
    ) -> AsyncGenerator[Recorded[Event], None]:
        with self._closed_meanwhile():
            async with aclosing(events):
                async for recorded in events:
                    self._opened()
                    yield recorded

    @contextmanager
    def _closed_meanwhile(self) -> Iterator[None]:
        """Turn `LogClosed` into `StoreClosed`."""
        try:
            yield
        except LogClosed as error:
            raise StoreClosed from error

    def _close(self) -> None:
        self._is_closed = True
        if self._execution is not None:
            self._execution.end_subscriptions()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def published_store(store: Store, limits: Limits, schema: "Schema | None" = None) -> Iterator[OpenStore]:
    """Yield the public interface of an internal store. At the end, the interface is closed; the store stays open."""
    public_store = OpenStore(store, limits, schema)
    try:
        yield public_store
    finally:
        public_store._close()


@asynccontextmanager
async def open_store(
    data: str | Path,
    *,
    log: str = LOCAL,
    features: Sequence[Feature] | None = None,
    profile: Literal["development", "production"] = "production",
    create: bool = True,
    log_timeout: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[OpenStore]:
    """Open the store in the directory `data`, with its log there or at the URL `log`. Its views have caught up.

    `features` are third-party features, in addition to the built-in ones; by default the features of all installed
    packages, as for the command line. `profile` determines the limits of GraphQL operations. With `create`, a missing
    store is created. If the log cannot be reached, retry for `log_timeout` seconds. `progress` is called with the
    position reached and the head while views are built or catch up. Settings in files and the environment are not used.

    Raises `LogUnusable` if the directory or the log contains something else, `LogUnavailable` if the log cannot be
    reached, `InvalidFeature`, and `ValueError` for an unknown profile.
    """
    if profile not in {"development", "production"}:
        raise ValueError(f"{profile!r} is not a profile: use development or production")
    feature_set = installed_features() if features is None else FeatureSet(FIRST_PARTY, third_party=features)
    opening = open_internal_store(
        Path(data),
        log=log,
        features=feature_set,
        create=create,
        log_timeout=log_timeout,
        progress=progress,
    )
    async with opening as store:
        with published_store(
            store, Limits() if profile == "production" else Limits.development()
        ) as public_store:
            yield public_store
