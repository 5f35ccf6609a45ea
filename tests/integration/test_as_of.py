"""Queries as of a position or a time, over HTTP."""

import pytest

from tests.integration.graphql_client import Client

FRONT = """
query ($at: AsOf) {
  site(asOf: $at) { name position }
  recentPosts(asOf: $at) { totalCount nodes { title slug age categories { name } } }
  category(slug: "news", asOf: $at) { name articleCount children { name } articles { nodes { title } totalCount } }
  categories(asOf: $at) { nodes { name } totalCount }
  article(slug: "one", asOf: $at) { title corrections { note } body { markdown } authors { name } }
  post(slug: "one", asOf: $at) { title status version categories { name } article { title } }
  posts(asOf: $at) { totalCount nodes { title status } }
}
"""


async def test_a_query_as_of_a_past_position_returns_the_response_of_that_time(door: Client) -> None:
    responses = []

    async def remember() -> None:
        data = await door.ask(FRONT)
        head = data["site"]["position"]
        moment = (await door.ask("{ moment { position time } }"))["moment"]
        assert moment["position"] == head
        for node in data["recentPosts"]["nodes"]:
            del node["age"]
        responses.append((head, moment["time"], data))

    await remember()
    await door.do("siteName", name="The Pier")
    await door.do("categoryCreate", name="News")
    await door.do("categoryCreate", name="Sport", parent={"slug": "news"})
    await remember()
    author = (await door.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await door.write(
        "One", publish=True, categories=[{"slug": "sport"}], authors=[author], body="first"
    )
    await remember()
    await door.do("postEdit", id=post["id"], title="One, corrected", body="second")
    await remember()
    await door.do("postPublish", id=post["id"], correction="It was not one.")
    await door.do("authorRename", id=author, name="Ada Lee")
    await door.do("categoryRename", category={"slug": "sport"}, name="Sports")
    await remember()
    await door.do("categoryMove", category={"slug": "sport"}, parent=None)
    await door.do("postEdit", id=post["id"], slug="uno", publish=True)
    await remember()
    await door.do("postArchive", id=post["id"])
    await door.do("categoryMerge", category={"slug": "sport"}, into={"slug": "news"})
    await door.do("siteName", name="The Quay")
    await remember()

    for position, time, expected in responses:
        for at in ({"position": position}, {"time": time}):
            data = await door.ask(FRONT, at=at)
            for node in data["recentPosts"]["nodes"]:
                del node["age"]
            assert data == expected, at
            assert (await door.ask("query ($at: AsOf) { moment(asOf: $at) { position } }", at=at))[
                "moment"
            ] == {"position": position}


async def test_ages_are_relative_to_the_as_of_moment(door: Client) -> None:
    await door.write("Old", publish=True, publishedAt="2024-05-03T08:00:00Z")
    moment = (await door.ask("{ moment { position } }"))["moment"]
    data = await door.ask("query ($at: AsOf) { recentPosts(asOf: $at) { nodes { age } } }", at=moment)
    assert data["recentPosts"]["nodes"] == [{"age": "1 day ago"}]


async def test_before_the_first_event_the_store_is_empty(door: Client) -> None:
    await door.do("siteName", name="The Pier")
    for at in ({"position": 0}, {"time": "2001-01-01T00:00:00Z"}):
        data = await door.ask(FRONT, at=at)
        assert data["site"] == {"name": None, "position": 0}
        assert data["posts"]["totalCount"] == 0
        assert (await door.ask("query ($at: AsOf) { moment(asOf: $at) { time } }", at=at))["moment"] == {
            "time": None
        }


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ({"position": 10_000}, "is in the future"),
        ({"time": "2999-01-01T00:00:00Z"}, "is in the future"),
        ({"position": 1, "time": "2024-01-01T00:00:00Z"}, "xactly one"),
        ({}, "xactly one"),
        ({"position": -1}, "Position"),
    ],
)
async def test_an_invalid_moment_is_rejected(door: Client, at: dict[str, object], text: str) -> None:
    (error, *_) = await door.errors("query ($at: AsOf) { recentPosts(asOf: $at) { totalCount } }", at=at)
    assert text in error["message"]
