"""What each role can read and do through GraphQL: authors with their own posts, auditors, and tokens with scopes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, Identity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import PermissionDenied, Role
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
from ledgerpress.features.posts.create_edit_categorize_commands import EditPost
from ledgerpress.features.posts.permissions import READ_POSTS, WRITE_POSTS
from ledgerpress.graphql.relay import global_ids
from tests.identities import PERMISSIONS, identity
from tests.integration.graphql_client import Client, client
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR, people

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
async def users(door: Client) -> dict[str, Identity]:
    """A user of each role."""
    return await people(door.store)


async def titles(door: Client, **variables: Any) -> tuple[int, list[str]]:
    posts = (await door.ask(POSTS, **variables))["posts"]
    return posts["totalCount"], [node["title"] for node in posts["nodes"]]


async def position(door: Client) -> dict[str, int]:
    moment: dict[str, int] = (await door.ask("{ moment { position } }"))["moment"]
    return moment


async def write(
    door: Client, user: Identity, *titles: str, publish: bool = False, **fields: Any
) -> list[str]:
    """Create posts as a user, and return their ids."""
    with door.acting_as(user):
        return [(await door.write(title, publish=publish, **fields))["id"] for title in titles]


async def test_authors_list_their_own_posts_with_right_counts_at_every_position(
    door: Client, users: dict[str, Identity]
) -> None:
    author, other = users[AUTHOR], users[OTHER_AUTHOR]
    first, second = await write(door, author, "One", "Two")
    await write(door, other, "Foreign")
    before = await position(door)
    await write(door, author, "Three", publish=True)
    await door.do("postPublish", id=first)
    await door.do("postArchive", id=second)
    with door.acting_as(author):
        assert await titles(door) == (3, ["Three", "Two", "One"])
        assert await titles(door, filter={"status": "PUBLISHED"}) == (2, ["Three", "One"])
        assert await titles(door, filter={"status": "ARCHIVED"}) == (1, ["Two"])
        assert await titles(door, filter={"status": "DRAFT"}) == (0, [])
        assert await titles(door, at=before) == (2, ["Two", "One"])
        assert await titles(door, at=before, filter={"status": "DRAFT"}) == (2, ["Two", "One"])
        assert await titles(door, at={"position": 1}) == (0, [])
    with door.acting_as(other):
        assert await titles(door) == (1, ["Foreign"])
    with door.acting_as(users["editor"]):
        assert (await titles(door))[0] == 4
        assert await titles(door, at=before) == (3, ["Foreign", "Two", "One"])


@pytest.mark.parametrize("status", [None, "DRAFT"])
async def test_an_authors_pages_are_full_and_their_page_info_is_right(
    door: Client, users: dict[str, Identity], status: str | None
) -> None:
    expected = list[str]()
    for number in range(7):
        await write(door, users[OTHER_AUTHOR], f"Foreign {number}")
        (post,) = await write(door, users[AUTHOR], f"Post {number}")
        if number % 3 == 0 and status:
            await door.do("postPublish", id=post)
        else:
            expected.insert(0, f"Post {number}")
    variables = {"filter": {"status": status}} if status else {}
    with door.acting_as(users[AUTHOR]):
        for count, cursor, edge, ahead, behind in (
            ("first", "after", "endCursor", "hasNextPage", "hasPreviousPage"),
            ("last", "before", "startCursor", "hasPreviousPage", "hasNextPage"),
        ):
            for size in (1, 2, 3, 7):
                collected: list[str] = []
                position, has_more = None, True
                while has_more:
                    page = (await door.ask(POSTS, **{count: size, cursor: position}, **variables))["posts"]
                    page_titles = [node["title"] for node in page["nodes"]]
                    assert page["totalCount"] == len(expected)
                    assert page["pageInfo"][behind] == bool(collected)
                    collected = collected + page_titles if count == "first" else page_titles + collected
                    position, has_more = page["pageInfo"][edge], page["pageInfo"][ahead]
                assert collected == expected, (count, size)


async def test_an_author_sees_the_past_only_of_own_posts(door: Client, users: dict[str, Identity]) -> None:
    """In a past state of an own post, nested categories and authors show their current articles."""
    ada = (await door.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    await door.do("categoryCreate", name="News")
    await door.do("categoryCreate", name="Sport", parent={"slug": "news"})
    fields: dict[str, Any] = {"authors": [ada], "categories": [{"slug": "sport"}], "publish": True}
    (foreign, corrected) = await write(door, users["editor"], "Foreign", "Kept", **fields)
    (own,) = await write(door, users[AUTHOR], "Own", **fields)
    before = await position(door)
    await door.do("postUnpublish", id=foreign)
    await door.do("postEdit", id=corrected, title="Kept, corrected", publish=True)
    await door.do("categoryRename", category={"slug": "sport"}, name="Games")
    await door.do("postUncategorize", id=own, category={"slug": "sport"})
    with door.acting_as(users[AUTHOR]):
        await door.do("postEdit", id=own, title="Own, better")
    query = f"query ($id: ID!, $at: AsOf) {{ post(id: $id, asOf: $at) {{ {BELOW} }} }} {FRAGMENTS}"
    difference = (
        "query ($id: ID!) { post(id: $id) { diff(from: 0, to: 2) { title { after } "
        f"categoriesAdded {{ ...Listed }} authorsAdded {{ articles {{ ...Titles }} }} }} }} }} {FRAGMENTS}"
    )
    with door.acting_as(users[AUTHOR]):
        then = await door.ask(query, id=own, at=before)
        assert (then["post"]["title"], then["post"]["article"]["title"]) == ("Own", "Own")
        assert [category["name"] for category in then["post"]["categories"]] == ["Sport"]
        today = {"totalCount": 1, "nodes": [{"title": "Kept, corrected"}]}
        assert then["post"]["categories"][0]["articles"] == today
        assert then["post"]["article"]["categories"][0]["parent"]["articles"] == today
        assert '"Foreign"' not in str(then).replace("'", '"')
        assert '"Kept"' not in str(then).replace("'", '"')
        differs = (await door.ask(difference, id=own))["post"]["diff"]
        assert differs["title"] == {"after": "Own"}
        assert differs["categoriesAdded"][0]["articles"] == today
        assert {node["title"] for node in differs["authorsAdded"][0]["articles"]["nodes"]} == {
            "Own",
            "Kept, corrected",
        }
        assert (await door.ask(query, id=foreign, at=before))["post"] is None
        (error,) = await door.errors("query ($at: AsOf) { recentPosts(asOf: $at) { totalCount } }", at=before)
        assert error["extensions"] == {"code": "FORBIDDEN"}
    with door.acting_as(users["editor"]):
        then = await door.ask(query, id=own, at=before)
        assert then["post"]["categories"][0]["articleCount"] == 3


async def test_an_author_reads_the_history_of_own_posts_through_both_fields(
    door: Client, users: dict[str, Identity]
) -> None:
    (foreign,) = await write(door, users["editor"], "Foreign")
    (own,) = await write(door, users[AUTHOR], "Own")
    with door.acting_as(users["editor"]):
        await door.do("postEdit", id=own, title="Own, edited", reason="House style.")
    query = """
        query ($id: ID!) {
          changes(filter: { stream: $id }) { totalCount nodes { type reason actor { name } subject { id } } }
          post(id: $id) { history { totalCount nodes { type reason actor { name } subject { id } } } }
        }
    """
    with door.acting_as(users[AUTHOR]):
        data = await door.ask(query, id=own)
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
            body = (await door.post(query, id=post)).json()
            assert body["data"] == {"changes": None, "post": None}
            responses.append(body)
        assert responses[0] == responses[1]
        (error,) = await door.errors("{ changes { totalCount } }")
        assert error["extensions"] == {"code": "FORBIDDEN"}


async def test_an_author_can_edit_own_posts_after_other_users_changed_them(
    door: Client, users: dict[str, Identity]
) -> None:
    (own,) = await write(door, users[AUTHOR], "Own")
    (foreign,) = await write(door, users["editor"], "Foreign")
    with door.acting_as(users["editor"]):
        await door.do("postEdit", id=own, title="Edited")
    with door.acting_as(users[AUTHOR]):
        await door.do("postEdit", id=foreign, title="Mine")
        edited = await door.do(
            "postEdit", "post { title slug status }", id=own, slug="own-anew", publish=True
        )
        assert edited["post"] == {"title": "Edited", "slug": "own-anew", "status": "PUBLISHED"}
        again = await door.do("postEdit", "post { title }", id=own, title="Twice", idempotencyKey="k")
        replayed = await door.do("postEdit", "post { title }", id=own, title="Twice", idempotencyKey="k")
        assert (again["replayed"], replayed["replayed"], replayed["post"]) == (
            False,
            True,
            {"title": "Twice"},
        )
    assert (await door.ask('{ post(slug: "foreign") { title version } }'))["post"] == {
        "title": "Foreign",
        "version": 1,
    }


async def test_a_taken_slug_does_not_reveal_which_post_has_it(
    door: Client, users: dict[str, Identity]
) -> None:
    """Users who write posts must learn that a slug is taken. The error is the same for drafts and public articles."""
    await write(door, users["editor"], "Hidden")
    await write(door, users["editor"], "Public", publish=True)
    with door.acting_as(users[AUTHOR]):
        hidden, public = [
            (await door.do("postCreate", title="New", slug=slug))["userErrors"]
            for slug in ("hidden", "public")
        ]
    assert str(hidden).replace("hidden", "public") == str(public)
    assert hidden[0]["code"] == "SLUG_TAKEN"


async def test_viewer_returns_the_current_user(door: Client, users: dict[str, Identity]) -> None:
    query = "{ viewer { role permissions actor { id name } } }"
    with door.acting_as(ANONYMOUS):
        assert (await door.ask(query))["viewer"] == {"role": "READER", "permissions": [], "actor": None}
    with door.acting_as(users[AUTHOR]):
        viewer = (await door.ask(query))["viewer"]
    assert viewer["role"] == "AUTHOR"
    assert viewer["permissions"] == ["READ_OWN_POSTS", "WRITE_OWN_POSTS"]
    assert viewer["actor"] == {
        "id": global_ids.encode("Actor", users[AUTHOR].actor_id or ""),
        "name": AUTHOR,
    }


async def test_scopes_restrict_a_role_and_never_extend_it(door: Client, users: dict[str, Identity]) -> None:
    editor = users["editor"].actor_id
    (own,) = await write(door, users["editor"], "Own")
    (foreign,) = await write(door, users[AUTHOR], "Foreign")
    before = await position(door)
    await door.do("categoryCreate", name="News")
    history = "query ($id: ID!) { post(id: $id) { title history { totalCount } } }"

    with door.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({READ_POSTS}))):
        body = (await door.post(history, id=foreign)).json()
        assert body["data"] == {"post": {"title": "Foreign", "history": None}}
        assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]
        assert (await door.errors('{ post(slug: "own", asOf: { position: 1 }) { title } }'))[0]["extensions"]
        assert await door.errors('mutation { siteName(input: { name: "X" }) { position } }')

    with door.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({READ_POSTS, READ_OWN_POSTS}))):
        past = (
            'query ($at: AsOf) { post(slug: "foreign", asOf: $at) { title } posts(asOf: $at) { totalCount } }'
        )
        assert await door.ask(past, at=before) == {"post": None, "posts": {"totalCount": 1}}
        assert (await door.ask(past))["posts"] == {"totalCount": 2}
        assert (await door.ask(history, id=own))["post"]["history"] == {"totalCount": 1}
        assert (await door.post(history, id=foreign)).json()["data"]["post"]["history"] is None

    with door.acting_as(identity(Role.EDITOR, editor, scopes=frozenset({WRITE_POSTS}))):
        edited = await door.do("postEdit", "post { title }", id=foreign, title="Edited")
        assert edited["userErrors"] == []
        assert edited["position"]
        assert edited["post"] is None

    with door.acting_as(identity(Role.AUTHOR, editor, scopes=PERMISSIONS)):
        assert await door.errors('mutation { siteName(input: { name: "X" }) { position } }')


async def test_commands_check_permissions_without_the_schema(
    door: Client, users: dict[str, Identity]
) -> None:
    """The command handler checks permissions itself, so any caller is safe, not only GraphQL."""
    (foreign,) = await write(door, users["editor"], "Foreign")
    post = global_ids.decode(foreign)
    assert post
    before = await door.store.log.head()
    without_actor = Identity(Role.ADMIN, PERMISSIONS)
    for user in (ANONYMOUS, without_actor, users["auditor"]):
        with pytest.raises(PermissionDenied):
            await door.store.commands.handle(
                EditPost(post_id=post.id, title="X"), CommandRequest(identity=user)
            )
    assert await door.store.log.head() == before


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
