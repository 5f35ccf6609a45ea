"""Slugs of authors: derived or stated, changed, redirected, and those of authors of earlier logs."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent, SealedPayload
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.graphql.relay import global_ids
from ledgerpress.operator.withdraw import withdraw_from
from ledgerpress.server.store import Store
from tests.integration.graphql_client import Client, client
from tests.integration.in_process_nodes import node
from tests.integration.users_by_role import people
from tests.property.view_rows import rebuilt, rows_of

BY_SLUG: Final = "query ($slug: String!, $at: AsOf) { author(slug: $slug, asOf: $at) { id slug name } }"
REGISTER: Final = """
  mutation ($input: AuthorRegisterInput!) { authorRegister(input: $input) { userErrors { code message holder } } }
"""


async def add(api: Client, name: str, **input: Any) -> dict[str, Any]:
    payload = await api.do("authorRegister", "author { id slug name version }", name=name, **input)
    assert payload["userErrors"] == [], payload
    author: dict[str, Any] = payload["author"]
    return author


async def rename(api: Client, author: dict[str, Any], **input: Any) -> dict[str, Any]:
    payload = await api.do("authorRename", "author { id slug name }", id=author["id"], **input)
    assert payload["userErrors"] == [], payload
    changed: dict[str, Any] = payload["author"]
    return changed


async def led_to(api: Client, slug: str, **variables: Any) -> str | None:
    """Return the name of the author that a slug leads to."""
    author = (await api.ask(BY_SLUG, slug=slug, **variables))["author"]
    return str(author["name"]) if author else None


# --- new authors ---------------------------------------------------------------------------------


async def test_a_slug_is_derived_from_the_name_or_stated(api: Client) -> None:
    assert (await add(api, "Ines Okafor"))["slug"] == "ines-okafor"
    assert (await add(api, "Ines Okafor"))["slug"] == "ines-okafor-2"
    assert (await add(api, "Ines Okafor", slug="ines"))["slug"] == "ines"
    assert (await add(api, "💡"))["slug"] == "author"
    # Kinds of objects do not share slugs.
    await api.do("categoryCreate", name="Ines", slug="ines")
    assert (await api.write("Ines", slug="ines"))["slug"] == "ines"


async def test_a_slug_is_changed_and_former_slugs_lead_to_the_author(api: Client) -> None:
    ines = await add(api, "Ines Okafor")
    assert (await rename(api, ines, name="Ines Bell"))["slug"] == "ines-okafor", (
        "a name alone changes no address"
    )
    assert (await rename(api, ines, slug="bell")) == {
        **_without_version(ines),
        "name": "Ines Bell",
        "slug": "bell",
    }
    assert (await rename(api, ines, slug=None))["slug"] == "ines-bell"
    assert (await rename(api, ines, name="Ines Reed", slug=None))["slug"] == "ines-reed"
    for slug in ("ines-okafor", "bell", "ines-bell", "ines-reed"):
        assert await led_to(api, slug) == "Ines Reed"
    assert await led_to(api, "ines") is None
    assert (await add(api, "Ines Bell"))["slug"] == "ines-bell-2", "a former slug belongs to no other author"
    head = await api.store.log.head()
    for unchanged in ({"slug": "ines-reed"}, {"name": "Ines Reed"}, {"slug": None}):
        await rename(api, ines, **unchanged)
    assert await api.store.log.head() == head
    assert (await rename(api, ines, slug="bell"))["slug"] == "bell", "an author may take back a former slug"
    query = "query ($slug: String!) { author(slug: $slug) { version } }"
    assert (await api.ask(query, slug="bell"))["author"]["version"] == 6


def _without_version(author: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in author.items() if name != "version"}


async def test_invalid_and_taken_slugs_are_rejected_and_change_nothing(api: Client) -> None:
    ines, bo = await add(api, "Ines"), await add(api, "Bo")
    head = await api.store.log.head()
    for input_, code in (
        ({"slug": "Ines O."}, "SLUG_MALFORMED"),
        ({"slug": ""}, "SLUG_MALFORMED"),
        ({"slug": "x" * 101}, "TOO_LONG"),
        ({"slug": "ines"}, "SLUG_TAKEN"),
    ):
        for mutation, others in (("authorRegister", {"name": "New"}), ("authorRename", {"id": bo["id"]})):
            (error,) = (await api.do(mutation, **others, **input_))["userErrors"]
            assert (error["code"], error["field"]) == (code, ["input", "slug"]), (mutation, input_)
    (error,) = (await api.do("authorRename", id=bo["id"], name=None))["userErrors"]
    assert error["code"] == "INVALID_VALUE"
    (error,) = (await api.do("authorRename", id=bo["id"], slug="b", expectedVersion=7))["userErrors"]
    assert error["code"] == "VERSION_CONFLICT"
    assert await api.store.log.head() == head
    (error,) = (await api.ask(REGISTER, input={"name": "New", "slug": "ines"}))["authorRegister"][
        "userErrors"
    ]
    assert error["holder"] == ines["id"]
    for query in ("{ author { id } }", f'{{ author(slug: "ines", id: "{ines["id"]}") {{ id }} }}'):
        (failure,) = await api.errors(query)
        assert failure["message"] == "Give either id or slug."


async def test_two_nodes_never_choose_the_same_slug(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path / 'log.sqlite'}"
    async with node(tmp_path / "a", log) as a, node(tmp_path / "b", log) as b:
        chosen = [(await add(api, "W"))["slug"] for _ in range(4) for api in (a, b)]
    assert chosen == ["w", *(f"w-{number}" for number in range(2, 9))]


async def test_the_slug_is_as_of_the_moment_and_in_the_history(api: Client) -> None:
    ines = await add(api, "Ines")
    before = {"position": await api.store.log.head()}
    await rename(api, ines, slug="okafor")
    (author,) = [(await api.ask(BY_SLUG, slug="ines", at=before))["author"]]
    assert author["slug"] == "ines"
    assert await led_to(api, "okafor", at=before) is None
    query = "query ($id: ID!) { changes(filter: {stream: $id}, first: 5) { nodes { type changedFields before after } } }"
    changes = (await api.ask(query, id=ines["id"]))["changes"]["nodes"]
    assert [change["changedFields"] for change in changes] == [["slug"], ["name", "slug"]]
    assert (changes[0]["before"]["slug"], changes[0]["after"]["slug"]) == ("ines", "okafor")


# --- who sees which slug -------------------------------------------------------------------------


async def test_readers_find_an_author_only_under_slugs_that_were_public(api: Client) -> None:
    ines = await add(api, "Ines", slug="pseudonym")
    await rename(api, ines, slug="ines")
    for slug in ("pseudonym", "ines"):
        with api.acting_as(ANONYMOUS):
            assert await led_to(api, slug) is None
    post = await api.write("A", authors=[ines["id"]], publish=True)
    await rename(api, ines, slug="okafor")
    expected = {"pseudonym": None, "ines": "Ines", "okafor": "Ines"}
    with api.acting_as(ANONYMOUS):
        assert {slug: await led_to(api, slug) for slug in expected} == expected
    for role, user in (await people(api.store)).items():
        with api.acting_as(user):
            assert await led_to(api, "pseudonym") == (None if role == "anyone" else "Ines"), role
    await api.do("postUnpublish", id=post["id"])
    with api.acting_as(ANONYMOUS):
        assert [await led_to(api, slug) for slug in expected] == [None, None, None]
    await rename(api, ines, slug="secret")
    await api.do("postPublish", id=post["id"])
    await rename(api, ines, slug="last")
    with api.acting_as(ANONYMOUS):
        assert await led_to(api, "secret") == "Ines", "it was public for a moment"
    await api.write("B", authors=[ines["id"]], publish=True)
    await api.do("postUnpublish", id=post["id"])
    with api.acting_as(ANONYMOUS):
        assert await led_to(api, "last") == "Ines"
        assert await led_to(api, "secret") is None, "the article with this name is not public now"


async def test_cached_results_change_exactly_with_the_slug(api: Client) -> None:
    ines, bo = await add(api, "Ines"), await add(api, "Bo")
    await api.write("A", authors=[ines["id"]], publish=True)
    await api.write("B", authors=[bo["id"]], publish=True)

    async def tag(slug: str) -> str:
        params = {"query": BY_SLUG, "variables": json.dumps({"slug": slug})}
        with api.acting_as(ANONYMOUS):
            response = await api.http.get("/graphql", params=params)
        return f"{response.headers['ETag']} {response.json()['data']['author']}"

    tags = {slug: await tag(slug) for slug in ("ines", "okafor", "bo")}
    await api.write("Draft")
    await add(api, "Cy")
    await rename(api, bo, name="Bo Lind")
    assert {slug: await tag(slug) for slug in ("ines", "okafor")} == {
        slug: tags[slug] for slug in ("ines", "okafor")
    }
    assert await tag("bo") != tags["bo"]
    await rename(api, ines, slug="okafor")
    assert "okafor" in await tag("ines")
    assert "Ines" in await tag("okafor")


# --- authors of earlier logs ---------------------------------------------------------------------


async def record_earlier(store: Store, events: list[tuple[str, str, str]]) -> list[str]:
    """Record events of version 1: a type, a key of the author, a name. Return the ids of the authors by first event."""
    ids: dict[str, str] = {}
    versions: dict[str, int] = {}
    for number, (type_, key, name) in enumerate(events):
        author_id = ids.setdefault(key, uuid8("earlier", key))
        data = {"authorId": author_id, "name": name}
        body = {
            "data": data,
            "reason": None,
            "idempotencyKey": None,
            "traceId": None,
            "fingerprint": "0" * 64,
        }
        salt = hashlib.sha256(f"{number}".encode()).digest()[:SALT_BYTES]
        command = uuid8("earlier command", number)
        event = NewEvent(
            event_id=uuid8(command, 0),
            type=f"author.{type_}",
            schema_version=1,
            recorded_at=1_700_000_000_000_000 + number,
            actor_id=uuid8("earlier", "actor"),
            on_behalf_of_actor_id=None,
            command_id=command,
            correlation_id=command,
            causation_id=None,
            payload=SealedPayload("json", json.dumps(body, ensure_ascii=False).encode(), salt),
        )
        version = versions.get(author_id, NO_STREAM)
        await store.log.append([StreamWrite(f"author.{author_id}", version, (event,))])
        versions[author_id] = version + 1
    await store.views.wait_for(await store.log.head(), 10)
    return list(ids.values())


async def all_slugs(api: Client) -> list[str]:
    authors = (await api.ask("{ authors(first: 50) { nodes { slug } } }"))["authors"]["nodes"]
    return [author["slug"] for author in authors]


async def test_authors_of_earlier_logs_have_slugs_without_new_events(api: Client) -> None:
    ids = await record_earlier(
        api.store,
        [
            ("registered", "a", "Ada Brook"),
            ("registered", "b", "Ada Brook"),
            ("registered", "c", "Ada Brook 2"),
            ("registered", "d", "Dee"),
            ("renamed", "a", "Ada Łukasz"),
            ("renamed", "b", "Ada Brook!"),
            ("renamed", "d", "Ada Brook"),
        ],
    )
    head = await api.store.log.head()
    assert await all_slugs(api) == ["ada-łukasz", "ada-brook-2", "ada-brook-2-2", "ada-brook-3"]
    assert await led_to(api, "ada-brook") == "Ada Łukasz", "it had this slug first"
    assert await led_to(api, "dee") == "Ada Brook"
    assert await api.store.log.head() == head
    # New authors get other slugs.
    assert (await add(api, "Ada Brook"))["slug"] == "ada-brook-4"
    assert (await add(api, "Dee"))["slug"] == "dee-2"
    (error,) = (await api.ask(REGISTER, input={"name": "New", "slug": "ada-brook-2"}))["authorRegister"][
        "userErrors"
    ]
    assert (error["code"], error["holder"]) == ("SLUG_TAKEN", global_ids.encode("Author", ids[1]))
    # The authors of earlier logs change like others.
    ada, bo, _, dee = ({"id": global_ids.encode("Author", id_)} for id_ in ids)
    assert (await rename(api, ada, name="A. Łukasz"))["slug"] == "ada-łukasz"
    assert (await rename(api, ada, slug="ada-brook"))["slug"] == "ada-brook", "its own former slug"
    assert (await rename(api, bo, slug="bo"))["slug"] == "bo"
    assert (await rename(api, bo, slug=None))["slug"] == "ada-brook-2"
    assert (await rename(api, dee, slug="ada-brook-3"))["slug"] == "ada-brook-3"
    assert await all_slugs(api) == [
        "ada-brook",
        "ada-brook-2",
        "ada-brook-2-2",
        "ada-brook-3",
        "ada-brook-4",
        "dee-2",
    ]


@asynccontextmanager
async def earlier_log(data: Path) -> AsyncIterator[Client]:
    """A log with authors of an earlier version, some with equal names, and with a new one."""
    async with client(data) as api:
        await record_earlier(
            api.store,
            [
                ("registered", "a", "Ada"),
                ("registered", "b", "Ada"),
                ("registered", "c", "Bo"),
                ("renamed", "c", "Ada"),
                ("renamed", "a", "Cy"),
            ],
        )
        new = await add(api, "Ada")
        await rename(api, new, name="Dee", slug=None)
        await rename(api, new, slug="dd")
        yield api


@pytest.mark.parametrize("erased", [2, 3, 4, 5, 6, 7, 9, 10, 11])
async def test_an_erased_name_leaves_the_rows_of_a_rebuild(tmp_path: Path, erased: int) -> None:
    async with earlier_log(tmp_path) as api:
        events = await api.store.log.read(0, await api.store.log.head())
        authors = [event for event in events if event.header.type.startswith(("author.", "slug."))]
        event = authors[min(erased, len(authors)) - 2]
        await withdraw_from(api.store, tmp_path, event.header.position, "a request")
        path = api.store.views.path
        expected = await rebuilt(api.store.log, tmp_path / "other.sqlite", batch_size=3)
        actual = rows_of(path)
    assert {name: rows for name, rows in actual.items() if name.startswith("author")} == {
        name: rows for name, rows in expected.items() if name.startswith("author")
    }
