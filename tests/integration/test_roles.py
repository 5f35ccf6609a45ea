"""What each role can read and do through GraphQL: authors with their own posts, auditors, and tokens with scopes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, Identity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import PermissionDenied, Role
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
from ledgerpress.features.posts import READ_POSTS, WRITE_POSTS
from ledgerpress.features.posts.create_edit_categorize_commands import EditPost
from ledgerpress.graphql.relay import global_ids
from tests.identities import PERMISSIONS, identity
from tests.integration.graphql_client import Client, client
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR, people

pytestmark = pytest.mark.usefixtures("workers")

POSTS: Final = """
query ($first: Int, $after: String, $last: Int, $before: String, $filter: PostFilter, $at: AsOf) {
  posts(first: $first, after: $after, last: $last, before: $before, filter: $filter, asOf: $at) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { title }
  }
}
"""
BELOW: Final = """
  title article { title categories { ...Listed } } authors { articles { ...Titles } } categories { ...Listed }
"""
FRAGMENTS: Final = """
fragment Listed on Category { name articleCount articles { ...Titles } parent { name articles { ...Titles } } }
fragment Titles on ArticleConnection { totalCount nodes { title } }
"""


@pytest.fixture
async def users(api: Client) -> dict[str, Identity]:
    """A user of each role."""
    return await people(api.store)


async def titles(api: Client, **variables: Any) -> tuple[int, list[str]]:
    posts = (await api.ask(POSTS, **variables))["posts"]
    return posts["totalCount"], [node["title"] for node in posts["nodes"]]


async def position(api: Client) -> dict[str, int]:
    moment: dict[str, int] = (await api.ask("{ moment { position } }"))["moment"]
    return moment


async def write(api: Client, user: Identity, *titles: str, publish: bool = False, **fields: Any) -> list[str]:
    """Create posts as a user, and return their ids."""
    with api.acting_as(user):
        return [(await api.write(title, publish=publish, **fields))["id"] for title in titles]


async def test_authors_list_their_own_posts_with_right_counts_at_every_position(
    api: Client, users: dict[str, Identity]
) -> None:
    author, other = users[AUTHOR], users[OTHER_AUTHOR]
    first, second = await write(api, author, "One", "Two")
    await write(api, other, "Foreign")
    before = await position(api)
    await write(api, author, "Three", publish=True)
    await api.do("postPublish", id=first)
    await api.do("postArchive", id=second)
    with api.acting_as(author):
        assert await titles(api) == (3, ["Three", "Two", "One"])
        assert await titles(api, filter={"status": "PUBLISHED"}) == (2, ["Three", "One"])
        assert await titles(api, filter={"status": "ARCHIVED"}) == (1, ["Two"])
        assert await titles(api, filter={"status": "DRAFT"}) == (0, [])
        assert await titles(api, at=before) == (2, ["Two", "One"])
        assert await titles(api, at=before, filter={"status": "DRAFT"}) == (2, ["Two", "One"])
        assert await titles(api, at={"position": 1}) == (0, [])
    with api.acting_as(other):
        assert await titles(api) == (1, ["Foreign"])
    with api.acting_as(users["editor"]):
        assert (await titles(api))[0] == 4
        assert await titles(api, at=before) == (3, ["Foreign", "Two", "One"])


@pytest.mark.parametrize("status", [None, "DRAFT"])
async def test_an_authors_pages_are_full_and_their_page_info_is_right(
    api: Client, users: dict[str, Identity], status: str | None
) -> None:
    expected = list[str]()
    for number in range(7):
        await write(api, users[OTHER_AUTHOR], f"Foreign {number}")
        (post,) = await write(api, users[AUTHOR], f"Post {number}")
        if number % 3 == 0 and status:
            await api.do("postPublish", id=post)
        else:
            expected.insert(0, f"Post {number}")
    variables = {"filter": {"status": status}} if status else {}
    with api.acting_as(users[AUTHOR]):
        for count, cursor, edge, ahead, behind in (
            ("first", "after", "endCursor", "hasNextPage", "hasPreviousPage"),
            ("last", "before", "startCursor", "hasPreviousPage", "hasNextPage"),
        ):
            for size in (1, 2, 3, 7):
                collected: list[str] = []
                position, has_more = None, True
                while has_more:
                    page = (await api.ask(POSTS, **{count: size, cursor: position}, **variables))["posts"]
                    page_titles = [node["title"] for node in page["nodes"]]
                    assert page["totalCount"] == len(expected)
                    assert page["pageInfo"][behind] == bool(collected)
                    collected = collected + page_titles if count == "first" else page_titles + collected
                    position, has_more = page["pageInfo"][edge], page["pageInfo"][ahead]
                assert collected == expected, (count, size)


async def test_an_author_sees_the_past_only_of_own_posts(api: Client, users: dict[str, Identity]) -> None:
    """In a past state of an own post, nested categories and authors show their current articles."""
    ada = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    await api.do("categoryCreate", name="News")
    await api.do("categoryCreate", name="Sport", parent={"slug": "news"})
    fields: dict[str, Any] = {"authors": [ada], "categories": [{"slug": "sport"}], "publish": True}
    (foreign, corrected) = await write(api, users["editor"], "Foreign", "Kept", **fields)
    (own,) = await write(api, users[AUTHOR], "Own", **fields)
    before = await position(api)
    await api.do("postUnpublish", id=foreign)
    await api.do("postEdit", id=corrected, title="Kept, corrected", publish=True)
    await api.do("categoryRename", category={"slug": "sport"}, name="Games")
    await api.do("postUncategorize", id=own, category={"slug": "sport"})
    with api.acting_as(users[AUTHOR]):
        await api.do("postEdit", id=own, title="Own, better")
    query = f"query ($id: ID!, $at: AsOf) {{ post(id: $id, asOf: $at) {{ {BELOW} }} }} {FRAGMENTS}"
    difference = (
        "query ($id: ID!) { post(id: $id) { diff(from: 0, to: 2) { title { after } "
        f"categoriesAdded {{ ...Listed }} authorsAdded {{ articles {{ ...Titles }} }} }} }} }} {FRAGMENTS}"
    )
    with api.acting_as(users[AUTHOR]):
        then = await api.ask(query, id=own, at=before)
        assert (then["post"]["title"], then["post"]["article"]["title"]) == ("Own", "Own")
        assert [category["name"] for category in then["post"]["categories"]] == ["Sport"]
        today = {"totalCount": 1, "nodes": [{"title": "Kept, corrected"}]}
        assert then["post"]["categories"][0]["articles"] == today
        assert then["post"]["article"]["categories"][0]["parent"]["articles"] == today
        assert '"Foreign"' not in str(then).replace("'", '"')
        assert '"Kept"' not in str(then).replace("'", '"')
        differs = (await api.ask(difference, id=own))["post"]["diff"]
        assert differs["title"] == {"after": "Own"}
        assert differs["categoriesAdded"][0]["articles"] == today
        assert {node["title"] for node in differs["authorsAdded"][0]["articles"]["nodes"]} == {
            "Own",
            "Kept, corrected",
        }
        assert (await api.ask(query, id=foreign, at=before))["post"] is None
        (error,) = await api.errors("query ($at: AsOf) { recentPosts(asOf: $at) { totalCount } }", at=before)
        assert error["extensions"] == {"code": "FORBIDDEN"}
    with api.acting_as(users["editor"]):
        then = await api.ask(query, id=own, at=before)
        assert then["post"]["categories"][0]["articleCount"] == 3


async def test_an_author_reads_the_history_of_own_posts_through_both_fields(
    api: Client, users: dict[str, Identity]
) -> None:
    (foreign,) = await write(api, users["editor"], "Foreign")
    (own,) = await write(api, users[AUTHOR], "Own")
    with api.acting_as(users["editor"]):
        await api.do("postEdit", id=own, title="Own, edited", reason="House style.")
    query = """
        query ($id: ID!) {
          changes(filter: { stream: $id }) { totalCount nodes { type reason actor { name } subject { id } } }
          post(id: $id) { history { totalCount nodes { type reason actor { name } subject { id } } } }
        }
    """
    with api.acting_as(users[AUTHOR]):
        data = await api.ask(query, id=own)
        assert data["changes"] == data["post"]["history"]
        assert data["changes"]["totalCount"] == 2
        assert data["changes"]["nodes"][0] == {
            "type": "post.edited",
            "reason": "House style.",
            "actor": {"name": "editor"},
            "subject": {"id": own},
        }
        responses = []
        for post in (foreign, global_ids.encode("Post", "00000000-0000-8000-8000-00000000000f")):
            body = (await api.post(query, id=post)).json()
            assert body["data"] == {"changes": None, "post": None}
            responses.append(body)
        assert responses[0] == responses[1]
        (error,) = await api.errors("{ changes { totalCount } }")
        assert error["extensions"] == {"code": "FORBIDDEN"}


async def test_an_author_can_edit_own_posts_after_other_users_changed_them(
    api: Client, users: dict[str, Identity]
) -> None:
    (own,) = await write(api, users[AUTHOR], "Own")
    (foreign,) = await write(api, users["editor"], "Foreign")
    with api.acting_as(users["editor"]):
        await api.do("postEdit", id=own, title="Edited")
    with api.acting_as(users[AUTHOR]):
        await api.do("postEdit", id=foreign, title="Mine")
        edited = await api.do("postEdit", "post { title slug status }", id=own, slug="own-anew", publish=True)
        assert edited["post"] == {"title": "Edited", "slug": "own-anew", "status": "PUBLISHED"}
        again = await api.do("postEdit", "post { title }", id=own, title="Twice", idempotencyKey="k")
        replayed = await api.do("postEdit", "post { title }", id=own, title="Twice", idempotencyKey="k")
        assert (again["replayed"], replayed["replayed"], replayed["post"]) == (
            False,
            True,
            {"title": "Twice"},
        )
    assert (await api.ask('{ post(slug: "foreign") { title version } }'))["post"] == {
        "title": "Foreign",
        "version": 1,
    }


async def test_viewer_returns_the_current_user(api: Client, users: dict[str, Identity]) -> None:
    query = "{ viewer { role permissions actor { id name } } }"
    with api.acting_as(ANONYMOUS):
        assert (await api.ask(query))["viewer"] == {"role": "READER", "permissions": [], "actor": None}
    with api.acting_as(users[AUTHOR]):
        viewer = (await api.ask(query))["viewer"]
    assert viewer["role"] == "AUTHOR"
    assert viewer["permissions"] == ["READ_OWN_POSTS", "WRITE_OWN_POSTS"]
    assert viewer["actor"] == {
        "id": global_ids.encode("Actor", users[AUTHOR].actor_id or ""),
        "name": AUTHOR,
    }


async def test_scopes_restrict_a_role_and_never_extend_it(api: Client, users: dict[str, Identity]) -> None:
    editor = users["editor"].actor_id
    (own,) = await write(api, users["editor"], "Own")
    (foreign,) = await write(api, users[AUTHOR], "Foreign")
    before = await position(api)
    await api.do("categoryCreate", name="News")
    history = "query ($id: ID!) { post(id: $id) { title history { totalCount } } }"

    with api.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({READ_POSTS}))):
        body = (await api.post(history, id=foreign)).json()
        assert body["data"] == {"post": {"title": "Foreign", "history": None}}
        assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]
        assert (await api.errors('{ post(slug: "own", asOf: { position: 1 }) { title } }'))[0]["extensions"]
        assert await api.errors('mutation { siteName(input: { name: "X" }) { position } }')

    with api.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({READ_POSTS, READ_OWN_POSTS}))):
        past = (
            'query ($at: AsOf) { post(slug: "foreign", asOf: $at) { title } posts(asOf: $at) { totalCount } }'
        )
        assert await api.ask(past, at=before) == {"post": None, "posts": {"totalCount": 1}}
        assert (await api.ask(past))["posts"] == {"totalCount": 2}
        assert (await api.ask(history, id=own))["post"]["history"] == {"totalCount": 1}
        assert (await api.post(history, id=foreign)).json()["data"]["post"]["history"] is None

    with api.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({WRITE_POSTS}))):
        edited = await api.do("postEdit", "post { title }", id=foreign, title="Edited")
        assert edited["userErrors"] == []
        assert edited["position"]
        assert edited["post"] is None

    with api.acting_as(identity(Role.AUTHOR, editor, scopes=PERMISSIONS)):
        assert await api.errors('mutation { siteName(input: { name: "X" }) { position } }')


async def test_commands_check_permissions_without_the_schema(api: Client, users: dict[str, Identity]) -> None:
    """The command handler checks permissions itself, so any caller is safe, not only GraphQL."""
    (foreign,) = await write(api, users["editor"], "Foreign")
    post = global_ids.decode(foreign)
    assert post
    before = await api.store.log.head()
    without_actor = Identity(Role.ADMIN, PERMISSIONS)
    for user in (ANONYMOUS, without_actor, users["auditor"]):
        with pytest.raises(PermissionDenied):
            await api.store.commands.handle(
                EditPost(post_id=post.id, title="X"), CommandRequest(identity=user)
            )
    assert await api.store.log.head() == before


@pytest.fixture
async def open_door(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of an application that opens the past to everyone."""
    async with client(tmp_path / "open", open_past=True) as api:
        yield api


async def test_with_an_open_past_an_author_sees_unpublished_articles_only_if_own(
    open_door: Client,
) -> None:
    users = await people(open_door.store)
    (own,) = await write(open_door, users[AUTHOR], "Own", publish=True)
    (foreign,) = await write(open_door, users["editor"], "Foreign", publish=True)
    with open_door.acting_as(users["editor"]):
        before = await position(open_door)
        await open_door.do("postUnpublish", id=own)
        await open_door.do("postUnpublish", id=foreign)
    query = """
        query ($own: ID!, $foreign: ID!, $at: AsOf) {
          own: post(id: $own, asOf: $at) { title status } foreign: post(id: $foreign, asOf: $at) { title }
          recentPosts(asOf: $at) { totalCount }
          posts(asOf: $at) { totalCount nodes { title } }
        }
    """
    with open_door.acting_as(users[AUTHOR]):
        assert await open_door.ask(query, own=own, foreign=foreign, at=before) == {
            "own": {"title": "Own", "status": "PUBLISHED"},
            "foreign": None,
            "recentPosts": {"totalCount": 0},
            "posts": {"totalCount": 1, "nodes": [{"title": "Own"}]},
        }
