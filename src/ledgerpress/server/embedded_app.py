"""`ledgerpress.create_app`: LedgerPress as an ASGI application. A host application mounts it and runs its lifespan.

It does not change the process: no logging, signal handlers, resource limits, garbage collection or switch interval.
docs/how-to/embed.md lists what `ledgerpress serve` provides and the host must provide instead.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

import msgspec
from starlette.applications import Starlette
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.feature import Feature, FeatureSet, InvalidFeature
from ledgerpress.features.registry import FIRST_PARTY, installed_features
from ledgerpress.graphql.schema import Schema
from ledgerpress.graphql.schema_extensions import ExtensionFactory
from ledgerpress.http.app import Runtime
from ledgerpress.http.middleware.forwarded_prefix import ForwardedPrefix
from ledgerpress.http.middleware.trusted_proxies import TrustedProxies
from ledgerpress.http.requests.url_prefix_and_route_path import with_prefix_in_path
from ledgerpress.network_names import ANY
from ledgerpress.retry import poll
from ledgerpress.server.library.open_store import OpenStore, published_store
from ledgerpress.server.process.background_rebuild import rebuild_in_background
from ledgerpress.server.serving import CommandMetrics, application, authenticator_of
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.settings.introspection import declared
from ledgerpress.server.settings.loading import DATA, LOG, PROFILE, load
from ledgerpress.server.settings.sections import Sections, Settings
from ledgerpress.server.store import open_store

logger = logging.getLogger(__name__)

STREAM_CLOSE_TIMEOUT: Final = 1.0
"""Seconds in which WebSockets and event streams are closed when the lifespan ends."""
STREAM_POLL_INTERVAL: Final = 0.02
"""Seconds between two checks whether WebSockets and event streams are closed."""

_SERVER: Final = "the server of the host application decides that"
_LOGGING: Final = "the host application configures logging"
_TRACING: Final = "the host application records traces"
_ONE_PORT: Final = "an embedded application has no port of its own; operators read /metrics with a token"
SETTINGS_OF_HOST: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "server.host",
            "server.port",
            "server.unix_socket",
            "server.workers",
            "server.worker_hang_seconds",
            "server.root_path",
            "server.stop_delay_seconds",
            "server.stop_seconds",
        ),
        _SERVER,
    ),
    **dict.fromkeys(("server.max_head_bytes", "server.head_seconds"), _SERVER),
    **dict.fromkeys(("server.max_connections", "server.max_unfinished_bodies"), _SERVER),
    **{name: _LOGGING for name in declared() if name.startswith("logs.")},
    **{name: _TRACING for name in declared() if name.startswith("tracing.")},
    **dict.fromkeys(("metrics.host", "metrics.port"), _ONE_PORT),
}
"""The settings that have no effect when LedgerPress is embedded, and why."""


@dataclass(frozen=True, slots=True)
class _Running:
    app: ASGIApp
    runtime: Runtime
    store: OpenStore


class EmbeddedApp:
    """An ASGI application that answers requests while its `lifespan` runs.

    A mounted application receives no lifespan events, so the host runs the lifespan:
    `Starlette(lifespan=content.lifespan)` and the same for FastAPI, or `async with content.lifespan():` in a lifespan
    of its own. If a server serves the application directly, the server runs the lifespan. It may run several times, one
    after another.
    """

    def __init__(self, settings: Settings, schema: Schema, features: FeatureSet) -> None:
        self._settings = settings
        self._schema = schema
        self._features = features
        self._running: _Running | None = None
        self._has_lifespan = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises `RuntimeError` while the lifespan does not run."""
        if scope["type"] == "lifespan":
            await Router(lifespan=self.lifespan).lifespan(scope, receive, send)
            return
        await self._while_running().app(with_prefix_in_path(scope), receive, send)

    @property
    def store(self) -> OpenStore:
        """The open store, for commands and queries of the host. Raises `RuntimeError` while the lifespan does not run.

        It has the interface of the store that `ledgerpress.open_store` yields, and the limits and schema of the
        application.
        """
        return self._while_running().store

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Open the store, answer requests, and close the store.

        The parameter is the host application, which Starlette and FastAPI pass. Raises `InvalidSettings`,
        `LogUnusable`, `LogUnavailable`, and `RuntimeError` if the lifespan is already running.
        """
        if self._has_lifespan:
            raise RuntimeError("The lifespan of this LedgerPress application is already running.")
        self._has_lifespan = True
        try:
            async with self._serving():
                yield
        finally:
            self._has_lifespan = False

    def begin_to_stop(self) -> None:
        """Close WebSockets and event streams, and let `/health/ready` report that the server stops.

        For hosts that learn of the shutdown before the lifespan ends: many servers end the lifespan only when all
        connections are closed, and event streams stay open until then.
        """
        if self._running is not None:
            self._running.runtime.stopping.set()

    def _while_running(self) -> _Running:
        if self._running is None:
            raise RuntimeError(
                "The LedgerPress store is not open: the host application must run the lifespan of the application that "
                "create_app() returned, for example with Starlette(lifespan=content.lifespan)."
            )
        return self._running

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        settings = self._settings
        server = settings.server
        runtime = Runtime(
            health=settings.health,
            exposure=settings.metrics,
            cors=settings.cors,
            headers=settings.headers,
        )
        command_metrics = CommandMetrics(None)
        command_metrics.register(runtime.metrics)
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                open_store(
                    server.data,
                    log=server.log,
                    features=self._features,
                    instrumentation=command_metrics,
                    log_timeout=server.log_wait_seconds,
                    clock_limits=server.clock_limits,
                    serve_while_rebuilding=True,
                    public_history=server.public_history,
                )
            )
            published = stack.enter_context(published_store(store, settings.limits, self._schema))
            authenticator = authenticator_of(store, settings)
            # If no names are set, checking the Host header is left to the host application.
            hosts = server.allowed_hosts or (ANY,)
            app = application(
                store, authenticator, settings, runtime, schema=self._schema, allowed_hosts=hosts
            )
            program = (sys.executable, "-m", "ledgerpress") if _are_installed(self._features) else None
            rebuilding = asyncio.create_task(
                rebuild_in_background(server.data, server.log, program, self._features),
                name="background rebuild",
            )
            self._running = _Running(
                ForwardedPrefix(app, TrustedProxies(server.trusted_proxies)), runtime, published
            )
            logger.info("LedgerPress serves %s in this process, at position %d", server.data, store.position)
            try:
                yield
            finally:
                runtime.stopping.set()
                self._running = None
                rebuilding.cancel()
                with suppress(asyncio.CancelledError):
                    await rebuilding
                await _wait_for_end_of_streams(app)


async def _wait_for_end_of_streams(app: Starlette) -> None:
    async def has_none() -> bool | None:
        return None if any(app.state.streaming.counts.values()) else True

    await poll(has_none, interval=STREAM_POLL_INTERVAL, timeout=STREAM_CLOSE_TIMEOUT)


def create_app(
    data: str | Path | None = None,
    *,
    log: str | None = None,
    features: Sequence[Feature] | None = None,
    profile: Literal["development", "production"] = "production",
    settings: Mapping[str, object] | None = None,
    schema_extensions: Sequence[ExtensionFactory] = (),
    config: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> EmbeddedApp:
    """Return LedgerPress as an ASGI application, for Starlette, FastAPI or any ASGI server.

    `data` is the directory of the store and `log` the URL of its log; by default the settings `server.data` and
    `server.log`. `settings` are values by name, such as `{"http.graphiql": True}`; names in SETTINGS_OF_HOST are
    rejected. As for `ledgerpress serve`, other values come from the environment (`environment`, by default that of the
    process) and from the file `config`, by default `ledgerpress.toml` if it exists. The profile comes only from this
    call.

    `features` are third-party features, in addition to the built-in ones; by default the features of all installed
    packages, as for the command line.

    `schema_extensions` are Strawberry extensions: classes, or functions that return a new instance. With extensions,
    graphql-core executes every operation, and no response is cached. Raises `InvalidSettings`, `InvalidFeature`, and
    `SchemaError` for an extension that cannot take effect.
    """
    feature_set = (
        installed_features() if features is None else FeatureSet(FIRST_PARTY, third_party=tuple(features))
    )
    feature_sections = feature_set.settings()
    options: dict[str, object] = {**(settings or {}), PROFILE: profile}
    options |= {} if data is None else {DATA: str(data)}
    options |= {} if log is None else {LOG: log}
    _check_names(settings or {}, feature_sections)
    server_settings = load(
        options,
        os.environ if environment is None else environment,
        None if config is None else Path(config),
        feature_sections,
        source_of_options="create_app()",
    ).settings
    if server_settings.access.anonymous_role is not Role.READER:
        raise InvalidSettings(
            "access.anonymous_role must be reader in an embedded application: LedgerPress cannot check that only this "
            "machine can reach it"
        )
    # There is no second port. `metrics.public`, if it was set for that port, must not open /metrics to readers.
    metrics = msgspec.structs.replace(
        server_settings.metrics,
        public=server_settings.metrics.public and server_settings.metrics.port is None,
        port=None,
    )
    schema = feature_set.graphql_schema(schema_extensions)
    return EmbeddedApp(msgspec.structs.replace(server_settings, metrics=metrics), schema, feature_set)


def _are_installed(features: FeatureSet) -> bool:
    """Return whether the command line has the same features, so that it can rebuild their views."""
    try:
        return installed_features().features == features.features
    except InvalidFeature:
        return False


def _check_names(settings: Mapping[str, object], features: Sections) -> None:
    """Raise `InvalidSettings` for unknown names, and for settings that would have no effect."""
    known = declared(features)
    mistakes = [
        f"{name} has no effect in an embedded application: {SETTINGS_OF_HOST[name]}"
        for name in settings
        if name in SETTINGS_OF_HOST
    ]
    for name in settings:
        if name == PROFILE or name not in known:
            similar = get_close_matches(name, known, n=1)
            mistakes.append(f"{name} is not a setting{f': did you mean {similar[0]}?' if similar else ''}")
    if mistakes:
        raise InvalidSettings(*mistakes)
