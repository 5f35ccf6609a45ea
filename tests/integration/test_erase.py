"""`ledgerpress erase` leaves no text of a post or a person in the log, the views, backups and copies."""

import asyncio
import re
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.eventlog.errors import WithdrawalUnfinished
from ledgerpress.features.slugs import model as slugs
from ledgerpress.operator import erase as task
from ledgerpress.operator.log_copy import copy_log
from ledgerpress.rfc3339 import format_time
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.store import open_store
from tests.integration import sse_client
from tests.integration.graphql_client import Client, client
from tests.integration.log_history import recorded
from tests.integration.server_process import Server, serving
from tests.integration.test_withdraw import files_with, run_in_thread

pytestmark = [pytest.mark.usefixtures("any_silence"), pytest.mark.usefixtures("workers")]

REASON: Final = "Order 7/24 of the district court."
TEXTS: Final = ("Herons of the marsh", "heron-colony", "They nest low", "number nine", "east bank", "rumour")
AUTHOR: Final = "Wilhelmina Dray"
HOUR: Final = 3_600_000_000


async def write_heron(api: Client) -> dict[str, Any]:
    """Publish a post with all of `TEXTS`, by an author, next to a post that stays; return the post."""
    registered = await api.do("authorRegister", "author { id }", name=AUTHOR)
    author_id = registered["author"]["id"]
    await api.write("Tram line extended", publish=True)
    post = await api.write(TEXTS[0], teaser=f"{TEXTS[2]}.", body=f"Behind {TEXTS[3]}.", authors=[author_id])
    await api.do("postPublish", id=post["id"], reason=f"A {TEXTS[5]}.")
    await api.do("postEdit", id=post["id"], slug=TEXTS[1], body=f"On the {TEXTS[4]}.")
    await api.do("postPublish", id=post["id"], correction=f"It is the {TEXTS[4]}.")
    return {**post, "authorId": author_id}


def left(folder: Path) -> list[str]:
    """Return the texts in any file of the folder, with the names of the files."""
    return [f"{text}: {file}" for text in TEXTS for file in files_with(folder, text)]


async def test_nothing_of_a_post_is_left_and_nothing_else_is_lost(tmp_path: Path) -> None:
    data = tmp_path / "store"
    query = "{ articles(first: 9) { totalCount nodes { id slug title publishedAt authors { name } } } }"
    async with client(data) as api:
        await write_heron(api)
        before = await api.ask(query)
        preview = await run_in_thread(
            "erase", "post", TEXTS[1], "--preview", "--reason", REASON, "--data", data
        )
        assert preview.exit_code == 0, preview.stderr
        assert await api.ask(query) == before
        assert all(word in preview.stderr for word in ("post.created", "slug.claimed", "title, teaser, body"))
        unconfirmed = await run_in_thread("erase", "post", TEXTS[1], "--reason", REASON, "--data", data)
        assert unconfirmed.exit_code == 5
        assert {text.partition(":")[0] for text in left(data)} == set(TEXTS)
        result = await run_in_thread("erase", "post", TEXTS[1], "--yes", "--reason", REASON, "--data", data)
        assert result.exit_code == 0, result.stderr
        assert left(data) == []
        assert await api.store.views.wait_for(await api.store.log.head(), 10)
        after = await api.ask(query)
        for old, new in zip(before["articles"]["nodes"], after["articles"]["nodes"], strict=True):
            is_erased = old["title"] == TEXTS[0]
            assert new == ({**old, "title": "", "slug": new["slug"]} if is_erased else old)
        assert not any(text in repr(after) for text in TEXTS)
    result = await run_in_thread("verify", "--data", data)
    assert result.exit_code == 0, result.stderr


HISTORY: Final = """
query ($id: ID!, $position: Position!) {
  post(id: $id, asOf: { position: $position }) { title slug teaser body { markdown html } blame { text } }
  changes(first: 100) { nodes { after before reason event } }
}
"""


async def _texts_in(server: Server, post_id: str, head: int) -> list[str]:
    """Return the texts that a server process sends in responses, pages or messages of a subscription."""
    sent = list[Any]()
    async with await server.connect() as reader:
        sent += [
            (await reader.answer(HISTORY, id=post_id, position=position))[1]
            for position in range(8, head + 1)
        ]
        sent += [(await reader.fetch(path)).decode() for path in ("/", f"/articles/{TEXTS[1]}")]
    host, port = await server.address()
    query = "subscription { changes(fromPosition: 1) { position after before reason } }"
    async with (
        httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http,
        sse_client.opened(http, "POST", "/graphql", query) as stream,
    ):
        sent += [(await stream.next()).text for _ in range(head - 1)]
    return [text for text in TEXTS if text in repr(sent)]


async def test_no_process_sends_an_erased_text_in_a_response_a_page_or_a_message(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data, clock=SystemClock()) as api:
        post = await write_heron(api)
    async with serving(data, 2) as servers:
        async with await servers[0].connect() as reader:
            _, head = await reader.execute("{ site { version } }")
        for server in servers:
            assert set(await _texts_in(server, post["id"], head)) == set(TEXTS)
        result = await run_in_thread("erase", "post", TEXTS[1], "--yes", "--reason", REASON, "--data", data)
        assert result.exit_code == 0, result.stderr
        for server in servers:
            async with asyncio.timeout(10):
                while await _texts_in(server, post["id"], head):  # noqa: ASYNC110 - the other process follows the log
                    await asyncio.sleep(0.1)
        assert left(data) == []
    assert left(data) == []


async def test_nothing_of_a_person_is_left(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        post = await write_heron(api)
        await api.do("authorRename", id=post["authorId"], name=f"{AUTHOR} the Younger", slug=None)
    result = await run_in_thread(
        "erase", "person", post["authorId"], "--yes", "--reason", REASON, "--data", data
    )
    assert result.exit_code == 0, result.stderr
    assert files_with(data, AUTHOR) == []
    assert files_with(data, slugs.derive(AUTHOR, fallback="")) == []
    async with client(data) as api:
        response = await api.ask("{ articles(first: 9) { nodes { title authors { id name } } } }")
        by_title = {article["title"]: article["authors"] for article in response["articles"]["nodes"]}
        assert by_title[TEXTS[0]] == [{"id": post["authorId"], "name": ""}]
    assert (await run_in_thread("verify", "--data", data)).exit_code == 0
    for unknown in ("nobody", "00000000-0000-8000-8000-0000000000ff"):
        assert (
            await run_in_thread("erase", "person", unknown, "--yes", "--reason", REASON, "--data", data)
        ).exit_code == 1
    reserved = "00000000-0000-8000-8000-000000000001"
    assert (
        await run_in_thread("erase", "person", reserved, "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 1


async def test_names_of_revoked_tokens_are_erased_with_their_actor(tmp_path: Path) -> None:
    data = tmp_path / "store"
    names = ("Dray's old laptop", "Dray's laptop")
    async with client(data) as api:
        fields = "token { id actor { id } }"
        first = (await api.do("tokenCreate", fields, name=names[0], role="AUTHOR"))["token"]
        actor = first["actor"]["id"]
        await api.do("tokenCreate", fields, name=names[1], role="AUTHOR", actor=actor)
        await api.do("tokenRevoke", id=first["id"])
    preview = await run_in_thread("erase", "person", actor, "--preview", "--reason", REASON, "--data", data)
    assert "still works" in preview.stderr, preview.stderr
    assert (
        await run_in_thread("erase", "person", actor, "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 0
    assert files_with(data, names[0]) == []
    assert files_with(data, names[1])


async def test_the_same_is_erased_in_backups_and_copies(tmp_path: Path) -> None:
    data, backups = tmp_path / "store", tmp_path / "backups"
    backups.mkdir()
    async with client(data) as api:
        await api.write("Tram line extended", publish=True)
    assert (await run_in_thread("log", "backup", backups / "empty.sqlite", "--data", data)).exit_code == 0
    async with client(data) as api:
        await write_heron(api)
    assert (await run_in_thread("log", "backup", backups / "early.sqlite", "--data", data)).exit_code == 0
    async with client(data) as api:
        post = await api.ask('{ post(slug: "heron-colony") { id } }')
        await api.do("postEdit", id=post["post"]["id"], title="Gone")
    await copy_log(LogUrl.parse("sqlite:"), LogUrl.parse(f"sqlite:{backups}/copy.sqlite"), data)
    also: list[str | Path] = [
        *("--also", backups / "empty.sqlite", "--also", backups / "early.sqlite"),
        *("--also", f"sqlite:{backups}/copy.sqlite"),
    ]
    arguments = ("post", TEXTS[1], "--reason", REASON, "--data", data)
    preview = await run_in_thread("erase", *arguments, "--preview", *also)
    assert preview.exit_code == 0, preview.stderr
    assert "empty.sqlite contains 0 of these payloads" in preview.stderr
    result = await run_in_thread("erase", *arguments, "--yes", *also)
    assert result.exit_code == 0, result.stderr
    assert left(data) == []
    assert left(backups) == []
    for name in ("empty", "early", "copy"):
        assert (
            await run_in_thread("log", "restore", backups / f"{name}.sqlite", "--data", tmp_path / name)
        ).exit_code == 0
        verified = await run_in_thread("verify", "--data", tmp_path / name)
        assert verified.exit_code == 0, verified.stderr
    again = await run_in_thread(
        "erase", "post", post["post"]["id"], "--yes", "--reason", REASON, "--data", data, *also
    )
    assert again.exit_code == 0, again.stderr
    assert again.stderr.count(": 0 payloads erased") == 3


@pytest.mark.parametrize("engine", ["postgres", "jetstream"])
async def test_the_same_is_erased_in_a_copy_on_another_engine(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str
) -> None:
    data, url = tmp_path / "store", LogUrl.parse(request.getfixturevalue(f"{engine}_url"))
    async with client(data) as api:
        post = await write_heron(api)
    await copy_log(LogUrl.parse("sqlite:"), url, data)
    assert {text for text in TEXTS if text in await texts_in(url)} == set(TEXTS)
    arguments = ("post", TEXTS[1], "--reason", REASON, "--data", data, "--also", url.text)
    preview = await run_in_thread("erase", *arguments, "--preview")
    assert preview.exit_code == 0, preview.stderr
    assert re.search(r"contains [1-9]\d* of these payloads", preview.stderr)
    result = await run_in_thread("erase", *arguments, "--yes")
    assert result.exit_code == 0, result.stderr
    assert left(data) == []
    remaining = await texts_in(url)
    assert [text for text in TEXTS if text in remaining] == []
    assert "Tram line extended" in remaining
    verified = await run_in_thread("verify", "--data", tmp_path / "views", "--log", url.text)
    assert verified.exit_code == 0, verified.stderr
    again = await run_in_thread("erase", "post", post["id"], *arguments[2:], "--yes")
    assert again.exit_code == 0, again.stderr
    assert ": 0 payloads erased" in again.stderr


async def texts_in(url: LogUrl) -> str:
    """Return all payloads of a log as one text."""
    async with aclosing(await open_log(url, Path(), create_as=None)) as log:
        events = await log.read(0, 1_000)
    return "\n".join(event.payload.plaintext.decode() for event in events if event.payload is not None)


async def test_another_log_is_rejected_before_anything_is_erased(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await write_heron(api)
    async with open_store(tmp_path / "other"):
        pass
    places = (
        tmp_path / "other" / "log.sqlite",
        tmp_path / "missing.sqlite",
        data / "log.sqlite",
        "nats:wrong",
    )
    for place in places:
        result = await run_in_thread(
            "erase", "post", TEXTS[1], "--yes", "--reason", REASON, "--data", data, "--also", place
        )
        assert result.exit_code in (2, 3), (place, result.stderr)
        assert {text.partition(":")[0] for text in left(data)} == set(TEXTS)


@pytest.mark.parametrize("interrupted_at", [1, 3, 5])
async def test_an_interrupted_erasure_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: int
) -> None:
    data, calls = tmp_path / "store", list[int]()
    async with client(data) as api:
        await write_heron(api)
    withdraw = SqliteEventLog.withdraw

    async def fail_once(log: SqliteEventLog, position: int, writes: Any) -> int:
        calls.append(position)
        head = await withdraw(log, position, writes)
        if len(calls) == interrupted_at:
            raise WithdrawalUnfinished("the machine stopped")
        return head

    monkeypatch.setattr(SqliteEventLog, "withdraw", fail_once)
    with pytest.raises(WithdrawalUnfinished):
        await task.erase(data, task.Kind.POST, TEXTS[1], REASON)
    erased = await task.erase(data, task.Kind.POST, TEXTS[1], REASON)
    assert erased.events >= len(TEXTS)
    assert left(data) == []
    records = [record for record in await recorded(data) if record.header.type == "payload.withdrawn"]
    assert len(records) == erased.events
    assert (await run_in_thread("verify", "--data", data)).exit_code == 0


async def test_the_name_of_an_expired_token_is_erased_with_its_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, name = tmp_path / "store", "Dray's phone"
    now = SystemClock.now
    async with client(data) as api:
        expiry = format_time(SystemClock().now() + HOUR)
        created = await api.do(
            "tokenCreate", "token { actor { id } }", name=name, role="AUTHOR", expiresAt=expiry
        )
    monkeypatch.setattr(SystemClock, "now", lambda clock: now(clock) + 2 * HOUR)
    result = await run_in_thread(
        "erase", "person", created["token"]["actor"]["id"], "--yes", "--reason", REASON, "--data", data
    )
    assert result.exit_code == 0, result.stderr
    assert files_with(data, name) == []


async def test_the_preview_names_the_address_of_an_erased_article(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await write_heron(api)
        preview = await run_in_thread(
            "erase", "post", TEXTS[1], "--preview", "--reason", REASON, "--data", data
        )
        (address,) = re.findall(r"Its address is (\S+)\.", " ".join(preview.stderr.split()))
        erased = await run_in_thread("erase", "post", TEXTS[1], "--yes", "--reason", REASON, "--data", data)
        assert erased.exit_code == 0, erased.stderr
        assert await api.store.views.wait_for(await api.store.log.head(), 10)
        assert (await api.http.get(address)).status_code == 200
