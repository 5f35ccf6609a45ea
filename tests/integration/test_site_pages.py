"""Site pages: their life from draft to publication, slugs, access, moments, caches, sitemap, history and withdrawals."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.features.site_pages import queries
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.feed_formats import valid_sitemap
from tests.integration.graphql_client import Client, client
from tests.integration.test_pages_in_time import at
from tests.integration.test_time_bar import changes
from tests.integration.users_by_role import AUTHOR, people

DRAFT: Final = (
    "pageDraft { id version status slug title hasUnpublishedChanges body { markdown } page { id title } }"
)
PUBLIC: Final = """
query ($slug: String, $id: ID, $at: AsOf) {
  page(slug: $slug, id: $id, asOf: $at) { id slug title path updatedAt body { markdown html } }
}
"""
PAGES: Final = "query ($at: AsOf) { pages(asOf: $at) { totalCount nodes { title } } }"
DRAFTS: Final = "query ($at: AsOf) { pageDrafts(asOf: $at) { totalCount nodes { title status } } }"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past is public. Requests are anonymous, except for mutations."""
    async with client(tmp_path / "site", open_past=True) as api:
        yield api


async def do(site: Client, mutation: str, **input: Any) -> dict[str, Any]:
    payload = await site.do(mutation, DRAFT, **input)
    assert payload["userErrors"] == []
    return payload


async def create(site: Client, title: str = "Imprint", **input: Any) -> str:
    return str((await do(site, "pageCreate", title=title, **input))["pageDraft"]["id"])


async def public(site: Client, slug: str, position: int | None = None) -> dict[str, Any] | None:
    with site.acting_as(ANONYMOUS):
        at = None if position is None else {"position": position}
        page: dict[str, Any] | None = (await site.ask(PUBLIC, slug=slug, at=at))["page"]
    return page


async def rejected(site: Client, mutation: str, **input: Any) -> tuple[str, list[str]]:
    (error,) = (await site.do(mutation, **input))["userErrors"]
    return error["code"], error["field"]


async def test_a_page_is_drafted_published_edited_and_unpublished(site: Client) -> None:
    created = await do(site, "pageCreate", title=" About us ", body="We *print*.")
    draft = created["pageDraft"]
    assert draft == {
        "id": draft["id"],
        "version": 1,
        "status": "DRAFT",
        "slug": "about-us",
        "title": "About us",
        "hasUnpublishedChanges": True,
        "body": {"markdown": "We *print*."},
        "page": None,
    }
    assert (await site.http.get("/pages/about-us")).status_code == 404
    assert await public(site, "about-us") is None

    published = (await do(site, "pagePublish", id=draft["id"]))["pageDraft"]
    assert (published["status"], published["hasUnpublishedChanges"]) == ("PUBLISHED", False)
    page = await public(site, "about-us")
    assert page is not None
    assert (page["title"], page["path"]) == ("About us", "/pages/about-us")
    assert page["body"] == {"markdown": "We *print*.", "html": "<p>We <em>print</em>.</p>\n"}
    shown = (await site.http.get("/pages/about-us")).text
    assert '<h1 dir="auto">About us</h1>' in shown
    assert "<p>We <em>print</em>.</p>" in shown
    assert '<meta name="description" content="We print.">' in shown

    edited = (await do(site, "pageEdit", id=page["id"], title="Who we are"))["pageDraft"]
    assert (edited["title"], edited["page"]["title"], edited["version"]) == ("Who we are", "About us", 3)
    assert "Who we are" not in (await site.http.get("/pages/about-us")).text
    await do(site, "pageEdit", id=page["id"], body="We print.", publish=True)
    assert "Who we are" in (await site.http.get("/pages/about-us")).text

    unpublished = (await do(site, "pageUnpublish", id=page["id"]))["pageDraft"]
    assert (unpublished["status"], unpublished["page"]) == ("UNPUBLISHED", None)
    assert (await site.http.get("/pages/about-us")).status_code == 404
    assert await public(site, "about-us") is None
    again = (await do(site, "pagePublish", id=page["id"]))["pageDraft"]
    assert again["status"] == "PUBLISHED"


async def test_nothing_to_do_records_nothing(site: Client) -> None:
    id_ = await create(site, body="Text.", publish=True)
    head = await site.store.log.head()
    for mutation, input in (
        ("pagePublish", {}),
        ("pageEdit", {}),
        ("pageEdit", {"title": " Imprint", "body": "Text.", "slug": "imprint", "publish": True}),
    ):
        await do(site, mutation, id=id_, **input)
    await do(site, "pageUnpublish", id=id_)
    await do(site, "pageUnpublish", id=id_)
    assert await site.store.log.head() == head + 1


async def test_a_repeated_command_creates_one_page(site: Client) -> None:
    first = await create(site, idempotencyKey="k")
    assert await create(site, idempotencyKey="k") == first
    assert await create(site) != first


async def test_invalid_input_changes_nothing(site: Client) -> None:
    id_ = await create(site, slug="imprint")
    head = await site.store.log.head()
    assert await rejected(site, "pageCreate", title=" ") == ("BLANK", ["input", "title"])
    assert await rejected(site, "pageCreate", title="x", slug="No Slug") == (
        "SLUG_MALFORMED",
        ["input", "slug"],
    )
    assert await rejected(site, "pageCreate", title="x", slug="imprint") == ("SLUG_TAKEN", ["input", "slug"])
    assert await rejected(site, "pageCreate", title="x", body="\0") == ("INVALID_TEXT", ["input", "body"])
    assert await rejected(site, "pageEdit", id=id_, title=None) == ("INVALID_VALUE", ["input", "title"])
    assert await rejected(site, "pageEdit", id=id_, expectedVersion=7) == (
        "VERSION_CONFLICT",
        ["input", "expectedVersion"],
    )
    post = (await site.write("A post"))["id"]
    assert await rejected(site, "pageEdit", id=post) == ("INVALID_ID", ["input", "id"])
    assert await site.store.log.head() == head + 2  # the post and its slug


async def test_the_holder_of_a_slug_is_named(site: Client) -> None:
    id_ = await create(site)
    query = 'mutation { pageCreate(input: { title: "x", slug: "imprint" }) { userErrors { holder } } }'
    with site.acting_as(LOCAL_OPERATOR):
        assert (await site.ask(query))["pageCreate"]["userErrors"] == [{"holder": id_}]


async def test_former_public_slugs_redirect_and_slugs_of_drafts_are_free(site: Client) -> None:
    id_ = await create(site, slug="legal", publish=True)
    await do(site, "pageEdit", id=id_, slug="legal-notice")
    assert (await site.http.get("/pages/legal")).status_code == 200, "not published yet"
    assert (await site.http.get("/pages/legal-notice")).status_code == 404
    await do(site, "pageEdit", id=id_, slug="imprint", publish=True)
    moved = await site.http.get("/pages/legal?utm_source=x")
    assert (moved.status_code, moved.headers["location"]) == (301, "/pages/imprint?utm_source=x")
    page = await public(site, "legal")
    assert page is not None
    assert page["slug"] == "imprint"
    assert (await site.http.get("/pages/legal-notice")).status_code == 404
    await create(site, slug="legal-notice")
    assert (await rejected(site, "pageCreate", title="x", slug="legal"))[0] == "SLUG_TAKEN"
    other = await site.http.get("/Pages/Imprint/")
    assert (other.status_code, other.headers["location"]) == (301, "/pages/imprint")
    await do(site, "pageEdit", id=id_, slug="legal", publish=True)
    assert (await site.http.get("/pages/imprint")).headers["location"] == "/pages/legal"
    assert (await site.http.get("/pages/legal")).status_code == 200


async def test_a_derived_slug_follows_the_title_until_the_page_is_published(site: Client) -> None:
    id_ = await create(site, "Working title")
    draft = (await do(site, "pageEdit", id=id_, title="About us"))["pageDraft"]
    assert draft["slug"] == "about-us"
    await create(site, "Working title")
    draft = (await do(site, "pageEdit", id=id_, title="About Us!"))["pageDraft"]
    assert draft["slug"] == "about-us"
    await do(site, "pagePublish", id=id_)
    draft = (await do(site, "pageEdit", id=id_, title="Who we are", publish=True))["pageDraft"]
    assert draft["slug"] == "about-us"
    stated = await create(site, "Imprint", slug="legal")
    draft = (await do(site, "pageEdit", id=stated, title="Legal notice"))["pageDraft"]
    assert draft["slug"] == "legal"


async def test_a_page_a_post_and_a_category_can_have_one_slug(site: Client) -> None:
    await create(site, slug="news", publish=True)
    await site.write("News", slug="news", publish=True)
    await site.do("categoryCreate", name="News", slug="news")
    for path in ("/pages/news", "/articles/news", "/categories/news"):
        assert (await site.http.get(path)).status_code == 200


async def test_only_editors_see_drafts_and_only_they_write(api: Client) -> None:
    users = await people(api.store)
    id_ = await create(api, "Secret plans")
    shown = await create(api, "Imprint", publish=True)
    draft = "query ($id: ID!) { pageDraft(id: $id) { title } }"
    node = "query ($id: ID!) { node(id: $id) { id } }"
    for user in (ANONYMOUS, users[AUTHOR]):
        with api.acting_as(user):
            assert (await api.post(draft, id=id_)).json()["data"] == {"pageDraft": None}
            assert await api.errors(draft, id=id_)
            assert await api.errors("{ pageDrafts { totalCount } }")
            assert (await api.post(node, id=id_)).json()["data"] == {"node": None}
            assert await api.ask(PAGES) == {"pages": {"totalCount": 1, "nodes": [{"title": "Imprint"}]}}
            for mutation in (
                'pageCreate(input: { title: "x" })',
                f'pageEdit(input: {{ id: "{id_}", title: "x" }})',
                f'pagePublish(input: {{ id: "{id_}" }})',
                f'pageUnpublish(input: {{ id: "{shown}" }})',
                "menuArrange(input: { items: [] })",
            ):
                assert await api.errors(f"mutation {{ {mutation} {{ position }} }}")
    for role in ("editor", "auditor"):
        with api.acting_as(users[role]):
            assert (await api.ask(draft, id=id_))["pageDraft"] == {"title": "Secret plans"}
            assert (await api.ask(DRAFTS))["pageDrafts"]["totalCount"] == 2
            assert (await api.ask(node, id=id_))["node"] == {"id": id_}
    with api.acting_as(users["editor"]):
        assert await api.ask(f'mutation {{ pagePublish(input: {{ id: "{id_}" }}) {{ replayed }} }}')
    with api.acting_as(ANONYMOUS):
        assert (await api.ask(PAGES))["pages"]["totalCount"] == 2


async def test_everything_is_as_of_any_position(site: Client) -> None:
    id_ = await create(site, "One", slug="one", body="First.")
    first = (await do(site, "pagePublish", id=id_))["position"]
    await do(site, "pageEdit", id=id_, title="Two", slug="two")
    second = (await do(site, "pagePublish", id=id_))["position"]
    assert (await at(site, "/pages/one", first)).status_code == 200
    assert (await at(site, "/pages/one", first - 1)).status_code == 404
    assert ">One</h1>" in (await at(site, "/pages/one", second - 1)).text
    then = await at(site, "/pages/two", first)
    assert (then.status_code, then.headers["location"]) == (301, f"/pages/one?asOf={first}")
    assert (await at(site, "/pages/one", second)).headers["location"] == f"/pages/two?asOf={second}"
    page = await public(site, "one", first)
    assert page is not None
    assert (page["slug"], page["body"]["markdown"]) == ("one", "First.")
    with site.acting_as(LOCAL_OPERATOR):
        query = "query ($id: ID!, $at: AsOf) { pageDraft(id: $id, asOf: $at) { title version status } }"
        assert (await site.ask(query, id=id_, at={"position": second - 1}))["pageDraft"] == {
            "title": "Two",
            "version": 3,
            "status": "PUBLISHED",
        }
        past = await site.ask(
            "query ($id: ID!, $at: AsOf) { pageDraft(id: $id, asOf: $at) { id } }",
            id=id_,
            at={"position": second - 1},
        )
        node = "query ($id: ID!) { node(id: $id) { ... on PageDraft { title } } }"
        assert (await site.ask(node, id=past["pageDraft"]["id"]))["node"] == {"title": "Two"}
    assert await changes(site, "/pages/two") == [first], "the changes before the current page"


async def test_a_page_that_is_not_public_today_is_not_in_the_public_past(site: Client) -> None:
    id_ = await create(site, body="Was public.", publish=True)
    position = await site.store.log.head()
    await do(site, "pageUnpublish", id=id_)
    assert (await at(site, "/pages/imprint", position)).status_code == 404
    assert await public(site, "imprint", position) is None
    with site.acting_as(ANONYMOUS):
        assert (await site.ask(PAGES, at={"position": position}))["pages"] == {"totalCount": 0, "nodes": []}
        assert await site.errors(DRAFTS, at={"position": position})
    with site.acting_as(LOCAL_OPERATOR):
        page = (await site.ask(PUBLIC, slug="imprint", at={"position": position}))["page"]
        assert page["body"]["markdown"] == "Was public."
    await do(site, "pagePublish", id=id_)
    assert (await at(site, "/pages/imprint", position)).status_code == 200
    assert await changes(site, "/pages/imprint") == [position - 1, position + 1]


async def test_a_page_is_revalidated(site: Client) -> None:
    id_ = await create(site, body="One.", publish=True)
    first = await site.http.get("/pages/imprint")
    headers = {"If-None-Match": first.headers["etag"]}
    same = await site.http.get("/pages/imprint", headers=headers)
    assert (same.status_code, same.content) == (304, b"")
    await do(site, "pageEdit", id=id_, body="Two.", publish=True)
    other = await site.http.get("/pages/imprint", headers=headers)
    assert (other.status_code, "Two." in other.text) == (200, True)


async def test_drafts_invalidate_nothing_that_readers_see(api: Client) -> None:
    """A reader could otherwise learn from response times that editors work on a page."""
    id_ = await create(api, publish=True)
    hidden = await create(api, "Hidden")
    declared = api.store.declared

    async def topics() -> set[str]:
        head = await api.store.log.head()
        with api.store.snapshot() as snapshot:
            rule = next(rule for rule in declared.dependencies if rule is queries.DEPENDENCIES)
            assert declared.recent_events is not None
            events = declared.recent_events(snapshot, head - 1)
            assert events is not None
            return {topic.kind for topic in rule.topics(snapshot, head - 1, events) or ()}

    for mutation, input, expected in (
        ("pageEdit", {"id": id_, "title": "Draft"}, {"drafts of pages"}),
        ("pageEdit", {"id": hidden, "body": "Draft."}, {"drafts of pages"}),
        ("pagePublish", {"id": id_}, {"drafts of pages", "public pages"}),
        ("pageUnpublish", {"id": id_}, {"drafts of pages", "public pages"}),
        ("siteName", {"name": "X"}, set[str]()),
    ):
        await api.do(mutation, **input)
        assert await topics() == expected, mutation


async def test_public_pages_are_in_the_sitemap(site: Client) -> None:
    await create(site, "Draft")
    id_ = await create(site, "Über uns", publish=True)
    address = "http://test/pages/%C3%BCber-uns"
    sitemap = valid_sitemap(await site.http.get("/sitemap-pages.xml"))
    page = await public(site, "über-uns")
    assert page is not None
    assert sitemap == {"http://test/": None, address: page["updatedAt"]}
    await do(site, "pageUnpublish", id=id_)
    assert address not in valid_sitemap(await site.http.get("/sitemap-pages.xml"))


async def test_the_history_shows_the_changes_of_a_page(api: Client) -> None:
    id_ = await create(api, "One", body="a", slug="stated")
    await do(api, "pageEdit", id=id_, title="Two", body="b", reason="House style.")
    await do(api, "pagePublish", id=id_)
    await create(api, "Other")
    query = """
        query ($id: ID!) {
          changes(filter: { stream: $id }) {
            totalCount nodes { type version reason before after subject { id } }
          }
        }
    """
    listed = (await api.ask(query, id=id_))["changes"]
    assert listed["totalCount"] == 3
    published, edited, created = listed["nodes"]
    assert (published["before"], published["after"]) == ({"status": "DRAFT"}, {"status": "PUBLISHED"})
    assert edited == {
        "type": "page.edited",
        "version": 2,
        "reason": "House style.",
        "before": {"title": "One", "body": "a"},
        "after": {"title": "Two", "body": "b"},
        "subject": {"id": id_},
    }
    assert created["after"]["status"] == "DRAFT"


PRIVATE: Final = {"title": "Draft title", "body": "Draft body"}
SHOWN: Final = {"title": "Public title", "body": "Public body"}
ERASED: Final = {"title": "Erased title", "body": "Erased body"}


@pytest.mark.parametrize("was_public", [True, False])
async def test_the_text_of_a_draft_does_not_take_the_place_of_an_erased_text(
    site: Client, tmp_path: Path, was_public: bool
) -> None:
    id_ = await create(site, **(SHOWN if was_public else PRIVATE), slug="report", publish=was_public)
    if was_public:
        await do(site, "pageEdit", id=id_, **PRIVATE)
    erased = (await do(site, "pageEdit", id=id_, publish=True, **ERASED))["position"] - 1
    later = (await do(site, "pageEdit", id=id_, slug="report-2", publish=True))["position"]
    assert "Erased body" in (await site.http.get("/pages/report-2")).text

    await withdraw_from(site.store, tmp_path / "site", erased, "A court's order.")
    for position in (None, erased + 1, later - 1, later):
        suffix = "" if position is None else f"?asOf={position}"
        page = await site.http.get(f"/pages/report{suffix}", follow_redirects=True)
        sitemap = await site.http.get("/sitemap-pages.xml")
        answer = str(await public(site, "report", position))
        assert page.status_code == 200
        for text in (page.text, sitemap.text, answer):
            assert "Erased" not in text, position
            assert "Draft" not in text, position
            assert "Public body" in text or not was_public or text is sitemap.text, position
    with site.acting_as(LOCAL_OPERATOR):
        draft = (await site.ask("query ($id: ID!) { pageDraft(id: $id) { title } }", id=id_))["pageDraft"]
        assert draft == {"title": "Draft title"}, "editors see what the draft inherited"

    # What is published after the withdrawal is what an editor has seen.
    await do(site, "pageEdit", id=id_, slug="report-3", publish=True)
    assert "Draft body" in (await site.http.get("/pages/report-3")).text


async def test_a_page_whose_creation_was_withdrawn_has_its_id_as_slug(site: Client, tmp_path: Path) -> None:
    await create(site, "Erased title", body="Erased body", slug="erased-slug", publish=True)
    position = (await site.store.log.head()) - 2
    await withdraw_from(site.store, tmp_path / "site", position, "A court's order.")
    assert (await site.http.get("/pages/erased-slug")).status_code == 404
    with site.acting_as(ANONYMOUS):
        pages = "{ pages { nodes { slug title body { markdown } path } } }"
        (page,) = (await site.ask(pages))["pages"]["nodes"]
    assert (page["title"], page["body"]["markdown"]) == ("", "")
    shown = await site.http.get(page["path"])
    assert (shown.status_code, "rased" in shown.text) == (200, False)
