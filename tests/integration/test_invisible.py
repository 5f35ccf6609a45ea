"""What is not public is invisible: every answer is that of a store in which it has never been.

Two stores have the same history, but that one of them has drafts, posts that were public once, archived posts and edits
that were not published. Readers, and authors who have not written them, ask both whatever can be asked.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import Undefined, get_named_type, is_non_null_type

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts import post_queries as posts
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import decode_cursor, encode_cursor
from tests.integration.exhaustive_query import selections
from tests.integration.hidden_posts import HIDDEN_POSTS, HIDDEN_SLUGS, MARK, MINUTE, STEPS, Newsroom, newsroom
from tests.integration.schema_walk import MUTATIONS
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR

SCHEMA: Final = graphql_schema()._schema
OUTSIDERS: Final = ("anyone", AUTHOR, OTHER_AUTHOR)
UNKNOWN: Final = "00000000-0000-8000-8000-00000000000f"


class Pair:
    """The whole store, and the one without what is hidden."""

    def __init__(self, whole: Newsroom, without: Newsroom) -> None:
        self.whole = whole
        self._both = (whole, without)
        self._now = max(room.clock.time for room in self._both)
        self.cursors: list[str] = []

    async def begin(self) -> None:
        """Learn the cursors of what is hidden, in every list that has any."""
        room = self.whole
        with room.door.acting_as(LOCAL_OPERATOR):
            found = await room.door.ask("{ posts(first: 100) { edges { cursor node { id } } } }")
        hidden = {room.global_id("Post", one) for one in HIDDEN_POSTS}
        listed = [edge["cursor"] for edge in found["posts"]["edges"] if edge["node"]["id"] in hidden]
        assert len(listed) == len(hidden)
        keys = [decode_cursor(cursor, name="a post") for cursor in listed]
        self.cursors = [*listed, *(encode_cursor(ListingKey(0, key.post)) for key in keys)]

    async def ask(self, who: str, query: str, given: dict[str, Any]) -> str:
        """Return the answer that both stores give to somebody. Fails where they differ, or tell what is hidden."""
        found = []
        for room in self._both:
            room.clock.time = self._now
            with room.door.acting_as(room.people[who]):
                response = await room.door.post(query, **given)
            found.append((response.status_code, response.headers["ledgerpress-position"], response.text))
        assert found[0] == found[1], (who, query, given)
        assert MARK not in found[0][2], (who, query, given)
        return found[0][2]

    async def get(self, path: str) -> None:
        """Fail where a page differs, or tells what is hidden."""
        found = []
        for room in self._both:
            room.clock.time = self._now
            page = await room.door.http.get(path, headers={"Accept": "text/html"})
            found.append((page.status_code, page.text))
        assert found[0] == found[1], path
        assert MARK not in found[0][1], path


@pytest.fixture(params=[False, True], ids=["the past closed", "the past open"])
async def pair(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """The two stores."""
    async with AsyncExitStack() as stack:
        whole = await stack.enter_async_context(newsroom(tmp_path / "whole", open_past=request.param))
        without = await stack.enter_async_context(
            newsroom(tmp_path / "without", whole, open_past=request.param)
        )
        found = Pair(whole, without)
        await found.begin()
        yield found


def questions() -> Iterator[tuple[str, list[str]]]:
    """Yield each field of the query, with documents that together ask for all that there is below it."""
    assert SCHEMA.query_type
    for name, field in SCHEMA.query_type.fields.items():
        asking = {
            one: argument.type
            for one, argument in field.args.items()
            if argument.default_value in {Undefined, None} or not is_non_null_type(argument.type)
        }
        head = ", ".join(f"${one}: {type_}" for one, type_ in asking.items())
        given = ", ".join(f"{one}: ${one}" for one in asking)
        asked = f"{name}({given})" if given else name
        yield (
            name,
            [
                f"query {f'({head})' if head else ''} {{ {asked} {selection} }}"
                for selection in selections(SCHEMA, get_named_type(field.type))
            ],
        )


def asked(pair: Pair) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield questions with variables: all variables, and each document.

    Where an answer may be of any type, each document is about one, and is asked with all variables.
    """
    for field, documents in questions():
        given = list(variables(pair, field))
        if field in {"node", "nodes"}:
            yield from ((field, *one) for one in product(documents, given))
            continue
        for number in range(max(len(given), len(documents))):
            one = given[number % len(given)]
            yield field, documents[0], one
            if len(documents) > 1:
                yield field, documents[number % len(documents)], one


def variables(pair: Pair, field: str) -> Iterator[dict[str, Any]]:
    """Yield all that a field of the query is asked with: above all what only an insider can know."""
    room = pair.whole
    posts = [room.global_id("Post", one) for one in (*HIDDEN_POSTS, "second", "mine")]
    shown = [room.global_id("Article", one) for one in (*HIDDEN_POSTS, "second", "mine")]
    actors = [global_ids.encode("Actor", one.actor_id) for one in room.people.values() if one.actor_id]
    slugs: list[dict[str, Any]] = [{"slug": one} for one in (*HIDDEN_SLUGS, "second", "mine", "nowhere")]
    author = room.global_id("Author", "ada")
    pages: list[dict[str, Any]] = [{}]
    pages += [{"first": 2, "after": one} for one in pair.cursors]
    backwards: list[dict[str, Any]] = [{"last": 2, "before": one} for one in pair.cursors]
    filters: list[dict[str, Any]] = [{"author": author}, {"categorySlug": "news"}, {"categorySlug": "sport"}]
    dated: list[dict[str, Any]] = [{}, *({"asOf": one} for one in moments(room))]
    streams: list[dict[str, Any]] = [{"filter": {"stream": one}} for one in (*posts, *shown)]
    asked: dict[str, list[tuple[dict[str, Any], ...]]] = {
        "article": [*product([*slugs, *({"id": one} for one in shown)], dated)],
        "articles": [
            *product([*pages, *backwards], dated[:2]),
            *product([{"filter": one} for one in filters], dated),
            *product([{"orderBy": "PUBLISHED_AT_ASC"}], [*pages, *backwards][::3]),
        ],
        "author": [*product([{"id": author}], dated)],
        "authors": [*product(pages)],
        "categories": [*product(pages)],
        "category": [*product([{"slug": "news"}, {"slug": "sport"}], dated)],
        "changes": [({},), *product(streams), *product([streams[5]], [*pages, *backwards])],
        "moment": [*product(dated)],
        "node": [({"id": one},) for one in (*posts, *shown, *actors, author)],
        "nodes": [({"ids": [*posts, *shown, *actors]},)],
        "post": [*product([*slugs, *({"id": one} for one in posts)], dated)],
        "posts": [
            *product([*pages, *backwards], dated[:2]),
            *product([{"filter": {"status": one.name}} for one in PostStatus], dated[:2]),
        ],
        "recentPosts": [*product(pages, dated[:2]), *product(dated)],
        "site": [*product(dated)],
    }
    assert SCHEMA.query_type
    if field not in asked:
        given = SCHEMA.query_type.fields[field].args
        required = [name for name, one in given.items() if is_non_null_type(one.type)]
        assert not required, f"{field} is new: say here what to ask it with"
    for parts in asked.get(field, [()]):
        yield {name: value for part in parts for name, value in part.items()}


def moments(room: Newsroom) -> Iterator[dict[str, Any]]:
    """Yield moments at which something was public that is not today, and one of today."""
    for number, step in enumerate(STEPS, 1):
        if step.name in {"withdrawn", "second"}:
            yield {"position": room.positions[number]}
    yield {"time": iso_time(room.start + (len(STEPS) - 8) * MINUTE)}
    yield {"position": room.positions[-1]}


async def test_all_that_can_be_asked_is_answered_as_if_what_is_hidden_had_never_been(pair: Pair) -> None:
    for _, question, given in asked(pair):
        for who in OUTSIDERS:
            await pair.ask(who, question, given)


async def test_an_insider_finds_what_is_hidden(pair: Pair) -> None:
    """The questions are such that they would come by it."""
    found = set()
    with pair.whole.door.acting_as(pair.whole.people["editor"]):
        for field, question, given in asked(pair):
            if field in found:
                continue
            answer = await pair.whole.door.post(question, **given)
            assert "data" in answer.json(), answer.text
            if MARK in answer.text:
                found.add(field)
    assert found >= {"changes", "node", "nodes", "post", "posts"}
    assert found >= {"article", "articles", "author", "category", "recentPosts"}, "as of the past"


async def test_the_pages_are_the_same(pair: Pair) -> None:
    for path in (
        "/",
        "/categories/news",
        "/categories/sport",
        "/graphql",
        *(f"/articles/{slug}" for slug in (*HIDDEN_SLUGS, "second", "nowhere")),
        *(f"/?{way}={cursor}" for way, cursor in product(("after", "before"), pair.cursors)),
    ):
        await pair.get(path)


async def test_a_command_on_a_hidden_post_is_answered_as_on_one_that_there_is_not(pair: Pair) -> None:
    unknown = global_ids.encode("Post", UNKNOWN)
    hidden = [pair.whole.global_id(type, one) for type in ("Post", "Article") for one in HIDDEN_POSTS]
    for mutation, given in MUTATIONS.items():
        if given.get("id") not in {"$post", "$archived"}:
            continue
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ position replayed viewsBehind "
            "post { id title } userErrors { code field message currentVersion conflicts } } }"
        )
        for who in ("anyone", AUTHOR):
            more: list[dict[str, Any]] = [{}, {"expectedVersion": 1}, {"expectedVersion": 99}]
            for other in more:
                answers = {
                    await pair.ask(who, query, {"input": {**given, **other, "id": one}})
                    for one in (unknown, *hidden)
                }
                assert len(answers) == 1, (mutation, answers)
                assert ("NOT_FOUND" if who == AUTHOR else "UNAUTHENTICATED") in answers.pop()


async def test_a_slug_that_is_hidden_takes_as_many_statements_as_one_that_there_is_not(pair: Pair) -> None:
    with pair.whole.door.store.snapshot() as snapshot:
        statements = Counter[str]()
        current = ""
        snapshot.db.set_trace_callback(lambda _: statements.update([current]))
        try:
            for by_slug in (article_queries.by_slug, posts.by_slug):
                for current in (*HIDDEN_SLUGS, "nowhere"):
                    by_slug(snapshot, current)
        finally:
            snapshot.db.set_trace_callback(None)
    assert len(set(statements.values())) == 1, statements
