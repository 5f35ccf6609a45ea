"""A payload withdrawn by law is gone: from the log's bytes, the views' bytes, every answer, and what is in memory."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.cli import app
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.errors import InvalidEnvelope
from ledgerpress.eventlog.event_and_withdrawn_event import Withdrawn
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.features.posts.body import html_rendering_and_sections
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.store import open_store
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.runner import ProjectionRunner
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.graphql_client import Client, client
from tests.integration.log_history import recorded

SECRET: Final = "The heron nests behind number nine"
REASON: Final = "Order 7/24 of the district court."


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def run_beside(*arguments: str | Path) -> Result:
    """Run a command while the event loop of this test goes on."""
    return await asyncio.to_thread(run, *arguments)


def holding(data: Path, text: str) -> list[str]:
    """The files in the directory that hold `text`."""
    return [file.name for file in sorted(data.iterdir()) if text.encode() in file.read_bytes()]


async def position_of(data: Path, text: str) -> int:
    """The position of the one event whose data has `text`."""
    (position,) = [one.position for one in await recorded(data) if text in repr(one.event)]
    return position


ARTICLE: Final = """
query ($slug: String!, $asOf: AsOf) {
  article(slug: $slug, asOf: $asOf) { title body { text html } teaser }
}
"""


async def publish_secret(one: Client) -> tuple[str, int]:
    """Publish an article with the secret in it, replace the text, publish again; return the slug and a past position."""
    post = await one.write("Birds of the marsh")
    await one.do("postEdit", id=post["id"], body=f"{SECRET}, said a ranger.")
    await one.do("postPublish", id=post["id"])
    past = await one.store.log.head()
    await one.do("postEdit", id=post["id"], body="Herons nest somewhere.")
    await one.do("postPublish", id=post["id"])
    return post["slug"], past


async def article(one: Client, slug: str, **variables: Any) -> str:
    """The whole answer, as text."""
    return json.dumps(await one.ask(ARTICLE, slug=slug, **variables), ensure_ascii=False)


async def followed(one: Client) -> None:
    """Wait until the views have come to the head."""
    assert await one.store.views.wait_for(await one.store.log.head(), 10)


async def test_the_text_is_gone_everywhere_while_another_process_serves(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        slug, past = await publish_secret(one)
        assert SECRET in await article(one, slug, asOf={"position": past})
        assert SECRET not in await article(one, slug)
        assert holding(data, SECRET)
        head = tmp_path / "head.json"
        head.write_text((await run_beside("head", "--json", "--data", data)).stdout)
        position = await position_of(data, SECRET)

        result = await run_beside("withdraw", str(position), "--reason", REASON, "--data", data)
        assert result.exit_code == 0, result.stderr
        assert holding(data, SECRET) == []

        await followed(one)
        assert len(html_rendering_and_sections._bodies) == 0
        for moment in range(1, await one.store.log.head() + 1):
            assert SECRET not in await article(one, slug, asOf={"position": moment})
        assert "Herons nest somewhere" in await article(one, slug)
        assert holding(data, SECRET) == []
    assert holding(data, SECRET) == []
    result = await run_beside("verify", "--data", data, "--head", head)
    assert result.exit_code == 0, result.stderr
    assert "1 payloads withdrawn" in result.stdout


async def test_the_server_itself_withdraws_when_another_has_only_recorded_it(tmp_path: Path) -> None:
    """The log is withdrawn from by a process without views; the one that serves drops the text by itself."""
    data = tmp_path / "store"
    async with client(data) as one:
        slug, past = await publish_secret(one)
        assert SECRET in await article(one, slug, asOf={"position": past})
        log = await SqliteEventLog.open(data / "log.sqlite", create_as=None)
        try:
            position = await position_of(data, SECRET)
            request = CommandRequest(reason=REASON)
            await withdraw_payload(log, event_codec(), SetClock(), SeededBytes("other"), position, request)
        finally:
            await log.aclose()
        await followed(one)
        assert SECRET not in await article(one, slug, asOf={"position": past})
        assert holding(data, SECRET) == []


async def test_a_process_that_another_overtakes_forgets_too(tmp_path: Path) -> None:
    data, forgotten = tmp_path / "store", list[None]()
    async with client(data) as one:
        await publish_secret(one)
        views = await ViewsFile.open(one.store.views.path, all_projectors())
        try:
            slow = ProjectionRunner(
                one.store.log,
                event_codec(),
                views,
                all_projectors(),
                batch_size=1,
                forget=lambda: forgotten.append(None),
            )
            await slow.start()
            await one.write("Something else")
            position = await position_of(data, SECRET)
            request = CommandRequest(reason=REASON)
            await withdraw_payload(
                one.store.log, event_codec(), SetClock(), SeededBytes("other"), position, request
            )
            await followed(one)
            assert not forgotten
            await slow.catch_up()
            assert forgotten
        finally:
            await views.aclose()


async def test_readers_never_see_half_of_the_views_while_they_are_made_anew(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        slug, _ = await publish_secret(one)
        for number in range(60):
            await one.write(f"Another {number}")
        position = await position_of(data, SECRET)
        withdrawal = asyncio.create_task(
            run_beside("withdraw", str(position), "--reason", REASON, "--data", data)
        )
        least = await one.store.log.head()
        while not withdrawal.done():
            with one.store.snapshot() as snapshot:
                assert snapshot.position >= least
                least = snapshot.position
            assert "Herons nest somewhere" in await article(one, slug)
            await asyncio.sleep(0)
        assert (await withdrawal).exit_code == 0


async def test_what_was_folded_is_folded_anew(tmp_path: Path) -> None:
    """A decision after the withdrawal is made of what is left: to write the same text again is a change."""
    data = tmp_path / "store"
    async with client(data) as one:
        post = await one.write("Birds of the marsh", body=SECRET)
        unchanged = await one.do("postEdit", "post { version }", id=post["id"], body=SECRET)
        assert unchanged["post"]["version"] == post["version"]
        position = await position_of(data, SECRET)
        assert (
            await run_beside("withdraw", str(position), "--reason", REASON, "--data", data)
        ).exit_code == 0
        await followed(one)
        changed = await one.do("postEdit", "post { version }", id=post["id"], body=SECRET)
        assert changed["post"]["version"] == post["version"] + 1


async def test_history_says_that_something_was_withdrawn_when_and_why(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        await publish_secret(one)
    position = await position_of(data, SECRET)
    before = (await recorded(data))[position - 1].header
    assert (await run_beside("withdraw", str(position), "--reason", REASON, "--data", data)).exit_code == 0
    events = await recorded(data)
    gone, record = events[position - 1], events[-1]
    assert isinstance(gone.event, Withdrawn)
    assert gone.header == before
    assert isinstance(record.event, PayloadWithdrawn)
    assert record.event.header["position"] == position
    assert record.event.header["payloadCommitment"] == before.payload_commitment
    assert record.reason == REASON
    async with open_store(data) as store:
        with store.snapshot() as snapshot:
            row = snapshot.db.execute(
                "SELECT withdrawn FROM change WHERE position = ?", (position,)
            ).fetchone()
            assert row == (record.position,)
            rows = snapshot.db.execute("SELECT count(*) FROM post").fetchone()
            assert rows == (1,)


async def test_views_of_other_versions_are_deleted(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        await publish_secret(one)
    (views,) = data.glob("views-*.sqlite")
    shutil.copy(views, data / "views-0ld0ld0l.sqlite")
    position = await position_of(data, SECRET)
    assert (await run_beside("withdraw", str(position), "--reason", REASON, "--data", data)).exit_code == 0
    assert [file.name for file in data.glob("views-*.sqlite")] == [views.name]
    assert holding(data, SECRET) == []


async def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data):
        pass
    (views,) = data.glob("views-*.sqlite")
    with closing(sqlite3.connect(views)) as db:
        db.execute("PRAGMA user_version = 1")
        db.commit()
    async with client(data) as one:
        await one.write("Something to follow")
        with one.store.snapshot() as snapshot:
            assert snapshot.db.execute("PRAGMA user_version").fetchone() == (0,)


async def test_a_repeated_withdrawal_records_nothing_more(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        await publish_secret(one)
    position = str(await position_of(data, SECRET))
    for _ in range(2):
        assert (await run_beside("withdraw", position, "--reason", REASON, "--data", data)).exit_code == 0
    records = [one for one in await recorded(data) if isinstance(one.event, PayloadWithdrawn)]
    assert len(records) == 1


async def test_what_cannot_be_withdrawn_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        await one.write("A post")
    before = await recorded(data)
    for position, reason in (("1", REASON), ("999", REASON), ("5", " ")):
        result = await run_beside("withdraw", position, "--reason", reason, "--data", data)
        assert result.exit_code == 1, result.stderr
    assert await recorded(data) == before
    assert (await run_beside("withdraw", "5", "--reason", REASON, "--data", data)).exit_code == 0
    record = str(len(before) + 1)
    assert (await run_beside("withdraw", record, "--reason", REASON, "--data", data)).exit_code == 1


async def test_the_log_erases_only_what_is_recorded_as_withdrawn(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as one:
        await one.write("A post")
        before = await one.store.log.read(0, 100)
        with pytest.raises(InvalidEnvelope, match="no withdrawal"):
            await one.store.log.withdraw(5, [])
        assert await one.store.log.read(0, 100) == before


async def test_no_byte_is_left_of_any_of_many_payloads(tmp_path: Path) -> None:
    """Payloads of all sizes, inside a page and beyond it, withdrawn in any order, also beside ones withdrawn before."""
    data, chance = tmp_path / "store", Random(7)
    texts: dict[int, str] = {}
    async with client(data) as one:
        for number in range(90):
            text = f"mark{number:03d}" * chance.choice((3, 40, 300, 900, 3_000))
            post = await one.write(f"Post {number}", body=text)
            await one.do("postEdit", id=post["id"], body="Nothing.")
    for event in await recorded(data):
        if event.header.type == "post.created":
            texts[event.position] = f"mark{len(texts):03d}mark"
    order = list(texts)
    chance.shuffle(order)
    log = await SqliteEventLog.open(data / "log.sqlite", create_as=None)
    try:
        randomness = SeededBytes("withdrawals")
        for count, position in enumerate(order, start=1):
            await withdraw_payload(
                log, event_codec(), SetClock(), randomness, position, CommandRequest(reason=REASON)
            )
            left = (data / "log.sqlite").read_bytes()
            assert (data / "log.sqlite-wal").stat().st_size == 0
            assert not [texts[gone] for gone in order[:count] if texts[gone].encode() in left]
            assert all(texts[other].encode() in left for other in order[count:])
    finally:
        await log.aclose()
    async with client(data) as one:
        await followed(one)
        assert [text for text in texts.values() if holding(data, text)] == []
    assert (await run_beside("verify", "--data", data)).exit_code == 0


async def withdrawn_store(data: Path) -> tuple[int, tuple[bytes, bytes]]:
    """Make a store with one payload withdrawn; return its position, and what was there."""
    async with client(data) as one:
        await publish_secret(one)
    position = await position_of(data, SECRET)
    with closing(sqlite3.connect(data / "log.sqlite")) as db:
        row = db.execute("SELECT payload, salt FROM event WHERE position = ?", (position,)).fetchone()
    assert (await run_beside("withdraw", str(position), "--reason", REASON, "--data", data)).exit_code == 0
    return position, row


def forge(data: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(data / "log.sqlite", isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement, parameters)


async def test_verify_finds_a_payload_that_was_put_back(tmp_path: Path) -> None:
    data = tmp_path / "store"
    position, (payload, salt) = await withdrawn_store(data)
    record = len(await recorded(data))
    forge(data, "UPDATE event SET payload = ?, salt = ? WHERE position = ?", payload, salt, position)
    result = await run_beside("verify", "--data", data)
    assert (result.exit_code, f"position {record}: " in result.stderr) == (1, True), result.stderr
    assert f"still there, at position {position}" in result.stderr


async def test_verify_finds_a_record_that_withdraws_something_else(tmp_path: Path) -> None:
    data = tmp_path / "store"
    position, _ = await withdrawn_store(data)
    record = (await recorded(data))[-1].header
    other = f"withdrawal.{record.event_id}"
    forge(data, "UPDATE event SET stream = ? WHERE position = ?", other, record.position)
    result = await run_beside("verify", "--data", data)
    assert (result.exit_code, f"position {position}: " in result.stderr) == (1, True), result.stderr
