"""The golden store: a data directory that an earlier version wrote is served as it is, and answers the same.

See `tests/golden/store.py`. A test that fails here means that an upgrade would rebuild the views of every installation,
or answer otherwise, or carry out a repeated command a second time.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import parse_page
from tests.fixed_sources import SetClock
from tests.golden.store import EXPECTED, LATER, PAGES, answers, repeat, state, tables, unpack
from tests.integration.graphql_client import client

FOUND: Final[dict[str, Any]] = json.loads(EXPECTED.read_bytes())
VIEWS: Final = "views-34636194-1.sqlite"
STATE: Final = {name: FOUND[name] for name in ("position", "root", "log", "views")}
TIME_OF_MAKING: Final = ("views", "projection_digest")
"""Tables that tell when and how views were made, and so differ after a rebuild."""


@pytest.mark.slow
async def test_its_views_are_served_without_a_rebuild(tmp_path: Path) -> None:
    data, expected = unpack(tmp_path)
    inode = (data / VIEWS).stat().st_ino
    async with client(data, clock=SetClock(LATER)) as one:
        assert await state(one) == STATE
        for query, answer in (await answers(one)).items():
            assert answer == expected[query]
    assert (data / "views.json").read_bytes() == b'{"current":"views-34636194-1.sqlite"}'
    assert [file.name for file in data.glob("views-*.sqlite")] == [VIEWS]
    assert (data / VIEWS).stat().st_ino == inode
    assert tables(data / VIEWS) == FOUND["tables"]


async def test_a_rebuild_of_its_views_gives_the_same_rows(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    (data / VIEWS).unlink()
    async with client(data, clock=SetClock(LATER)) as one:
        rebuilt = one.store.views.path
        assert rebuilt.name == "views-34636194-2.sqlite"
        assert {**await state(one), "views": VIEWS} == STATE
    found = tables(rebuilt)
    assert found.keys() == FOUND["tables"].keys()
    for table in found.keys() - set(TIME_OF_MAKING):
        assert found[table] == FOUND["tables"][table], table


async def test_repeated_commands_are_replayed(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as one:
        repeated = await repeat(one)
        assert await one.store.log.head() == FOUND["position"]
    assert repeated == {name: {**result, "replayed": True} for name, result in FOUND["repeated"].items()}


async def test_pages_imported_again_change_nothing(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as one:
        for name, retrieved_at in PAGES.items():
            text = (Path(__file__).parents[1] / "pages" / f"{name}.txt").read_text("utf-8")
            report = await import_page(one.store, parse_page(text, retrieved_at), retrieved_at=retrieved_at)
            assert report.made == ()
        assert await one.store.log.head() == FOUND["position"]
