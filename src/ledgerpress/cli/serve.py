"""`ledgerpress serve`: serve the store over HTTP."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from ledgerpress import __version__
from ledgerpress.cli import demo as demo_command
from ledgerpress.cli.options import ConfigOption, ProfileOption
from ledgerpress.cli.printing_and_exit_codes import (
    REFUSED,
    clear_errors,
    err,
    fail,
    out,
    progress,
    run,
    this_program,
)
from ledgerpress.cli.settings import loaded
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.registry import installed_features
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.process.sockets import AddressTaken, bind, bound_to_path, url_of
from ledgerpress.server.process.stop_signals import StopSignals
from ledgerpress.server.tracing.settings import TracingUnavailable
from ledgerpress.server.workers.supervision_messages import HURRY, ForkServerStart, Worker
from ledgerpress.system_errors import reason_of

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema
    from ledgerpress.server.serving import Announce
    from ledgerpress.server.settings.loading import LoadedSettings
    from ledgerpress.server.settings.sections import Settings

logger = logging.getLogger(__name__)

_ADMIN_TOKEN: Final = "  admin token {}  (save it now: it is not shown again)"  # noqa: S105 - a line, not a secret
_ANONYMOUS: Final = "  no token    clients without a token have the role {} (access.anonymous_role)"
_ANONYMOUS_ROLE: Final = "access.anonymous_role"
_OPEN_PAST: Final = "server.open_past"
_PUBLIC_HISTORY: Final = "server.public_history"


def serve(
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="If there is no store yet, create one with the demo newsroom. In the development profile, let "
            "everyone on this machine read all of the demo without a token.",
        ),
    ] = False,
    profile: ProfileOption = None,
    config: ConfigOption = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="The address to listen on (server.host).", show_default="127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", help="The port to listen on; 0 selects a free one (server.port).", show_default="8000"
        ),
    ] = None,
    unix_socket: Annotated[
        Path | None,
        typer.Option(
            "--unix-socket",
            metavar="PATH",
            help="Listen on a Unix socket instead of an address and a port (server.unix_socket).",
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            "--workers",
            metavar="N|auto",
            help="The number of processes that answer requests; auto: one for each core (server.workers).",
            show_default="1",
        ),
    ] = None,
    root_path: Annotated[
        str | None,
        typer.Option(
            "--root-path",
            metavar="PREFIX",
            help="The prefix that a proxy removes from the paths of requests, such as /news (server.root_path).",
        ),
    ] = None,
    open_past: Annotated[
        bool | None,
        typer.Option(
            "--open-past",
            help="Let everyone read the past, except articles that are not public today (server.open_past).",
        ),
    ] = None,
    public_history: Annotated[
        bool | None,
        typer.Option(
            "--public-history",
            help="Let everyone read the published revisions of articles, without drafts, reasons and actors "
            "(server.public_history). On for the demo.",
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
            help="The URL of the log: sqlite: for the data directory, or a log in PostgreSQL or NATS JetStream "
            "(server.log).",
            show_default="sqlite:",
        ),
    ] = None,
    allow_unsynced: Annotated[
        bool | None,
        typer.Option(
            "--allow-unsynced",
            help="Accept NATS servers that acknowledge events before they are on disk (server.allow_unsynced).",
        ),
    ] = None,
) -> None:
    """Serve the store over HTTP: the front page, GraphQL, health and metrics."""
    options: dict[str, object] = {
        "profile": profile,
        "server.host": host,
        "server.port": port,
        "server.unix_socket": unix_socket,
        "server.workers": int(workers) if workers is not None and workers.isdecimal() else workers,
        "server.root_path": root_path,
        "server.open_past": open_past,
        _PUBLIC_HISTORY: public_history,
        "server.data": data,
        "server.log": log,
        "server.allow_unsynced": allow_unsynced,
    }
    result = loaded(options, config)
    if (start := ForkServerStart.taken_from_environment()) is not None:
        _fork_workers(start, result, is_demo=demo)
        return
    settings, server = result.settings, result.settings.server
    with ExitStack() as stack:
        listeners = [
            _bind(stack, server.host, server.port, "server.port")
            if server.unix_socket is None
            else _bind_path(stack, server.unix_socket)
        ]
        if settings.metrics.enabled and settings.metrics.port is not None:
            listeners.append(_bind(stack, settings.metrics.host, settings.metrics.port, "metrics.port"))
        url = LogUrl.parse(server.log)
        if demo:
            is_new = demo_command.load(server.data, url, log_timeout=server.log_wait_seconds)
            if not is_new:
                place = server.data if url.is_local else url
                err.print(f"There is already a store in {place}: --demo does not change it.")
            settings = _settings_for_demo(result, is_demo=is_new or demo_command.is_in(server.data, url))
        if server.workers == "auto" or server.worker_count > 1:
            _supervise(settings, listeners)
        else:
            _run(settings, listeners)


def _run(
    settings: "Settings",
    listeners: list[socket.socket],
    worker: Worker | None = None,
    schema: "Schema | None" = None,
) -> None:
    try:
        run(_serve(settings, listeners, worker, schema))
    except (TracingUnavailable, AddressTaken) as error:
        fail(str(error), REFUSED)


def _fork_workers(start: ForkServerStart, result: "LoadedSettings", *, is_demo: bool) -> None:
    """Fork workers for a supervisor until it ends; in each of them, serve on the sockets of the supervisor."""
    from ledgerpress.server import serving  # noqa: PLC0415 - imports strawberry and starlette
    from ledgerpress.server.workers.fork_server import forked_worker  # noqa: PLC0415 - for several workers
    from ledgerpress.server.workers.supervised_server import store_of  # noqa: PLC0415 - for several workers

    settings, server = result.settings, result.settings.server
    if start.store != store_of(server):
        fail("server.data and server.log cannot change while the server runs: restart it", REFUSED)
    if is_demo:
        is_in_store = demo_command.is_in(server.data, LogUrl.parse(server.log))
        settings = _settings_for_demo(result, is_demo=is_in_store)
    schema = serving.prepared_schema(installed_features())
    worker = forked_worker(start)
    _run(settings, worker.listeners, worker, schema)


def _supervise(settings: "Settings", listeners: list[socket.socket]) -> None:
    """Start several processes that serve, and supervise them until a signal."""
    from ledgerpress.server.workers.supervised_server import supervise  # noqa: PLC0415 - for several workers

    with clear_errors():
        code = supervise(
            settings, listeners, partial(_announce, settings, [url_of(listener) for listener in listeners])
        )
    if code:
        raise typer.Exit(code)


def _settings_for_demo(result: "LoadedSettings", *, is_demo: bool) -> "Settings":
    """Return the settings for `--demo`. A store without the demo newsroom is served as it is."""
    settings = result.settings
    if is_demo and _may_open_demo(result):
        settings = _readable_without_token(result)
    if is_demo and _PUBLIC_HISTORY not in result.sources:
        settings = _with_public_history(settings)
    return settings


def _may_open_demo(result: "LoadedSettings") -> bool:
    """Return whether the demo may be read without a token.

    In the development profile, only this machine can reach the server, unless it is behind a proxy. A role that is set
    is not changed.
    """
    from ledgerpress.server.settings.sections import Profile  # noqa: PLC0415 - imports every section

    server = result.settings.server
    has_proxy = bool(server.trusted_proxies or server.unix_socket or server.root_path)
    return result.profile is Profile.DEVELOPMENT and _ANONYMOUS_ROLE not in result.sources and not has_proxy


def _readable_without_token(result: "LoadedSettings") -> "Settings":
    """Return settings with which clients without a token see everything, and change nothing.

    Pages can be read as of any moment, unless that was set.
    """
    settings, replace = result.settings, msgspec.structs.replace
    access = replace(settings.access, anonymous_role=Role.AUDITOR)
    server = settings.server
    if _OPEN_PAST not in result.sources:
        server = replace(server, open_past=True)
    return replace(settings, access=access, server=server)


def _with_public_history(settings: "Settings") -> "Settings":
    """Return settings with which everyone may read the published revisions of articles."""
    server = msgspec.structs.replace(settings.server, public_history=True)
    return msgspec.structs.replace(settings, server=server)


def _bind(stack: ExitStack, host: str, port: int, setting: str) -> socket.socket:
    try:
        return stack.enter_context(bind(host, port))
    except OSError as error:
        option = "with --port" if setting == "server.port" else f"in {setting}"
        fail(
            f"port {port} of {host} cannot be used ({reason_of(error)}): choose another port {option}",
            REFUSED,
        )


def _bind_path(stack: ExitStack, path: Path) -> socket.socket:
    try:
        return stack.enter_context(bound_to_path(path))
    except AddressTaken as error:
        fail(str(error), REFUSED)
    except OSError as error:
        fail(
            f"the Unix socket {path} cannot be used ({error.strerror or error}): choose another path", REFUSED
        )


async def _serve(
    settings: "Settings", listeners: list[socket.socket], worker: Worker | None, schema: "Schema | None"
) -> None:
    server = settings.server
    seconds = server.stop_delay_seconds + server.stop_seconds
    with StopSignals(seconds, hurry=None if worker is None else HURRY) as signals:
        try:
            async with AsyncExitStack() as stack:
                announce: Announce = partial(
                    _announce, settings, [url_of(listener) for listener in listeners]
                )
                is_replaced: Callable[[], bool] = _is_not_replaced
                if worker is not None:
                    from ledgerpress.server.workers.worker_lifetime import WorkerLifetime  # noqa: PLC0415

                    lifetime = await stack.enter_async_context(WorkerLifetime.supervised(worker.link))
                    announce, is_replaced = partial(lifetime.ready, server.worker_count), lifetime.is_replaced
                from ledgerpress.server import serving  # noqa: PLC0415 - imports strawberry and starlette

                await serving.serve(
                    settings,
                    listeners,
                    program=this_program(),
                    progress=progress("Building the views"),
                    announce=announce,
                    signals=signals,
                    features=installed_features(),
                    worker=worker,
                    is_replaced=is_replaced,
                    schema=schema,
                )
        except asyncio.CancelledError:
            if not signals.received:
                raise
            logger.info("stopped before clients could connect")


def _is_not_replaced() -> bool:
    return False


def _announce(settings: "Settings", urls: list[str], head: int, token: str | None) -> None:
    """Print the URLs of the server, or log them if the format of logging is JSON."""
    base, *others = urls
    base += settings.server.root_path
    data = settings.server.data
    if settings.logs.format == "json":
        logger.info("LedgerPress %s serves %s at position %d: %s/graphql", __version__, data, head, base)
        for other in others:
            logger.info("metrics and health for operators: %s/metrics", other)
        if token:
            # Never log the token: logging is stored, and many people read it.
            out.print(_ADMIN_TOKEN.format(token))
        return
    err.print(f"LedgerPress {__version__}, store in {data}, position {head}")
    if not (log := LogUrl.parse(settings.server.log)).is_local:
        err.print(f"  log         {log}")
    err.print(f"  front page  {base}/")
    err.print(f"  GraphQL     {base}/graphql")
    for other in others:
        err.print(f"  metrics     {other}/metrics")
    if settings.access.anonymous_role is not Role.READER:
        err.print(_ANONYMOUS.format(settings.access.anonymous_role.value))
    if token:
        err.print(_ADMIN_TOKEN.format(token))
    if settings.http.graphiql:
        err.print(f"  GraphiQL    {base}/graphql" + (f"#token={token}" if token else ""))
    err.print("Press Ctrl+C to stop.")
