"""Ids of objects as of a past moment differ from ids of current objects, so that client caches keep both."""

import base64

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.graphql.relay import global_ids
from tests.integration.graphql_client import Client
from tests.past_ids import ids_in, positions_in

EVERYTHING = """
query ($at: AsOf) {
  articles(asOf: $at) { nodes { ...article } }
  recentPosts(asOf: $at) { nodes { ...article } }
  article(slug: "one", asOf: $at) { ...article }
  post(slug: "one", asOf: $at) { id categories { id } authors { id } article { id } history { nodes { actor { id } subject { id } } } }
  posts(asOf: $at) { nodes { id } }
  category(slug: "news", asOf: $at) { id children { id parent { id } ancestors { id } } articles { nodes { id } } }
  categories(asOf: $at) { nodes { id } }
  authors(asOf: $at) { nodes { id articles { nodes { id } } } }
}
fragment article on Article { id categories { id } authors { id } }
"""
NODE = """
query ($id: ID!, $at: AsOf) { node(id: $id, asOf: $at) { __typename id ... on Article { title } ... on Post { title } } }
"""
NODES = "query ($ids: [ID!]!, $at: AsOf) { nodes(ids: $ids, asOf: $at) { id ... on Article { title } } }"


@pytest.fixture
async def past(api: Client) -> int:
    """A publication with one article; the position at which its title was still “One”."""
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    await api.do("categoryCreate", name="News")
    await api.do("categoryCreate", name="Sport", parent={"slug": "news"})
    post = await api.write("One", publish=True, categories=[{"slug": "sport"}], authors=[author])
    position = int((await api.ask("{ moment { position } }"))["moment"]["position"])
    await api.do("postEdit", id=post["id"], title="One, corrected", publish=True)
    return position


async def test_every_object_as_of_a_moment_has_an_id_with_its_position(api: Client, past: int) -> None:
    assert positions_in(await api.ask(EVERYTHING)) == {None}
    response = await api.ask(EVERYTHING, at={"position": past})
    assert positions_in(response) == {past}
    assert response["article"]["id"] != (await api.ask(EVERYTHING))["article"]["id"]


async def test_the_id_has_a_position_even_if_as_of_names_the_current_moment(api: Client, past: int) -> None:
    """A client that repeats the query later gets the same id."""
    moment = (await api.ask("{ moment { position time } }"))["moment"]
    by_position = await api.ask(EVERYTHING, at={"position": moment["position"]})
    assert positions_in(by_position) == {moment["position"]}
    assert await api.ask(EVERYTHING, at={"time": moment["time"]}) == by_position
    await api.do("siteName", name="The Pier")
    assert await api.ask(EVERYTHING, at={"position": moment["position"]}) == by_position


async def test_node_returns_the_object_as_of_the_position_in_the_id(api: Client, past: int) -> None:
    old = (await api.ask(EVERYTHING, at={"position": past}))["article"]["id"]
    new = (await api.ask(EVERYTHING))["article"]["id"]
    expected_old = {"__typename": "Article", "id": old, "title": "One"}
    assert (await api.ask(NODE, id=old))["node"] == expected_old
    assert (await api.ask(NODE, id=new))["node"] == {
        "__typename": "Article",
        "id": new,
        "title": "One, corrected",
    }
    assert (await api.ask(NODE, id=new, at={"position": past}))["node"] == expected_old
    assert (await api.ask(NODE, id=old, at={"position": past}))["node"] == expected_old
    nodes = (await api.ask(NODES, ids=[new, old]))["nodes"]
    assert nodes == [{"id": new, "title": "One, corrected"}, {"id": old, "title": "One"}]
    assert (await api.ask(NODES, ids=[new], at={"position": past}))["nodes"] == [nodes[1]]


async def test_every_id_in_a_response_of_the_past_is_found_again(api: Client, past: int) -> None:
    ids = sorted(ids_in(await api.ask(EVERYTHING, at={"position": past})))
    nodes = (await api.ask(NODES, ids=ids))["nodes"]
    assert [node["id"] for node in nodes] == ids


async def test_an_object_did_not_exist_before_it_was_created(api: Client, past: int) -> None:
    article = global_ids.decode((await api.ask(EVERYTHING))["article"]["id"])
    assert article
    for position in (0, 2):
        assert (await api.ask(NODE, id=global_ids.encode("Article", article.id, position)))["node"] is None


async def test_another_moment_than_that_of_the_id_is_rejected(api: Client, past: int) -> None:
    old = (await api.ask(EVERYTHING, at={"position": past}))["article"]["id"]
    (error,) = await api.errors(NODE, id=old, at={"position": past - 1})
    assert f"as of position {past}" in error["message"]


@pytest.mark.parametrize("suffix", ["@", "@-1", "@01", "@1.5", "@1@2", "@99999999999999999999", "@٣"])
async def test_an_invalid_position_makes_an_id_invalid(api: Client, past: int, suffix: str) -> None:
    article = global_ids.decode((await api.ask(EVERYTHING))["article"]["id"])
    assert article
    plain = f"Article:{article.id}{suffix}".encode()
    (error,) = await api.errors(NODE, id=base64.urlsafe_b64encode(plain).decode())
    assert error["message"] == "This is not an id of an object on this server."


async def test_a_position_in_the_future_is_rejected(api: Client, past: int) -> None:
    article = global_ids.decode((await api.ask(EVERYTHING))["article"]["id"])
    assert article
    (error,) = await api.errors(NODE, id=global_ids.encode("Article", article.id, 10_000))
    assert "is in the future" in error["message"]


async def test_mutations_and_filters_reject_ids_of_the_past(api: Client, past: int) -> None:
    response = await api.ask(EVERYTHING, at={"position": past})
    head = (await api.ask("{ moment { position } }"))["moment"]
    post, category = response["post"]["id"], response["category"]["id"]
    author = response["authors"]["nodes"][0]["id"]
    for mutation, input_ in (
        ("postEdit", {"id": post, "title": "Now"}),
        ("postPublish", {"id": response["article"]["id"]}),
        ("postCreate", {"title": "Two", "authors": [author]}),
        ("postCategorize", {"id": post, "category": {"id": category}}),
        ("categoryRename", {"category": {"id": category}, "name": "Old"}),
        ("authorRename", {"id": author, "name": "Ada Lee"}),
    ):
        (error,) = (await api.do(mutation, **input_))["userErrors"]
        assert error["code"] == "INVALID_ID", mutation
        assert f"as of position {past}" in error["message"]
    for query in (
        f'{{ articles(filter: {{ author: "{author}" }}) {{ totalCount }} }}',
        f'{{ articles(filter: {{ category: "{category}" }}) {{ totalCount }} }}',
        f'{{ changes(filter: {{ stream: "{post}" }}) {{ totalCount }} }}',
        f'{{ changes(filter: {{ category: "{category}" }}) {{ totalCount }} }}',
        f'{{ article(id: "{response["article"]["id"]}") {{ title }} }}',
        f'{{ author(id: "{author}") {{ name }} }}',
    ):
        (error,) = await api.errors(query)
        assert f"as of position {past}" in error["message"], query
    assert (await api.ask("{ moment { position } }"))["moment"] == head


async def test_differences_and_changes_name_the_position_of_their_objects(api: Client, past: int) -> None:
    before = (await api.ask('{ post(slug: "one") { id version } }'))["post"]
    removed = await api.do("postUncategorize", id=before["id"], category={"slug": "sport"})
    added = await api.do("postCategorize", "post { version }", id=before["id"], category={"slug": "news"})
    data = await api.ask(
        """query ($id: ID!, $from: Int!, $to: Int!) { post(id: $id) {
             diff(from: $from, to: $to) { categoriesAdded { id name } categoriesRemoved { id name } }
             history(first: 1) { nodes { position before after subject { id } actor { id } } } } }""",
        id=before["id"],
        **{"from": before["version"], "to": added["post"]["version"]},
    )
    (change,) = data["post"]["history"]["nodes"]
    assert change["position"] == added["position"]
    assert positions_in(change["after"]) == {added["position"]}
    assert positions_in([change["subject"], change["actor"]]) == {None}
    (last,) = (
        await api.ask(
            "query ($at: Position) { changes(filter: { positionFrom: $at, positionTo: $at }) { nodes { before } } }",
            at=removed["position"],
        )
    )["changes"]["nodes"]
    assert positions_in(last["before"]) == {removed["position"] - 1}
    difference = data["post"]["diff"]
    assert [entry["name"] for entry in difference["categoriesAdded"]] == ["News"]
    assert [entry["name"] for entry in difference["categoriesRemoved"]] == ["Sport"]
    for entry in (*difference["categoriesAdded"], *difference["categoriesRemoved"]):
        decoded = global_ids.decode(entry["id"])
        assert decoded
        assert decoded.position is not None
        assert (await api.ask(NODE, id=entry["id"]))["node"]["id"] == entry["id"]


async def test_the_past_by_id_needs_the_permission_of_as_of(api: Client, past: int) -> None:
    response = await api.ask(EVERYTHING, at={"position": past})
    with api.acting_as(ANONYMOUS):
        for id_ in (response["article"]["id"], response["post"]["id"], response["category"]["id"]):
            (error,) = await api.errors(NODE, id=id_)
            assert error["extensions"]["code"] == "UNAUTHENTICATED"
        current = (await api.ask('{ article(slug: "one") { id } }'))["article"]["id"]
        (error,) = await api.errors(NODE, id=current, at={"position": past})
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await api.ask(NODE, id=current))["node"]["title"] == "One, corrected"
