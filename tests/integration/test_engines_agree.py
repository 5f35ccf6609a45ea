"""The same thousand commands on every engine: the same positions, answers, Merkle root, and rows of the views."""

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
REFUSED: Final = {
    ErrorCode.VERSION_CONFLICT, SLUG_TAKEN, SLUG_MALFORMED, ErrorCode.NOT_FOUND, ErrorCode.BLANK,
    ErrorCode.TOO_LONG, ErrorCode.IDEMPOTENCY_KEY_REUSED, POST_ARCHIVED, CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
}  # fmt: skip
MET: Final = ("LeaseLost", "BUSY", "WrongExpectedVersion", "DuplicateEvent", "withdrawn: ", "replayed=True")
"""What has to stand among the outcomes."""


async def test_the_same_commands_come_to_the_same_on_every_engine(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure should say how to repeat it
    told: dict[str, RunRecord] = {}
    for engine in ENGINES:
        url: str = request.getfixturevalue(f"{engine}_url")
        told[engine] = await run_commands_at(url, tmp_path / engine, SEED)
    first = told[ENGINES[0]]
    assert_much_happened(first)
    for engine in ENGINES[1:]:
        other = told[engine]
        for mine, theirs in zip(first.outcomes, other.outcomes, strict=False):
            assert theirs == mine, engine
        for (asked, answer), (also_asked, also_answered) in zip(
            first.responses, other.responses, strict=True
        ):
            assert (also_asked, also_answered) == (asked, answer), engine
        assert other.events == first.events, engine
        assert other.roots == first.roots, engine
        assert other.rows.keys() == first.rows.keys()
        for table, rows in first.rows.items():
            assert other.rows[table] == rows, f"{engine}: {table}"
        assert other == first, engine


def assert_much_happened(told: RunRecord) -> None:
    """Fail where the commands were not of every kind, or too little came of them."""
    assert len(told.outcomes) >= COMMANDS
    assert told.roots[0] == told.roots[1] == (len(told.events), told.roots[0][1])
    assert {kind.__name__ for kind in KINDS} <= told.seen
    assert {name for name, *_ in EVENT_TYPES} <= told.seen
    assert told.seen >= REFUSED
    for word in MET:
        assert any(word in outcome for outcome in told.outcomes), word
    assert sum(payload is None for _, payload in told.events) >= 5
    assert len({position for _, (position, _) in told.responses}) >= 5
    assert [name for name, rows in told.rows.items() if not rows] == []
