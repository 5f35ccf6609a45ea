"""The menu: its items on pages and in GraphQL, hidden targets, moments, and withdrawals."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, OPERATOR_ACTOR_ID
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.posts import READ_POSTS
from ledgerpress.operator.withdraw import withdraw_from
from tests.identities import identity
from tests.integration.graphql_client import Client, client
from tests.integration.test_pages_in_time import at

MENU: Final = (
    "menu { version items { label place url page { title } pageDraft { title } category { name } } }"
)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site with a public past, the category Town, and the public page “About us”."""
    async with client(tmp_path / "site", open_past=True) as api:
        await api.do("categoryCreate", name="Town")
        yield api


async def page(site: Client, title: str, *, publish: bool = True) -> str:
    payload = await site.do("pageCreate", "pageDraft { id }", title=title, publish=publish)
    return str(payload["pageDraft"]["id"])


async def arrange(site: Client, *items: dict[str, Any], **input: Any) -> dict[str, Any]:
    payload = await site.do("menuArrange", MENU, items=items, **input)
    assert payload["userErrors"] == []
    return payload


def item(label: str, place: str = "HEADER", **target: Any) -> dict[str, Any]:
    return {"label": label, "place": place, "target": target}


def navigation(response: httpx2.Response) -> list[tuple[str, str]]:
    """Return the links at the top of a page."""
    match = re.search(r'<nav aria-label="Main menu">(.*?)</nav>', response.text, re.DOTALL)
    return re.findall(r'<a href="([^"]*)"><bdi>(.*?)</bdi>', match[1]) if match else []


def footer(response: httpx2.Response) -> list[tuple[str, str]]:
    """Return the links of the menu at the end of a page."""
    match = re.search(r'<footer class="colophon">(.*?)</footer>', response.text, re.DOTALL)
    assert match is not None
    return re.findall(r'<a href="([^"]*)"><bdi>(.*?)</bdi>', match[1])


async def test_the_menu_is_on_every_page_and_without_one_the_categories_are(site: Client) -> None:
    categories = [("/categories/town", "Town")]
    for path in ("/", "/categories/town", "/nothing"):
        assert navigation(await site.http.get(path)) == categories
    about = await page(site, "About us")
    payload = await arrange(
        site,
        item("Home", address="/"),
        item("The town", categorySlug="town"),
        item("About", page=about),
        item("Elsewhere", address="https://example.org/?a=b#c"),
        item("Imprint", "FOOTER", pageSlug="about-us"),
    )
    assert payload["menu"]["version"] == 1
    expected = [
        ("/", "Home"),
        ("/categories/town", "The town"),
        ("/pages/about-us", "About"),
        ("https://example.org/?a=b#c", "Elsewhere"),
    ]
    for path in ("/", "/categories/town", "/pages/about-us", "/nothing"):
        assert navigation(await site.http.get(path)) == expected
        assert footer(await site.http.get(path)) == [("/pages/about-us", "Imprint")]
    await arrange(site, item("Imprint", "FOOTER", page=about))
    assert navigation(await site.http.get("/")) == categories, "only the footer has items"
    await arrange(site)
    assert navigation(await site.http.get("/")) == categories
    assert footer(await site.http.get("/")) == []


async def test_links_follow_their_targets_and_hidden_targets_are_left_out(site: Client) -> None:
    about = await page(site, "About us", publish=False)
    await site.do("categoryCreate", name="Country")
    await arrange(site, item("About", page=about), item("Land", categorySlug="country"))
    assert navigation(await site.http.get("/")) == [("/categories/country", "Land")]
    with site.acting_as(ANONYMOUS):
        (only,) = (await site.ask(f"{{ {MENU.replace('pageDraft { title }', '')} }}"))["menu"]["items"]
        assert (only["label"], only["url"], only["category"]) == (
            "Land",
            "/categories/country",
            {"name": "Country"},
        )
    with site.acting_as(LOCAL_OPERATOR):
        first, _ = (await site.ask(f"{{ {MENU} }}"))["menu"]["items"]
        assert (first["url"], first["page"], first["pageDraft"]) == (None, None, {"title": "About us"})
    await site.do("pagePublish", id=about)
    await site.do("categoryMerge", category={"slug": "country"}, into={"slug": "town"})
    expected = [("/pages/about-us", "About"), ("/categories/town", "Land")]
    assert navigation(await site.http.get("/")) == expected
    await site.do("pageEdit", id=about, slug="who-we-are", publish=True)
    await site.do("categoryDelete", category={"slug": "town"})
    assert navigation(await site.http.get("/")) == [("/pages/who-we-are", "About")]
    await site.do("pageUnpublish", id=about)
    assert navigation(await site.http.get("/")) == []


async def test_the_menu_of_a_past_page_is_that_of_then_without_what_is_hidden_today(site: Client) -> None:
    about, plans = await page(site, "About us"), await page(site, "Plans")
    first = (await arrange(site, item("About", page=about), item("Plans", page=plans)))["position"]
    second = (await arrange(site, item("Home", address="/")))["position"]
    assert navigation(await at(site, "/", first)) == [
        (f"/pages/about-us?asOf={first}", "About"),
        (f"/pages/plans?asOf={first}", "Plans"),
    ]
    assert navigation(await at(site, "/", second)) == [(f"/?asOf={second}", "Home")]
    assert navigation(await at(site, "/", first - 1))[0][1] == "Town"
    await site.do("pageUnpublish", id=plans)
    assert [label for _, label in navigation(await at(site, "/", first))] == ["About"]
    query = "query ($at: AsOf) { menu(asOf: $at) { items { label url } } }"
    with site.acting_as(ANONYMOUS):
        answer = await site.ask(query, at={"position": first})
        assert answer["menu"]["items"] == [{"label": "About", "url": "/pages/about-us"}]
    with site.acting_as(LOCAL_OPERATOR):
        answer = await site.ask(query, at={"position": first})
        assert [each["label"] for each in answer["menu"]["items"]] == ["About", "Plans"]


async def test_the_public_past_of_a_menu_has_no_drafts(site: Client) -> None:
    about = await page(site, "About us")
    await site.do("pageEdit", id=about, title="Draft title")
    position = (await arrange(site, item("About", page=about)))["position"]
    await site.do("siteName", name="The Courier")
    query = "query ($at: AsOf) { menu(asOf: $at) { items { label pageDraft { title } } } }"
    reader_of_posts = identity(Role.EDITOR, OPERATOR_ACTOR_ID, scopes=frozenset({READ_POSTS}))
    with site.acting_as(reader_of_posts):
        assert (await site.ask(query))["menu"]["items"][0]["pageDraft"] == {"title": "Draft title"}
        past = (await site.ask(query, at={"position": position}))["menu"]["items"]
        assert past == [{"label": "About", "pageDraft": None}]


async def test_invalid_items_change_nothing(site: Client) -> None:
    about = await page(site, "About us")
    unknown = (await site.write("A post"))["id"]
    head = await site.store.log.head()
    for wrong, code, field in (
        (item(" ", page=about), "BLANK", "label"),
        (item("a\nb", page=about), "INVALID_TEXT", "label"),
        (item("a", page=unknown), "INVALID_ID", "target"),
        (item("a", categorySlug="nowhere"), "NOT_FOUND", "category"),
        (item("a", pageSlug="nowhere"), "NOT_FOUND", "page"),
        (item("a", address="javascript:alert(1)"), "INVALID_VALUE", "address"),
        (item("a", address="//elsewhere.example"), "INVALID_VALUE", "address"),
        (item("a", address="http://plain.example"), "INVALID_VALUE", "address"),
    ):
        (error,) = (await site.do("menuArrange", items=[item("ok", page=about), wrong]))["userErrors"]
        assert error["code"] == code, wrong
        assert field in error["field"], wrong
    (error,) = (await site.do("menuArrange", items=[item("a", address="/")] * 51))["userErrors"]
    assert (error["code"], error["field"]) == ("TOO_LONG", ["input", "items"])
    (error,) = (await site.do("menuArrange", items=[], expectedVersion=3))["userErrors"]
    assert error["code"] == "VERSION_CONFLICT"
    assert await site.store.log.head() == head


async def test_the_same_menu_records_nothing(site: Client) -> None:
    first = await arrange(site, item("Home", address="/"))
    again = await arrange(site, item("Home", address="/"), expectedVersion=1)
    assert again["position"] == first["position"]


async def test_a_withdrawn_menu_is_empty_and_no_earlier_one_comes_back(site: Client, tmp_path: Path) -> None:
    await arrange(site, item("Earlier", address="/earlier"))
    erased = (await arrange(site, item("Secret", address="/secret")))["position"]
    await withdraw_from(site.store, tmp_path / "site", erased, "A court's order.")
    for path in ("/", f"/?asOf={erased}"):
        text = (await site.http.get(path)).text.lower()
        assert "secret" not in text
        assert "/earlier" not in text
    assert (await arrange(site, item("Home", address="/")))["menu"]["version"] == 3
