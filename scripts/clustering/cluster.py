"""A newsroom on several servers of this machine: three NATS servers or one PostgreSQL server, and three nodes.

Starts the servers, loads the demo newsroom and demonstrates the effect of killing servers. Then it runs until Ctrl+C,
so that you can kill more, and deletes its files at the end.
"""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from scripts.clustering.failure_demonstration import Disagreement, Show, say
from scripts.clustering.log_engines import Engine, NatsEngine, PostgresEngine
from scripts.clustering.node import Node
from scripts.clustering.restart_watch import Watch
from scripts.clustering.traffic import Traffic

NODES: Final = 3
_ENDED_BY: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the cluster with the options of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument(
        "--postgres",
        action="store_true",
        help="keep the log in one PostgreSQL server instead of three NATS servers",
    )
    parser.add_argument("--once", action="store_true", help="end after the demonstration")
    parser.add_argument("--no-show", action="store_true", help="start everything, but skip the demonstration")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep all data in DIR, and continue with the data that DIR already contains",
    )
    options = parser.parse_args()
    try:
        asyncio.run(_until_ended(options))
    except (Disagreement, RuntimeError) as error:
        print(f"scripts/cluster: {error}", file=sys.stderr)
        return 1
    finally:
        say(
            "All servers are stopped."
            if options.keep
            else "All servers are stopped, and their files are deleted."
        )
    return 0


async def _until_ended(options: argparse.Namespace) -> None:
    """Run the cluster, and end it cleanly on a signal."""
    work = asyncio.create_task(_run(options))
    loop = asyncio.get_running_loop()
    for number in _ENDED_BY:
        loop.add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


async def _run(options: argparse.Namespace) -> None:
    with _directory(options.keep) as directory:
        async with _cluster(directory, postgres=options.postgres) as (engine, nodes, token):
            traffic = Traffic(nodes, token, run=secrets.token_hex(4))
            if not options.no_show:
                await Show(engine, nodes, traffic).run()
            if not options.once:
                _say_kill_commands(engine, nodes)
                await Watch(engine, nodes, traffic).run()


@contextmanager
def _directory(permanent: Path | None) -> Iterator[Path]:
    """Provide `permanent`, or a temporary directory that is deleted at the end."""
    if permanent is not None:
        permanent.mkdir(parents=True, exist_ok=True)
        yield permanent.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="ledgerpress-cluster-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may have to run as another user
        yield directory


@asynccontextmanager
async def _cluster(directory: Path, *, postgres: bool) -> AsyncIterator[tuple[Engine, list[Node], str]]:
    engine: Engine = PostgresEngine(directory / "postgresql") if postgres else NatsEngine(directory / "nats")
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(engine))
        say(f"Starting {engine.title} …")
        engine.start()
        for server in engine.servers:
            say(f"  {server.name}  {server.addresses}, process {server.pid}")
        say("Starting three nodes, each with its own views; the first one writes the demo newsroom …")
        nodes = [
            Node(f"node-{number}", directory / f"node-{number}", engine.url) for number in range(1, NODES + 1)
        ]
        for node in nodes:
            stack.push_async_callback(node.aclose)
            await node.start(*(["--demo"] if node is nodes[0] else []))
            head = (await node.health())["head"]
            say(f"  {node.name}  {node.address}/, process {node.pid}, at position {head:,}")
        token = _admin_token(nodes[0], directory / "admin-token")
        say(f"  admin token  {token}")
        yield engine, nodes, token


def _admin_token(first: Node, file: Path) -> str:
    """Return the administrator's token. The first node prints it only once, so it is saved next to the data."""
    if (token := first.admin_token()) is not None:
        file.touch(mode=0o600)
        file.write_text(token, "utf-8")
    return file.read_text("utf-8")


def _say_kill_commands(engine: Engine, nodes: list[Node]) -> None:
    say(
        "\nEverything is running, with a few writes per second. Open a node in a browser, or kill any process:"
    )
    for part in engine.servers:
        say(f"  {part.kill_command:<20} # {part.name}")
    for node in nodes:
        say(f"  kill -9 {node.pid:<12} # {node.name}")
    say("Killed processes are restarted after ten seconds. Ctrl+C stops everything and cleans up.\n")


if __name__ == "__main__":
    sys.exit(main())
