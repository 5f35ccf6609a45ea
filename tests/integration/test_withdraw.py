"""A withdrawn payload is erased from the bytes of the log and the views, from every response and from memory."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
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
from ledgerpress.sqlite import connection
from ledgerpress.views.files import views_file_connections
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.runner import ProjectionRunner
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.graphql_client import Client, client
from tests.integration.log_history import recorded

pytestmark = [pytest.mark.usefixtures("any_silence"), pytest.mark.usefixtures("workers")]

SECRET: Final = "The heron nests behind number nine"
REASON: Final = "Order 7/24 of the district court."


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def run_in_thread(*arguments: str | Path) -> Result:
    """Run a command in a thread while the event loop of this test continues."""
    return await asyncio.to_thread(run, *arguments)


def files_with(data: Path, text: str) -> list[str]:
    """Return the names of the files in the directory and below it that contain `text`."""
    names = []
    for file in sorted(data.rglob("*")):
        with suppress(FileNotFoundError, IsADirectoryError):  # SQLite deletes files of a closed log
            if text.encode() in file.read_bytes():
                names.append(file.name)
    return names


async def position_of(data: Path, text: str) -> int:
    """Return the position of the only event whose data contains `text`."""
    (position,) = [record.position for record in await recorded(data) if text in repr(record.event)]
    return position


ARTICLE: Final = """
query ($slug: String!, $asOf: AsOf) {
  article(slug: $slug, asOf: $asOf) { title body { text html } teaser }
}
"""


async def publish_secret(api: Client) -> tuple[str, int]:
    """Publish an article with the secret, replace the text and publish again; return the slug and a past position."""
    post = await api.write("Birds of the marsh")
    await api.do("postEdit", id=post["id"], body=f"{SECRET}, said a ranger.")
    await api.do("postPublish", id=post["id"])
    past = await api.store.log.head()
    await api.do("postEdit", id=post["id"], body="Herons nest somewhere.")
    await api.do("postPublish", id=post["id"])
    return post["slug"], past


async def article(api: Client, slug: str, **variables: Any) -> str:
    """Return the whole response, as text."""
    return json.dumps(await api.ask(ARTICLE, slug=slug, **variables), ensure_ascii=False)


async def wait_for_views(api: Client) -> None:
    """Wait until the views have reached the head of the log."""
    assert await api.store.views.wait_for(await api.store.log.head(), 10)


async def test_the_text_is_erased_everywhere_while_another_process_serves(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        slug, past = await publish_secret(api)
        assert SECRET in await article(api, slug, asOf={"position": past})
        assert SECRET not in await article(api, slug)
        assert files_with(data, SECRET)
        head = tmp_path / "head.json"
        head.write_text((await run_in_thread("head", "--json", "--data", data)).stdout)
        position = await position_of(data, SECRET)

        result = await run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
        assert result.exit_code == 0, result.stderr
        assert files_with(data, SECRET) == []

        await wait_for_views(api)
        assert SECRET not in repr(
            (html_rendering_and_sections._bodies._entries, html_rendering_and_sections._teasers._entries)
        )
        for moment in range(1, await api.store.log.head() + 1):
            assert SECRET not in await article(api, slug, asOf={"position": moment})
        assert "Herons nest somewhere" in await article(api, slug)
        assert files_with(data, SECRET) == []
    assert files_with(data, SECRET) == []
    result = await run_in_thread("verify", "--data", data, "--head", head)
    assert result.exit_code == 0, result.stderr
    assert "1 payloads withdrawn" in result.stdout


async def test_a_server_erases_the_text_when_another_process_only_records_the_withdrawal(
    tmp_path: Path,
) -> None:
    """A process without views withdraws the payload from the log; the server then erases the text from its views."""
    data = tmp_path / "store"
    async with client(data) as api:
        slug, past = await publish_secret(api)
        assert SECRET in await article(api, slug, asOf={"position": past})
        log = await SqliteEventLog.open(data / "log.sqlite", create_as=None)
        try:
            position = await position_of(data, SECRET)
            request = CommandRequest(reason=REASON)
            await withdraw_payload(log, event_codec(), SetClock(), SeededBytes("other"), position, request)
        finally:
            await log.aclose()
        await wait_for_views(api)
        assert SECRET not in await article(api, slug, asOf={"position": past})
        assert files_with(data, SECRET) == []


async def test_a_process_clears_its_memory_even_if_another_process_applied_the_withdrawal(
    tmp_path: Path,
) -> None:
    data, forget_calls = tmp_path / "store", list[Collection[int]]()
    async with client(data) as api:
        await publish_secret(api)
        views = await ViewsFile.open(api.store.views.path, all_projectors())
        try:
            slow = ProjectionRunner(
                api.store.log,
                event_codec(),
                views,
                all_projectors(),
                batch_size=1,
                forget=forget_calls.append,
            )
            await slow.start()
            await api.write("Something else")
            position = await position_of(data, SECRET)
            request = CommandRequest(reason=REASON)
            await withdraw_payload(
                api.store.log, event_codec(), SetClock(), SeededBytes("other"), position, request
            )
            await wait_for_views(api)
            assert not forget_calls
            await slow.catch_up()
            assert forget_calls == [{position}, {position}]
        finally:
            await views.aclose()


async def test_readers_never_see_incomplete_views_during_a_withdrawal(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        slug, _ = await publish_secret(api)
        for number in range(60):
            await api.write(f"Another {number}")
        position = await position_of(data, SECRET)
        withdrawal = asyncio.create_task(
            run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
        )
        least = await api.store.log.head()
        while not withdrawal.done():
            with api.store.snapshot() as snapshot:
                assert snapshot.position >= least
                least = snapshot.position
            assert "Herons nest somewhere" in await article(api, slug)
            await asyncio.sleep(0)
        assert (await withdrawal).exit_code == 0


async def test_decisions_after_a_withdrawal_do_not_use_the_withdrawn_text(tmp_path: Path) -> None:
    """A decision after the withdrawal uses only the remaining data, so writing the same text again is a change."""
    data = tmp_path / "store"
    async with client(data) as api:
        post = await api.write("Birds of the marsh", body=SECRET)
        unchanged = await api.do("postEdit", "post { version }", id=post["id"], body=SECRET)
        assert unchanged["post"]["version"] == post["version"]
        position = await position_of(data, SECRET)
        assert (
            await run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
        ).exit_code == 0
        await wait_for_views(api)
        changed = await api.do("postEdit", "post { version }", id=post["id"], body=SECRET)
        assert changed["post"]["version"] == post["version"] + 1


async def test_the_history_records_what_was_withdrawn_when_and_why(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await publish_secret(api)
    position = await position_of(data, SECRET)
    before = (await recorded(data))[position - 1].header
    assert (
        await run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 0
    events = await recorded(data)
    withdrawn, record = events[position - 1], events[-1]
    assert isinstance(withdrawn.event, Withdrawn)
    assert withdrawn.header == before
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
    async with client(data) as api:
        await publish_secret(api)
    (views,) = data.glob("views-*.sqlite")
    shutil.copy(views, data / "views-0ld0ld0l.sqlite")
    position = await position_of(data, SECRET)
    assert (
        await run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 0
    assert [file.name for file in data.glob("views-*.sqlite")] == [views.name]
    assert files_with(data, SECRET) == []


async def test_the_next_process_finishes_the_erasure_of_a_killed_process(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data):
        pass
    (views,) = data.glob("views-*.sqlite")
    with closing(sqlite3.connect(views)) as db:
        db.execute("PRAGMA user_version = 1")
        db.commit()
    async with client(data) as api:
        await api.write("Something to follow")
        with api.store.snapshot() as snapshot:
            assert snapshot.db.execute("PRAGMA user_version").fetchone() == (0,)


async def test_an_erasure_during_a_sweep_is_swept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the steps of one process's sweep, another process erases more: its old pages must not count as swept."""
    path = tmp_path / "views.sqlite"
    views, empty = await ViewsFile.open(path, all_projectors()), connection.empty_write_ahead_log
    try:
        with closing(sqlite3.connect(path, check_same_thread=False)) as db:
            db.execute("PRAGMA user_version = 4")

            def empty_and_erase(writer: sqlite3.Connection, *, timeout: float) -> bool:
                is_empty = empty(writer, timeout=timeout)
                db.execute("PRAGMA user_version = 5")
                return is_empty

            monkeypatch.setattr(views_file_connections, "empty_write_ahead_log", empty_and_erase)
            assert not await views.sweep()
            monkeypatch.undo()
            assert db.execute("PRAGMA user_version").fetchone() == (5,)
            assert await views.sweep()
            assert db.execute("PRAGMA user_version").fetchone() == (0,)
    finally:
        await views.aclose()


async def test_a_repeated_withdrawal_records_nothing(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await publish_secret(api)
    position = str(await position_of(data, SECRET))
    for _ in range(2):
        assert (
            await run_in_thread("withdraw", position, "--yes", "--reason", REASON, "--data", data)
        ).exit_code == 0
    records = [record for record in await recorded(data) if isinstance(record.event, PayloadWithdrawn)]
    assert len(records) == 1


async def test_an_invalid_withdrawal_is_rejected(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await api.write("A post")
    before = await recorded(data)
    for position, reason in (("1", REASON), ("999", REASON), ("5", " ")):
        result = await run_in_thread("withdraw", position, "--yes", "--reason", reason, "--data", data)
        assert result.exit_code == 1, result.stderr
    assert await recorded(data) == before
    assert (await run_in_thread("withdraw", "5", "--yes", "--reason", REASON, "--data", data)).exit_code == 0
    record = str(len(before) + 1)
    assert (
        await run_in_thread("withdraw", record, "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 1


async def test_the_log_erases_a_payload_only_if_its_withdrawal_is_recorded(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await api.write("A post")
        before = await api.store.log.read(0, 100)
        with pytest.raises(InvalidEnvelope, match="no withdrawal"):
            await api.store.log.withdraw(5, [])
        assert await api.store.log.read(0, 100) == before


async def test_no_byte_of_many_withdrawn_payloads_remains(tmp_path: Path) -> None:
    """Payloads of all sizes, within a page and larger, are withdrawn in any order, some next to withdrawn payloads."""
    data, chance = tmp_path / "store", Random(7)
    texts: dict[int, str] = {}
    async with client(data) as api:
        for number in range(90):
            text = f"mark{number:03d}" * chance.choice((3, 40, 300, 900, 3_000))
            post = await api.write(f"Post {number}", body=text)
            await api.do("postEdit", id=post["id"], body="Nothing.")
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
            log_bytes = (data / "log.sqlite").read_bytes()
            assert (data / "log.sqlite-wal").stat().st_size == 0
            assert not [texts[erased] for erased in order[:count] if texts[erased].encode() in log_bytes]
            assert all(texts[other].encode() in log_bytes for other in order[count:])
    finally:
        await log.aclose()
    async with client(data) as api:
        await wait_for_views(api)
        assert [text for text in texts.values() if files_with(data, text)] == []
    assert (await run_in_thread("verify", "--data", data)).exit_code == 0


async def withdrawn_store(data: Path) -> tuple[int, tuple[bytes, bytes]]:
    """Create a store with one withdrawn payload; return its position, and the payload and salt from before."""
    async with client(data) as api:
        await publish_secret(api)
    position = await position_of(data, SECRET)
    with closing(sqlite3.connect(data / "log.sqlite")) as db:
        row = db.execute("SELECT payload, salt FROM event WHERE position = ?", (position,)).fetchone()
    assert (
        await run_in_thread("withdraw", str(position), "--yes", "--reason", REASON, "--data", data)
    ).exit_code == 0
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
    result = await run_in_thread("verify", "--data", data)
    assert (result.exit_code, f"position {record}: " in result.stderr) == (1, True), result.stderr
    assert f"still there, at position {position}" in result.stderr


async def test_verify_finds_a_record_that_withdraws_something_else(tmp_path: Path) -> None:
    data = tmp_path / "store"
    position, _ = await withdrawn_store(data)
    record = (await recorded(data))[-1].header
    other = f"withdrawal.{record.event_id}"
    forge(data, "UPDATE event SET stream = ? WHERE position = ?", other, record.position)
    result = await run_in_thread("verify", "--data", data)
    assert (result.exit_code, f"position {position}: " in result.stderr) == (1, True), result.stderr


async def test_the_preview_names_public_corrections_and_only_values_that_are_lost(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with client(data) as api:
        post = await api.write("Tram", slug="tram", body="Line nine.", publish=True)
        added = await api.do(
            "correctionAdd", "correction { id }", id=post["id"], note="Not eight.", passage="nine"
        )
        published = await api.do("postPublish", id=post["id"], correction="It runs daily.")
        reworded = await api.do(
            "correctionReword", id=post["id"], correction=added["correction"]["id"], note="It is not eight."
        )
        moved = await api.do("postEdit", id=post["id"], slug="tram-nine", publish=True)

    async def preview(position: int) -> str:
        result = await run_in_thread("withdraw", str(position), "--reason", "Order", "--data", data)
        assert result.exit_code == 5, result.stderr
        return " ".join(result.stderr.split())

    address = "The public article /articles/tram-nine shows its"
    assert f"{address} passage now. It will no longer show this correction." in await preview(
        added["position"]
    )
    shown = await preview(published["position"])
    assert f"{address} correction now. It will no longer show this correction." in shown
    assert "will be lost" not in shown
    assert f"{address} note now. It will show what it had" in await preview(reworded["position"])
    texts = [await preview(position) for position in range(reworded["position"] + 1, moved["position"])]
    (edit,) = [text for text in texts if "post.edited" in text]
    assert (
        f"{address} slug now. It will show what it had before this event, and have its id in its address."
        in edit
    )


@pytest.mark.parametrize("recorded_by", ["correctionAdd", "postPublish"])
async def test_the_preview_names_a_public_correction_that_was_reworded_completely(
    tmp_path: Path, recorded_by: str
) -> None:
    data = tmp_path / "data"
    async with client(data) as api:
        post = await api.write("Tram", slug="tram", body="Line nine.", publish=True)
        text = {"note": "Not eight."} if recorded_by == "correctionAdd" else {"correction": "Not eight."}
        added = await api.do(recorded_by, id=post["id"], **text)
        article = await api.ask('{ article(slug: "tram") { corrections { id } } }')
        correction = article["article"]["corrections"][0]["id"]
        await api.do("correctionReword", id=post["id"], correction=correction, note="It is not eight.")
        arguments = ("withdraw", str(added["position"]), "--reason", "Order", "--data", data)
        shown = " ".join((await run_in_thread(*arguments)).stderr.split())
        assert (
            "The public article /articles/tram shows the correction that this event recorded, in a later wording. It "
            "will no longer show this correction." in shown
        )
        assert "No public article" not in shown
        result = await run_in_thread(*arguments, "--yes")
        assert result.exit_code == 0, result.stderr
        article = await api.ask('{ article(slug: "tram") { corrections { id } } }')
        assert article["article"]["corrections"] == []
