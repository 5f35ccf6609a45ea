"""The readiness of a server follows from that of its workers."""

import msgspec
import pytest

from ledgerpress.http.health.readiness import Readiness, body_of, of_all

READY = Readiness(
    status="ready",
    head=10,
    log="reachable",
    lag_events=0,
    lag_seconds=0.0,
    paused={},
    behind={},
    failing=[],
    views_file="views.sqlite",
    views_since="2026-01-01T00:00:00Z",
    unreachable_since=None,
    replaced=None,
    notices=[],
)
STOPPING = msgspec.structs.replace(READY, status="stopping")
PAUSED = msgspec.structs.replace(READY, status="paused", paused={"posts": "an error"}, head=12)
BEHIND = msgspec.structs.replace(
    READY, status="behind", behind={"posts": 7}, lag_events=7, lag_seconds=3.0, notices=["slow"]
)
FAILING = msgspec.structs.replace(READY, status="failing", failing=["append"], lag_events=None)


@pytest.mark.parametrize(
    ("own", "others", "status"),
    [
        (READY, [], "ready"),
        (READY, [READY, READY], "ready"),
        (READY, [PAUSED], "paused"),
        (PAUSED, [READY], "paused"),
        (READY, [BEHIND, FAILING], "behind"),
        (READY, [None], "hanging"),
        (FAILING, [None], "hanging"),
        (READY, [STOPPING], "ready"),
        (STOPPING, [READY], "ready"),
        (STOPPING, [STOPPING, STOPPING], "stopping"),
        (STOPPING, [FAILING], "failing"),
    ],
)
def test_a_server_is_as_ready_as_the_worst_worker_that_serves(
    own: Readiness, others: list[Readiness | None], status: str
) -> None:
    assert of_all(own, others).status == status


def test_the_details_are_those_of_all_workers() -> None:
    body = body_of(of_all(READY, [PAUSED, BEHIND]), details=True)
    assert body["head"] == 12
    assert body["lag"] == {"events": 7, "seconds": 3.0}
    assert body["paused"] == {"posts": "an error"}
    assert body["behind"] == {"posts": 7}
    assert body["notices"] == ["slow"]
    assert body_of(of_all(READY, [PAUSED]), details=False)["paused"] == {"posts": None}
    assert body_of(of_all(READY, [FAILING]), details=False)["lag"]["events"] is None
