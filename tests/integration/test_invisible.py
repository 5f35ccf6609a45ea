"""Content that is not public is invisible: every response is that of a store that never contained it.

Two stores have the same history, except that only one has drafts, posts that are no longer public, archived posts and
unpublished edits. Readers, and authors of other posts, send every query that the schema allows to both.
"""

import re
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
from tests.integration.hidden_posts import (
    FORMERLY_PUBLIC_SLUGS,
    HIDDEN_POSTS,
    HIDDEN_SLUGS,
    MARK,
    MINUTE,
    STEPS,
    Newsroom,
    newsroom,
)
from tests.integration.schema_walk import MUTATIONS
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR

pytestmark = pytest.mark.usefixtures("workers")

SCHEMA: Final = graphql_schema()._schema
OUTSIDERS: Final = ("anyone", AUTHOR, OTHER_AUTHOR)
UNKNOWN: Final = "00000000-0000-8000-8000-00000000000f"


class Pair:
    """The store with hidden posts, and the same store without them."""

    def __init__(self, full: Newsroom, reduced: Newsroom) -> None:
        self.full = full
        self._both = (full, reduced)
        self._now = max(room.clock.time for room in self._both)
        self.cursors: list[str] = []

    async def begin(self) -> None:
        """Collect the cursors of the hidden posts in every kind of list."""
        room = self.full
        with room.api.acting_as(LOCAL_OPERATOR):
            data = await room.api.ask("{ posts(first: 100) { edges { cursor node { id } } } }")
        hidden = {room.global_id("Post", name) for name in HIDDEN_POSTS}
        listed = [edge["cursor"] for edge in data["posts"]["edges"] if edge["node"]["id"] in hidden]
        assert len(listed) == len(hidden)
        keys = [decode_cursor(cursor, name="a post") for cursor in listed]
        self.cursors = [*listed, *(encode_cursor(ListingKey(0, key.post)) for key in keys)]

    async def ask(self, user: str, query: str, arguments: dict[str, Any]) -> str:
        """Return the response of both stores to a user. Fail if the responses differ or contain hidden content."""
        responses = []
        for room in self._both:
            room.clock.time = self._now
            with room.api.acting_as(room.people[user]):
                response = await room.api.post(query, **arguments)
            responses.append((response.status_code, response.headers["ledgerpress-position"], response.text))
        assert responses[0] == responses[1], (user, query, arguments)
        assert MARK not in responses[0][2], (user, query, arguments)
        return responses[0][2]

    async def get(self, path: str) -> None:
        """Fail if a page differs between the stores or contains hidden content."""
        pages = []
        for room in self._both:
            room.clock.time = self._now
            page = await room.api.http.get(path, headers={"Accept": "text/html"})
            # The nonce of the content security policy is random.
            pages.append((page.status_code, re.sub(r'nonce="[^"]*"', "", page.text)))
        assert pages[0] == pages[1], path
        assert MARK not in pages[0][1], path


@pytest.fixture(params=[False, True], ids=["the past closed", "the past open"])
async def pair(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """The two stores, with the past closed or open to anonymous clients."""
    async with AsyncExitStack() as stack:
        full = await stack.enter_async_context(newsroom(tmp_path / "whole", open_past=request.param))
        reduced = await stack.enter_async_context(
            newsroom(tmp_path / "without", full, open_past=request.param)
        )
        pair = Pair(full, reduced)
        await pair.begin()
        yield pair


HASHES_OF_EVENTS: Final = frozenset({"InclusionProof"})
"""Types that contain hashes of other events, which differ between the stores. They do not reveal what is hashed."""


def queries() -> Iterator[tuple[str, list[str]]]:
    """Yield each field of the query type, with documents that together select everything below it."""
    assert SCHEMA.query_type
    for name, field in SCHEMA.query_type.fields.items():
        argument_types = {
            argument_name: argument.type
            for argument_name, argument in field.args.items()
            if argument.default_value in {Undefined, None} or not is_non_null_type(argument.type)
        }
        declarations = ", ".join(
            f"${argument_name}: {type_}" for argument_name, type_ in argument_types.items()
        )
        arguments = ", ".join(f"{argument_name}: ${argument_name}" for argument_name in argument_types)
        field_text = f"{name}({arguments})" if arguments else name
        yield (
            name,
            [
                f"query {f'({declarations})' if declarations else ''} {{ {field_text} {selection} }}"
                for selection in selections(SCHEMA, get_named_type(field.type), HASHES_OF_EVENTS)
            ],
        )


def requests(pair: Pair) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield fields with documents and variables, so that each document and all variables occur.

    The results of `node` and `nodes` can be of any type. Each of their documents selects one type, and is combined with
    all variables.
    """
    for field, documents in queries():
        all_variables = list(variables(pair, field))
        if field in {"node", "nodes"}:
            yield from ((field, *combination) for combination in product(documents, all_variables))
            continue
        for number in range(max(len(all_variables), len(documents))):
            values = all_variables[number % len(all_variables)]
            yield field, documents[0], values
            if len(documents) > 1:
                yield field, documents[number % len(documents)], values


def variables(pair: Pair, field: str) -> Iterator[dict[str, Any]]:
    """Yield the variables for a field of the query type, above all values that only an insider can know."""
    room = pair.full
    posts = [room.global_id("Post", name) for name in (*HIDDEN_POSTS, "second", "mine")]
    articles = [room.global_id("Article", name) for name in (*HIDDEN_POSTS, "second", "mine")]
    actors = [global_ids.encode("Actor", user.actor_id) for user in room.people.values() if user.actor_id]
    slugs: list[dict[str, Any]] = [{"slug": slug} for slug in (*HIDDEN_SLUGS, "second", "mine", "nowhere")]
    author = room.global_id("Author", "ada")
    pages: list[dict[str, Any]] = [{}]
    pages += [{"first": 2, "after": cursor} for cursor in pair.cursors]
    backwards: list[dict[str, Any]] = [{"last": 2, "before": cursor} for cursor in pair.cursors]
    filters: list[dict[str, Any]] = [{"author": author}, {"categorySlug": "news"}, {"categorySlug": "sport"}]
    dated: list[dict[str, Any]] = [{}, *({"asOf": moment} for moment in moments(room))]
    streams: list[dict[str, Any]] = [{"filter": {"stream": node_id}} for node_id in (*posts, *articles)]
    variables_of: dict[str, list[tuple[dict[str, Any], ...]]] = {
        "article": [*product([*slugs, *({"id": article_id} for article_id in articles)], dated)],
        "articles": [
            *product([*pages, *backwards], dated[:2]),
            *product([{"filter": filter_} for filter_ in filters], dated),
            *product([{"orderBy": "PUBLISHED_AT_ASC"}], [*pages, *backwards][::3]),
        ],
        "author": [*product([{"id": author}], dated)],
        "authors": [*product(pages)],
        "categories": [*product(pages)],
        "category": [*product([{"slug": "news"}, {"slug": "sport"}], dated)],
        "changes": [({},), *product(streams), *product([streams[5]], [*pages, *backwards])],
        "moment": [*product(dated)],
        "node": [({"id": node_id},) for node_id in (*posts, *articles, *actors, author)],
        "nodes": [({"ids": [*posts, *articles, *actors]},)],
        "post": [*product([*slugs, *({"id": post_id} for post_id in posts)], dated)],
        "posts": [
            *product([*pages, *backwards], dated[:2]),
            *product([{"filter": {"status": status.name}} for status in PostStatus], dated[:2]),
        ],
        "corrections": [*product(pages, dated[:2]), *product(dated)],
        "frontPageComparison": [*product([{"from": moment} for moment in moments(room)])],
        "recentPosts": [*product(pages, dated[:2]), *product(dated)],
        "site": [*product(dated)],
    }
    assert SCHEMA.query_type
    if field not in variables_of:
        arguments = SCHEMA.query_type.fields[field].args
        required = [name for name, argument in arguments.items() if is_non_null_type(argument.type)]
        assert not required, f"{field} is new: add its variables here"
    for parts in variables_of.get(field, [()]):
        yield {name: value for part in parts for name, value in part.items()}


def moments(room: Newsroom) -> Iterator[dict[str, Any]]:
    """Yield moments at which posts were public that are now hidden, and the current moment."""
    for number, step in enumerate(STEPS, 1):
        if step.name in {"withdrawn", "second"}:
            yield {"position": room.positions[number]}
    yield {"time": iso_time(room.start + (len(STEPS) - 8) * MINUTE)}
    yield {"position": room.positions[-1]}


@pytest.mark.one_worker  # minutes of requests; `test_access.py` compares the fields with several workers
async def test_every_response_is_as_if_hidden_content_had_never_existed(pair: Pair) -> None:
    for _, query, arguments in requests(pair):
        for user in OUTSIDERS:
            await pair.ask(user, query, arguments)


async def test_an_insider_finds_hidden_content(pair: Pair) -> None:
    """Show that the queries would find hidden posts if the server did not hide them."""
    fields = set()
    with pair.full.api.acting_as(pair.full.people["editor"]):
        for field, query, arguments in requests(pair):
            if field in fields:
                continue
            response = await pair.full.api.post(query, **arguments)
            assert "data" in response.json(), response.text
            if MARK in response.text:
                fields.add(field)
    assert fields >= {"changes", "node", "nodes", "post", "posts"}
    assert fields >= {"article", "articles", "author", "category", "recentPosts"}, "as of the past"


async def test_pages_are_the_same(pair: Pair) -> None:
    """An address that never was public has the page of an unknown one. Readers know an address that was."""
    slugs = [slug for slug in (*HIDDEN_SLUGS, "second", "nowhere") if slug not in FORMERLY_PUBLIC_SLUGS]
    for path in (
        "/",
        "/categories/news",
        "/categories/sport",
        "/graphql",
        "/corrections",
        "/compare?from=1",
        "/compare?from=1&to=20",
        *(f"/articles/{slug}/history{rest}" for slug, rest in product(slugs, ("", "/1", "/2", "/1/check"))),
        *(f"/articles/{slug}" for slug in slugs),
        *(f"/?{argument}={cursor}" for argument, cursor in product(("after", "before"), pair.cursors)),
    ):
        await pair.get(path)


async def test_an_article_that_was_public_is_only_called_not_public_at_present(pair: Pair) -> None:
    texts = set()
    for slug in FORMERLY_PUBLIC_SLUGS:
        page = await pair.full.api.http.get(f"/articles/{slug}", headers={"Accept": "text/html"})
        assert page.status_code == 404
        assert "This article is not public at present" in page.text
        assert MARK not in page.text
        texts.add(page.text)
    assert len(texts) == 1, "neither the post nor its status shows"


async def test_a_command_on_a_hidden_post_responds_as_for_an_unknown_post(pair: Pair) -> None:
    unknown = global_ids.encode("Post", UNKNOWN)
    hidden = [pair.full.global_id(type, name) for type in ("Post", "Article") for name in HIDDEN_POSTS]
    for mutation, arguments in MUTATIONS.items():
        if arguments.get("id") not in {"$post", "$archived"}:
            continue
        if arguments.get("correction") == "$correction":
            arguments = {**arguments, "correction": global_ids.encode("Correction", UNKNOWN)}
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = (
            f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ position replayed viewsBehind "
            "post { id title } userErrors { code field message currentVersion conflicts } } }"
        )
        for user in ("anyone", AUTHOR):
            versions: list[dict[str, Any]] = [{}, {"expectedVersion": 1}, {"expectedVersion": 99}]
            for version in versions:
                responses = {
                    await pair.ask(user, query, {"input": {**arguments, **version, "id": post_id}})
                    for post_id in (unknown, *hidden)
                }
                assert len(responses) == 1, (mutation, responses)
                assert ("NOT_FOUND" if user == AUTHOR else "UNAUTHENTICATED") in responses.pop()


async def test_a_hidden_slug_takes_as_many_sql_statements_as_an_unknown_one(pair: Pair) -> None:
    with pair.full.api.store.snapshot() as snapshot:
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
