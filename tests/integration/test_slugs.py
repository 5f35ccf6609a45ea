"""Slugs through GraphQL and the command line: Unicode forms, recorded slugs, holders of slugs, numbers."""

import asyncio
import unicodedata
import uuid
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from ledgerpress.cli import app
from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.streams_and_append_plan import StateLoader
from ledgerpress.eventlog.envelope import SALT_BYTES
from ledgerpress.eventlog.kernel_events import LogOpened
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.features.posts import article_queries
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SlugKind
from ledgerpress.graphql.relay import global_ids
from ledgerpress.server.store import Store
from tests.identities import identity
from tests.integration.graphql_client import Client, client
from tests.integration.in_process_nodes import node
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR, people

CREATE: Final = """
  mutation ($input: PostCreateInput!) { postCreate(input: $input) { userErrors { code message holder } } }
"""
CREATE_CATEGORY: Final = """
  mutation ($input: CategoryCreateInput!) { categoryCreate(input: $input) { userErrors { code message holder } } }
"""
WORDS: Final = ("été-à-la-mer", "가나다", "tiếng-việt", "żółć")


def nfd(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    return decomposed


# --- Unicode forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("word", WORDS)
async def test_queries_and_mutations_accept_a_slug_in_nfd(api: Client, word: str) -> None:
    created = await api.do("categoryCreate", "category { slug }", name="Sea", slug=nfd(word))
    assert created["category"] == {"slug": word}
    post = await api.write("Sea", slug=nfd(word), categories=[{"slug": nfd(word)}], publish=True)
    assert post["slug"] == word
    query = """query ($slug: String!) {
      article(slug: $slug) { slug } post(slug: $slug) { slug } category(slug: $slug) { slug }
      articles(filter: {categorySlug: $slug}) { totalCount }
    }"""
    by_slug = {"slug": word}
    assert await api.ask(query, slug=nfd(word)) == {
        "article": by_slug, "post": by_slug, "category": by_slug, "articles": {"totalCount": 1}
    }  # fmt: skip
    same = await api.do("postEdit", "post { version }", id=post["id"], slug=nfd(word))
    assert same["post"]["version"] == 3
    renamed = await api.do(
        "categoryRename", "category { version }", category={"slug": nfd(word)}, slug=nfd(word)
    )
    assert renamed["category"]["version"] == 1
    moved = await api.do(
        "categoryCreate", "category { parent { slug } }", name="Below", parent={"slug": nfd(word)}
    )
    assert moved["category"] == {"parent": by_slug}
    edited = await api.do("postEdit", "post { slug }", id=post["id"], slug=nfd(f"{word}-2"))
    assert edited["post"] == {"slug": f"{word}-2"}
    other = await api.do(
        "categoryRename", "category { slug }", category={"slug": nfd(word)}, slug=nfd(f"{word}-2")
    )
    assert other["category"] == {"slug": f"{word}-2"}


async def test_a_subscription_accepts_a_slug_in_nfd(api: Client) -> None:
    await api.write("Été", publish=True)
    with api.store.snapshot() as snapshot:
        assert article_queries.next_change(snapshot, nfd("été"), 0) == article_queries.next_change(
            snapshot, "été", 0
        )
        assert article_queries.next_change(snapshot, "été", 0)


def test_the_history_command_accepts_a_slug_in_nfd(tmp_path: Path) -> None:
    async def write() -> None:
        async with client(tmp_path / "data") as api:
            await api.write("Été")

    asyncio.run(write())
    shown = CliRunner().invoke(app, ["history", nfd("été"), "--data", str(tmp_path / "data")])
    assert (shown.exit_code, "post.created" in shown.stdout) == (0, True)


# --- recorded slugs ------------------------------------------------------------------------------


async def test_slugs_that_earlier_versions_derived_stay_in_use(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = "i\u0307stanbul-gezi"
    with monkeypatch.context() as earlier:
        earlier.setattr(slugs, "is_well_formed", lambda slug: True)
        post = await api.write("İstanbul gezi", slug=recorded)
    assert post["slug"] == recorded
    edited = await api.do("postEdit", "post { slug title }", id=post["id"], slug=recorded, title="Gezi")
    assert edited["post"] == {"slug": recorded, "title": "Gezi"}
    await api.do("postEdit", id=post["id"], slug="gezi")
    restored = await api.do("postRestore", "slugKept post { slug }", id=post["id"], toVersion=1, publish=True)
    assert (restored["post"], restored["slugKept"]) == ({"slug": recorded}, False)
    assert (await api.ask("query ($slug: String!) { article(slug: $slug) { slug } }", slug=recorded))[
        "article"
    ]
    assert (await api.http.get(f"/articles/{recorded}")).status_code == 200
    assert (await api.http.get("/articles/İstanbul-gezi/")).headers[
        "location"
    ] == "/articles/i%CC%87stanbul-gezi"
    await api.do("postEdit", id=post["id"], slug="gezi")
    reverted = await api.do("postRevert", "post { slug }", id=post["id"], version=6)
    assert reverted["post"] == {"slug": recorded}, reverted


# --- holders -------------------------------------------------------------------------------------


async def occupied(api: Client, user: Identity, slug: str, create: str = CREATE) -> str | None:
    """Try to use a slug, and return the type and the id of the holder that the error names."""
    names = {"title": "New"} if create is CREATE else {"name": "New"}
    with api.acting_as(user):
        ((payload,),) = [(await api.ask(create, input={**names, "slug": slug})).values()]
    (error,) = payload["userErrors"]
    assert (error["code"], error["message"]) == ("SLUG_TAKEN", f"The slug “{slug}” is taken.")
    if error["holder"] is None:
        return None
    holder = global_ids.decode(error["holder"])
    assert holder
    return f"{holder.type} {holder.id}"


def id_of(post: dict[str, Any]) -> str:
    return global_ids.argument(post["id"], "Post")


async def test_clients_learn_which_post_has_a_slug_if_they_may_see_it(api: Client) -> None:
    users = await people(api.store)
    with api.acting_as(users[AUTHOR]):
        draft, own = await api.write("Draft"), await api.write("Own", publish=True)
    author, other, editor = users[AUTHOR], users[OTHER_AUTHOR], users["editor"]
    assert (
        await occupied(api, author, "draft") == await occupied(api, editor, "draft") == f"Post {id_of(draft)}"
    )
    assert await occupied(api, other, "draft") is None
    assert await occupied(api, editor, "own") == f"Post {id_of(own)}"
    assert await occupied(api, other, "own") == f"Article {id_of(own)}"

    with api.acting_as(author):
        await api.do("postEdit", id=own["id"], slug="second")
    assert await occupied(api, other, "second") is None, "the article has this slug only in a draft"
    assert await occupied(api, editor, "second") == f"Post {id_of(own)}"
    with api.acting_as(author):
        await api.do("postPublish", id=own["id"])
    for slug in ("own", "second"):
        assert await occupied(api, other, slug) == f"Article {id_of(own)}", "also by its former slug"
        assert await occupied(api, editor, slug) == f"Post {id_of(own)}"

    with api.acting_as(author):
        await api.do("postUnpublish", id=own["id"])
    assert await occupied(api, other, "own") is await occupied(api, other, "second") is None
    assert await occupied(api, author, "own") == f"Post {id_of(own)}"
    only_writes = identity(Role.EDITOR, editor.actor_id, scopes=frozenset({"posts:write"}))
    assert await occupied(api, only_writes, "own") is await occupied(api, only_writes, "draft") is None


async def test_the_holder_of_a_category_slug_is_the_category_that_it_leads_to(api: Client) -> None:
    users = await people(api.store)
    first = await api.do("categoryCreate", "category { id }", name="Harbour")
    second = await api.do("categoryCreate", "category { id }", name="Sea")
    ids = [global_ids.argument(done["category"]["id"], "Category") for done in (first, second)]
    await api.do("categoryRename", category={"slug": "harbour"}, slug="port")
    for slug in ("harbour", "port"):
        assert await occupied(api, users["editor"], slug, CREATE_CATEGORY) == f"Category {ids[0]}"
    await api.do("categoryMerge", category={"slug": "port"}, into={"slug": "sea"})
    for slug in ("harbour", "port", "sea"):
        assert await occupied(api, users["editor"], slug, CREATE_CATEGORY) == f"Category {ids[1]}"


async def test_a_holder_on_another_node_is_named_at_once(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path / 'log.sqlite'}"
    async with node(tmp_path / "a", log) as a, node(tmp_path / "b", log) as b:
        for number in range(10):
            post = await a.write(f"Number {number}")
            (error,) = (await b.ask(CREATE, input={"title": "x", "slug": post["slug"]}))["postCreate"][
                "userErrors"
            ]
            assert error["holder"] == post["id"]


# --- numbers -------------------------------------------------------------------------------------


async def test_two_nodes_never_choose_the_same_number(tmp_path: Path) -> None:
    log = f"sqlite:{tmp_path / 'log.sqlite'}"
    async with node(tmp_path / "a", log) as a, node(tmp_path / "b", log) as b:
        posts: list[Any] = []
        for _ in range(20):
            posts += await asyncio.gather(
                *(api.do("postCreate", "post { id slug }", title="W") for api in (a, b))
            )
            if len(posts) in {20, 30}:  # release numbers
                await a.do("postEdit", id=posts[-7]["post"]["id"], slug=f"other-{len(posts)}")
        done = [post["post"]["slug"] for post in posts if not post["userErrors"]]
        assert len(done) > 30
        assert len(set(done)) >= len(done) - 2, "a released number may be used again"
        numbers = [int(slug.removeprefix("w").removeprefix("-") or 1) for slug in done]
        assert max(numbers) <= len(done)


async def test_the_3501st_post_with_one_title_reads_few_streams(
    tmp_path: Path, log_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    load = StateLoader.load

    async def counted(loader: StateLoader, category: Any, id: str = "") -> Any:
        reads.append(category.stream(id))
        return await load(loader, category, id)

    async with node(tmp_path / "data", log_url) as api:
        await _claim(api.store, [slugs.numbered("w", number) for number in range(1, 3_501)])
        monkeypatch.setattr(StateLoader, "load", counted)
        assert (await api.write("W"))["slug"] == "w-3501"
        assert len(reads) <= 40


async def _claim(store: Store, occupied: list[str]) -> None:
    """Record that another post has the slugs `occupied`."""
    ids = (str(uuid.UUID(int=number)) for number in count(1))
    opened = next(iter(store.codec.decode_all(await store.log.read_stream("log")))).event
    assert isinstance(opened, LogOpened)
    name_key = bytes.fromhex(opened.name_key)
    for first in range(0, len(occupied), 250):
        writes = []
        for slug in occupied[first : first + 250]:
            claim = slugs.SlugClaimed(kind=SlugKind.POST, slug=slug, owner_id=str(uuid.UUID(int=0)))
            event = store.codec.system_event(
                claim, event_id=next(ids), command_id=next(ids), now=store.clock.now(), salt=bytes(SALT_BYTES)
            )
            stream = slugs.SLUGS.stream(slugs.stream_id(SlugKind.POST, slug, name_key))
            writes.append(StreamWrite(stream, NO_STREAM, (event,)))
        await store.log.append(writes)
    assert await store.views.wait_for(await store.log.head(), 30)
