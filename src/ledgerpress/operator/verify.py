"""Verify a store: compute the head of its log, verify the log, and verify the views."""

from pathlib import Path

from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.feature import FeatureSet
from ledgerpress.features.integrity import merkle_tree_projection as integrity
from ledgerpress.features.integrity.merkle_tree_projection import TreeIncomplete, tree_head
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Progress
from ledgerpress.operator.log_verifier import LogVerification, LogVerifier
from ledgerpress.server.log_factory import log_of_views
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import open_store
from ledgerpress.sqlite.connection import is_writable
from ledgerpress.views.files.verification_by_rebuild import ViewsVerification, check_views, reading
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


async def read_head(data: Path, log: str = LOCAL, *, features: FeatureSet = FEATURES) -> TreeHead:
    """Return the head of the log whose views are in `data`.

    If there are no views, compute the head from the events, without building views. Raises `LogUnusable`, and
    `EventLogError` if an event is invalid or the views are behind the log, such as with a paused projection.
    """
    views = ViewsDirectory(data, features.projectors).current
    if views is not None and not is_writable(data):
        # The views cannot catch up with the log on a read-only medium, but they may be current.
        async with log_of_views(data, log) as opened:
            with reading(views) as snapshot:
                if snapshot is not None and snapshot.position == await opened.head():
                    return tree_head(snapshot, opened.publication)
            views = None
    if views is None:
        verification = await verify_log(data, log=log, features=features)
        if (finding := verification.finding) is not None:
            raise EventLogError(str(finding))
        return verification.head
    async with open_store(data, log=log, features=features, create=False) as store:
        with store.snapshot() as snapshot:
            head = await store.log.head()
            if snapshot.position < head:
                raise EventLogError(
                    f"the views are at position {snapshot.position:,}, the log at {head:,}: see ledgerpress status"
                )
            return tree_head(snapshot, store.log.publication)


async def verify_log(
    data: Path,
    saved: TreeHead | None = None,
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    progress: Progress | None = None,
) -> LogVerification:
    """Verify the bytes of every event in the log of `data`, and that the log extends `saved` and the views' head.

    Raises `LogUnusable` if no log can be opened.
    """
    async with log_of_views(data, log) as opened:
        path = ViewsDirectory(data, features.projectors).current
        with reading(path) as snapshot:
            views_head = None if snapshot is None else _head_of(snapshot, opened.publication)
        heads = ((saved, "the saved head"), (views_head, "the head in the views"))
        earlier = [(head, source) for head, source in heads if head]

        def known_leaves(after: int, limit: int) -> dict[int, bytes]:
            with reading(path) as snapshot:
                return {} if snapshot is None else integrity.leaf_hashes(snapshot, after, limit)

        sizes = {head.size for head, _ in earlier}
        verifier = LogVerifier(opened, features.codec(), known_leaves=known_leaves, roots_at=sizes)
        verification = await verifier.run(progress)
        for head, source in earlier:
            verification.finding = verification.finding or verification.compare(head, source)
        return verification


async def verify_views(
    data: Path, *, log: str = LOCAL, features: FeatureSet = FEATURES, progress: Progress | None = None
) -> ViewsVerification | None:
    """Compare the views in `data` with rebuilt views.

    Returns `None` if there are no views for this version and these features. Raises `LogUnusable`.
    """
    projectors = features.projectors
    async with log_of_views(data, log) as opened:
        directory = ViewsDirectory(data, projectors)
        path = directory.current
        if path is None or not directory.is_ours(path):
            return None
        return await check_views(path, opened, features.codec(), projectors, progress)


def _head_of(views: Snapshot, publication: str) -> TreeHead | None:
    """Return the tree head in the views; `None` if their tree skips an event."""
    try:
        return tree_head(views, publication)
    except TreeIncomplete:
        return None
