"""Over random histories, nothing that is hidden now is in any response at any position, with caches and conditions.

Words of reasons, names of users, drafts, withdrawn texts and of what is not public now are in no page, feed, sitemap or proof.
The addresses follow from the routes of all features and from the state. A failure prints the seed;
`LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_nothing_hidden_is_shown.py` uses another. The long run is
`scripts/bench hidden`.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.features.feeds import feed_selection
from tests.property.reader_of_everything import read_history

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
STEPS: Final = 120
STOPS: Final = 6
ARCHIVE_SIZE: Final = 3
OF_HISTORIES: Final = {
    "/articles/{slug}/history",
    "/articles/{slug}/history/{number}",
    "/articles/{slug}/history/{number}/check",
    "/articles/{slug}/history/{number}/proof",
    "/compare",
}
"""The routes that answer only if the past and the histories are public."""


@pytest.mark.slow
@pytest.mark.parametrize("is_open", [True, False])
async def test_nothing_hidden_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    monkeypatch.setattr(feed_selection, "ARCHIVE_SIZE", ARCHIVE_SIZE)
    reader = await read_history(tmp_path / "site", SEED, steps=STEPS, stops=STOPS, is_open=is_open)
    print(dict(reader.counts), dict(reader.answered))  # noqa: T201
    assert all(reader.counts[name] for name in ("200", "301", "304", "404", "cached and now hidden", "words"))
    assert reader.unanswered == (set() if is_open else OF_HISTORIES)
