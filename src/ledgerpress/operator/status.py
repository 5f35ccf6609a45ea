"""Report the status of a store and the progress of its views; if the log is unreachable, the status of the node."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.feature import FeatureSet
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.operator import Progress
from ledgerpress.server.data_directory import known_publication
from ledgerpress.server.log_factory import log_of_views
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.store import open_store
from ledgerpress.views.files.verification_by_rebuild import reading
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection import checkpoints
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.lag import Lag, lags
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

NO_VIEWS: Final = (
    "there are no views of this version here, only views of other versions or features: run ledgerpress serve or "
    "ledgerpress rebuild to build them"
)


async def read_status(
    data: Path, *, log: str = LOCAL, features: FeatureSet = FEATURES, progress: Progress | None = None
) -> dict[str, Any]:
    """Return the status of the store in `data`, as plain data.

    If only other versions or features have views there, no views are built: the status then has a notice and no
    projections. If the log cannot be reached, the status is that of the node's views: the head and the lags are `None`,
    and `log.unreachable` contains the reason. Raises `LogUnusable`, and `LogUnavailable` if there are no views either.
    """
    url = LogUrl.parse(log)
    directory = ViewsDirectory(data, features.projectors)
    try:
        if directory.current is None and directory.of_other_sets():
            return await _status_of_log(data, url, log)
        async with open_store(
            data, log=log, features=features, create=False, resume=False, progress=progress
        ) as store:
            head, points = await store.log.head(), store.checkpoints
            behind = await lags(store.log, points, store.clock.now(), store.log_health)
            with store.snapshot() as snapshot:
                return {
                    "publication": store.log.publication,
                    "log": _log(url, notices=store.log_health.notices),
                    "head": head,
                    **_views(snapshot, points, behind, features),
                }
    except LogUnavailable as error:
        if status := _status_of_views(data, url, str(error), features):
            return status
        raise


async def _status_of_log(data: Path, url: LogUrl, log: str) -> dict[str, Any]:
    async with log_of_views(data, log) as opened:
        return {
            "publication": opened.publication,
            "log": _log(url, notices=(NO_VIEWS,)),
            "head": await opened.head(),
            "site": None,
            "unknown": {},
            "projections": [],
        }


def _status_of_views(
    data: Path, url: LogUrl, unreachable: str, features: FeatureSet
) -> dict[str, Any] | None:
    try:
        with reading(ViewsDirectory(data, features.projectors).current) as snapshot:
            if snapshot is None:
                return None
            return {
                "publication": known_publication(data),
                "log": _log(url, unreachable=unreachable),
                "head": None,
                **_views(snapshot, checkpoints.read(snapshot.db), {}, features),
            }
    except (OSError, sqlite3.Error):
        # The views are damaged, or a version with other tables built them. They are rebuilt when the log is reachable.
        return None


def _log(url: LogUrl, *, notices: tuple[str, ...] = (), unreachable: str | None = None) -> dict[str, Any]:
    return {"url": str(url), "engine": url.engine, "notices": list(notices), "unreachable": unreachable}


def _views(
    snapshot: Snapshot,
    points: Mapping[str, Checkpoint],
    behind: Mapping[str, Lag],
    features: FeatureSet,
) -> dict[str, Any]:
    digests, codec = checkpoints.digests(snapshot.db), features.codec()
    return {
        "site": site_queries.site_name(snapshot),
        "unknown": changes.unknown_events(snapshot, codec),
        "projections": [
            {
                "name": name,
                "state": "PAUSED" if point.is_paused else "RUNNING",
                "checkpoint": point.position,
                "lag": behind[name].events if name in behind else None,
                "lagSeconds": behind[name].seconds if name in behind else None,
                "failedAt": point.failed_at,
                "error": point.error,
                "digest": _digest(*digests[name]) if name in digests else None,
            }
            for name, point in points.items()
        ],
    }


def _digest(position: int, sha256: str) -> dict[str, Any]:
    return {"position": position, "sha256": sha256}
