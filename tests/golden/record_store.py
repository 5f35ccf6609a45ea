"""Writes a golden store into a directory: see `store.py`, and think twice. The present one is final."""

import asyncio
import json
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.features.page_import.import_page import import_page
from ledgerpress.features.page_import.parser.page import parse_page
from ledgerpress.features.registry import event_codec
from ledgerpress.operator.withdraw import withdraw_payload
from tests.fixed_sources import SetClock
from tests.golden.recorded_commands import PUBLICATION, happen
from tests.golden.store import ARCHIVE, EXPECTED, LATER, PAGES, answers, repeat, state, tables
from tests.integration.graphql_client import Client, client

MANY: Final = 250
WITHDRAWN: Final = 40
"""The position of the event whose payload is withdrawn: that of an edit."""


async def record(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write a store into the directory `data` in `folder`; return its answers, and its digests."""
    data = folder / "data"
    data.mkdir()
    log = await SqliteEventLog.open(data / "log.sqlite", create_as=lambda: PUBLICATION)
    try:
        await happen(log, folder / "views.sqlite")
    finally:
        await log.aclose()
    async with client(data, clock=SetClock(LATER - 86_400_000_000)) as one:
        first = await repeat(one)
        await _many_posts(one)
        for name, retrieved_at in PAGES.items():
            text = (Path(__file__).parents[1] / "pages" / f"{name}.txt").read_text("utf-8")
            await import_page(one.store, parse_page(text, retrieved_at), retrieved_at=retrieved_at)
        reason = CommandRequest(reason="A court said so.")
        store = one.store
        position = await withdraw_payload(
            store.log, event_codec(), store.clock, store.randomness, WITHDRAWN, reason
        )
        assert await store.views.wait_for(position, 10)
        assert await store.views.sweep()
    async with client(data, clock=SetClock(LATER)) as one:
        found, expected = await answers(one), await state(one)
    return found, {**expected, "repeated": first, "tables": tables(data / expected["views"])}


async def _many_posts(one: Client) -> None:
    """Write so many posts that the pages of listings split, and hide some of them again."""
    for number in range(MANY):
        at = f"2024-05-{1 + number % 28:02}T09:00:00Z"
        town = {"categories": [{"slug": "town"}]} if number % 3 else {}
        post = await one.write(f"Notice {number}", publish=True, publishedAt=at, **town)
        if number % 5 == 0:
            assert not (await one.do("postUnpublish", id=post["id"]))["userErrors"]


def _bare(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out the names of users, and the files that SQLite makes again."""
    if entry.name.endswith(("-shm", "-wal")):
        assert not entry.size or entry.name.endswith("-shm")
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def main(target: Path) -> None:
    """Write the archive and the digests into `target`."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        found, expected = asyncio.run(record(folder))
        (folder / "answers.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
        with tarfile.open(target / ARCHIVE.name, "w:xz") as archive:
            for part in ("answers.json", "data"):
                archive.add(folder / part, part, filter=_bare)
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (target / EXPECTED.name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
