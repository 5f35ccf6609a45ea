"""What an operator does with a store as a whole: fill it with events, withdraw from it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ledgerpress.adapters.sqlite_log.copy_target import write_copy
from ledgerpress.commands.request import CommandRequest
from ledgerpress.eventlog.errors import EventLogError, LogUnusable, WithdrawalUnfinished
from ledgerpress.eventlog.randomness import SystemRandomness
from ledgerpress.eventlog.tree_head import TreeHead
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator.event_lines import batches_of, publication_of
from ledgerpress.operator.log_copy import copy_of
from ledgerpress.operator.log_verification import LogVerifier
from ledgerpress.operator.payload_withdrawal import withdraw as withdraw_payload
from ledgerpress.operator.rebuild import rebuild_now
from ledgerpress.server.active_views import POLL_INTERVAL
from ledgerpress.server.data_directory import LOG_FILE, is_vacant, put_in_place
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.open_log import reading_log
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.directory import ViewsDirectory

_LOOKS: Final = 300
"""How often it is looked whether views have been exchanged."""


async def import_events(
    file: Path, data: Path, *, log: str = LOCAL, progress: Callable[[int, int], None] | None = None
) -> TreeHead:
    """Make a log of the events in `file`, in `data`, which must be empty or new, or at the URL `log`; return its head.

    The log is made aside and checked from its first event to its last before it is put in its place. Raises
    `LogUnusable` where there is a store already, and `EventLogError` where anything is wrong with an event.
    """
    url = LogUrl.parse(log)
    if url.is_local and not is_vacant(data):
        raise LogUnusable(f"{data} holds a store already: import into an empty directory, or a new one")
    with TemporaryDirectory(prefix=".import-", dir=data.parent if url.is_local else None) as aside:
        place = Path(aside) / "store"
        place.mkdir()
        head = await _made_of(file, place, progress)
        if url.is_local:
            put_in_place(place, data)
        else:
            async with reading_log(place) as made:
                await copy_of(made, url, data, progress=progress)
    return head


async def _made_of(file: Path, place: Path, progress: Callable[[int, int], None] | None) -> TreeHead:
    publication = publication_of(file)
    await write_copy(place / LOG_FILE, publication, batches_of(file, publication))
    async with reading_log(place) as made:
        checked = await LogVerifier(made, event_codec()).run(progress)
    if checked.finding is not None:
        raise EventLogError(f"line {checked.finding.position}: {checked.finding.what}")
    return checked.head


async def _exchanged(store: Store, directory: ViewsDirectory) -> bool:
    """Wait until the store answers from the views that are to be used; return whether it came to that."""
    for _ in range(_LOOKS):
        if store.views.path == directory.current:
            return True
        await asyncio.sleep(POLL_INTERVAL)
    return False


async def withdraw(
    data: Path,
    position: int,
    reason: str,
    *,
    log: str = LOCAL,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Withdraw the payload of the event at `position`: from the log, and from all views. Returns the record's position.

    Raises `LogUnusable`, `Rejected`, `WithdrawalUnfinished`.
    """
    async with open_store(data, log=log, create=False, progress=progress) as store:
        request = CommandRequest(reason=reason)
        found = await withdraw_payload(
            store.log, event_codec(), store.clock, SystemRandomness(), position, request
        )
        directory = ViewsDirectory(data, all_projectors())
        while True:
            # What is kept for a roll-back, or is being made, goes with all that it holds; a rebuild begins anew.
            directory.drop()
            reached = await store.views.wait_for(found, 1.0) and await store.views.sweep()
            if reached and directory.current == store.views.path and directory.former is None:
                return found
            if any(point.is_paused and point.position < found for point in store.checkpoints.values()):
                # It will never come to the withdrawal: views made anew do not meet the text at all.
                await rebuild_now(store.log, data)
                if not await _exchanged(store, directory):
                    raise WithdrawalUnfinished(
                        "the payload is withdrawn from the log, but views that still hold it are being served: "
                        "stop the servers and withdraw it again"
                    )
                directory.drop()
                return found
