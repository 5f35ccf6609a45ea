"""The golden store: a data directory of an earlier version is served without a rebuild and gives the same responses.

See `tests/golden/store.py`. A failure here means that an upgrade would rebuild the views of every installation, change
responses, or execute a repeated command a second time.
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

RECORDED: Final[dict[str, Any]] = json.loads(EXPECTED.read_bytes())
VIEWS: Final = "views-34636194-1.sqlite"
STATE: Final = {name: RECORDED[name] for name in ("position", "root", "log", "views")}
BUILD_TABLES: Final = ("views", "projection_digest")
"""Tables that describe when and how views were built, so they differ after a rebuild."""


@pytest.mark.slow
async def test_the_stored_views_are_served_without_a_rebuild(tmp_path: Path) -> None:
    data, expected = unpack(tmp_path)
    inode = (data / VIEWS).stat().st_ino
    async with client(data, clock=SetClock(LATER)) as application:
        assert await state(application) == STATE
        for query, response in (await answers(application)).items():
            assert response == expected[query]
    assert (data / "views.json").read_bytes() == b'{"current":"views-34636194-1.sqlite"}'
    assert [file.name for file in data.glob("views-*.sqlite")] == [VIEWS]
    assert (data / VIEWS).stat().st_ino == inode
    assert tables(data / VIEWS) == RECORDED["tables"]


async def test_a_rebuild_of_the_stored_views_gives_the_same_rows(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    (data / VIEWS).unlink()
    async with client(data, clock=SetClock(LATER)) as application:
        rebuilt = application.store.views.path
        assert rebuilt.name == "views-34636194-2.sqlite"
        assert {**await state(application), "views": VIEWS} == STATE
    rebuilt_tables = tables(rebuilt)
    assert rebuilt_tables.keys() == RECORDED["tables"].keys()
    for table in rebuilt_tables.keys() - set(BUILD_TABLES):
        assert rebuilt_tables[table] == RECORDED["tables"][table], table


async def test_repeated_commands_are_replayed(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as application:
        repeated = await repeat(application)
        assert await application.store.log.head() == RECORDED["position"]
    assert repeated == {name: {**result, "replayed": True} for name, result in RECORDED["repeated"].items()}


async def test_importing_pages_again_changes_nothing(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as application:
        for name, retrieved_at in PAGES.items():
            text = (Path(__file__).parents[1] / "pages" / f"{name}.txt").read_text("utf-8")
            report = await import_page(
                application.store, parse_page(text, retrieved_at), retrieved_at=retrieved_at
            )
            assert report.made == ()
        assert await application.store.log.head() == RECORDED["position"]
