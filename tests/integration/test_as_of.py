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


async def test_a_query_as_of_a_past_position_returns_the_response_of_that_time(api: Client) -> None:
    responses = []

    async def remember() -> None:
        data = await api.ask(FRONT)
        head = data["site"]["position"]
        moment = (await api.ask("{ moment { position time } }"))["moment"]
        assert moment["position"] == head
        for node in data["recentPosts"]["nodes"]:
            del node["age"]
        responses.append((head, moment["time"], data))

    await remember()
    await api.do("siteName", name="The Pier")
    await api.do("categoryCreate", name="News")
    await api.do("categoryCreate", name="Sport", parent={"slug": "news"})
    await remember()
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await api.write(
        "One", publish=True, categories=[{"slug": "sport"}], authors=[author], body="first"
    )
    await remember()
    await api.do("postEdit", id=post["id"], title="One, corrected", body="second")
    await remember()
    await api.do("postPublish", id=post["id"], correction="It was not one.")
    await api.do("authorRename", id=author, name="Ada Lee")
    await api.do("categoryRename", category={"slug": "sport"}, name="Sports")
    await remember()
    await api.do("categoryMove", category={"slug": "sport"}, parent=None)
    await api.do("postEdit", id=post["id"], slug="uno", publish=True)
    await remember()
    await api.do("postArchive", id=post["id"])
    await api.do("categoryMerge", category={"slug": "sport"}, into={"slug": "news"})
    await api.do("siteName", name="The Quay")
    await remember()

    for position, time, expected in responses:
        for at in ({"position": position}, {"time": time}):
            data = await api.ask(FRONT, at=at)
            for node in data["recentPosts"]["nodes"]:
                del node["age"]
            assert data == expected, at
            assert (await api.ask("query ($at: AsOf) { moment(asOf: $at) { position } }", at=at))[
                "moment"
            ] == {"position": position}


async def test_ages_are_relative_to_the_as_of_moment(api: Client) -> None:
    await api.write("Old", publish=True, publishedAt="2024-05-03T08:00:00Z")
    moment = (await api.ask("{ moment { position } }"))["moment"]
    data = await api.ask("query ($at: AsOf) { recentPosts(asOf: $at) { nodes { age } } }", at=moment)
    assert data["recentPosts"]["nodes"] == [{"age": "1 day ago"}]


async def test_before_the_first_event_the_store_is_empty(api: Client) -> None:
    await api.do("siteName", name="The Pier")
    for at in ({"position": 0}, {"time": "2001-01-01T00:00:00Z"}):
        data = await api.ask(FRONT, at=at)
        assert data["site"] == {"name": None, "position": 0}
        assert data["posts"]["totalCount"] == 0
        assert (await api.ask("query ($at: AsOf) { moment(asOf: $at) { time } }", at=at))["moment"] == {
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
async def test_an_invalid_moment_is_rejected(api: Client, at: dict[str, object], text: str) -> None:
    (error, *_) = await api.errors("query ($at: AsOf) { recentPosts(asOf: $at) { totalCount } }", at=at)
    assert text in error["message"]
