"""The schema walk: every field and every mutation, as every role, is allowed or refused as the table in the docs says."""

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from graphql import is_non_null_type

from ledgerpress.commands.client_identity import FixedIdentity, Identity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql import access_reference
from ledgerpress.graphql.access_control import GUARDED
from ledgerpress.graphql.relay import global_ids
from tests.integration.graphql_client import Client, client
from tests.integration.schema_walk import (
    MUTATIONS,
    RESULTS,
    SUBSCRIPTIONS,
    WAYS,
    Field,
    every_field,
    root_selection,
)
from tests.integration.users_by_role import AUTHOR, people
from tests.integration.websocket_client import Served, served, websocket

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "access.md"
COLUMNS: Final = ("anyone", AUTHOR, "editor", "auditor", "admin")
SCHEMA: Final = graphql_schema()
PERMISSIONS: Final = SCHEMA.declarations.permissions
SUBSCRIBED: Final = {"ArticleChanged"}
"""Types that only subscriptions give."""
FIELDS_BY_NAME: Final = {field.coordinate: field for field in every_field(SCHEMA._schema)}


class Whose(NamedTuple):
    """Somebody, and a post of theirs."""

    who: Identity
    post: str
    slug: str

    @property
    def actor(self) -> str:
        """The actor's global id."""
        return global_ids.encode("Actor", self.who.actor_id or "")


class Walk:
    """A store, and who walks through it."""

    def __init__(
        self, door: Client, walkers: dict[str, Identity], own: Whose, other: Whose, author: str
    ) -> None:
        self.door = door
        self.walkers = walkers
        self.whose = {"own": own, "other": other}
        self.author = author
        self._numbers = count()

    async def ask(self, query: str, who: str, whose: str = "own") -> dict[str, Any]:
        """Return the body of an answer."""
        about = self.whose[whose]
        variables = {"post": about.post, "slug": about.slug, "actor": about.actor, "author": self.author}
        used = {name: value for name, value in variables.items() if re.search(rf"\${name}\b", query)}
        types = ", ".join(f"${name}: {'String' if name == 'slug' else 'ID'}!" for name in used)
        with self.door.acting_as(self.walkers[who]):
            response = await self.door.post(f"query ({types}) {query}" if used else query, **used)
        body: dict[str, Any] = response.json()
        return body

    async def do(
        self, mutation: str, who: str, whose: str, fields: str = "position", **more: Any
    ) -> dict[str, Any]:
        """Carry out a mutation on things made for it, and return the body of the answer."""
        number = next(self._numbers)
        given = {**MUTATIONS[mutation], **more}
        writer = self.whose[whose].who
        things = {"$number": str(number), "$author": self.author}
        if "$post" in str(given) or "$archived" in str(given):
            things["$post"] = things["$archived"] = (await write(self.door, writer, f"thing-{number}"))[0]
        if "$archived" in str(given):
            await self.door.do("postArchive", id=things["$post"])
        if "$category" in str(given):
            made = await self.door.do("categoryCreate", "category { slug }", name=f"Made {number}")
            things["$category"] = made["category"]["slug"]
        if "$token" in str(given):
            made = await self.door.do("tokenCreate", "token { id }", name=f"Made {number}", role="READER")
            things["$token"] = made["token"]["id"]
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = (
            f"mutation ($input: {kind}!) {{ outcome: {mutation}(input: $input) "
            f"{{ {fields} errors: userErrors {{ code }} }} }}"
        )
        with self.door.acting_as(self.walkers[who]):
            body: dict[str, Any] = (await self.door.post(query, input=filled(given, things))).json()
        return body


def filled(given: Any, things: dict[str, str]) -> Any:
    """Put the things that were made into what a mutation is given."""
    if isinstance(given, dict):
        return {name: filled(value, things) for name, value in given.items()}
    if isinstance(given, str):
        for name, thing in things.items():
            given = given.replace(name, thing)
    return given


async def write(door: Client, who: Identity, slug: str) -> tuple[str, str]:
    """Write a public post with a history; its version 4 changed the title, and its last one has a correction."""
    with door.acting_as(who):
        post = await door.write(
            "One", slug=slug, body="# A\n\nText.", publish=True, categories=[{"slug": "news"}]
        )
        await door.do("postEdit", id=post["id"], title="Two")
        await door.do("postEdit", id=post["id"], body="# A\n\n## B\n\nOther text.", publish=True)
        await door.do("postPublish", id=post["id"], correction="It is two.")
    return post["id"], slug


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    """Somebody in each role, at a store with a post of the author's and one of the editor's."""
    async with client(tmp_path / "store") as door:
        await people(door.store)
        await door.do("siteName", name="The Pier")
        await door.do("categoryCreate", name="News")
        await door.do("categoryCreate", name="Sport", parent={"slug": "news"})
    for views in (tmp_path / "store").glob("views-*"):
        views.unlink()  # those that are made anew have digests
    async with client(tmp_path / "store") as door:
        walkers = await people(door.store)
        made = await door.do("authorRegister", "author { id }", name="Ada")
        whose = [Whose(walkers[name], *await write(door, walkers[name], name)) for name in (AUTHOR, "editor")]
        await door.do("tokenCreate", name="Ada's", role="AUTHOR")
        yield Walk(door, walkers, whose[0], whose[1], made["author"]["id"])


def table() -> dict[str, dict[str, str]]:
    """Return what the page says: of each field, what each role may have."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[A-Z]\w*\.\w+", cells[0]):
            found[cells[0]] = dict(zip(COLUMNS, cells[2:], strict=True))
    return found


TABLE: Final = table()


def test_the_table_names_every_field_there_is() -> None:
    assert set(TABLE) == set(FIELDS_BY_NAME), (
        "write docs/reference/access.md anew, and look at what has changed"
    )
    assert PAGE.read_text("utf-8") == access_reference.page(SCHEMA)


def test_every_root_field_is_decided_about_and_every_decision_is_about_a_field() -> None:
    roots = {
        name for name in FIELDS_BY_NAME if name.partition(".")[0] in {"Query", "Mutation", "Subscription"}
    }
    assert roots - set(PERMISSIONS) == set(), "declare the permissions of these in their features"
    assert set(PERMISSIONS) <= set(FIELDS_BY_NAME), "features declare permissions of fields that do not exist"


def test_a_field_that_can_be_refused_is_marked_and_takes_nothing_else_away() -> None:
    for name, field in FIELDS_BY_NAME.items():
        need = PERMISSIONS.get(name)
        assert field.field.extensions.get(GUARDED) == need, name
        assert need is None or not is_non_null_type(field.field.type) or field.type == "Subscription", name


@pytest.mark.parametrize("who", COLUMNS)
async def test_each_field_is_had_or_refused_as_the_table_says(walk: Walk, who: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type in {"Mutation", "Subscription"} or field.type in RESULTS or field.type in SUBSCRIBED:
            continue
        expected = TABLE[name][who]
        assert await had(walk, field, who, "own") == (expected != "no"), (name, who, "own")
        if is_about_somebody(field):
            assert await had(walk, field, who, "other") == (expected == "yes"), (name, who, "another's")


def is_about_somebody(field: Field) -> bool:
    """Return whether the way to the field leads by a post, or an actor, of somebody's."""
    way = root_selection(field) if field.type == "Query" else WAYS[field.type]
    return "$post" in way or "$actor" in way


async def had(walk: Walk, field: Field, who: str, whose: str) -> bool:
    """Return whether somebody gets a field; where they do not, check how they are told."""
    if field.type == "Query":
        query = f"{{ {root_selection(field)} }}"
    else:
        query = f"{{ {WAYS[field.type] % f'reached: __typename {field.selection}'} }}"
    body = await walk.ask(query, who, whose)
    if "errors" in body:
        assert_refused(body["errors"], walk.walkers[who])
        if field.type != "Query" and body["errors"][0]["path"][-1] == field.name:
            assert types_reached(body["data"]) == {field.type}, (query, "the refusal took the object away")
        return False
    if field.type == "Query":
        return body["data"][field.name] is not None
    reached = types_reached(body["data"])
    assert reached <= {field.type}, (query, body)
    return bool(reached)


def types_reached(data: Any) -> set[str]:
    """Return the types of the objects that say that they were reached."""
    if isinstance(data, list):
        return set().union(*map(types_reached, data))
    if isinstance(data, dict):
        reached = {data["reached"]} if "reached" in data else set()
        return reached.union(*map(types_reached, data.values()))
    return set()


def assert_refused(errors: list[dict[str, Any]], who: Identity) -> None:
    """Fail unless these are one refusal, for the right reason, which tells nothing but the permission."""
    (error,) = errors
    assert error["extensions"] == {"code": "FORBIDDEN" if who.actor_id else "UNAUTHENTICATED"}, error
    required_permission = r"This needs the permission “[a-z-]+:[a-z-]+”"
    assert re.fullmatch(
        rf"{required_permission}(, which you do not have\.|\. Authenticate with “Authorization: Bearer …”\.)",
        error["message"],
    )


@pytest.mark.parametrize("who", COLUMNS)
async def test_each_mutation_is_carried_out_or_refused_as_the_table_says(walk: Walk, who: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type != "Mutation":
            continue
        expected = TABLE[name][who]
        about_a_post = MUTATIONS[field.name].get("id") in {"$post", "$archived"}
        for whose in ("own", "other") if about_a_post else ("own",):
            body = await walk.do(field.name, who, whose)
            about = (name, who, whose, body)
            if expected == "no":
                assert_refused(body["errors"], walk.walkers[who])
                assert body["data"] == {"outcome": None}, about
                continue
            assert "errors" not in body, about
            outcome = body["data"]["outcome"]
            if expected == "own" and whose == "other":
                assert outcome == {"position": None, "errors": [{"code": "NOT_FOUND"}]}, about
            else:
                assert outcome["errors"] == [], about
                assert outcome["position"] is not None


@pytest.mark.parametrize("who", COLUMNS)
async def test_what_comes_of_a_mutation_is_had_by_whoever_may_carry_it_out(walk: Walk, who: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type not in RESULTS:
            continue
        mutation, place = RESULTS[field.type]
        blank = {"title": ""} if field.type == "UserError" else {}
        selection = place % f"reached: __typename {field.selection}"
        body = await walk.do(mutation, who, "own", selection, **blank)
        if TABLE[name][who] == "no":
            assert_refused(body["errors"], walk.walkers[who])
        else:
            assert "errors" not in body, (name, body)
            assert types_reached(body["data"]) == {field.type}, (name, body)


@pytest.mark.parametrize("who", COLUMNS)
async def test_each_subscription_is_had_or_refused_as_the_table_says(walk: Walk, who: str) -> None:
    async with served(walk.door.store, door=FixedIdentity(walk.walkers[who])) as server:
        for name, field in FIELDS_BY_NAME.items():
            if field.type != "Subscription":
                continue
            expected = TABLE[name][who]
            type_, way = SUBSCRIPTIONS[field.name]
            fields = [one.selection for one in FIELDS_BY_NAME.values() if one.type == type_]
            query = way % " ".join(["reached: __typename", *fields])
            for whose in ("own", "other") if "$post" in way else ("own",):
                message = await told(walk, server, query, whose)
                about = (name, who, whose, message)
                assert (message["type"] == "next") == (expected in {"yes", whose}), about
                if message["type"] == "next":
                    assert types_reached(message["payload"]["data"]) == {type_}, about
                    assert "errors" not in message["payload"], about
                else:
                    assert_refused(message["payload"], walk.walkers[who])


async def told(walk: Walk, server: Served, query: str, whose: str) -> dict[str, Any]:
    """Subscribe, and return the first message; meanwhile the article is published again and again."""
    about = walk.whose[whose]
    variables, types = ({"slug": about.slug}, "$slug: String!") if "$slug" in query else ({}, "")
    if "$post" in query:
        variables, types = {"post": about.post}, "$post: ID!"
    async with websocket(server.host, server.port) as socket:
        await socket.init()
        await socket.subscribe(f"subscription {f'({types})' if types else ''} {{ {query} }}", **variables)
        receiving = asyncio.create_task(socket.receive())
        while not receiving.done():
            await walk.door.do("postPublish", id=about.post, correction="Once more.")
            await asyncio.wait([receiving], timeout=0.1)
        return receiving.result()


async def test_who_may_not_is_refused_before_anything_is_read(walk: Walk) -> None:
    """A command's fields are not looked at, nor is its post, so no refusal tells of either."""
    nowhere = global_ids.encode("Post", "00000000-0000-8000-8000-00000000000f")
    query = 'mutation ($id: ID!) { postEdit(input: { id: $id, title: "" }) { position } }'
    answers = []
    for who in ("anyone", "auditor"):
        with walk.door.acting_as(walk.walkers[who]):
            for post in (walk.whose["own"].post, nowhere, "no id"):
                answer = await walk.door.post(query, id=post)
                answers.append(answer.json())
    assert answers[0] == answers[1] == answers[2] != answers[3] == answers[4] == answers[5]


async def test_a_refused_mutation_leaves_what_came_before_it_and_what_comes_after(walk: Walk) -> None:
    query = """
        mutation {
          first: postCreate(input: { title: "First" }) { post { title } }
          siteName(input: { name: "Mine" }) { site { name } }
          last: postCreate(input: { title: "Last" }) { post { title } }
        }
    """
    with walk.door.acting_as(walk.walkers[AUTHOR]):
        body = (await walk.door.post(query)).json()
    assert_refused(body["errors"], walk.walkers[AUTHOR])
    assert body["data"] == {
        "first": {"post": {"title": "First"}},
        "siteName": None,
        "last": {"post": {"title": "Last"}},
    }
    assert (await walk.door.ask("{ site { name } }"))["site"] == {"name": "The Pier"}
