"""Queries and paging over HTTP on a real store."""

from typing import Any

import pytest

from tests.integration.graphql_client import Client

PAGE = "nodes { title } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"


def titles(connection: dict[str, Any]) -> list[str]:
    return [node["title"] for node in connection["nodes"]]


@pytest.fixture
async def seven_posts(api: Client) -> Client:
    for number in range(1, 8):
        at = f"2024-02-0{number}T12:00:00Z"
        await api.write(f"No {number}", publish=True, publishedAt=at, body=f"## Part\n\nBody {number}.")
    return api


async def test_recent_posts_are_listed_newest_first(seven_posts: Client) -> None:
    data = await seven_posts.ask(
        "{ recentPosts { nodes { title teaser age teaserIsCut categories { name } } } }"
    )
    first = data["recentPosts"]["nodes"][0]
    assert titles(data["recentPosts"]) == ["No 7", "No 6", "No 5", "No 4", "No 3", "No 2"]
    assert first == {
        "title": "No 7",
        "teaser": "Body 7.",
        "age": "2 months ago",
        "teaserIsCut": False,
        "categories": [],
    }


async def test_paging_works_forwards_and_backwards(seven_posts: Client) -> None:
    first = (await seven_posts.ask(f"{{ articles(first: 3) {{ {PAGE} }} }}"))["articles"]
    assert (titles(first), first["totalCount"]) == (["No 7", "No 6", "No 5"], 7)
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)

    after = first["pageInfo"]["endCursor"]
    await seven_posts.write("Latest", publish=True)
    second = (
        await seven_posts.ask(f"query ($a: String) {{ articles(first: 3, after: $a) {{ {PAGE} }} }}", a=after)
    )["articles"]
    assert titles(second) == ["No 4", "No 3", "No 2"], "a new post does not shift the page"
    assert second["pageInfo"]["hasPreviousPage"] is True

    last = (await seven_posts.ask(f"{{ articles(last: 2) {{ {PAGE} }} }}"))["articles"]
    assert titles(last) == ["No 2", "No 1"]
    before = last["pageInfo"]["startCursor"]
    back = (
        await seven_posts.ask(
            f"query ($b: String) {{ articles(last: 2, before: $b) {{ {PAGE} }} }}", b=before
        )
    )["articles"]
    assert titles(back) == ["No 4", "No 3"]
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, True)

    oldest = (await seven_posts.ask(f"{{ articles(first: 2, orderBy: PUBLISHED_AT_ASC) {{ {PAGE} }} }}"))[
        "articles"
    ]
    assert titles(oldest) == ["No 1", "No 2"]


async def test_a_category_lists_articles_of_subcategories_by_default(api: Client) -> None:
    await api.do("categoryCreate", name="Sea")
    await api.do("categoryCreate", name="Tides", parent={"slug": "sea"})
    await api.write("Both", publish=True, categories=[{"slug": "sea"}, {"slug": "tides"}])
    await api.write("Below", publish=True, categories=[{"slug": "tides"}])
    query = (
        '{ category(slug: "sea") { articleCount children { name } all: articles { nodes { title } totalCount }'
        " own: articles(includeDescendants: false) { nodes { title } totalCount } } }"
    )
    category = (await api.ask(query))["category"]
    assert category == {
        "articleCount": 2,
        "children": [{"name": "Tides"}],
        "all": {"nodes": [{"title": "Below"}, {"title": "Both"}], "totalCount": 2},
        "own": {"nodes": [{"title": "Both"}], "totalCount": 1},
    }
    filtered = await api.ask('{ articles(filter: { categorySlug: "tides" }) { nodes { title } totalCount } }')
    assert filtered["articles"] == {"nodes": [{"title": "Below"}, {"title": "Both"}], "totalCount": 2}
    nothing = await api.ask('{ articles(filter: { categorySlug: "none" }) { nodes { title } totalCount } }')
    assert nothing["articles"] == {"nodes": [], "totalCount": 0}


async def test_every_type_with_an_id_can_be_queried_by_id(api: Client) -> None:
    await api.do("categoryCreate", name="Sea")
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = (await api.write("Found", publish=True))["id"]
    article = (await api.ask('{ article(slug: "found") { id } }'))["article"]["id"]
    category = (await api.ask('{ category(slug: "sea") { id } }'))["category"]["id"]
    data = await api.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=[post, article, category, author]
    )
    assert [node["__typename"] for node in data["nodes"]] == ["Post", "Article", "Category", "Author"]
    assert [node["id"] for node in data["nodes"]] == [post, article, category, author]
    await api.do("postUnpublish", id=post)
    result = await api.ask("query ($id: ID!) { node(id: $id) { id } }", id=article)
    assert result["node"] is None


async def test_posts_can_be_listed_by_status(api: Client) -> None:
    await api.write("Draft")
    await api.write("Out", publish=True)
    data = await api.ask(
        "{ all: posts { nodes { title } totalCount } drafts: posts(filter: { status: DRAFT }) { nodes { title } } }"
    )
    assert data["all"] == {"nodes": [{"title": "Out"}, {"title": "Draft"}], "totalCount": 2}
    assert titles(data["drafts"]) == ["Draft"]


async def test_categories_and_authors_are_paged_in_order_of_creation(api: Client) -> None:
    for name in ("One", "Two", "Three"):
        await api.do("categoryCreate", name=name)
        await api.do("authorRegister", name=name)
    for listing in ("categories", "authors"):
        query = f"query ($a: String) {{ {listing}(first: 2, after: $a) {{ nodes {{ name }} totalCount pageInfo {{ hasNextPage endCursor }} }} }}"
        first = (await api.ask(query))[listing]
        assert ([node["name"] for node in first["nodes"]], first["totalCount"]) == (["One", "Two"], 3)
        rest = (await api.ask(query, a=first["pageInfo"]["endCursor"]))[listing]
        assert [node["name"] for node in rest["nodes"]] == ["Three"]


async def test_the_api_reports_projections_and_the_position(api: Client) -> None:
    response = await api.post(
        "{ projections { name state checkpoint lag lagSeconds failedAt error } site { name position } }"
    )
    data = response.json()["data"]
    head = await api.store.log.head()
    assert {projection["name"] for projection in data["projections"]} >= {"posts", "listings", "categories"}
    assert all(
        projection["state"] == "RUNNING" and projection["checkpoint"] == head
        for projection in data["projections"]
    )
    assert all(
        (projection["lag"], projection["lagSeconds"], projection["failedAt"]) == (0, 0, None)
        for projection in data["projections"]
    )
    assert response.headers["LedgerPress-Position"] == str(head)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ articles(first: 101) { totalCount } }", "between 0 and 100"),
        ("{ articles(first: -1) { totalCount } }", "between 0 and 100"),
        ("{ articles(first: 1, last: 1) { totalCount } }", "either first or last"),
        ('{ articles(after: "???") { totalCount } }', "not a cursor"),
        ('{ articles(after: "AAAA") { totalCount } }', "not a cursor"),
        ('{ categories(after: "?") { totalCount } }', "not a cursor"),
        ("{ article { title } }", "either id or slug"),
        ('{ article(id: "UG9zdA") { title } }', "not an id of the type Article"),
        ('{ node(id: "x") { id } }', "not an id"),
        ('{ articles(filter: { author: "a", categorySlug: "b" }) { totalCount } }', "one of"),
        ("{ nothing }", "Cannot query field"),
        ("{", "Syntax Error"),
        (
            'mutation { postPublish(input: { id: "x", publishedAt: "2024-01-01T00:00:00" }) { position } }',
            "offset",
        ),
        (
            'mutation { postPublish(input: { id: "x", publishedAt: "yesterday" }) { position } }',
            "not a DateTime",
        ),
    ],
)
async def test_an_invalid_query_returns_an_error_that_names_the_mistake(
    api: Client, query: str, message: str
) -> None:
    (error, *_) = await api.errors(query)
    assert message in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"query": 7}',
        b"[" * 100_000,
        b'{"query": "{ site { name } }", "variables": {"lone surrogate": "\\ud800"}}',
    ],
)
async def test_an_invalid_body_returns_400(api: Client, body: bytes) -> None:
    response = await api.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert "errors" in response.json()


async def test_only_json_of_a_limited_size_is_accepted(api: Client) -> None:
    form = await api.http.post("/graphql", content="query=1", headers={"Content-Type": "text/plain"})
    assert form.status_code == 415
    huge = await api.http.post(
        "/graphql", content=b" " * 1_000_001, headers={"Content-Type": "application/json"}
    )
    assert huge.status_code == 413


async def test_an_internal_error_reveals_only_the_id_that_is_logged(
    api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr("ledgerpress.features.site.projector_and_queries.site_name", broken)
    (error,) = await api.errors("{ site { name } }")
    assert error["message"] == "Something went wrong on the server."
    error_id = error["extensions"].pop("errorId")
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    (record,) = caplog.records
    assert error_id == record.__dict__["error_id"]
    assert error_id in record.getMessage()
    assert "the password is 1234" in caplog.text, "the cause is logged"


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("", None, "no query"),
        ("fragment F on Query { site { name } }", None, "no operation"),
        ("query A { site { name } } query B { site { name } }", None, "several operations"),
        ("query A { site { name } }", "C", "no operation with the name"),
    ],
)
async def test_a_request_without_exactly_one_operation_is_rejected(
    api: Client, query: str, name: str | None, message: str
) -> None:
    response = await api.http.post("/graphql", json={"query": query, "operationName": name})
    assert response.status_code == 200
    assert message in response.json()["errors"][0]["message"]
    assert "data" not in response.json()
