"""`ledgerpress serve`: the store over HTTP."""

import asyncio
import logging
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from starlette.types import ASGIApp

from ledgerpress import __version__
from ledgerpress.cli.demo import load_demo_into
from ledgerpress.cli.settings import ConfigOption, ProfileOption, loaded
from ledgerpress.cli.terminal import MISUSED, REFUSED, err, fail, out, progress, run, this_program
from ledgerpress.commands.identity import Authenticator, Role
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.documents.trusted_documents import BadManifest
from ledgerpress.http.middleware.access_log import AccessLog
from ledgerpress.http.runtime import Runtime
from ledgerpress.server.authentication import first_admin_token, make_authenticator
from ledgerpress.server.background_rebuild import rebuild_in_background
from ledgerpress.server.command_metrics import CommandMetrics
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.logging import setup as log_lines
from ledgerpress.server.process.process import ServerProcess, base_of, begin_to_listen, bind
from ledgerpress.server.settings.loading import LoadedSettings
from ledgerpress.server.settings.server_section import ServerSettings
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.tracing.setup import Tracer, TracingUnavailable, tracing

logger = logging.getLogger(__name__)

_ADMIN_TOKEN: Final = "  admin token {}  (keep it: it is not shown again)"  # noqa: S105 - a line, not a secret


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a store with the demo newsroom first, where there is none.")
    ] = False,
    profile: ProfileOption = None,
    config: ConfigOption = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="The address to listen on (server.host).", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="The port; 0 takes a free one (server.port).", show_default="8000"),
    ] = None,
    open_past: Annotated[
        bool | None,
        typer.Option(
            "--open-past",
            help="Let everyone see the past, but for articles that are not public today (server.open_past).",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="The directory that holds the store (server.data).",
            show_default="ledgerpress-data",
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            "--log",
            metavar="URL",
            help="Where the log is: sqlite:, or the URL of a log in PostgreSQL or NATS JetStream (server.log).",
            show_default="sqlite:",
        ),
    ] = None,
    allow_unsynced: Annotated[
        bool | None,
        typer.Option(
            "--allow-unsynced",
            help="Go by NATS servers that acknowledge what is not on their disks (server.allow_unsynced).",
        ),
    ] = None,
) -> None:
    """Serve the store: a page to look at, GraphQL, health and metrics."""
    options: dict[str, object] = {
        "profile": profile,
        "server.host": host,
        "server.port": port,
        "server.open_past": open_past,
        "server.data": data,
        "server.log": log,
        "server.allow_unsynced": allow_unsynced,
    }
    known = loaded(options, config)
    settings = known.settings
    with ExitStack() as stack:
        listeners = [_listen(stack, settings.server.host, settings.server.port, "server.port")]
        if settings.metrics.enabled and settings.metrics.port is not None:
            listeners.append(_listen(stack, settings.metrics.host, settings.metrics.port, "metrics.port"))
        if demo and not _load_demo_into(settings.server):
            err.print(f"There is a store in {_place(settings.server)} already: it is served as it is.")
        access_log = log_lines.set_up(settings.logs)
        try:
            tracer = stack.enter_context(tracing(settings.tracing))
        except TracingUnavailable as error:
            fail(str(error), REFUSED)
        run(_serve(known, listeners, access_log, tracer))


def _load_demo_into(server: ServerSettings) -> bool:
    return load_demo_into(server.data, server.log, patience=server.log_wait_seconds)


def _place(server: ServerSettings) -> str:
    log = LogUrl.parse(server.log)
    return str(server.data if log.is_local else log)


def _listen(stack: ExitStack, host: str, port: int, setting: str) -> socket.socket:
    try:
        return stack.enter_context(bind(host, port))
    except OSError as error:
        where = "with --port" if setting == "server.port" else f"in {setting}"
        fail(f"port {port} of {host} cannot be used ({error.strerror}): name another {where}", REFUSED)


async def _serve(
    known: LoadedSettings, listeners: list[socket.socket], access_log: AccessLog | None, tracer: Tracer | None
) -> None:
    settings = known.settings
    server = settings.server
    observed = CommandMetrics(tracer)
    with progress("Building the views") as report:
        opening = open_store(
            server.data,
            log=server.log,
            progress=report,
            observer=observed,
            patience=server.log_wait_seconds,
        )
        store = await opening.__aenter__()
    try:
        running = Runtime(
            health=settings.health,
            exposure=settings.metrics,
            cors=settings.cors,
            headers=settings.headers,
            access_log=access_log,
            spans=tracer.requests if tracer else None,
        )
        observed.shown_by(running.metrics)
        door = _door(store, known)
        app = _app(store, door, known, running)
        apps: list[Any] = [app, running.operations_app(store, door)]
        _begin_to_listen(listeners)
        await _greet(known, store, listeners)
        rebuilding = asyncio.create_task(
            rebuild_in_background(server.data, server.log, this_program()), name="rebuild beside"
        )
        try:
            await ServerProcess(server, settings.live, running.stopping).run(
                *zip(apps, listeners, strict=False)
            )
        finally:
            rebuilding.cancel()
            with suppress(asyncio.CancelledError):
                await rebuilding
    finally:
        await opening.__aexit__(None, None, None)


def _begin_to_listen(listeners: list[socket.socket]) -> None:
    """Let clients connect, now that the views have caught up with the log."""
    for listener in listeners:
        try:
            begin_to_listen(listener)
        except OSError as error:
            fail(
                f"{base_of(listener)} cannot be used ({error.strerror}): another program was faster", REFUSED
            )


def _door(store: Store, known: LoadedSettings) -> Authenticator:
    """Return what tells who a request comes from."""
    try:
        return make_authenticator(store, known.settings.access)
    except ValueError as error:
        fail(str(error), MISUSED)


def _app(store: Store, door: Authenticator, known: LoadedSettings, running: Runtime) -> ASGIApp:
    settings, server = known.settings, known.settings.server
    try:
        return make_app(
            store,
            graphql_schema(),
            door=door,
            settings=settings.http,
            limits=settings.limits,
            cache=settings.cache,
            live=settings.live,
            allowed_hosts=server.hosts,
            open_past=server.open_past,
            running=running,
        )
    except BadManifest as error:
        fail(f"http.trusted_documents: {error}", MISUSED)


async def _first_token(store: Store, known: LoadedSettings) -> str | None:
    """Return the first administrator's token, where there never was one; where everyone is one, nobody needs it."""
    return None if known.settings.access.anonymous_role is Role.ADMIN else await first_admin_token(store)


async def _greet(known: LoadedSettings, store: Store, listeners: list[socket.socket]) -> None:
    """Say where the server is: in words, or as a line of the log where machines read along."""
    base, *others = (base_of(one) for one in listeners)
    data, token = known.settings.server.data, await _first_token(store, known)
    head = await store.log.head()
    if known.settings.logs.format == "json":
        logger.info("LedgerPress %s serves %s at position %d: %s/graphql", __version__, data, head, base)
        for other in others:
            logger.info("metrics and health for operators: %s/metrics", other)
        if token:
            # Not to where the log goes: that is kept, and read by many.
            out.print(_ADMIN_TOKEN.format(token))
        return
    err.print(f"LedgerPress {__version__}, store in {data}, position {head}")
    if not (log := LogUrl.parse(known.settings.server.log)).is_local:
        err.print(f"  log         {log}")
    err.print(f"  front page  {base}/")
    err.print(f"  GraphQL     {base}/graphql")
    for other in others:
        err.print(f"  metrics     {other}/metrics")
    if token:
        err.print(_ADMIN_TOKEN.format(token))
        if known.settings.http.graphiql:
            err.print(f"  GraphiQL    {base}/graphql#token={token}")
    err.print("Press Ctrl+C to stop.")
