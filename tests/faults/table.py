"""Prints the tables of docs/reference/faults.md from the declared cells; with `--write`, writes them into it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.faults.cells import FAULTS, OUTCOMES, Fault

BEGIN: Final = "<!-- begin: python -m tests.faults.table -->"
END: Final = "<!-- end -->"
"""The lines around the tables in the documentation."""


def tables() -> str:
    """Return a section with two tables for each engine: what happens, and how operators notice it."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for engine in dict.fromkeys(fault.engine for fault in FAULTS):
        faults = [fault for fault in FAULTS if fault.engine == engine]
        yield from (f"## {engine}", "")
        yield from _table(("Fault", "Start", "Read", "Write", "Stop"), [_requests(fault) for fault in faults])
        yield ""
        yield from _table(
            ("Fault", "Readiness", "Metric", "Logged message", "Recovery"),
            [_operators(fault) for fault in faults],
        )
        yield ""


def _requests(fault: Fault) -> tuple[str, ...]:
    outcomes = (OUTCOMES[outcome] for outcome in (fault.start, fault.read, fault.write, fault.stop))
    return (f"**{fault.name}**: {fault.cause}", *outcomes)


def _operators(fault: Fault) -> tuple[str, ...]:
    metric = ", ".join(f'`{{operation="{operation}"}}`' for operation in fault.failing)
    return (fault.name, f"503, `{fault.readiness}`", metric, f"“… {fault.message} …”", fault.recovery)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def write() -> None:
    """Replace the tables in the documentation."""
    path = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    else:
        sys.stdout.write(tables())
