"""Which authors readers see: those that have a public article, in lists, counts and by id, as of any position."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY, Permission, Role
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, READ_POSTS, WRITE_PEOPLE
from tests.identities import identity
from tests.integration.graphql_client import Client, client
from tests.integration.users_by_role import people

LIST = "query ($at: AsOf) { authors(first: 100, asOf: $at) { totalCount nodes { name } } }"
ANONYMOUS_USER = {"totalCount": 0, "nodes": []}


@pytest.fixture
async def open_api(tmp_path: Path) -> AsyncIterator[Client]:
    """A server whose past everyone may read."""
    async with client(tmp_path, open_past=True) as api:
        yield api


async def add(api: Client, name: str) -> str:
    author: str = (await api.do("authorRegister", "author { id }", name=name))["author"]["id"]
    return author


async def names(api: Client, viewer: Identity = ANONYMOUS, **variables: Any) -> list[str]:
    """Return the names that a viewer sees in the list of authors; their number is that of the whole list."""
    with api.acting_as(viewer):
        page = (await api.ask(LIST, **variables))["authors"]
    listed = [author["name"] for author in page["nodes"]]
    assert page["totalCount"] == len(listed)
    return listed


async def by_id(api: Client, author: str, viewer: Identity = ANONYMOUS, **variables: Any) -> Any:
    """Return the author that a viewer sees by id; today, `node` and `nodes` agree."""
    query = "query ($id: ID!, $at: AsOf) { author(id: $id, asOf: $at) { name } }"
    nodes = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
    with api.acting_as(viewer):
        returned = (await api.ask(query, id=author, **variables))["author"]
        same = await api.ask(nodes, id=author)
    if not variables:
        node = {"id": author} if returned else None
        assert same == {"node": node, "nodes": [node]}
    return returned


async def test_readers_see_an_author_exactly_while_an_article_is_public(api: Client) -> None:
    ada, bo = await add(api, "Ada"), await add(api, "Bo")
    assert await names(api) == []
    assert await by_id(api, ada) is None
    post = await api.write("A", slug="a", authors=[ada])
    assert await names(api) == [], "a draft is not public"
    await api.do("postPublish", id=post["id"])
    assert await names(api) == ["Ada"]
    assert await by_id(api, ada) == {"name": "Ada"}
    await api.do("postEdit", id=post["id"], authors=[bo])
    assert await names(api) == ["Ada"], "the new byline is not published yet"
    await api.do("postPublish", id=post["id"])
    assert await names(api) == ["Bo"]
    await api.do("authorRename", id=bo, name="Bo Lind")
    assert await names(api) == ["Bo Lind"]
    for mutation in ("postUnpublish", "postPublish", "postArchive"):
        await api.do(mutation, id=post["id"])
        assert await names(api) == (["Bo Lind"] if mutation == "postPublish" else []), mutation
    assert await by_id(api, bo) is None


async def test_staff_see_all_authors(api: Client) -> None:
    ada = await add(api, "Ada")
    for role, user in (await people(api.store)).items():
        seen = [] if role == "anyone" else ["Ada"]
        assert await names(api, user) == seen, role
        assert (await by_id(api, ada, user) is not None) == bool(seen), role


@pytest.mark.parametrize("scope", [READ_OWN_POSTS, READ_POSTS, READ_HISTORY, WRITE_PEOPLE])
async def test_each_permission_of_staff_suffices(api: Client, scope: Permission) -> None:
    await add(api, "Ada")
    editor = (await people(api.store))["editor"].actor_id
    assert await names(api, identity(Role.EDITOR, editor, scopes=frozenset({scope}))) == ["Ada"]


async def test_pages_of_the_list_skip_hidden_authors(api: Client) -> None:
    for number in range(9):
        author = await add(api, f"A{number}")
        if number % 3 == 1:
            await api.write(f"P{number}", authors=[author], publish=True)
    query = "query ($after: String) { authors(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { name } } }"
    with api.acting_as(ANONYMOUS):
        first = (await api.ask(query))["authors"]
        rest = (await api.ask(query, after=first["pageInfo"]["endCursor"]))["authors"]
    assert [author["name"] for author in first["nodes"]] == ["A1", "A4"]
    assert [author["name"] for author in rest["nodes"]] == ["A7"]
    assert first["totalCount"] == rest["totalCount"] == 3
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


async def test_the_past_shows_authors_of_articles_that_are_public_today(open_api: Client) -> None:
    api = open_api
    ada, bo = await add(api, "Ada"), await add(api, "Bo")
    registered = {"position": await api.store.log.head()}
    first = await api.write("A", authors=[ada], publish=True)
    second = await api.write("B", authors=[bo], publish=True)
    published = {"position": await api.store.log.head()}
    await api.do("postEdit", id=first["id"], authors=[], publish=True)
    await api.do("postUnpublish", id=second["id"])
    author_role = (await people(api.store))["author"]
    assert await names(api) == []
    assert await names(api, at=registered) == []
    assert await names(api, at=published) == ["Ada"], "the article of Bo is not public today"
    assert await by_id(api, ada, at=published) == {"name": "Ada"}
    assert await by_id(api, bo, at=published) is None
    assert await names(api, author_role) == ["Ada", "Bo"]
    assert await names(api, author_role, at=published) == ["Ada"], "without history:read, as readers"
    editor = (await people(api.store))["editor"]
    assert await names(api, editor, at=registered) == ["Ada", "Bo"]
    # The byline of an article leads to its authors.
    with api.acting_as(ANONYMOUS):
        query = (
            "query ($at: AsOf) { articles(asOf: $at) { nodes { authors { name articles { totalCount } } } } }"
        )
        (article,) = (await api.ask(query, at=published))["articles"]["nodes"]
    assert article["authors"] == [{"name": "Ada", "articles": {"totalCount": 1}}]


async def test_a_cached_list_changes_exactly_when_an_author_becomes_public(api: Client) -> None:
    ada = await add(api, "Ada")

    async def etag() -> str:
        response = await api.http.get("/graphql", params={"query": "{ authors { nodes { name } } }"})
        return f"{response.headers['ETag']} {response.json()['data']['authors']['nodes']}"

    with api.acting_as(ANONYMOUS):
        empty = await etag()
    await add(api, "Bo")
    with api.acting_as(ANONYMOUS):
        assert await etag() == empty
    await api.write("A", authors=[ada], publish=True)
    with api.acting_as(ANONYMOUS):
        author = await etag()
    assert "Ada" in author
    await api.write("B", authors=[ada], publish=True)
    with api.acting_as(ANONYMOUS):
        assert await etag() == author
