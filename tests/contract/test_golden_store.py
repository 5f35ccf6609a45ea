"""The golden store: a data directory of an earlier version is served after a rebuild and gives the same responses.

See `tests/golden/store.py`. A failure here means that an upgrade would lose data, change responses, or execute a
repeated command a second time. `DIGEST` in `test_stored_names.py` shows whether an upgrade rebuilds the views.
"""

import copy
import json
from collections.abc import Iterator
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
REPLACED_TABLES: Final = {"site_name", "author_name"}
"""Tables of the version that wrote the store which later versions do not have."""
CHANGED_TABLES: Final = {
    "category_state": [16, "c0b840b20f3a00d77f0d51ac2a5259757b80d7fc40172e62a5d95b0a405d6a2a"],
    "correction": [1, "1c267591397ef73129ac9d56bfbbd979736dd9401c9f83d4c680fc2762182de9"],
    "correction_text": [1, "f23a3a5214a67ef7996836e29d447be6dcce05455c633c1c624b254456799833"],
    "article": [265, "df8666071407cf4c3c19004883da218fac466c7ed9fcd86e7513ef6004ab06c2"],
    "author_slug": [4, "847d39a64b9a3d7d273062fd693b7279eb0dc91e1f411c5ad9da97b6df911d8f"],
    "author_state": [4, "1d708de317a9b0cc0a83857e8495c5250bbd079cf0278ba4084fdb4cb72c32c4"],
    "content": [273, "785b7f0b039b543c7f08d8b3f2f3f384e7f476e880a228777c21369ac9625aa0"],
    "clock_correction": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "dated_post": [267, "5b6823fa7f19b094ad24e617bbd663a3a8f281b69b0c9b1695c5e27b82c471b1"],
    "earlier_time": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "first_page_change": [347, "4fe03a2f7f7c013ca819a5e9a6b0563b70725f0ca8650c907c10fc383554e96a"],
    "feed_change": [543, "06b6f8b940f7d39dac8bf191872b01b0506ed3d6f2e3f615eb9b7be28b843110"],
    "feed_correction": [3, "121e44ed0e084c0bebe2e832eb299c651a8ef111c2c27a79c6f11b0535e56217"],
    "listed": [265, "fff4d469f52a507a396cd4a7b726be624ce0e7edd5bd34ffd3202d701260195f"],
    "moment": [361, "80c3e2ec8cd5760304726d629290b41e7cdc3ecc24c81ce802bd69c383f5fc30"],
    "post_state": [763, "28f79691a525cfdf444bfdf185e8d8c66ba37e7ee25cd4b2eb5dd16b8d195acf"],
    "projection": [9, "54758b369ef8661d8bfdfe1beec95c816f0d33d29808795d05eb4ac5ca8a4e8b"],
    "publication": [265, "fd46bd86b672ca976a66a06eaf05076113dc0e098e17a5666952a5ea43419d71"],
    "sitemap_article": [262, "1596bba3fb290c78ad5af5aa4ef66d60a475cbc64527d816ed63f13eb89e024c"],
    "sitemap_change": [317, "b610881b8eb059edb2783f0f1a8313174eb615be59955e7df38d46eb32c5dd00"],
    "page_slug": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "page_text": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "public_page": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "site_menu": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "site_page": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "site_page_draft": [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    "site_state": [2, "c5f020011f27e797bdb5a1f238add36e6240970fc59a2e88aae95fe06a656c37"],
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
    """Leave out what later versions change: digests, versions of categories, merged categories, slugs of authors.

    The digests cover the tables. A version was the stream version of the last change of the category, and now counts
    its changes. The history of a merge now names the merged category (decision 0055). Authors have slugs (decision 0073).
    """
    response = copy.deepcopy(response)
    for change in _changes_in(response):
        if change.get("type") == "category.merged":
            change.get("before", {}).pop("category", None)
            change["changedFields"] = [name for name in change.get("changedFields", ()) if name != "category"]
        if str(change.get("type")).startswith("author."):
            for values in (
                change.get("before"),
                change.get("after"),
                (change.get("event") or {}).get("data"),
            ):
                (values or {}).pop("slug", None)
            change["changedFields"] = [name for name in change.get("changedFields", ()) if name != "slug"]
    for projection in response.get("projections", ()):
        del projection["digest"]
    for category in response.get("categories", {}).get("nodes", ()):
        del category["version"]
    return response


def _changes_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each object with a type of event."""
    if isinstance(value, dict):
        if "type" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _changes_in(entry)


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
