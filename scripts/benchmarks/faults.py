"""Every fault of docs/reference/faults.md at every moment, on real engines: what a server does, and how long it takes.

Needs the permission to mount file systems and to trace processes (strace), and about fifteen minutes. `--only TEXT`
runs the cells whose name contains TEXT, such as "SQLite, disk full". Exits with 1 if a cell differs from its
declaration in tests/faults/cells.py.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.cells import CELLS, Cell
from tests.faults.runner import run_cell


async def main(only: str) -> bool:
    """Run the cells and print a line for each; return whether all are as declared."""
    print("| Cell | Declared | Measured | Seconds |\n| --- | --- | --- | --- |")
    all_agree = True
    for cell in CELLS:
        if only in str(cell):
            begin = time.monotonic()
            measured = await _measured(cell)
            all_agree &= measured == cell.outcome
            print(
                f"| {cell} | {cell.outcome} | {measured} | {time.monotonic() - begin:.1f} |",
                flush=True,
            )
    return all_agree


async def _measured(cell: Cell) -> str:
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        try:
            return await run_cell(cell, Path(directory))
        except (AssertionError, TimeoutError) as error:
            return f"differs: {type(error).__name__}: {str(error)[:300]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of the names of the cells")
    sys.exit(0 if asyncio.run(main(parser.parse_args().only)) else 1)
