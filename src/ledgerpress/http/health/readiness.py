"""The readiness of a process, and of a server with several workers: the worst of those that serve."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ledgerpress.graphql.context import Store
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.health.settings import HealthSettings
from ledgerpress.views.projection.lag import lags, node_lag

READY: Final = "ready"
STOPPING: Final = "stopping"
HANGING: Final = "hanging"
_CAUSES: Final = (
    STOPPING,
    "replaced",
    "unreadable",
    HANGING,
    "paused",
    "behind",
    "failing",
    READY,
)
"""The values of `status`, the worst first."""
_CONTACTS: Final = ("another", "unreachable", "reachable")
"""The values of `log`, the worst first."""


class Readiness(msgspec.Struct, kw_only=True, frozen=True):
    """What a process knows about itself. The texts are for operators only."""

    status: str
    head: int
    log: str
    lag_events: int | None
    lag_seconds: float
    paused: dict[str, str | None]
    behind: dict[str, int | None]
    failing: list[str]
    views_file: str
    views_since: str
    unreachable_since: str | None
    replaced: str | None
    notices: list[str]


async def readiness_of(store: Store, settings: HealthSettings, *, is_stopping: bool) -> Readiness:
    """Return the readiness of this process. Does not wait for an unreachable log."""
    points, contact = store.checkpoints, store.log_health
    lag = await lags(store.log, points, store.clock.now(), contact)
    node = node_lag(lag)
    paused = {name: point.error for name, point in points.items() if point.is_paused}
    behind = {
        name: behind.events if behind.is_known else None
        for name, behind in lag.items()
        if settings.is_behind(behind)
    }
    views = store.views.health
    causes = {
        STOPPING: is_stopping,
        "replaced": contact.replaced,
        "unreadable": views.unreadable,
        "paused": paused,
        "behind": behind,
        "failing": contact.failing,
    }
    silent_since = store.clock.now() - int(contact.silence * 1_000_000)
    return Readiness(
        status=next((name for name, applies in causes.items() if applies), READY),
        head=contact.head,
        log="another" if contact.replaced else "reachable" if node.is_known else "unreachable",
        lag_events=node.events if node.is_known else None,
        lag_seconds=round(node.seconds, 3),
        paused=paused,
        behind=behind,
        failing=list(contact.failing),
        views_file=store.views.path.name,
        views_since=iso_time(store.views.since),
        unreachable_since=None if node.is_known else iso_time(silent_since),
        replaced=contact.replaced,
        notices=[*contact.notices, *views.notices],
    )


def of_all(own: Readiness, others: Sequence[Readiness | None]) -> Readiness:
    """Return the readiness of a server from that of each worker; `None` stands for one that does not respond.

    A worker that is stopping no longer counts while another one serves: the supervisor replaces it.
    """
    workers = [own, *(other for other in others if other is not None)]
    serving = [worker for worker in workers if worker.status != STOPPING]
    if not serving:
        return own
    statuses = [*(worker.status for worker in serving), *(HANGING for other in others if other is None)]
    first = own if own in serving else serving[0]
    return msgspec.structs.replace(
        first,
        status=min(statuses, key=_CAUSES.index),
        head=max(worker.head for worker in serving),
        log=min((worker.log for worker in serving), key=_CONTACTS.index),
        lag_events=_greatest([worker.lag_events for worker in serving]),
        lag_seconds=max(worker.lag_seconds for worker in serving),
        paused={name: error for worker in serving for name, error in worker.paused.items()},
        behind={
            name: _greatest([worker.behind[name] for worker in serving if name in worker.behind])
            for name in dict.fromkeys(name for worker in serving for name in worker.behind)
        },
        failing=list(dict.fromkeys(name for worker in serving for name in worker.failing)),
        unreachable_since=next(filter(None, (worker.unreachable_since for worker in serving)), None),
        replaced=next(filter(None, (worker.replaced for worker in serving)), None),
        notices=list(dict.fromkeys(notice for worker in serving for notice in worker.notices)),
    )


def body_of(readiness: Readiness, *, details: bool) -> dict[str, Any]:
    """Return the body of a response, with the texts for operators if `details` is true."""
    body: dict[str, Any] = {
        "status": readiness.status,
        "head": readiness.head,
        "log": readiness.log,
        "lag": {"events": readiness.lag_events, "seconds": readiness.lag_seconds},
        "paused": readiness.paused if details else dict.fromkeys(readiness.paused),
        "behind": readiness.behind,
        "failing": readiness.failing,
    }
    if details:
        body["views"] = {"file": readiness.views_file, "since": readiness.views_since}
        if readiness.unreachable_since is not None:
            body["unreachableSince"] = readiness.unreachable_since
        if readiness.replaced:
            body["why"] = readiness.replaced
        if readiness.notices:
            body["notices"] = readiness.notices
    return body


def _greatest(counts: Sequence[int | None]) -> int | None:
    """Return the greatest count; a worker that does not know its own makes it unknown."""
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
