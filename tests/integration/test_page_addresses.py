"""Redirects from other spellings of the addresses of pages: Unicode forms, capital letters, slashes."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

import httpx2
import pytest

from ledgerpress.features.registry import FEATURES
from ledgerpress.http.pages.other_path_spellings import PathSpelling
from tests.integration.graphql_client import Client

MARKET: Final = "/articles/" + quote("l-été-à-la-mer")
TOWN: Final = "/categories/" + quote("città")
SPELLINGS: Final = {
    "/articles/" + quote(unicodedata.normalize("NFD", "l-été-à-la-mer")): MARKET,
    "/articles/" + quote("L-ÉTÉ-à-la-Mer"): MARKET,
    MARKET + "/": MARKET,
    MARKET + "///": MARKET,
    MARKET + "%2F": MARKET,
    "/Articles/" + quote(unicodedata.normalize("NFD", "L-Été-À-La-Mer")) + "/": MARKET,
    "/articles//" + quote("l-été-à-la-mer"): MARKET,
    "//ARTICLES/" + quote("l-été-à-la-mer"): MARKET,
    "/articles/" + quote("Été-à-la-mer") + "/": MARKET,  # a former slug
    "/categories/" + quote(unicodedata.normalize("NFD", "città")): TOWN,
    "/CATEGORIES/" + quote("CITTÀ") + "/": TOWN,
    "/categories/Town/": TOWN,  # a former slug
    "//": "/",
}
MISSING: Final = [
    "/articles/none/", "/articles/NONE", "/articles/", "/articles", "/categories/none/", "/articles/draft/", "/Articles/Draft",
    MARKET + "/more", "/%2F%2Fevil.example/", "//evil.example/", "/static/", "/Static/site.css", "/GraphQL/x", "/Health/live",
]  # fmt: skip


@pytest.fixture
async def site(api: Client) -> Client:
    await api.do("categoryCreate", name="Town")
    await api.do("categoryRename", category={"slug": "town"}, slug="città")
    post = await api.write("Été à la mer", publish=True)
    await api.do("postEdit", id=post["id"], slug="l-été-à-la-mer", publish=True)
    await api.write("Draft")
    return api


async def get(site: Client, address: str) -> httpx2.Response:
    """Request exactly this address: a client would normalise some of them."""
    url = httpx2.URL("http://test/").copy_with(raw_path=address.encode())
    return await site.http.send(httpx2.Request("GET", url))


@pytest.mark.parametrize(("address", "canonical"), SPELLINGS.items())
@pytest.mark.parametrize("query", ["", "?utm_source=news&x=%C3%A9+%26", "?x"])
async def test_another_spelling_redirects_once_to_the_canonical_address_with_the_query(
    site: Client, address: str, canonical: str, query: str
) -> None:
    redirect = await get(site, address + query)
    assert (redirect.status_code, redirect.headers["location"]) == (301, canonical + query)
    assert redirect.headers["cache-control"] == "no-cache"
    page = await get(site, canonical)
    assert (page.status_code, "location" in page.headers) == (200, False)


@pytest.mark.parametrize("address", MISSING)
async def test_no_spelling_of_a_page_that_does_not_exist_redirects(site: Client, address: str) -> None:
    assert (await get(site, address)).status_code == 404


async def test_the_canonical_addresses_do_not_redirect(site: Client) -> None:
    for address in ("/", "/?utm_source=news", MARKET, MARKET + "?x=1", TOWN):
        assert (await get(site, address)).status_code == 200


async def test_only_reading_is_redirected(site: Client) -> None:
    assert (await site.http.post(MARKET + "/")).status_code == 405
    assert (await site.http.head(MARKET + "/")).status_code == 301


@pytest.mark.parametrize(
    ("template", "path", "spelling"),
    [
        ("/articles/{slug}", "Articles/A B/", ("/articles/A%20B", {"slug": "A B"})),
        ("/years/{year:int}/{slug}", "years/2024/X", ("/years/2024/X", {"year": 2024, "slug": "X"})),
        ("/files/{path:path}", "FILES/a/b//", ("/files/a/b", {"path": "a/b"})),
        ("/{path:path}", "//evil.example", ("/evil.example", {"path": "evil.example"})),
        ("/{name}", "/\\evil.example", ("/%5Cevil.example", {"name": "\\evil.example"})),
        ("/articles/{slug}", "articles/a/b", None),
    ],
)
def test_a_spelling_never_leads_to_another_host(
    template: str, path: str, spelling: tuple[object, ...] | None
) -> None:
    assert PathSpelling(template).match(path) == spelling


def test_every_page_of_the_first_party_features_has_a_spelling() -> None:
    paths = [path for part in FEATURES.page_contributions() for path in part.routes]
    assert {"/", "/articles/{slug}", "/categories/{slug}"} <= set(paths)
    for path in paths:
        match = PathSpelling(path).match(f"{re.sub('{[^}]*}', 'x', path.upper())}/")
        assert match
        assert match.path == re.sub("{[^}]*}", "x", path)
