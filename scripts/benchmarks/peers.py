"""LedgerPress against Keystone, Payload, Django, mercurius, plain strawberry, eventsourcing and plain ASGI and SQLite.

Installs the peers from package registries into `.bench-peers` (once), loads the same data into all of them through
their APIs, checks that their answers agree, and measures them in turn, in rounds of one run. The load generator has a
core of its own. With `--write`, generates docs/reference/benchmarks.md. Needs two cores. Takes about twenty-five
minutes; `--quick` a few.

Exits with 1 if an answer of a peer differs from the data.
"""

import argparse
import sys
from contextlib import ExitStack
from typing import Final

from scripts.peers.agreement import Disagreement
from scripts.peers.comparison import IN_PROCESS, PEERS, Comparison
from scripts.peers.installation import CHECKOUT
from scripts.peers.page import page

PAGE: Final = CHECKOUT / "docs" / "reference" / "benchmarks.md"


def main() -> None:
    """Compare, and print or write the page."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*(peer.key for peer in PEERS), IN_PROCESS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"peers: {', '.join(names)}")
    parser.add_argument("--posts", type=int, help="posts to load (10,000)")
    parser.add_argument("--rounds", type=int, help="rounds after the one that warms up (5)")
    parser.add_argument("--seconds", type=float, help="seconds of each turn (2)")
    parser.add_argument("--quick", action="store_true", help="500 posts, 2 rounds, turns of half a second")
    parser.add_argument("--write", action="store_true", help="write docs/reference/benchmarks.md")
    options = parser.parse_args()
    quick, full = (500, 2, 0.5), (10_000, 5, 2.0)
    for name, value in zip(("posts", "rounds", "seconds"), quick if options.quick else full, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    try:
        with ExitStack() as stack:
            results = Comparison(options, stack).run()
    except Disagreement as error:
        sys.exit(f"scripts/bench peers: {error}")
    if options.write:
        PAGE.write_text(page(results), "utf-8")
    else:
        print(page(results))


if __name__ == "__main__":
    main()
