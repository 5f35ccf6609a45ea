"""Random histories of a newsroom: nothing that is hidden now is in any response at any position, with caches.

The long run of `tests/property/test_nothing_hidden_is_shown.py`. Each history has another seed, and is read once with a
public past and once without. A failure prints the seed, the address and the hidden words that it shows. Exits with 1 then.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from ledgerpress.features.feeds import feed_selection
from tests.property.reader_of_everything import read_history

ARCHIVE_SIZE: Final = 3
"""Changes per archive of a feed, so that short histories have many."""
STEPS_BETWEEN: Final = 20
"""Steps of a history after which everything is read."""


async def check(histories: int, first_seed: int, steps: int) -> None:
    """Read random histories. Raises `AssertionError`."""
    counts = Counter[str]()
    for seed in range(first_seed, first_seed + histories):
        for is_open in (True, False):
            began = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="hidden-") as folder:
                data = Path(folder) / "site"
                try:
                    reader = await read_history(
                        data, seed, steps=steps, stops=max(steps // STEPS_BETWEEN, 1), is_open=is_open
                    )
                except AssertionError as error:
                    raise AssertionError(f"seed {seed}, past public: {is_open}: {error}") from error
            counts += reader.counts
            took = time.monotonic() - began
            requests = sum(number for name, number in reader.counts.items() if name.isdigit())
            print(f"seed {seed}, past public: {is_open}: {requests:,} responses, {took:.0f} s", flush=True)
    print({name: f"{number:,}" for name, number in sorted(counts.items())})


def main() -> None:
    """Run the check, and exit with 1 if something hidden is shown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=20, help="random histories (20)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first history (1)")
    parser.add_argument("--steps", type=int, default=400, help="steps of each history (400)")
    options = parser.parse_args()
    feed_selection.ARCHIVE_SIZE = ARCHIVE_SIZE  # type: ignore[misc]
    try:
        asyncio.run(check(options.histories, options.seed, options.steps))
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")


if __name__ == "__main__":
    main()
