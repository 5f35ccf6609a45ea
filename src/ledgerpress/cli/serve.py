"""`ledgerpress serve`: the store over HTTP."""

import asyncio
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn

from ledgerpress import __version__
from ledgerpress.application.access import ANONYMOUS, LOCAL_OPERATOR, OpenDoor
from ledgerpress.cli.demo import load_demo_into
from ledgerpress.cli.terminal import DEFAULT_DATA, REFUSED, DataOption, err, fail, progress, run, this_program
from ledgerpress.compose.rebuild_beside import rebuild_beside
from ledgerpress.compose.store import open_store
from ledgerpress.graphql.live.settings import LiveSettings
from ledgerpress.http.app import make_app
from ledgerpress.http.listening import let_go_of_the_silent
from ledgerpress.http.settings import HttpSettings

LOCAL: Final = "127.0.0.1"
SILENT_SECONDS: Final = 30
"""How long a client may take nothing of what was written to it until its connection is ended."""
LAST_ANSWERS_SECONDS: Final = 5
"""How long a server that is to stop waits for requests under way: less than supervisors wait for it."""


def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a store with the demo newsroom first, where there is none.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="The address to listen on; 127.0.0.1 for now.")] = LOCAL,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8000,
    open_past: Annotated[
        bool,
        typer.Option(
            "--open-past",
            envvar="LEDGERPRESS_OPEN_PAST",
            help="Let everyone see the past, but for articles that are not public today.",
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Serve the store: a page to look at, GraphQL, and health."""
    if host != LOCAL:
        fail(
            f"--host {host}: there is no access control yet, so LedgerPress listens on {LOCAL} only; "
            "put a proxy that checks who calls in front of it",
            REFUSED,
        )
    listener = _bind(host, port)
    try:
        if demo and not load_demo_into(data):
            err.print(f"There is a store in {data} already: it is served as it is.")
        run(_serve(data, listener, open_past=open_past))
    finally:
        listener.close()


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    let_go_of_the_silent(listener, SILENT_SECONDS)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        fail(f"port {port} cannot be used ({error.strerror}): name another with --port", REFUSED)
    return listener


async def _serve(data: Path, listener: socket.socket, *, open_past: bool) -> None:
    host, port = listener.getsockname()
    with progress("Building the views") as report:
        opening = open_store(data, progress=report)
        store = await opening.__aenter__()
    door = OpenDoor(ANONYMOUS if open_past else LOCAL_OPERATOR)
    try:
        config = uvicorn.Config(
            make_app(
                store,
                door=door,
                settings=HttpSettings.development(),
                allowed_hosts=(host, "localhost"),
                open_past=open_past,
            ),
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=LiveSettings().max_message_bytes,
            ws_ping_interval=LiveSettings().keep_alive_seconds,
            ws_ping_timeout=LiveSettings().keep_alive_seconds,
            ws_per_message_deflate=False,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        server = uvicorn.Server(config)
        # When it has stopped, uvicorn sends itself the signal once more, for the handler that was there before. The
        # default one would end the program then and there, with the store open.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        base = f"http://{host}:{port}"
        err.print(f"LedgerPress {__version__}, store in {data}, position {await store.log.head()}")
        err.print(f"  front page  {base}/")
        err.print(f"  GraphQL     {base}/graphql")
        err.print("Press Ctrl+C to stop.")
        rebuilding = asyncio.create_task(rebuild_beside(data, this_program()), name="rebuild beside")
        try:
            await server.serve(sockets=[listener])
        finally:
            rebuilding.cancel()
            with suppress(asyncio.CancelledError):
                await rebuilding
    finally:
        await opening.__aexit__(None, None, None)
