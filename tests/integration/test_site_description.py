"""The description, the logo and the address of the site: GraphQL, pages, feeds, as of any moment, and withdrawals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.feed_formats import ATOM, parsed, valid_atom, valid_json_feed
from tests.integration.graphql_client import Client, client
from tests.integration.users_by_role import AUTHOR, people

SITE: Final = "site { description logo { url alternativeText } address version }"
QUERY: Final = (
    "query ($at: AsOf) { site(asOf: $at) { description logo { url alternativeText } address version } }"
)
LOGO: Final = {"url": "https://cdn.example/logo.svg", "alternativeText": "A lighthouse"}
ADDRESS: Final = "The Courier\n1 Mole Street\nPellwick"
DESCRIBED: Final = {"description": "News of a harbour.", "logo": LOGO, "address": ADDRESS}
NOTHING: Final = {"description": None, "logo": None, "address": None}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path / "site", open_past=True) as api:
        with api.acting_as(LOCAL_OPERATOR):
            await api.do("siteName", name="The Courier")
        yield api


async def describe(site: Client, **input: Any) -> dict[str, Any]:
    payload = await site.do("siteDescribe", SITE, **input)
    assert payload["userErrors"] == []
    return payload


async def test_absent_fields_are_unchanged_and_null_clears(api: Client) -> None:
    payload = await describe(api, **DESCRIBED)
    assert payload["site"] == DESCRIBED | {"version": 1}
    payload = await describe(api, description="  News of two harbours. ")
    assert payload["site"] == DESCRIBED | {"description": "News of two harbours.", "version": 2}
    same = await describe(api, description="News of two harbours.", logo=LOGO, address=ADDRESS)
    assert (same["position"], same["site"]["version"]) == (payload["position"], 2)
    payload = await describe(api, logo=None, description="", address=None)
    assert payload["site"] == NOTHING | {"version": 3}


async def test_a_site_is_described_as_of_any_position(site: Client) -> None:
    first = (await describe(site, **DESCRIBED))["position"]
    second = (await describe(site, logo=None, address="2 Mole Street"))["position"]
    for position, expected in (
        (first - 1, NOTHING),
        (first, DESCRIBED),
        (second, DESCRIBED | {"logo": None, "address": "2 Mole Street"}),
    ):
        answer = (await site.ask(QUERY, at={"position": position}))["site"]
        assert {name: answer[name] for name in NOTHING} == expected
    page = (await site.http.get(f"/?asOf={first}")).text
    assert "2 Mole Street" in page, "the address of today: it names who is responsible"
    assert "1 Mole Street" not in page
    assert "1 Mole Street" not in (await site.http.get("/")).text


@pytest.mark.parametrize(
    ("logo", "field", "code"),
    [
        ({"url": "http://cdn.example/logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "javascript:alert(1)", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "data:image/png;base64,AA", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "//cdn.example/logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "/\\cdn.example/logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "/media/../../logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "/media/the logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "https://", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "https://user@cdn.example/", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "https://[::1/", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "logo.svg", "alternativeText": "x"}, "url", "INVALID_VALUE"),
        ({"url": "", "alternativeText": "x"}, "url", "BLANK"),
        ({"url": "/" + "a" * 2_000, "alternativeText": "x"}, "url", "TOO_LONG"),
        ({"url": "/logo.svg", "alternativeText": " "}, "alternativeText", "BLANK"),
        ({"url": "/logo.svg", "alternativeText": "a\nb"}, "alternativeText", "INVALID_TEXT"),
    ],
)
async def test_an_invalid_logo_changes_nothing(
    api: Client, logo: dict[str, str], field: str, code: str
) -> None:
    payload = await api.do("siteDescribe", logo=logo, description="Not recorded.")
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == (code, ["input", "logo", field])
    answer = (await api.ask(QUERY))["site"]
    assert answer == NOTHING | {"version": 0}


async def test_a_stale_version_is_rejected(api: Client) -> None:
    await describe(api, description="One.")
    payload = await api.do("siteDescribe", description="Two.", expectedVersion=0)
    assert [error["code"] for error in payload["userErrors"]] == ["VERSION_CONFLICT"]


async def test_only_those_who_may_name_the_site_may_describe_it(api: Client) -> None:
    users = await people(api.store)
    mutation = 'mutation { siteDescribe(input: { description: "X" }) { position } }'
    for user in (ANONYMOUS, users[AUTHOR], users["auditor"]):
        with api.acting_as(user):
            assert await api.errors(mutation)
    with api.acting_as(users["editor"]):
        assert (await api.ask(mutation))["siteDescribe"]["position"]


async def test_pages_show_logo_description_and_address(site: Client) -> None:
    plain = await site.http.get("/")
    assert "og:description" not in plain.text
    assert "<address" not in plain.text
    await describe(site, **DESCRIBED)
    front = (await site.http.get("/")).text
    picture = '<img src="https://cdn.example/logo.svg" alt="A lighthouse"><span>The Courier</span>'
    assert picture in front
    assert '<meta name="description" content="News of a harbour.">' in front
    assert '<meta property="og:description" content="News of a harbour.">' in front
    assert f'<address dir="auto">{ADDRESS}</address>' in front
    other = await site.http.get("/nothing")
    assert picture in other.text
    assert "News of a harbour." not in other.text
    assert "img-src 'self' https: http:" in other.headers["content-security-policy"]


async def test_a_logo_whose_text_is_the_name_takes_its_place(site: Client) -> None:
    await describe(site, logo={"url": "/media/logo.svg", "alternativeText": "The Courier"})
    front = (await site.http.get("/")).text
    assert '<img src="/media/logo.svg" alt="The Courier"></a>' in front
    assert "<span>The Courier</span>" not in front
    await site.do("siteName", name="The Messenger")
    assert "<span>The Messenger</span></a>" in (await site.http.get("/")).text


async def test_text_of_users_is_escaped(site: Client) -> None:
    hostile = "\"><script>alert('x')</script>"
    await describe(site, description=hostile, address=hostile, logo={"url": "/a", "alternativeText": hostile})
    assert "<script>alert" not in (await site.http.get("/")).text
    assert valid_atom(await site.http.get("/feeds/articles.atom")).findtext(f"{ATOM}subtitle") == hostile


async def test_feeds_have_the_description_and_the_logo(site: Client) -> None:
    await describe(site, **DESCRIBED | {"logo": {"url": "/media/logo.svg", "alternativeText": "x"}})
    articles = parsed(await site.http.get("/feeds/articles.atom"))
    assert articles.findtext(f"{ATOM}subtitle") == "News of a harbour."
    assert articles.findtext(f"{ATOM}logo") == "http://test/media/logo.svg"
    corrections = parsed(await site.http.get("/feeds/corrections.atom"))
    assert corrections.findtext(f"{ATOM}subtitle") is None
    assert corrections.findtext(f"{ATOM}logo") == "http://test/media/logo.svg"
    feed = valid_json_feed(await site.http.get("/feeds/articles.json"))
    assert (feed["description"], feed["icon"]) == ("News of a harbour.", "http://test/media/logo.svg")
    await describe(site, logo=LOGO)
    feed = valid_json_feed(await site.http.get("/feeds/articles.json"))
    assert feed["icon"] == LOGO["url"]
    await describe(site, description=None, logo=None)
    feed = valid_json_feed(await site.http.get("/feeds/articles.json"))
    assert not {"description", "icon"} & feed.keys()


async def test_a_withdrawal_erases_the_text_and_brings_no_earlier_text_back(
    site: Client, tmp_path: Path
) -> None:
    await describe(site, **DESCRIBED)
    secret = {"url": "https://cdn.example/secret.svg", "alternativeText": "Secret logo"}
    erased = await describe(site, description="Secret description", address="Secret address", logo=secret)
    await site.http.get("/")
    await withdraw_from(site.store, tmp_path / "site", erased["position"], "A court's order.")
    for path in ("/", f"/?asOf={erased['position']}", "/feeds/articles.atom", "/feeds/articles.json"):
        text = (await site.http.get(path)).text.lower()
        assert "secret" not in text, path
        assert "mole street" not in text, path
    answer = (await site.ask(QUERY))["site"]
    assert {name: answer[name] for name in NOTHING} == NOTHING
