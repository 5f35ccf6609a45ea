"""A store with features, and a client of its application, for scenarios and tests of features."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from graphql import GraphQLObjectType
from starlette.applications import Starlette

from ledgerpress.commands import client_identity
from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, uuid8
from ledgerpress.feature import FeatureSet
from ledgerpress.graphql.limits.settings import CacheSettings, Limits
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.schema import Schema
from ledgerpress.http.app import make_app
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.http.responses import POSITION_HEADER
from ledgerpress.operator.verify import verify_log, verify_views
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import Store, open_store
from ledgerpress.testing.fixed_clock_and_randomness import StandingClock, SteppingClock

_EXECUTED: Final = 'ledgerpress_answers_total{kind="executed"}'
_UNCACHED: Final = CacheSettings(max_bytes=0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, its body (GraphQL's JSON or the text of a page), and the position that it was read at."""

    status: int
    body: Any
    position: str | None

    @property
    def data(self) -> Any:
        """The data of a GraphQL response, or the text of a page."""
        return self.body.get("data") if isinstance(self.body, dict) else self.body

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The top-level errors of a GraphQL response."""
        errors: list[dict[str, Any]] = self.body.get("errors", []) if isinstance(self.body, dict) else []
        return errors


class _TokensOfIdentities:
    """An authenticator that assigns each identity its own token."""

    def __init__(self) -> None:
        self._identities = [ANONYMOUS]

    def headers(self, identity: Identity) -> dict[str, str]:
        """Return the headers for requests with an identity."""
        if identity not in self._identities:
            self._identities.append(identity)
        number = self._identities.index(identity)
        return {"Authorization": f"Bearer {number}"} if number else {}

    async def identify(self, authorization: str | None) -> Identity:
        return self._identities[int((authorization or "Bearer 0").removeprefix("Bearer "))]


class StoreClient:
    """A client of an open store. It uses the application with and without the response cache, and runs commands."""

    def __init__(
        self,
        store: Store,
        schema: Schema,
        app: Starlette,
        tokens: _TokensOfIdentities,
        cached: httpx2.AsyncClient,
        uncached: httpx2.AsyncClient,
        place: tuple[Path, str] | None = None,
    ) -> None:
        """`place` is the directory of the store and the URL of its log, for `verify`."""
        self.store: Final = store
        self.schema: Final = schema
        self.app: Final = app
        """The application with the response cache."""
        self.http: Final = cached
        """Sends requests to the application, as an anonymous client."""
        self.run_commands: Final = set[type]()
        """The classes of the commands that `command` has run."""
        self._tokens = tokens
        self._uncached = uncached
        self._place = place

    @property
    def now(self) -> int:
        """The time of the store, in microseconds since 1970, UTC."""
        clock = self.store.clock
        return clock.time if isinstance(clock, StandingClock) else clock.now()

    def advance(self, seconds: float) -> None:
        """Advance the clock of the store. By default it also steps by a second each time it is read."""
        clock = self.store.clock
        assert isinstance(clock, StandingClock), "the clock passed to open_client cannot be advanced"
        clock.time += round(seconds * 1_000_000)

    def identity(self, role: Role, *, scopes: Collection[str] | None = None) -> Identity:
        """Return a client with a role. Each role has its own actor. `scopes`, if any, restricts its permissions."""
        return client_identity.identity(
            role,
            uuid8("testing", role),
            roles=self.store.features.roles,
            scopes=None if scopes is None else frozenset(scopes),
        )

    async def verify(self) -> Mapping[str, int]:
        """Verify the log and the views, as `ledgerpress verify` does. Raises `AssertionError` for an inconsistency.

        Return the number of events of features that are not installed, by type.
        """
        assert self._place is not None, "only a client from open_client can verify its store"
        data, log = self._place
        in_log = await verify_log(data, log=log, features=self.store.features)
        assert in_log.finding is None, str(in_log.finding)
        in_views = await verify_views(data, log=log, features=self.store.features)
        assert in_views is not None, "there are no views for these features"
        assert in_views.failure is None, in_views.failure
        assert not in_views.differing, f"rebuilt views differ in {', '.join(in_views.differing)}"
        return in_log.unknown

    @staticmethod
    def global_id(type: str, id: str) -> str:
        """Return the global id of an object, such as `global_id("Article", post_id)`."""
        return global_ids.encode(type, id)

    async def command(
        self,
        command: Command,
        *,
        rejected: str | None = None,
        identity: Identity = LOCAL_OPERATOR,
        inputs: tuple[Any, ...] = (),
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> CommandResult | None:
        """Run a command and return its result. `inputs` are the inputs that features add to the command.

        `expected_version` is the version of the object that the client saw.

        With `rejected`, the command must be rejected with this error code and record nothing; the result is `None`.
        Raises `Rejection`, `PermissionDenied`, and `AssertionError` if the command is not rejected as expected.
        """
        self.run_commands.add(type(command))
        request = CommandRequest(
            actor_id=identity.actor_id or CommandRequest().actor_id,
            identity=identity,
            reason=reason,
            expected_version=expected_version,
            inputs=inputs,
        )
        if rejected is None:
            return await self.store.commands.handle(command, request)
        head = await self.store.log.head()
        try:
            result = await self.store.commands.handle(command, request)
        except Rejection as rejection:
            await self._check_rejected(type(command).__name__, [rejection.code], rejected, head)
            return None
        raise AssertionError(f"{type(command).__name__} was not rejected with {rejected}: {result}")

    async def create(self, command: Command, **options: Any) -> str:
        """Run a command like `command`, and return the id of its subject."""
        result = await self.command(command, **options)
        assert result is not None, "create does not accept rejected: use command"
        return result.subject_id

    async def mutate(
        self,
        mutation: str,
        input: Mapping[str, Any],
        select: str = "",
        *,
        rejected: str | None = None,
        identity: Identity = LOCAL_OPERATOR,
    ) -> dict[str, Any]:
        """Run the mutation with the name `mutation`, and return its payload with the fields in `select`.

        With `rejected`, the mutation must be rejected with this error code and record nothing. Raises `AssertionError`
        if the outcome is different.
        """
        root = self.schema._schema.mutation_type
        assert isinstance(root, GraphQLObjectType), "no feature has a mutation"
        assert mutation in root.fields, f"there is no mutation {mutation}"
        document = (
            f"mutation ($input: {root.fields[mutation].args['input'].type}) {{ {mutation}(input: $input)"
            f" {{ position userErrors {{ code field message }} {select} }} }}"
        )
        head = await self.store.log.head()
        payload: dict[str, Any] = (await self.graphql(document, {"input": input}, identity=identity))[
            mutation
        ]
        codes = [error["code"] for error in payload["userErrors"]]
        if rejected is not None:
            await self._check_rejected(mutation, codes, rejected, head)
        else:
            assert not codes, f"{mutation} was rejected: {payload['userErrors']}"
        return payload

    async def graphql(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        identity: Identity = LOCAL_OPERATOR,
    ) -> dict[str, Any]:
        """Execute an operation over HTTP and return its data. Raises `AssertionError` if the response has errors."""
        answer = await self.post(document, variables, identity=identity)
        assert not answer.errors, answer.errors
        data: dict[str, Any] = answer.data
        return data

    async def post(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        identity: Identity = LOCAL_OPERATOR,
        cached: bool = True,
        accept: str = "application/json",
    ) -> Answer:
        """Return the response to an operation, from the application with or without the response cache."""
        response = await (self.http if cached else self._uncached).post(
            "/graphql",
            content=json.dumps({"query": document, "variables": dict(variables or {})}),
            headers={
                "Content-Type": "application/json",
                "Accept": accept,
                **self._tokens.headers(identity),
            },
        )
        is_json = "json" in response.headers.get("content-type", "")
        body = response.json() if is_json else response.text
        return Answer(response.status_code, body, response.headers.get(POSITION_HEADER))

    async def is_executed(
        self, document: str, variables: Mapping[str, Any] | None = None, *, identity: Identity = ANONYMOUS
    ) -> bool:
        """Execute an operation, and return whether it was executed: `False` if the response came from the cache."""
        before = await self._executed()
        await self.graphql(document, variables, identity=identity)
        return await self._executed() != before

    async def page(self, path: str, *, identity: Identity = ANONYMOUS, cached: bool = True) -> Answer:
        """Return the response to a GET request for a page."""
        http = self.http if cached else self._uncached
        response = await http.get(path, headers=self._tokens.headers(identity))
        return Answer(response.status_code, response.text, response.headers.get(POSITION_HEADER))

    async def _executed(self) -> str:
        """Return the line of the metrics with the number of executed requests."""
        lines = (await self.http.get("/metrics")).text.splitlines()
        return next((line for line in lines if line.startswith(_EXECUTED)), "none yet")

    async def _check_rejected(self, name: str, codes: list[str], expected: str, head: int) -> None:
        known = {*ErrorCode, *self.store.features.error_codes}
        assert known.issuperset(codes), f"{', '.join({*codes} - known)} is not in `Feature.error_codes`"
        assert expected in codes, f"{name} was not rejected with {expected}, but with {codes}"
        now = await self.store.log.head()
        assert now == head, f"{name} was rejected, but recorded {now - head} events"


@asynccontextmanager
async def client_of(
    store: Store, schema: Schema, place: tuple[Path, str] | None = None
) -> AsyncIterator[StoreClient]:
    """Open a client of an open store's application. `place` is the directory of the store and the URL of its log."""
    tokens = _TokensOfIdentities()
    settings = {name: section() for name, section in store.features.settings().items()}

    pages = store.features.page_contributions()
    words = translations_of(pages).words

    def application(cache: CacheSettings) -> Starlette:
        return make_app(
            store,
            schema,
            authenticator=tokens,
            settings=HttpSettings.development(),
            limits=Limits.development(),
            cache=cache,
            pages=pages,
            routes=store.features.routes(
                lambda name: RouteContext(store, tokens, settings.get(f"x_{name}"), words=words)
            ),
        )

    def http(app: Starlette) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://localhost")

    app = application(CacheSettings())
    async with http(app) as cached, http(application(_UNCACHED)) as uncached:
        yield StoreClient(store, schema, app, tokens, cached, uncached, place)


@asynccontextmanager
async def open_client(
    features: FeatureSet,
    data: Path,
    *,
    log: str = LOCAL,
    clock: Clock | None = None,
    randomness: Randomness | None = None,
) -> AsyncIterator[StoreClient]:
    """Open the store with `features` in the directory `data`, with its log at the URL `log`, and yield a client of it.

    The default clock starts at 2024-05-04 08:00 UTC and steps by a second each time it is read.
    """
    clock = clock or SteppingClock()
    async with (
        open_store(data, log=log, features=features, clock=clock, randomness=randomness) as store,
        client_of(store, features.graphql_schema(), (data, log)) as client,
    ):
        yield client
