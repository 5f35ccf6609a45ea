"""Feeds in Atom and JSON Feed, requested over HTTP from an application on a real store."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import feedparser  # type: ignore[import-untyped]
import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ledgerpress import create_app
from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.authors import queries as author_queries
from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.feeds import feed_selection
from ledgerpress.features.feeds.routes import routes
from ledgerpress.features.site import NameSite
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.operator.withdraw import withdraw_from
from ledgerpress.server.settings.server_section import ServerSettings
from tests.fixed_sources import SetClock
from tests.integration.feed_formats import (
    ATOM,
    deleted,
    entries,
    link,
    parsed,
    updated,
    valid_atom,
    valid_json_feed,
)
from tests.integration.graphql_client import Client, client

ARTICLES: Final = "/feeds/articles.atom"
HOSTILE: Final = "\"><script>alert('x')</script> & ]]> {{ 7 * 7 }} \u202eevil"
PUBLIC_TEXT: Final = "Readers may know this."
SECRET: Final = "Nobody may know this."


@pytest.fixture
async def newsroom(api: Client) -> Client:
    """A site with two categories, an author, an article in the subcategory, and a draft."""
    await api.do("siteName", name="The Courier")
    await api.do("categoryCreate", name="Town")
    await api.do("categoryCreate", name="Council", parent={"slug": "town"})
    author = (await api.do("authorRegister", "author { id }", name="Ines Okafor"))["author"]["id"]
    await api.write(
        "The tide mill",
        body="It *turns*.",
        teaser="After ninety years.",
        authors=[author],
        categories=[{"slug": "council"}],
        publish=True,
    )
    await api.write("A draft", body=SECRET)
    return api


@pytest.fixture
async def open_past(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path / "open", open_past=True) as api:
        yield api


async def feed(api: Client, path: str = ARTICLES) -> Any:
    return valid_atom(await api.http.get(path))


def urn(global_id: str) -> str:
    node = global_ids.decode(global_id)
    assert node is not None
    return f"urn:uuid:{node.id}"


async def last(api: Client, type_: str) -> int:
    """Return the position of the last event of a type."""
    events = await api.store.log.read(0, 1_000)
    return max(event.header.position for event in events if event.header.type == type_)


async def post_id(api: Client, slug: str) -> str:
    post: dict[str, str] = (await api.ask("query ($slug: String!) { post(slug: $slug) { id } }", slug=slug))[
        "post"
    ]
    return post["id"]


async def test_an_empty_site_has_valid_feeds(api: Client) -> None:
    for name in ("articles", "corrections"):
        assert not entries(await feed(api, f"/feeds/{name}.atom"))
        assert valid_json_feed(await api.http.get(f"/feeds/{name}.json"))["items"] == []


async def test_both_formats_have_the_same_entries_and_feedparser_reads_them(newsroom: Client) -> None:
    response = await newsroom.http.get(ARTICLES)
    document = valid_atom(response)
    assert document.findtext(f"{ATOM}title") == "The Courier"
    read = feedparser.parse(response.content)
    assert read.feed.title == "The Courier"
    (entry,) = read.entries
    (item,) = valid_json_feed(await newsroom.http.get("/feeds/articles.json"))["items"]
    assert entry.id == item["id"] == urn(await post_id(newsroom, "the-tide-mill"))
    assert entry.title == item["title"] == "The tide mill"
    assert entry.link == item["url"] == "http://test/articles/the-tide-mill"
    assert entry.summary == item["summary"] == "After ninety years."
    assert "<p>It <em>turns</em>.</p>" in entry.content[0].value
    assert "<p>It <em>turns</em>.</p>" in item["content_html"]
    assert [author.name for author in entry.authors] == ["Ines Okafor"]
    assert item["authors"] == [{"name": "Ines Okafor"}]
    assert [(tag.term, tag.label) for tag in entry.tags] == [("council", "Council")]
    assert item["tags"] == ["Council"]
    assert entry.published == item["date_published"]
    assert entry.updated == item["date_modified"]
    data = await newsroom.ask('{ article(slug: "the-tide-mill") { publishedAt updatedAt } }')
    assert data["article"] == {"publishedAt": entry.published, "updatedAt": entry.updated}


async def test_a_feed_with_teasers_contains_no_bodies(newsroom: Client) -> None:
    response = await newsroom.http.get(f"{ARTICLES}?text=teaser")
    (entry,) = valid_atom(response).findall(f"{ATOM}entry")
    assert entry.find(f"{ATOM}content") is None
    assert entry.findtext(f"{ATOM}summary") == "After ninety years."
    (item,) = valid_json_feed(await newsroom.http.get("/feeds/articles.json?text=teaser"))["items"]
    assert item["content_text"] == "After ninety years."
    assert "turns" not in response.text


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("text=all", 400, "text must be full or teaser"),
        ("archive=x", 400, "archive must be the number of an archive"),
        ("archive=0", 404, "no such feed"),
        ("archive=1", 404, "no such feed"),
        ("asOf=999999", 400, "is in the future"),
        ("asOf=2999-01-01T00:00:00Z", 400, "This time is in the future"),
        ("asOf=yesterday", 400, "names no time"),
        ("asOf=2024-05-04T08:00:00", 403, "The past of this site is not public"),
        ("asOf=3", 403, "The past of this site is not public"),
    ],
)
async def test_the_error_for_an_invalid_parameter_states_what_to_do(
    newsroom: Client, query: str, status: int, message: str
) -> None:
    response = await newsroom.http.get(f"{ARTICLES}?{query}")
    assert response.status_code == status
    assert message in response.text
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"].startswith("text/plain")


async def test_unknown_parameters_are_ignored_and_unknown_feeds_are_not_found(newsroom: Client) -> None:
    assert entries(await feed(newsroom, f"{ARTICLES}?utm_source=x"))
    for path in (
        "articles.rss",
        "categories/unknown.atom",
        "authors/unknown.atom",
        "articles",
        "categories/.atom",
    ):
        assert (await newsroom.http.get(f"/feeds/{path}")).status_code == 404
    assert (await newsroom.http.post(ARTICLES)).status_code == 405


async def test_ids_are_permanent_and_updated_changes_only_for_readers(newsroom: Client) -> None:
    id_ = await post_id(newsroom, "the-tide-mill")
    other = (await newsroom.write("Ebb", publish=True))["id"]
    author = (await newsroom.ask("{ authors { nodes { id } } }"))["authors"]["nodes"][0]["id"]
    before = await feed(newsroom)
    same: list[tuple[str, dict[str, Any]]] = [
        ("postEdit", {"id": id_, "title": "A draft of a title", "slug": "mill", "body": SECRET}),
        ("authorRename", {"id": author, "name": "Ines O."}),
        ("categoryRename", {"category": {"slug": "council"}, "name": "Town council", "slug": "hall"}),
        ("siteName", {"name": "Courier"}),
        ("postCategorize", {"id": id_, "category": {"slug": "town"}}),
    ]
    for mutation, input_ in same:
        payload = await newsroom.do(mutation, **input_)
        assert payload["userErrors"] == [], mutation
        assert updated(await feed(newsroom)) == updated(before), mutation
    after = await feed(newsroom)
    assert after.findtext(f"{ATOM}id") == before.findtext(f"{ATOM}id")
    assert entries(after).keys() == {"The tide mill", "Ebb"}
    await newsroom.do("postPublish", id=id_)
    published = await feed(newsroom)
    assert entries(published).keys() == {"A draft of a title", "Ebb"}
    assert updated(published).keys() == updated(before).keys()
    assert updated(published)[urn(id_)] > updated(before)[urn(id_)]
    assert updated(published)[urn(other)] == updated(before)[urn(other)]
    assert published.findtext(f"{ATOM}updated") == updated(published)[urn(id_)]


async def test_a_correction_is_in_the_entry_and_makes_it_newer(newsroom: Client) -> None:
    id_ = await post_id(newsroom, "the-tide-mill")
    times = [updated(await feed(newsroom))[urn(id_)]]
    added = await newsroom.do(
        "correctionAdd", "correction { id }", id=id_, note="It stands.", passage="It *turns*."
    )
    assert added["userErrors"] == []
    document = await feed(newsroom)
    times.append(updated(document)[urn(id_)])
    content = document.find(f"{ATOM}entry").findtext(f"{ATOM}content")
    assert "It stands." in content
    assert "<blockquote>It *turns*.</blockquote>" in content
    correction = added["correction"]["id"]
    await newsroom.do("correctionReword", id=id_, correction=correction, note="It stood.")
    times.append(updated(await feed(newsroom))[urn(id_)])
    await newsroom.do("correctionRetract", id=id_, correction=correction)
    document = await feed(newsroom)
    times.append(updated(document)[urn(id_)])
    assert "It stood." not in document.find(f"{ATOM}entry").findtext(f"{ATOM}content")
    assert times == sorted(set(times))


async def test_an_unpublished_article_becomes_a_deleted_entry(newsroom: Client) -> None:
    id_ = await post_id(newsroom, "the-tide-mill")
    await newsroom.do("postUnpublish", id=id_)
    for path in ("/feeds/categories/council.atom", "/feeds/categories/town.atom", ARTICLES):
        response = await newsroom.http.get(path)
        document = valid_atom(response)
        assert deleted(document).keys() == {urn(id_)}
        assert "tide" not in response.text
    assert valid_json_feed(await newsroom.http.get("/feeds/articles.json"))["items"] == []
    at = deleted(await feed(newsroom))[urn(id_)]
    await newsroom.do("postPublish", id=id_)
    document = await feed(newsroom)
    assert not deleted(document)
    assert updated(document)[urn(id_)] > at


async def test_the_feed_of_an_author_without_public_articles_does_not_exist(newsroom: Client) -> None:
    path = "/feeds/authors/ines-okafor.atom"
    document = await feed(newsroom, path)
    assert link(document, "alternate") == "http://test/authors/ines-okafor"
    corrections = await feed(newsroom, "/feeds/corrections.atom")
    assert link(corrections, "alternate") == "http://test/corrections"
    assert document.findtext(f"{ATOM}title") == "Ines Okafor · The Courier"
    assert entries(document).keys() == {"The tide mill"}
    await newsroom.do("postUnpublish", id=await post_id(newsroom, "the-tide-mill"))
    assert (await newsroom.http.get(path)).status_code == 404


async def test_the_feed_of_a_category_follows_its_articles_and_its_slug(newsroom: Client) -> None:
    council, town = "/feeds/categories/council.atom", "/feeds/categories/town.atom"
    first = await feed(newsroom, council)
    assert first.findtext(f"{ATOM}title") == "Council · The Courier"
    assert link(first, "alternate") == "http://test/categories/council"
    assert entries(first).keys() == entries(await feed(newsroom, town)).keys() == {"The tide mill"}
    ids = {(await feed(newsroom, path)).findtext(f"{ATOM}id") for path in (council, town, ARTICLES)}
    assert len(ids) == 3

    await newsroom.do("categoryRename", category={"slug": "council"}, slug="hall")
    moved = await newsroom.http.get(f"{council}?text=teaser")
    assert (moved.status_code, moved.headers["location"]) == (301, "/feeds/categories/hall.atom?text=teaser")
    assert (await feed(newsroom, "/feeds/categories/hall.atom")).findtext(f"{ATOM}id") == first.findtext(
        f"{ATOM}id"
    )
    id_ = await post_id(newsroom, "the-tide-mill")
    await newsroom.do("postUncategorize", id=id_, category={"slug": "hall"})
    removed = await feed(newsroom, "/feeds/categories/hall.atom")
    assert deleted(removed).keys() == {urn(id_)}
    assert entries(await feed(newsroom)).keys() == {"The tide mill"}
    await newsroom.do("postCategorize", id=id_, category={"slug": "hall"})
    added = await feed(newsroom, "/feeds/categories/hall.atom")
    assert updated(added)[urn(id_)] > deleted(removed)[urn(id_)]


async def test_the_feed_of_corrections_follows_their_wording_and_their_articles(newsroom: Client) -> None:
    path, id_ = "/feeds/corrections.atom", await post_id(newsroom, "the-tide-mill")
    await newsroom.do("postPublish", id=id_, correction="It closed in 1931.")
    added = await newsroom.do(
        "correctionAdd", "correction { id }", id=id_, kind="UPDATE", note="It opened again."
    )
    correction = added["correction"]["id"]
    document = await feed(newsroom, path)
    notes = [entry.findtext(f"{ATOM}summary") for entry in document.findall(f"{ATOM}entry")]
    assert notes == ["It opened again.", "It closed in 1931."]
    first = document.find(f"{ATOM}entry")
    assert first.findtext(f"{ATOM}id") == urn(correction)
    assert first.find(f"{ATOM}category").get("term") == "UPDATE"
    await newsroom.do("correctionReword", id=id_, correction=correction, note="It is open again.")
    reworded = await feed(newsroom, path)
    assert reworded.find(f"{ATOM}entry").findtext(f"{ATOM}summary") == "It is open again."
    assert updated(reworded)[urn(correction)] > updated(document)[urn(correction)]
    await newsroom.do("correctionRetract", id=id_, correction=correction)
    retracted = await feed(newsroom, path)
    assert deleted(retracted).keys() == {urn(correction)}
    assert len(entries(retracted)) == 1
    assert len(valid_json_feed(await newsroom.http.get("/feeds/corrections.json"))["items"]) == 1
    await newsroom.do("postUnpublish", id=id_)
    hidden = await feed(newsroom, path)
    assert not entries(hidden)
    assert len(deleted(hidden)) == 2
    await newsroom.do("postPublish", id=id_)
    again = await feed(newsroom, path)
    assert [entry.findtext(f"{ATOM}summary") for entry in again.findall(f"{ATOM}entry")] == [
        "It closed in 1931."
    ]
    (restored,) = updated(again)
    assert updated(again)[restored] > deleted(hidden)[restored]


async def test_a_page_links_to_the_feeds_about_it(newsroom: Client) -> None:
    for page, first in (
        ("/", "/feeds/articles.atom"),
        ("/articles/the-tide-mill", "/feeds/articles.atom"),
        ("/categories/council", "/feeds/categories/council.atom"),
    ):
        head = (await newsroom.http.get(page)).text.partition("</head>")[0]
        links = [line for line in head.splitlines() if 'rel="alternate"' in line]
        assert 'type="application/atom+xml"' in links[0]
        assert f'href="{first}"' in links[0]
        for line in links:
            address = line.partition('href="')[2].partition('"')[0]
            response = await newsroom.http.get(address)
            assert f'type="{response.headers["content-type"].partition(";")[0]}"' in line


async def test_hostile_titles_and_bodies_are_text(api: Client) -> None:
    await api.do("siteName", name=HOSTILE)
    await api.do("categoryCreate", name=HOSTILE, slug="hostile")
    author = (await api.do("authorRegister", "author { id }", name=HOSTILE))["author"]["id"]
    await api.write(
        HOSTILE,
        slug="hostile",
        teaser=HOSTILE,
        body=f"{HOSTILE}\n\n<img src=x onerror=alert(1)>\n\n]]>\x0b\ufffe",
        authors=[author],
        categories=[{"slug": "hostile"}],
        publish=True,
    )
    for path in (ARTICLES, "/feeds/categories/hostile.atom"):
        response = await api.http.get(path)
        document = valid_atom(response)
        assert document.findtext(f"{ATOM}title").endswith(HOSTILE)
        assert entries(document).keys() == {HOSTILE}
        entry = entries(document)[HOSTILE]
        assert entry.findtext(f"{ATOM}summary") == HOSTILE
        assert entry.find(f"{ATOM}category").get("label") == HOSTILE
        assert entry.find(f"{ATOM}author").findtext(f"{ATOM}name") == HOSTILE
        content = entry.findtext(f"{ATOM}content")
        assert "<script" not in content
        assert "<img src=x" not in content
    item = valid_json_feed(await api.http.get("/feeds/articles.json"))["items"][0]
    assert item["title"] == HOSTILE
    assert "<script" not in item["content_html"]


async def test_relative_addresses_in_bodies_become_absolute(api: Client) -> None:
    body = (
        "[a](/a?b=1&c=2) [b](b) [c](#part) [d](//other.example/d) [e](mailto:e@example.org) ![f](img/f.png)"
    )
    await api.write("Links", body=body, publish=True)
    content = entries(await feed(api))["Links"].findtext(f"{ATOM}content")
    for address in (
        'href="http://test/a?b=1&amp;c=2"',
        'href="http://test/articles/b"',
        'href="http://test/articles/links#part"',
        'href="http://other.example/d"',
        'href="mailto:e@example.org"',
        'src="http://test/articles/img/f.png"',
    ):
        assert address in content


async def test_feeds_declare_the_language_and_the_direction_of_text(api: Client) -> None:
    await api.do("siteLocalize", language="ar", timeZone="Pacific/Auckland")
    id_ = (await api.write("طاحونة المد", body="إنها تدور.", publish=True))["id"]
    await api.do("correctionAdd", id=id_, note="ليست كذلك.")
    response = await api.http.get(ARTICLES)
    document = valid_atom(response)
    assert document.get("{http://www.w3.org/XML/1998/namespace}lang") == "ar"
    assert entries(document).keys() == {"طاحونة المد"}
    content = entries(document)["طاحونة المد"].findtext(f"{ATOM}content")
    assert content.startswith('<div dir="auto">')
    assert valid_json_feed(await api.http.get("/feeds/articles.json"))["language"] == "ar"
    # Times are in UTC, and the date of a note is that in the time zone of the site.
    assert updated(document)[urn(id_)].startswith("2024-05-04T08:")
    assert "(4 مايو 2024)" in content


async def test_the_date_of_a_note_is_in_the_time_zone_of_the_site(tmp_path: Path) -> None:
    async with client(tmp_path, clock=SetClock(1_714_867_200_000_000)) as api:  # 2024-05-05 00:00 UTC
        await api.do("siteLocalize", timeZone="America/New_York")
        id_ = (await api.write("Late", publish=True))["id"]
        await api.do("correctionAdd", id=id_, note="Later.")
        content = entries(await feed(api))["Late"].findtext(f"{ATOM}content")
        assert "(4 May 2024)" in content


async def test_a_withdrawn_text_leaves_all_feeds_and_readers_learn_of_it(tmp_path: Path) -> None:
    async with client(tmp_path / "store") as api:
        id_ = (await api.write("Known", body=PUBLIC_TEXT, publish=True))["id"]
        await api.do("postEdit", id=id_, body=SECRET, publish=True)
        position = await last(api, "post.edited")
        paths = [ARTICLES, "/feeds/articles.json"]
        before = [await api.http.get(path) for path in paths]
        assert all(SECRET in response.text for response in before)
        await withdraw_from(api.store, tmp_path / "store", position, "A court order.")
        after = [await api.http.get(path) for path in paths]
        for old, new in zip(before, after, strict=True):
            assert SECRET not in new.text
            assert PUBLIC_TEXT in new.text
            assert new.headers["etag"] != old.headers["etag"]
        assert updated(valid_atom(after[0]))[urn(id_)] > updated(valid_atom(before[0]))[urn(id_)]


async def test_an_article_without_text_after_a_withdrawal_is_a_deleted_entry(tmp_path: Path) -> None:
    async with client(tmp_path / "store") as api:
        id_ = (await api.write("Unknown", body=SECRET, publish=True))["id"]
        at = updated(await feed(api))[urn(id_)]
        position = await last(api, "post.created")
        await withdraw_from(api.store, tmp_path / "store", position, "A court order.")
        document = await feed(api)
        assert not entries(document)
        assert deleted(document)[urn(id_)] > at


async def test_the_withdrawal_of_a_drafts_text_changes_nothing(tmp_path: Path) -> None:
    async with client(tmp_path / "store") as api:
        id_ = (await api.write("Known", body=PUBLIC_TEXT, publish=True))["id"]
        await api.do("postEdit", id=id_, body=SECRET)
        before = await api.http.get(ARTICLES)
        position = await last(api, "post.edited")
        await withdraw_from(api.store, tmp_path / "store", position, "A court order.")
        assert (await api.http.get(ARTICLES)).content == before.content


async def test_feeds_show_the_open_past_without_what_is_hidden_today(open_past: Client) -> None:
    api = open_past
    first = (await api.write("First", body=PUBLIC_TEXT, publish=True))["id"]
    second = (await api.write("Second", body=SECRET, publish=True))["id"]
    then = await api.store.log.head()
    await api.do("postEdit", id=first, title="First, changed", publish=True)
    await api.do("postUnpublish", id=second)
    response = await api.http.get(f"{ARTICLES}?asOf={then}")
    document = valid_atom(response)
    assert entries(document).keys() == {"First"}
    assert not deleted(document)
    assert SECRET not in response.text
    assert response.headers["x-robots-tag"] == "noindex"
    assert link(document, "self") == f"http://test{ARTICLES}?asOf={then}"
    time = document.findtext(f"{ATOM}updated")
    assert entries(await feed(api, f"{ARTICLES}?asOf={time}")).keys() == {"First"}
    now = await api.http.get(ARTICLES)
    assert "x-robots-tag" not in now.headers
    # A date means its end, and this day has not ended.
    assert entries(await feed(api, f"{ARTICLES}?asOf=2024-05-04")).keys() == {"First, changed"}
    assert entries(valid_atom(now)).keys() == {"First, changed"}
    assert deleted(valid_atom(now)).keys() == {urn(second)}
    json = valid_json_feed(await api.http.get(f"/feeds/articles.json?asOf={then}"))
    assert [item["title"] for item in json["items"]] == ["First"]
    await api.write("Third", publish=True)
    assert entries(await feed(api, f"{ARTICLES}?asOf=2024-05-04")).keys() == {"First, changed", "Third"}


async def test_archives_are_linked_from_the_newest_to_the_oldest(open_past: Client) -> None:
    titles = [f"Story {number}" for number in range(80)]
    for title in titles:
        await open_past.write(title, body=PUBLIC_TEXT, publish=True)
    document, documents = await feed(open_past), list[Any]()
    while True:
        documents.append(document)
        previous = link(document, "prev-archive")
        if previous is None:
            break
        document = valid_atom(await open_past.http.get(previous))
        assert link(document, "current") == f"http://test{ARTICLES}"
        assert link(document, "self") == previous
    read = [title for document in documents for title in entries(document)]
    assert read == titles[::-1]
    assert [len(entries(document)) for document in documents] == [30, 25, 25]
    item_titles = list[str]()
    address: str | None = "http://test/feeds/articles.json"
    while address:
        json = valid_json_feed(await open_past.http.get(address))
        item_titles += [item["title"] for item in json["items"]]
        address = json.get("next_url")
    assert item_titles == titles[::-1]


async def test_conditional_requests_and_head(newsroom: Client) -> None:
    for path in (ARTICLES, "/feeds/articles.json", "/sitemap.xml", "/sitemap-articles-1.xml", "/robots.txt"):
        full = await newsroom.http.get(path)
        tag = full.headers["etag"]
        assert full.headers["cache-control"] == "public, no-cache"
        for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            unchanged = await newsroom.http.get(path, headers={"If-None-Match": condition})
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert unchanged.headers["etag"] == tag
        assert (await newsroom.http.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
        head = await newsroom.http.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == full.headers
        assert head.headers["content-length"] == str(len(full.content))
    await newsroom.write("Ebb", publish=True)
    changed = await newsroom.http.get(
        ARTICLES, headers={"If-None-Match": (await newsroom.http.get(path)).headers["etag"]}
    )
    assert changed.status_code == 200


async def test_the_address_of_the_site_comes_from_the_setting_or_the_request(newsroom: Client) -> None:
    store = newsroom.store
    for base_url, prefix, base in (
        ("", "", "https://news.example:8443"),
        ("", "/news", "https://news.example:8443/news"),
        ("https://courier.example/daily", "/news", "https://courier.example/daily"),
    ):
        context = RouteContext(store, FixedIdentity(ANONYMOUS), base_url=base_url)
        app = Starlette(routes=[Mount(prefix, routes=routes(context))] if prefix else routes(context))
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="https://news.example:8443") as http:
            document = parsed(await http.get(f"{prefix}/feeds/categories/town.atom"))
            assert link(document, "self") == f"{base}/feeds/categories/town.atom"
            assert link(document, "alternate") == f"{base}/categories/town"
            entry = entries(document)["The tide mill"]
            assert entry.find(f"{ATOM}link").get("href") == f"{base}/articles/the-tide-mill"
            assert (
                f"<loc>{base}/articles/the-tide-mill</loc>"
                in (await http.get(f"{prefix}/sitemap-articles-1.xml")).text
            )
            robots = (await http.get(f"{prefix}/robots.txt")).text
            assert f"Sitemap: {base}/sitemap.xml" in robots
            assert f"Disallow: {urlsplit(base).path}/graphql" in robots


async def test_a_server_passes_its_settings_to_the_feeds(tmp_path: Path) -> None:
    for open_past, status in ((True, 200), (False, 403)):
        settings = {"server.base_url": "https://courier.example", "server.open_past": open_past}
        app = create_app(tmp_path, settings=settings, features=(), environment={})
        async with app.lifespan():
            await app.store.execute(NameSite(name=f"Courier {status}"))
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
                current = parsed(await http.get(ARTICLES))
                assert link(current, "self") == f"https://courier.example{ARTICLES}"
                assert (await http.get(f"{ARTICLES}?asOf=1")).status_code == status


@pytest.mark.parametrize(
    "address",
    ["news.example", "https://", "https://a.example/", "https://u@a.example", "https://a.example/?x"],
)
def test_an_invalid_address_of_the_site_is_rejected(address: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"base_url": address}, ServerSettings)


async def test_a_document_is_written_again_only_after_events_that_change_it(
    newsroom: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Counter[str]()
    select = feed_selection.select

    def counted(writer: Any, view: Any, feed: int, *args: Any, **options: Any) -> Any:
        written[names[feed]] += 1
        return select(writer, view, feed, *args, **options)

    monkeypatch.setattr(feed_selection, "select", counted)
    data = await newsroom.ask("{ authors { nodes { id } } categories { nodes { id slug } } }")
    names: dict[int, str] = {0: "articles", -1: "corrections"}
    with newsroom.store.snapshot() as snapshot:
        for slug in ("town", "council"):
            category = category_queries.by_slug(snapshot, slug)
            assert category is not None
            names[category.seq] = slug
        ines = author_queries.by_slug(snapshot, "ines-okafor")
        assert ines is not None
        names[ines.seq] = "ines"
    paths = {"articles": ARTICLES, "corrections": "/feeds/corrections.atom"}
    paths |= {slug: f"/feeds/categories/{slug}.atom" for slug in ("town", "council")}
    paths["ines"] = "/feeds/authors/ines-okafor.atom"

    async def read() -> set[str]:
        """Return which feeds were written when all were requested twice."""
        written.clear()
        for path in (*paths.values(), *paths.values()):
            await feed(newsroom, path)
        assert all(count == 1 for count in written.values())
        return set(written)

    assert await read() == paths.keys()
    id_, author = await post_id(newsroom, "the-tide-mill"), data["authors"]["nodes"][0]["id"]
    articles = {"articles", "town", "council", "ines"}
    steps: list[tuple[str, dict[str, Any], set[str]]] = [
        ("postEdit", {"id": id_, "body": "A draft."}, set()),
        ("postCreate", {"title": "Another draft"}, set()),
        ("authorRegister", {"name": "Bo"}, set()),
        ("postCreate", {"title": "Elsewhere", "publish": True}, {"articles"}),
        ("postPublish", {"id": id_}, {*articles, "corrections"}),
        ("correctionAdd", {"id": id_, "note": "It stands."}, {*articles, "corrections"}),
        ("authorRename", {"id": author, "name": "Ines O."}, {*articles, "corrections"}),
        ("siteName", {"name": "Courier"}, {*paths}),
    ]
    for mutation, input_, expected in steps:
        payload = await newsroom.do(mutation, **input_)
        assert payload["userErrors"] == [], mutation
        assert await read() == expected, mutation
