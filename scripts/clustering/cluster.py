"""A newsroom on several servers, on this one machine: three NATS servers, or one PostgreSQL, and three nodes.

Starts them, loads the demo newsroom, shows what happens when one is killed, stays up for you to kill more until Ctrl+C,
and leaves nothing behind.
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
    """Run the cluster as the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument(
        "--postgres", action="store_true", help="the log in one PostgreSQL, not in three NATS servers"
    )
    parser.add_argument("--once", action="store_true", help="end after the show")
    parser.add_argument("--no-show", action="store_true", help="start everything, and show nothing")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep all data in DIR, and go on with what is there"
    )
    options = parser.parse_args()
    try:
        asyncio.run(_until_ended(options))
    except (Disagreement, RuntimeError) as error:
        print(f"scripts/cluster: {error}", file=sys.stderr)
        return 1
    finally:
        say("Everything is stopped." if options.keep else "Everything is stopped, and its files are deleted.")
    return 0


async def _until_ended(options: argparse.Namespace) -> None:
    """Run it, and end in order whoever asks for that."""
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
                _say_what_to_try(engine, nodes)
                await Watch(engine, nodes, traffic).run()


@contextmanager
def _directory(kept: Path | None) -> Iterator[Path]:
    """Lend a directory, which is deleted in the end unless it is to be kept."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
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
        say("Starting three nodes, each with views of its own; the first writes the demo newsroom …")
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
    """Return the administrator's token: it is printed once, by the node that is started first, and kept beside the data."""
    if (token := first.admin_token()) is not None:
        file.touch(mode=0o600)
        file.write_text(token, "utf-8")
    return file.read_text("utf-8")


def _say_what_to_try(engine: Engine, nodes: list[Node]) -> None:
    say("\nAll is up, and writes go on slowly. Look at a node in a browser, and kill what you like, as with")
    for part in engine.servers:
        say(f"  {part.by_hand:<20} # {part.name}")
    for node in nodes:
        say(f"  kill -9 {node.pid:<12} # {node.name}")
    say("What is gone is started again after ten seconds. Ctrl+C stops everything and cleans up.\n")


if __name__ == "__main__":
    sys.exit(main())
