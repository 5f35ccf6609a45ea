"""What shows that a store is what was recorded: its head, and the checks of its log and its views."""

from collections.abc import Callable
from pathlib import Path

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.tree_head import TreeHead
from ledgerpress.features.integrity import queries as integrity
from ledgerpress.features.integrity.queries import TreeIncomplete, tree_head
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator import earlier_head
from ledgerpress.operator.log_verification import LogVerification, LogVerifier
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.open_log import log_of_views
from ledgerpress.server.store import open_store
from ledgerpress.views.files.directory import ViewsDirectory
from ledgerpress.views.files.verification import ViewsVerification, check_views, reading
from ledgerpress.views.snapshot import Snapshot


async def read_head(data: Path, log: str = LOCAL) -> TreeHead:
    """Return the head of the log whose views are in `data`; where there are none yet, by the events alone.

    So nothing is made in a directory for it. Raises `LogUnusable`, and `EventLogError` where an event is wrong or a
    projection is paused.
    """
    if ViewsDirectory(data, all_projectors()).current is None:
        checked = await verify_log(data, log=log)
        if checked.finding is not None:
            where = f"position {checked.finding.position}: "
            raise EventLogError(where + checked.finding.what.removeprefix(where))
        return checked.head
    async with open_store(data, log=log, create=False) as store:
        with store.snapshot() as snapshot:
            head = await store.log.head()
            if snapshot.position < head:
                raise EventLogError(
                    f"the views are at position {snapshot.position:,} and the log at {head:,}: see ledgerpress status"
                )
            return tree_head(snapshot, store.log.publication)


async def verify_log(
    data: Path,
    kept: TreeHead | None = None,
    *,
    log: str = LOCAL,
    progress: Callable[[int, int], None] | None = None,
) -> LogVerification:
    """Check every event in the log of `data` by its bytes, and that the log extends what the views have seen and `kept`.

    Raises `LogUnusable` where there is no log that can be opened.
    """
    async with log_of_views(data, log) as opened:
        path = ViewsDirectory(data, all_projectors()).current
        with reading(path) as snapshot:
            seen = None if snapshot is None else _seen(snapshot, opened.publication)
        earlier = [
            (head, whose) for head, whose in ((kept, "the head kept"), (seen, "what the views saw")) if head
        ]

        def kept_leaves(after: int, limit: int) -> dict[int, bytes]:
            with reading(path) as snapshot:
                return {} if snapshot is None else integrity.leaf_hashes(snapshot, after, limit)

        check = LogVerifier(
            opened, event_codec(), kept=kept_leaves, roots_at={head.size for head, _ in earlier}
        )
        checked = await check.run(progress)
        for head, whose in earlier:
            checked.finding = checked.finding or earlier_head.compare(checked, head, whose)
        return checked


async def verify_views(
    data: Path, *, log: str = LOCAL, progress: Callable[[int, int], None] | None = None
) -> ViewsVerification | None:
    """Compare the views in `data` with ones made anew from the log; `None` where there are none. Raises `LogUnusable`."""
    projectors = all_projectors()
    async with log_of_views(data, log) as opened:
        path = ViewsDirectory(data, projectors).current
        return await check_views(path, opened, event_codec(), projectors, progress) if path else None


def _seen(views: Snapshot, publication: str) -> TreeHead | None:
    """Return the head that the views have seen; `None` where an event is skipped in their tree."""
    try:
        return tree_head(views, publication)
    except TreeIncomplete:
        return None
