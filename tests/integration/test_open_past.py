"""Which clients may see the past, and which part of it is visible if the past is open to everyone."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.graphql.relay import global_ids
from tests.integration.graphql_client import Client, client
from tests.integration.server_process import Servers

pytestmark = pytest.mark.usefixtures("workers")

FRONT = """
query ($at: AsOf, $author: ID!) {
  moment(asOf: $at) { position }
  site(asOf: $at) { name position }
  recentPosts(asOf: $at) { totalCount nodes { title } }
  articles(asOf: $at, filter: { categorySlug: "sport" }) { totalCount nodes { title } }
  byAuthor: articles(asOf: $at, filter: { author: $author }) { totalCount nodes { title } }
  author(id: $author, asOf: $at) { articles { totalCount nodes { title } } }
  category(slug: "news", asOf: $at) {
    articleCount
    articles { totalCount nodes { title categories { slug articleCount } authors { articles { totalCount } } } }
    own: articles(includeDescendants: false) { totalCount nodes { title } }
    children { slug articleCount articles { totalCount nodes { title } } }
  }
}
"""
PAGE = """
query ($at: AsOf, $first: Int, $after: String, $last: Int, $before: String) {
  articles(asOf: $at, first: $first, after: $after, last: $last, before: $before) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { title }
  }
}
"""
HISTORY_QUERIES = (
    "{ changes { totalCount } }",
    '{ post(slug: "one", asOf: { position: 10 }) { title } }',
    "{ posts(asOf: { position: 10 }) { totalCount } }",
    '{ post(slug: "one") { history { totalCount } } }',
    '{ post(slug: "one") { diff(from: 0, to: 1) { from } } }',
    '{ post(slug: "one") { blame { text } } }',
    '{ category(slug: "news") { history { totalCount } } }',
)
"""Queries that need the permission to see the history, even if the past is open."""
PAST_QUERIES = (
    "{ recentPosts(asOf: { position: 10 }) { totalCount } }",
    '{ article(slug: "one", asOf: { position: 10 }) { title } }',
    '{ category(slug: "news", asOf: { position: 10 }) { articleCount } }',
    "{ site(asOf: { position: 10 }) { name } }",
    "{ moment(asOf: { position: 10 }) { position } }",
    '{ recentPosts(asOf: { time: "2024-01-01T00:00:00Z" }) { totalCount } }',
)


@pytest.fixture
async def open_past_client(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an application on a new store that opens the past to everyone."""
    async with client(tmp_path / "open", open_past=True) as client_:
        yield client_


async def moment(api: Client) -> dict[str, int]:
    moment_: dict[str, int] = (await api.ask("{ moment { position } }"))["moment"]
    return moment_


def titles(listing: Mapping[str, Any]) -> tuple[int, set[str]]:
    return listing["totalCount"], {node["title"] for node in listing["nodes"]}


def article_id(post_id: str) -> str:
    post = global_ids.decode(post_id)
    assert post
    return global_ids.encode("Article", post.id)


async def newsroom(api: Client) -> tuple[str, dict[str, str], dict[str, int]]:
    """Publish four articles, then hide two; return the author, the ids of the posts, and the moment in between."""
    await api.do("siteName", name="The Pier")
    await api.do("categoryCreate", name="News")
    for name in ("Sport", "Town"):
        await api.do("categoryCreate", name=name, parent={"slug": "news"})
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    places: dict[str, Sequence[str]] = {
        "One": ("sport",),
        "Two": ("sport", "town"),
        "Three": ("news", "town"),
        "Four": (),
    }
    posts = {}
    for title, slugs in places.items():
        arguments = {"categories": [{"slug": slug} for slug in slugs], "authors": [author]}
        posts[title] = (await api.write(title, publish=True, **arguments))["id"]
    await api.do("postEdit", id=posts["Two"], slug="deux", publish=True)
    at = await moment(api)
    await api.do("postUnpublish", id=posts["Two"])
    await api.do("postArchive", id=posts["Three"])
    await api.write("Draft")
    return author, posts, at


async def test_an_article_that_is_not_public_today_is_hidden_in_the_past(open_past_client: Client) -> None:
    author, posts, at = await newsroom(open_past_client)
    data = await open_past_client.ask(FRONT, at=at, author=author)
    assert data["moment"] == at
    assert data["site"] == {"name": "The Pier", **at}
    assert titles(data["recentPosts"]) == (2, {"One", "Four"})
    assert titles(data["articles"]) == (1, {"One"})
    assert titles(data["byAuthor"]) == titles(data["author"]["articles"]) == (2, {"One", "Four"})
    category = data["category"]
    assert category["articleCount"] == 1
    assert category["own"] == {"totalCount": 0, "nodes": []}
    expected = {"title": "One", "categories": [{"slug": "sport", "articleCount": 1}]}
    (node,) = category["articles"]["nodes"]
    assert node == {**expected, "authors": [{"articles": {"totalCount": 2}}]}
    assert category["articles"]["totalCount"] == 1
    assert category["children"] == [
        {"slug": "sport", "articleCount": 1, "articles": {"totalCount": 1, "nodes": [{"title": "One"}]}},
        {"slug": "town", "articleCount": 0, "articles": {"totalCount": 0, "nodes": []}},
    ]
    query = "query ($id: ID, $slug: String, $at: AsOf) { article(id: $id, slug: $slug, asOf: $at) { title } }"
    for slug, title in (("one", "One"), ("two", None), ("deux", None), ("three", None), ("four", "Four")):
        data = await open_past_client.ask(query, slug=slug, at=at)
        assert data["article"] == (title and {"title": title}), slug
    for title, post in posts.items():
        data = await open_past_client.ask(query, id=article_id(post), at=at)
        assert data["article"] == ({"title": title} if title in {"One", "Four"} else None)


async def test_hidden_articles_are_visible_again_when_they_are_public_again(open_past_client: Client) -> None:
    post = await open_past_client.write("One", publish=True)
    first = await moment(open_past_client)
    article = article_id(post["id"])
    await open_past_client.do("postEdit", id=post["id"], title="Uno", publish=True)
    second = await moment(open_past_client)
    query = """
        query ($id: ID!, $at: AsOf) {
          article(id: $id, asOf: $at) { title } recentPosts(asOf: $at) { totalCount nodes { title } }
        }
    """
    hidden = {"article": None, "recentPosts": {"totalCount": 0, "nodes": []}}

    def visible(title: str) -> dict[str, Any]:
        return {"article": {"title": title}, "recentPosts": {"totalCount": 1, "nodes": [{"title": title}]}}

    for hide, show in (("postUnpublish", "postPublish"), ("postArchive", "postUnarchive")):
        assert await open_past_client.ask(query, id=article, at=first) == visible("One")
        assert await open_past_client.ask(query, id=article, at=second) == visible("Uno")
        await open_past_client.do(hide, id=post["id"])
        between = await moment(open_past_client)
        for at in (first, second, between, None):
            assert await open_past_client.ask(query, id=article, at=at) == hidden
        await open_past_client.do(show, id=post["id"])
        if show == "postUnarchive":
            assert await open_past_client.ask(query, id=article, at=first) == hidden
            await open_past_client.do("postPublish", id=post["id"])
        assert await open_past_client.ask(query, id=article, at=between) == hidden


async def test_pages_are_full_and_report_correctly_whether_more_follow(open_past_client: Client) -> None:
    posts = [await open_past_client.write(f"Post {number}", publish=True) for number in range(60)]
    at = await moment(open_past_client)
    visible = [number for number in range(60) if number in {0, 3, 7} or number > 50]
    for number in range(60):
        if number not in visible:
            await open_past_client.do(
                "postArchive" if number % 2 else "postUnpublish", id=posts[number]["id"]
            )
    expected = [f"Post {number}" for number in visible][::-1]

    async def page(**paging: Any) -> tuple[list[str], dict[str, Any]]:
        articles = (await open_past_client.ask(PAGE, at=at, **paging))["articles"]
        assert articles["totalCount"] == len(expected)
        return [node["title"] for node in articles["nodes"]], articles["pageInfo"]

    assert (await page(first=12))[0] == expected
    assert not (await page(first=12))[1]["hasNextPage"]
    assert (await page(first=11))[1]["hasNextPage"]
    for size in (1, 2, 5, 10):
        for count, cursor, edge, ahead, behind in (
            ("first", "after", "endCursor", "hasNextPage", "hasPreviousPage"),
            ("last", "before", "startCursor", "hasPreviousPage", "hasNextPage"),
        ):
            listed_titles: list[str] = []
            cursor_value = None
            has_more = True
            while has_more:
                part, info = await page(**{count: size, cursor: cursor_value})
                assert info[behind] == bool(listed_titles)
                listed_titles = listed_titles + part if count == "first" else part + listed_titles
                assert len(part) == min(size, len(expected) - (len(listed_titles) - len(part)))
                cursor_value, has_more = info[edge], info[ahead]
            assert listed_titles == expected, (size, count)


async def test_an_open_past_does_not_open_the_history(open_past_client: Client) -> None:
    await newsroom(open_past_client)
    for query in HISTORY_QUERIES:
        (error, *_) = await open_past_client.errors(query)
        assert error["extensions"]["code"] == "UNAUTHENTICATED", query
    for query in PAST_QUERIES:
        await open_past_client.ask(query)


async def test_local_operators_see_all_of_the_past_without_the_setting(api: Client) -> None:
    author, _, at = await newsroom(api)
    data = await api.ask(FRONT, at=at, author=author)
    assert titles(data["recentPosts"]) == (4, {"One", "Two", "Three", "Four"})
    assert data["category"]["articleCount"] == 3
    for query in (*HISTORY_QUERIES, *PAST_QUERIES):
        await api.ask(query)


async def test_an_anonymous_reader_sees_only_the_open_past(api: Client) -> None:
    author, _, at = await newsroom(api)
    engine = Executor(graphql_schema(), limits=Limits(tell_cost=False))

    async def ask(
        query: str, identity: Identity, *, open_past: bool = False, **variables: Any
    ) -> dict[str, Any]:
        response = await engine.execute_document(
            api.store, query, variables=variables, identity=identity, open_past=open_past
        )
        return response.body

    async def code(query: str, **options: Any) -> str | None:
        body = await ask(query, **options)
        error_code: str | None = body["errors"][0]["extensions"]["code"] if "errors" in body else None
        return error_code

    for query in PAST_QUERIES:
        assert await code(query, identity=ANONYMOUS) == "UNAUTHENTICATED", query
        assert await code(query, identity=ANONYMOUS, open_past=True) is None, query
        assert await code(query, identity=LOCAL_OPERATOR) is None, query
    for query in HISTORY_QUERIES:
        for open_past in (False, True):
            assert await code(query, identity=ANONYMOUS, open_past=open_past) == "UNAUTHENTICATED", query
            assert await code(query, identity=LOCAL_OPERATOR, open_past=open_past) is None, query

    front: dict[str, Any] = {"at": at, "author": author}
    everything = (await ask(FRONT, LOCAL_OPERATOR, **front))["data"]
    assert titles(everything["recentPosts"])[0] == 4
    assert (await ask(FRONT, LOCAL_OPERATOR, open_past=True, **front))["data"] == everything
    open_part = (await ask(FRONT, ANONYMOUS, open_past=True, **front))["data"]
    assert titles(open_part["recentPosts"]) == (2, {"One", "Four"})

    today = await moment(api)
    now = await api.ask(FRONT, author=author)
    for open_past in (False, True):
        for at_today in (None, today):
            body = await ask(FRONT, ANONYMOUS, open_past=open_past, at=at_today, author=author)
            assert body == {"data": now}
    (error,) = (await ask(PAST_QUERIES[0].replace("10", "10000"), ANONYMOUS))["errors"]
    assert "is in the future" in error["message"]


@pytest.mark.parametrize(
    ("options", "variable", "is_open"),
    [
        ((), None, False),
        (("--open-past",), None, True),
        ((), "1", True),
        ((), "true", True),
        ((), "0", False),
        (("--open-past",), "0", True),
    ],
)
@pytest.mark.one_worker
async def test_an_option_or_a_variable_opens_the_past(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    variable: str | None,
    is_open: bool,
) -> None:
    monkeypatch.delenv("LEDGERPRESS_OPEN_PAST", raising=False)
    if variable is not None:
        monkeypatch.setenv("LEDGERPRESS_OPEN_PAST", variable)
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "store", *options)
        async with (
            await server.connect(f"Bearer {server.admin_token()}") as api,
            await server.connect() as reader,
        ):
            post = (await api.mutate("postCreate", title="One", publish=True)).done
            data, position = await api.execute("{ recentPosts { totalCount } }")
            assert data["recentPosts"]["totalCount"] == 1
            await api.mutate("postUnpublish", id=post["id"])
            past = "query ($at: AsOf) { recentPosts(asOf: $at) { totalCount } }"
            past_data, _ = await api.execute(past, at={"position": position})
            assert past_data["recentPosts"]["totalCount"] == 1
            _, response = await reader.answer(past, at={"position": position})
    assert ("errors" not in response) == is_open
    if is_open:
        assert response["data"]["recentPosts"]["totalCount"] == 0
