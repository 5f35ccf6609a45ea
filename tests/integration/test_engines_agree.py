"""The same thousand commands on every engine produce the same positions, responses, Merkle roots and view rows."""

import os
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.commands.errors import ErrorCode
from ledgerpress.features.categories.model import CATEGORY_CYCLE, CATEGORY_NOT_EMPTY
from ledgerpress.features.posts.model import POST_ARCHIVED
from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.features.slugs.model import SLUG_MALFORMED, SLUG_TAKEN
from tests.engines.fixtures import ENGINES
from tests.property.command_generator import KINDS
from tests.property.long_command_run import COMMANDS, RunRecord, run_commands_at

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
REJECTION_CODES: Final = {
    ErrorCode.VERSION_CONFLICT, SLUG_TAKEN, SLUG_MALFORMED, ErrorCode.NOT_FOUND, ErrorCode.BLANK,
    ErrorCode.TOO_LONG, ErrorCode.IDEMPOTENCY_KEY_REUSED, POST_ARCHIVED, CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
}  # fmt: skip
EXPECTED_OUTCOMES: Final = (
    "LeaseLost",
    "BUSY",
    "WrongExpectedVersion",
    "DuplicateEvent",
    "withdrawn: ",
    "replayed=True",
)
"""Texts that must occur in the outcomes."""


async def test_the_same_commands_have_the_same_results_on_every_engine(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    runs: dict[str, RunRecord] = {}
    for engine in ENGINES:
        url: str = request.getfixturevalue(f"{engine}_url")
        runs[engine] = await run_commands_at(url, tmp_path / engine, SEED)
    first = runs[ENGINES[0]]
    assert_much_happened(first)
    for engine in ENGINES[1:]:
        other = runs[engine]
        for outcome, other_outcome in zip(first.outcomes, other.outcomes, strict=False):
            assert other_outcome == outcome, engine
        for (query, response), (other_query, other_response) in zip(
            first.responses, other.responses, strict=True
        ):
            assert (other_query, other_response) == (query, response), engine
        assert other.events == first.events, engine
        assert other.roots == first.roots, engine
        assert other.rows.keys() == first.rows.keys()
        for table, rows in first.rows.items():
            assert other.rows[table] == rows, f"{engine}: {table}"
        assert other == first, engine


def assert_much_happened(run: RunRecord) -> None:
    """Fail unless there were commands, events and outcomes of every kind, and enough of them."""
    assert len(run.outcomes) >= COMMANDS
    assert run.roots[0] == run.roots[1] == (len(run.events), run.roots[0][1])
    assert {kind.__name__ for kind in KINDS} <= run.seen
    assert {name for name, *_ in EVENT_TYPES} <= run.seen
    assert run.seen >= REJECTION_CODES
    for text in EXPECTED_OUTCOMES:
        assert any(text in outcome for outcome in run.outcomes), text
    assert sum(payload is None for _, payload in run.events) >= 5
    assert len({position for _, (position, _) in run.responses}) >= 5
    assert [name for name, rows in run.rows.items() if not rows] == []
