"""Token buckets that fill at a steady rate, with a clock that the test sets, in a table of bounded size.

They are in the memory of one process, or shared by several.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledgerpress.http.limits import TokenBuckets
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.shared_token_buckets import SharedTokenBuckets

NewBuckets = Callable[..., TokenBuckets]


@pytest.fixture(params=["own", "shared"])
def new_buckets(request: pytest.FixtureRequest, tmp_path: Path) -> NewBuckets:
    if request.param == "own":
        return TokenBuckets
    return lambda **limits: SharedTokenBuckets(tmp_path / "rates", **limits)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(limit: TokenBuckets, client: str, times: int) -> int:
    """Return how many of `times` requests are admitted."""
    count = 0
    for _ in range(times):
        try:
            limit.take(client)
        except HttpError:
            continue
        count += 1
    return count


def limit(new_buckets: NewBuckets, clock: Clock, *, max_clients: int = 100) -> TokenBuckets:
    return new_buckets(per_second=2.0, burst_seconds=5.0, max_clients=max_clients, clock=clock)


def test_a_bucket_fills_at_its_rate_up_to_its_capacity(new_buckets: NewBuckets) -> None:
    clock = Clock()
    buckets = limit(new_buckets, clock)
    assert admitted(buckets, "a", 20) == 10
    clock.now += 1.5
    assert admitted(buckets, "a", 20) == 3
    clock.now += 1_000
    assert admitted(buckets, "a", 20) == 10


def test_a_request_is_admitted_after_the_reported_delay(new_buckets: NewBuckets) -> None:
    clock = Clock()
    slow = new_buckets(per_second=0.25, burst_seconds=4.0, max_clients=1, clock=clock)
    slow.take("a")
    with pytest.raises(HttpError) as error:
        slow.take("a")
    headers = dict(error.value.headers)
    assert headers[b"retry-after"] == b"4"
    assert headers[b"ratelimit"] == b'"requests";r=0;t=4'
    clock.now += 4
    slow.take("a")


def test_new_clients_share_a_bucket_while_all_others_are_in_use() -> None:
    clock = Clock()
    buckets = limit(TokenBuckets, clock, max_clients=3)
    for client in "abc":
        assert admitted(buckets, client, 1) == 1
    assert sum(admitted(buckets, f"new {number}", 1) for number in range(100)) == 10
    assert admitted(buckets, "a", 20) == 9


def test_new_clients_share_a_bucket_while_all_others_of_their_set_are_in_use(tmp_path: Path) -> None:
    buckets = limit(lambda **limits: SharedTokenBuckets(tmp_path / "rates", **limits), Clock(), max_clients=2)
    assert sum(admitted(buckets, f"new {number}", 1) for number in range(100)) == 8 + 10
    assert admitted(buckets, "new 0", 20) == 9


def test_buckets_that_are_full_again_make_room_for_new_clients(new_buckets: NewBuckets) -> None:
    clock = Clock()
    buckets = limit(new_buckets, clock, max_clients=3)
    for client in "abc":
        admitted(buckets, client, 10)
    clock.now += 5
    assert [admitted(buckets, f"new {number}", 20) for number in range(3)] == [10, 10, 10]


def test_a_rate_of_0_means_no_limit(new_buckets: NewBuckets) -> None:
    assert admitted(new_buckets(per_second=0.0, burst_seconds=1.0, max_clients=1), "a", 1_000) == 1_000
