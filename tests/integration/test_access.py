"""The schema walk: each role may read or change exactly what the table in docs/reference/access.md states."""

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from graphql import is_non_null_type

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity, Identity
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

pytestmark = pytest.mark.usefixtures("workers")

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "access.md"
COLUMNS: Final = ("anyone", AUTHOR, "editor", "auditor", "admin")
SCHEMA: Final = graphql_schema()
PERMISSIONS: Final = SCHEMA.declarations.permissions
SUBSCRIBED: Final = {"ArticleChanged"}
"""Types that only subscriptions return."""
FIELDS_BY_NAME: Final = {field.coordinate: field for field in every_field(SCHEMA._schema)}


class Owner(NamedTuple):
    """A user and one of the user's posts."""

    identity: Identity
    post: str
    slug: str

    @property
    def actor(self) -> str:
        """The actor's global id."""
        return global_ids.encode("Actor", self.identity.actor_id or "")


class Walk:
    """A store, its users by role, and two owners of posts."""

    def __init__(
        self, api: Client, users: dict[str, Identity], own: Owner, other: Owner, author: str
    ) -> None:
        self.api = api
        self.users = users
        self.owners = {"own": own, "other": other}
        self.author = author
        self._numbers = count()

    async def ask(self, query: str, role: str, ownership: str = "own") -> dict[str, Any]:
        """Run a query as a role and return the body of the response."""
        owner = self.owners[ownership]
        variables = {"post": owner.post, "slug": owner.slug, "actor": owner.actor, "author": self.author}
        used = {name: value for name, value in variables.items() if re.search(rf"\${name}\b", query)}
        types = ", ".join(f"${name}: {'String' if name == 'slug' else 'ID'}!" for name in used)
        with self.api.acting_as(self.users[role]):
            response = await self.api.post(f"query ({types}) {query}" if used else query, **used)
        body: dict[str, Any] = response.json()
        return body

    async def do(
        self, mutation: str, role: str, ownership: str, fields: str = "position", **more: Any
    ) -> dict[str, Any]:
        """Run a mutation on objects created for it, and return the body of the response."""
        number = next(self._numbers)
        input = {**MUTATIONS[mutation], **more}
        writer = self.owners[ownership].identity
        things = {"$number": str(number), "$author": self.author}
        if "$post" in str(input) or "$archived" in str(input):
            things["$post"] = things["$archived"] = (await write(self.api, writer, f"thing-{number}"))[0]
        if "$correction" in str(input):
            query = "query ($id: ID!) { post(id: $id) { corrections { id } } }"
            (correction,) = (await self.api.ask(query, id=things["$post"]))["post"]["corrections"]
            things["$correction"] = correction["id"]
        if "$archived" in str(input):
            await self.api.do("postArchive", id=things["$post"])
        if "$category" in str(input) or "$merged" in str(input):
            created = await self.api.do("categoryCreate", "category { slug }", name=f"Made {number}")
            things["$category"] = things["$merged"] = created["category"]["slug"]
        if "$merged" in str(input):
            await self.api.do("categoryMerge", category={"slug": things["$merged"]}, into={"slug": "news"})
        for name, is_public in (("$page", True), ("$draft", False)):
            if name in str(input):
                page = {"title": f"Made {number}", "publish": is_public}
                things[name] = (await self.api.do("pageCreate", "pageDraft { id }", **page))["pageDraft"][
                    "id"
                ]
        if "$token" in str(input):
            created = await self.api.do("tokenCreate", "token { id }", name=f"Made {number}", role="READER")
            things["$token"] = created["token"]["id"]
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        query = (
            f"mutation ($input: {kind}!) {{ outcome: {mutation}(input: $input) "
            f"{{ {fields} errors: userErrors {{ code }} }} }}"
        )
        with self.api.acting_as(self.users[role]):
            body: dict[str, Any] = (await self.api.post(query, input=filled(input, things))).json()
        return body


def filled(value: Any, things: dict[str, str]) -> Any:
    """Replace the names of the created objects in the input of a mutation by their values."""
    if isinstance(value, dict):
        return {name: filled(item, things) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, things) for item in value]
    if isinstance(value, str):
        for name, thing in things.items():
            value = value.replace(name, thing)
    return value


async def write(api: Client, writer: Identity, slug: str, *authors: str) -> tuple[str, str]:
    """Create a public post with a history: its version 4 changes the title, and its last version has a correction."""
    with api.acting_as(writer):
        post = await api.write(
            "One",
            slug=slug,
            body="# A\n\nText.",
            publish=True,
            categories=[{"slug": "news"}],
            authors=list(authors),
        )
        await api.do("postEdit", id=post["id"], title="Two")
        await api.do("postEdit", id=post["id"], body="# A\n\n## B\n\nOther text.", publish=True)
        await api.do("postPublish", id=post["id"], correction="It is two.")
    return post["id"], slug


@pytest.fixture
async def walk(tmp_path: Path) -> AsyncIterator[Walk]:
    """A user of each role, and a store with one post by the author and one by the editor."""
    async with client(tmp_path / "store") as api:
        await people(api.store)
        await api.do("siteName", name="The Pier")
        await api.do("categoryCreate", name="News")
        await api.do("categoryCreate", name="Sport", parent={"slug": "news"})
    for views in (tmp_path / "store").glob("views-*"):
        views.unlink()  # only rebuilt views have digests
    async with client(tmp_path / "store", open_past=True, public_history=True) as api:
        # With an open past, the client is anonymous until it is given an identity.
        with api.acting_as(LOCAL_OPERATOR):
            users = await people(api.store)
            registered = await api.do("authorRegister", "author { id }", name="Ada")
            ada = registered["author"]["id"]
            owners = [
                Owner(users[name], *await write(api, users[name], name, ada)) for name in (AUTHOR, "editor")
            ]
            await api.do("tokenCreate", name="Ada's", role="AUTHOR")
            await api.do("siteDescribe", logo={"url": "/logo.svg", "alternativeText": "A pier"})
            await api.do("pageCreate", title="About", publish=True)
            await api.do("menuArrange", items=[{"label": "About", "target": {"pageSlug": "about"}}])
            yield Walk(api, users, owners[0], owners[1], registered["author"]["id"])


def table() -> dict[str, dict[str, str]]:
    """Return the table of the page: the access of each role, by field."""
    rows = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[A-Z]\w*\.\w+", cells[0]):
            rows[cells[0]] = dict(zip(COLUMNS, cells[2:], strict=True))
    return rows


TABLE: Final = table()


def test_the_table_contains_exactly_the_fields_of_the_schema() -> None:
    assert set(TABLE) == set(FIELDS_BY_NAME), "generate docs/reference/access.md again and review the changes"
    assert PAGE.read_text("utf-8") == access_reference.page(SCHEMA)


def test_features_declare_permissions_for_all_root_fields_and_only_for_existing_fields() -> None:
    roots = {
        name for name in FIELDS_BY_NAME if name.partition(".")[0] in {"Query", "Mutation", "Subscription"}
    }
    assert roots - set(PERMISSIONS) == set(), "declare the permissions of these in their features"
    assert set(PERMISSIONS) <= set(FIELDS_BY_NAME), "features declare permissions of fields that do not exist"


def test_fields_with_permissions_are_marked_and_nullable() -> None:
    for name, field in FIELDS_BY_NAME.items():
        need = PERMISSIONS.get(name)
        assert field.field.extensions.get(GUARDED) == need, name
        assert need is None or not is_non_null_type(field.field.type) or field.type == "Subscription", name


@pytest.mark.parametrize("role", COLUMNS)
async def test_access_to_each_field_matches_the_table(walk: Walk, role: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type in {"Mutation", "Subscription"} or field.type in RESULTS or field.type in SUBSCRIBED:
            continue
        expected = TABLE[name][role]
        assert await can_read(walk, field, role, "own") == (expected != "no"), (name, role, "own")
        if depends_on_owner(field):
            assert await can_read(walk, field, role, "other") == (expected == "yes"), (
                name,
                role,
                "another's",
            )


def depends_on_owner(field: Field) -> bool:
    """Return whether the path to the field contains a post or an actor of a user."""
    way = root_selection(field) if field.type == "Query" else WAYS[field.type]
    return "$post" in way or "$actor" in way


async def can_read(walk: Walk, field: Field, role: str, ownership: str) -> bool:
    """Return whether a role can read a field; if access is denied, check the error."""
    if field.type == "Query":
        query = f"{{ {root_selection(field)} }}"
    else:
        query = f"{{ {WAYS[field.type] % f'reached: __typename {field.selection}'} }}"
    body = await walk.ask(query, role, ownership)
    if "errors" in body:
        assert_denied(body["errors"], walk.users[role])
        if field.type != "Query" and body["errors"][0]["path"][-1] == field.name:
            assert types_reached(body["data"]) == {field.type}, (query, "the error removed the object")
        return False
    if field.type == "Query":
        return body["data"][field.name] is not None
    reached = types_reached(body["data"])
    assert reached <= {field.type}, (query, body)
    return bool(reached)


def types_reached(data: Any) -> set[str]:
    """Return the types of the objects that have the marker `reached`."""
    if isinstance(data, list):
        return set().union(*map(types_reached, data))
    if isinstance(data, dict):
        reached = {data["reached"]} if "reached" in data else set()
        return reached.union(*map(types_reached, data.values()))
    return set()


def assert_denied(errors: list[dict[str, Any]], identity: Identity) -> None:
    """Fail unless `errors` is one error with the right code and a message that reveals only the permission."""
    (error,) = errors
    assert error["extensions"] == {"code": "FORBIDDEN" if identity.actor_id else "UNAUTHENTICATED"}, error
    required_permission = r"This needs the permission “[a-z-]+:[a-z-]+”"
    assert re.fullmatch(
        rf"{required_permission}(, which you do not have\.|\. Authenticate with “Authorization: Bearer …”\.)",
        error["message"],
    )


@pytest.mark.parametrize("role", COLUMNS)
async def test_access_to_each_mutation_matches_the_table(walk: Walk, role: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type != "Mutation" or field.name == "bulk":  # see test_bulk.py
            continue
        expected = TABLE[name][role]
        about_a_post = MUTATIONS[field.name].get("id") in {"$post", "$archived"}
        for ownership in ("own", "other") if about_a_post else ("own",):
            body = await walk.do(field.name, role, ownership)
            details = (name, role, ownership, body)
            if expected == "no":
                assert_denied(body["errors"], walk.users[role])
                assert body["data"] == {"outcome": None}, details
                continue
            assert "errors" not in body, details
            outcome = body["data"]["outcome"]
            if expected == "own" and ownership == "other":
                assert outcome == {"position": None, "errors": [{"code": "NOT_FOUND"}]}, details
            else:
                assert outcome["errors"] == [], details
                assert outcome["position"] is not None


@pytest.mark.parametrize("role", COLUMNS)
async def test_users_who_may_run_a_mutation_can_read_its_result(walk: Walk, role: str) -> None:
    for name, field in FIELDS_BY_NAME.items():
        if field.type not in RESULTS:
            continue
        mutation, place = RESULTS[field.type]
        selection = place % f"reached: __typename {field.selection}"
        body = await walk.do(mutation, role, "own", selection)
        if TABLE[name][role] == "no":
            assert_denied(body["errors"], walk.users[role])
        else:
            assert "errors" not in body, (name, body)
            assert types_reached(body["data"]) == {field.type}, (name, body)


@pytest.mark.parametrize("role", COLUMNS)
async def test_access_to_each_subscription_matches_the_table(walk: Walk, role: str) -> None:
    async with served(walk.api.store, authenticator=FixedIdentity(walk.users[role])) as server:
        for name, field in FIELDS_BY_NAME.items():
            if field.type != "Subscription":
                continue
            expected = TABLE[name][role]
            type_, way = SUBSCRIPTIONS[field.name]
            fields = [selected.selection for selected in FIELDS_BY_NAME.values() if selected.type == type_]
            query = way % " ".join(["reached: __typename", *fields])
            for ownership in ("own", "other") if "$post" in way else ("own",):
                message = await first_message(walk, server, query, ownership)
                details = (name, role, ownership, message)
                assert (message["type"] == "next") == (expected in {"yes", ownership}), details
                if message["type"] == "next":
                    assert types_reached(message["payload"]["data"]) == {type_}, details
                    assert "errors" not in message["payload"], details
                else:
                    assert_denied(message["payload"], walk.users[role])


async def first_message(walk: Walk, server: Served, query: str, ownership: str) -> dict[str, Any]:
    """Subscribe and return the first message; publish the article repeatedly until the message arrives."""
    owner = walk.owners[ownership]
    variables, types = ({"slug": owner.slug}, "$slug: String!") if "$slug" in query else ({}, "")
    if "$post" in query:
        variables, types = {"post": owner.post}, "$post: ID!"
    async with websocket(server.host, server.port) as socket:
        await socket.init()
        await socket.subscribe(f"subscription {f'({types})' if types else ''} {{ {query} }}", **variables)
        receiving = asyncio.create_task(socket.receive())
        while not receiving.done():
            await walk.api.do("postPublish", id=owner.post, correction="Once more.")
            await asyncio.wait([receiving], timeout=0.1)
        return receiving.result()


async def test_a_denied_mutation_is_rejected_before_its_input_is_checked(walk: Walk) -> None:
    """The server checks neither the fields nor the post, so the error reveals nothing about them."""
    nowhere = global_ids.encode("Post", "00000000-0000-8000-8000-00000000000f")
    query = 'mutation ($id: ID!) { postEdit(input: { id: $id, title: "" }) { position } }'
    responses = []
    for role in ("anyone", "auditor"):
        with walk.api.acting_as(walk.users[role]):
            for post in (walk.owners["own"].post, nowhere, "no id"):
                response = await walk.api.post(query, id=post)
                responses.append(response.json())
    assert responses[0] == responses[1] == responses[2] != responses[3] == responses[4] == responses[5]


async def test_a_denied_mutation_does_not_affect_other_mutations_of_the_operation(walk: Walk) -> None:
    query = """
        mutation {
          first: postCreate(input: { title: "First" }) { post { title } }
          siteName(input: { name: "Mine" }) { site { name } }
          last: postCreate(input: { title: "Last" }) { post { title } }
        }
    """
    with walk.api.acting_as(walk.users[AUTHOR]):
        body = (await walk.api.post(query)).json()
    assert_denied(body["errors"], walk.users[AUTHOR])
    assert body["data"] == {
        "first": {"post": {"title": "First"}},
        "siteName": None,
        "last": {"post": {"title": "Last"}},
    }
    assert (await walk.api.ask("{ site { name } }"))["site"] == {"name": "The Pier"}
