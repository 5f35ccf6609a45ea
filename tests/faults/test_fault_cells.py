"""A server reports faults of its log clearly, is not ready meanwhile, stops in time, and recovers."""

from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.cells import CONTINUOUS_CELLS, Cell
from tests.faults.runner import run_cell

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"


@pytest.mark.slow
@pytest.mark.parametrize("cell", CONTINUOUS_CELLS, ids=str)
async def test_a_server_reports_a_fault_and_recovers(cell: Cell, tmp_path: Path) -> None:
    assert await run_cell(cell, tmp_path) == cell.outcome


def test_twelve_cells_of_all_engines_run_continuously() -> None:
    assert len(CONTINUOUS_CELLS) == 12
    assert {cell.fault.engine for cell in CONTINUOUS_CELLS} == {"SQLite", "PostgreSQL", "JetStream"}
    assert {cell.moment for cell in CONTINUOUS_CELLS} == {"start", "read", "write", "stop"}


def test_the_documentation_contains_the_declared_cells() -> None:
    _, begin, rest = DOCUMENTATION.read_text("utf-8").partition(f"{table.BEGIN}\n")
    assert begin
    assert rest.partition(f"{table.END}\n")[0].strip() == table.tables().strip(), (
        "run python -m tests.faults.table --write"
    )
