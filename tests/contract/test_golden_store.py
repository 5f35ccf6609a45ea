"""The golden store: a data directory of an earlier version is served after a rebuild and gives the same responses.

See `tests/golden/store.py`. A failure here means that an upgrade would lose data, change responses, or execute a
repeated command a second time. `DIGEST` in `test_stored_names.py` shows whether an upgrade rebuilds the views.
"""

import copy
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
    "category_state": [16, "c0b840b20f3a00d77f0d51ac2a5259757b80d7fc40172e62a5d95b0a405d6a2a"],
    "correction": [1, "34205d9b1e4027465002c3bc78d91bda523e3738366f2c9fab59cf5dfbac10c7"],
    "correction_text": [1, "f23a3a5214a67ef7996836e29d447be6dcce05455c633c1c624b254456799833"],
    "projection": [9, "79f2ca1b460c665f82c144d893ce69c91031fed9c2287132d0a67092ae0e4c65"],
    "site_state": [2, "7fe0334441c21e11b7bbd1eb3fd6327abcf0d63b499fa1de6ac980c1271de7c8"],
}
"""The tables that later versions write differently: how many rows they have, and the SHA-256 of all of them."""
CATEGORY_VERSIONS: Final = {
    "energy": 1,
    "harbour": 1,
    "heritage": 1,
    "night": 3,
    "town": 2,
    "transport": 1,
}


async def test_the_log_is_served_with_rebuilt_views_and_gives_the_same_responses(tmp_path: Path) -> None:
    data, expected = unpack(tmp_path)
    async with client(data, clock=SetClock(LATER)) as application:
        views = application.store.views.path
        assert {**await state(application), "views": VIEWS} == STATE
        for query, response in (await answers(application)).items():
            # The version that wrote the store gave objects as of a moment the ids of current objects (decision 0053).
            assert with_current_ids(_comparable(response)) == _comparable(expected[query])
        versions = (await application.ask("{ categories(first: 50) { nodes { slug version } } }"))[
            "categories"
        ]
    assert {node["slug"]: node["version"] for node in versions["nodes"]} == CATEGORY_VERSIONS
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


def _comparable(response: dict[str, Any]) -> dict[str, Any]:
    """Leave out what later versions change: digests of projections, and versions of categories.

    The digests cover the tables. A version was the stream version of the last change of the category, and now counts
    its changes (decision 0055).
    """
    response = copy.deepcopy(response)
    for projection in response.get("projections", ()):
        del projection["digest"]
    for category in response.get("categories", {}).get("nodes", ()):
        del category["version"]
    return response


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
