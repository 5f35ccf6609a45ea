"""Serve a store over HTTP: build the application from the settings, and run it until a signal."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, closing, contextmanager, suppress
from socket import socket
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from ledgerpress.commands.client_identity import Authenticator
from ledgerpress.commands.command_handler import NO_INSTRUMENTATION
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.errors import ClockRejected
from ledgerpress.feature import FeatureSet
from ledgerpress.feature.feature_set import THIRD_PARTY_SECTION
from ledgerpress.features.registry import FEATURES
from ledgerpress.http.app import Runtime, make_app
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.health.metrics import Metrics
from ledgerpress.http.pages.interface_texts.catalogues import InvalidCatalogue, check_folder
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.http.pages.site_files import InvalidPageFiles
from ledgerpress.http.persisted_documents import BadManifest
from ledgerpress.server.authenticator_and_first_admin_token import first_admin_token, make_authenticator
from ledgerpress.server.logging import log_to_standard_error
from ledgerpress.server.process.background_rebuild import rebuild_in_background
from ledgerpress.server.process.server_process import ServerProcess, switch_threads_sooner
from ledgerpress.server.process.sockets import begin_to_listen
from ledgerpress.server.process.stop_signals import StopSignals
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.server.settings.sections import Settings
from ledgerpress.server.storage_metrics import StorageMetrics
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.tracing.settings import TracingSettings, TracingUnavailable
from ledgerpress.server.workers.http_workers import HttpWorkers
from ledgerpress.server.workers.supervision_messages import Worker
from ledgerpress.server.workers.team import Team
from ledgerpress.views.files.views_directory import digest_of

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema
    from ledgerpress.server.tracing.spans import OpenTelemetry

Announce = Callable[[int, str | None], None]
"""Called with the position of the log's head, and the secret of the first admin token if one was created."""


class CommandMetrics:
    """Instrumentation of commands: counts recorded events, and records spans if there is a tracer."""

    def __init__(self, tracer: "OpenTelemetry | None") -> None:
        self._events = 0
        self.span = (tracer or NO_INSTRUMENTATION).span

    def appended(self, events: int) -> None:
        self._events += events

    def register(self, metrics: Metrics) -> None:
        """Add the count to the metrics."""
        description = "Events recorded by this process."
        metrics.watch("events_appended", description, lambda: self._events, kind="counter")


async def serve(
    settings: Settings,
    listeners: Sequence[socket],
    *,
    program: Sequence[str],
    progress: AbstractContextManager[Callable[[int, int], None]],
    announce: Announce,
    signals: StopSignals,
    features: FeatureSet = FEATURES,
    worker: Worker | None = None,
    is_replaced: Callable[[], bool] = lambda: False,
    schema: "Schema | None" = None,
) -> None:
    """Serve on bound sockets, the second of them for operators, until a signal.

    `features` are the features of the process and of `program`, the command that rebuilds views. `progress` shows how
    far the views are built. `announce` is called when clients can connect. `signals` stop the process. `worker`
    is the place of this process among the workers of its server, if there are several, and
    `is_replaced` returns whether another one has taken this place, at a signal. `schema` is a prepared one. Raises `InvalidSettings`,
    `TracingUnavailable`, `AddressTaken`, and the errors of `open_store`.
    """
    server = settings.server
    access_log = log_to_standard_error(settings.logs, is_shared=worker is not None)
    async with AsyncExitStack() as stack:
        tracer = stack.enter_context(_tracing(settings.tracing))
        team: Team | None = None
        if worker is not None:
            views = digest_of(features.projectors)
            team = await stack.enter_async_context(Team.joined(worker.directory, worker.number, views))
        command_metrics = CommandMetrics(tracer)
        with progress as report:
            store = await stack.enter_async_context(
                open_store(
                    server.data,
                    log=server.log,
                    features=features,
                    progress=report,
                    instrumentation=command_metrics,
                    log_timeout=server.log_wait_seconds,
                    clock_limits=server.clock_limits,
                    serve_while_rebuilding=True,
                    workers=team,
                    public_history=server.public_history,
                )
            )
        others = None if team is None else HttpWorkers(team.channel)
        runtime = Runtime(
            health=settings.health,
            exposure=settings.metrics,
            cors=settings.cors,
            headers=settings.headers,
            access_log=access_log,
            spans=tracer.requests if tracer else None,
            on_document_thread_start=switch_threads_sooner,
            workers=others,
            is_replaced=is_replaced,
        )
        command_metrics.register(runtime.metrics)
        authenticator = authenticator_of(store, settings)
        app = application(
            store,
            authenticator,
            settings,
            runtime,
            schema=schema or features.graphql_schema(),
            allowed_hosts=server.hosts,
        )
        if others is not None:
            stack.callback(others.close)
            stack.push_async_callback(runtime.metrics.close)
        apps: list[Any] = [app, runtime.operations_app(store, authenticator)]
        for listener in listeners:
            begin_to_listen(listener)
        # If every client is an administrator, no client needs a token.
        needs_token = settings.access.anonymous_role is not Role.ADMIN
        token = await _first_admin_token(store) if needs_token else None
        announce(await store.log.head(), token)
        rebuilding = asyncio.create_task(
            rebuild_in_background(
                server.data, server.log, program, features, is_due=lambda: team is None or team.is_writer
            ),
            name="background rebuild",
        )
        try:
            await ServerProcess(
                server, settings.live, runtime.stopping, signals, is_replaced, is_shared=worker is not None
            ).run(*zip(apps, listeners, strict=False))
        finally:
            rebuilding.cancel()
            with suppress(asyncio.CancelledError):
                await rebuilding


def prepared_schema(features: FeatureSet) -> "Schema":
    """Return the schema for `serve`, which imports what it needs: that takes most of the time of a start."""
    return features.graphql_schema()


async def _first_admin_token(store: Store) -> str | None:
    """Return the secret of the first admin token, if it was created. With a clock that is not trusted, none is."""
    try:
        return await first_admin_token(store)
    except ClockRejected:
        logger.warning(
            "if there is no admin token yet, it is created at the first start after the clock is right"
        )
        return None


@contextmanager
def _tracing(settings: TracingSettings) -> Iterator["OpenTelemetry | None"]:
    """Yield the recorder of traces, or `None` if none are recorded. Raises `TracingUnavailable`."""
    exporter = settings.exporter_in(os.environ)
    if exporter == "none":
        yield None
        return
    try:
        from ledgerpress.server.tracing.spans import (  # noqa: PLC0415 - an extra, loaded only if traces are recorded
            OpenTelemetry,
        )
    except ImportError as error:
        raise TracingUnavailable(
            "traces need packages that are not installed: pip install ledgerpress[otel], or set tracing.exporter to none"
        ) from error
    with closing(OpenTelemetry(settings, exporter)) as tracer:
        yield tracer


def authenticator_of(store: Store, settings: Settings) -> Authenticator:
    """Return the authenticator that the settings describe. Raises `InvalidSettings`."""
    try:
        return make_authenticator(store, settings.access)
    except ValueError as error:
        raise InvalidSettings(str(error)) from error


def _translations_of_operator(settings: Settings) -> PageContribution:
    """Return the translations that replace those of features. Raises `InvalidSettings`."""
    folder = settings.server.translations
    if folder is not None:
        try:
            check_folder(folder)
        except InvalidCatalogue as error:
            raise InvalidSettings(f"server.translations: {error}") from error
    return PageContribution(translations=folder)


def application(
    store: Store,
    authenticator: Authenticator,
    settings: Settings,
    runtime: Runtime,
    *,
    schema: "Schema",
    allowed_hosts: Sequence[str],
) -> Starlette:
    """Return the application that the settings describe. Raises `InvalidSettings` and `SchemaError`."""
    if store.log_health.clock is not None:
        store.log_health.clock.report()
    if unknown := store.unknown_events():
        logger.warning(
            "Events of features that are not installed: %d (%s). This process does not apply their rules",
            sum(unknown.values()),
            ", ".join(unknown),
        )

    StorageMetrics(store, settings.server.data, settings.server.log).register(runtime.metrics)

    pages = [*store.features.page_contributions(), _translations_of_operator(settings)]
    words = translations_of(pages).words

    def context_of(feature: str) -> RouteContext:
        section = settings.features.get(f"{THIRD_PARTY_SECTION}{feature}")
        server = settings.server
        return RouteContext(store, authenticator, section, server.open_past, server.base_url, words)

    try:
        return make_app(
            store,
            schema,
            pages=pages,
            routes=store.features.routes(context_of),
            authenticator=authenticator,
            settings=settings.http,
            limits=settings.limits,
            cache=settings.cache,
            subscriptions=settings.live,
            allowed_hosts=allowed_hosts,
            open_past=settings.server.open_past,
            page_settings=settings.server.pages,
            runtime=runtime,
        )
    except BadManifest as error:
        raise InvalidSettings(f"http.trusted_documents: {error}") from error
    except InvalidPageFiles as error:
        raise InvalidSettings(f"{error.setting}: {error}") from error
