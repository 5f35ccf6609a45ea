"""The golden store: a data directory of an earlier version is served after a rebuild and gives the same responses.

See `tests/golden/store.py`. A failure here means that an upgrade would lose data, change responses, or execute a
repeated command a second time. `DIGEST` in `test_stored_names.py` shows whether an upgrade rebuilds the views.
"""

import json
from pathlib import Path
from typing import Any, Final

from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import parse_page
from tests.contract.test_stored_names import DIGEST
from tests.fixed_sources import SetClock
from tests.golden.store import EXPECTED, LATER, PAGES, answers, repeat, state, tables, unpack
from tests.integration.graphql_client import client
from tests.past_ids import with_current_ids

RECORDED: Final[dict[str, Any]] = json.loads(EXPECTED.read_bytes())
VIEWS: Final = "views-34636194-1.sqlite"
STATE: Final = {name: RECORDED[name] for name in ("position", "root", "log", "views")}
BUILD_TABLES: Final = ("views", "projection_digest")
"""Tables that describe when and how views were built, so they differ after a rebuild."""
REPLACED_TABLES: Final = {"site_name"}
"""Tables of the version that wrote the store which later versions do not have."""
CHANGED_TABLES: Final = {
    "correction": [1, "34205d9b1e4027465002c3bc78d91bda523e3738366f2c9fab59cf5dfbac10c7"],
    "correction_text": [1, "f23a3a5214a67ef7996836e29d447be6dcce05455c633c1c624b254456799833"],
    "projection": [9, "abcebe39da00115605408c5918e6e6283d98a05210cca5f233ad94525ecdb9f7"],
    "site_state": [2, "7fe0334441c21e11b7bbd1eb3fd6327abcf0d63b499fa1de6ac980c1271de7c8"],
}
"""The tables that later versions write differently: how many rows they have, and the SHA-256 of all of them."""


async def test_the_log_is_served_with_rebuilt_views_and_gives_the_same_responses(tmp_path: Path) -> None:
    data, expected = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as application:
        views = application.store.views.path
        assert {**await state(application), "views": VIEWS} == STATE
        for query, response in (await answers(application)).items():
            # The version that wrote the store gave objects as of a moment the ids of current objects (decision 0053).
            assert with_current_ids(_without_digests(response)) == _without_digests(expected[query])
    assert views.name == f"views-{DIGEST}-2.sqlite"
    rebuilt = tables(views)
    assert rebuilt.keys() == (RECORDED["tables"].keys() - REPLACED_TABLES) | CHANGED_TABLES.keys()
    for table in rebuilt.keys() - set(BUILD_TABLES):
        assert rebuilt[table] == {**RECORDED["tables"], **CHANGED_TABLES}[table], table


async def test_views_are_served_again_without_a_rebuild(tmp_path: Path) -> None:
    data, _ = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as application:
        views, first = application.store.views.path, await answers(application)
    inode, before = views.stat().st_ino, tables(views)
    async with client(data, clock=SetClock(LATER)) as application:
        assert application.store.views.path == views
        assert await answers(application) == first
    assert views.stat().st_ino == inode
    assert tables(views) == before


def _without_digests(response: dict[str, Any]) -> dict[str, Any]:
    """Leave out the digests of projections: they cover the tables, which a later version may change."""
    projections = [{**projection, "digest": None} for projection in response.get("projections", ())]
    return {**response, **({"projections": projections} if projections else {})}


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
