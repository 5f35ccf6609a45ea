"""Token buckets that fill at a steady rate, with a clock that the test sets, in a table of bounded size."""

import pytest

from ledgerpress.http.limits import TokenBuckets
from ledgerpress.http.request_rejection_error import HttpError


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


def limit(clock: Clock, *, max_clients: int = 100) -> TokenBuckets:
    return TokenBuckets(per_second=2.0, burst_seconds=5.0, max_clients=max_clients, clock=clock)


def test_a_bucket_fills_at_its_rate_up_to_its_capacity() -> None:
    clock = Clock()
    buckets = limit(clock)
    assert admitted(buckets, "a", 20) == 10
    clock.now += 1.5
    assert admitted(buckets, "a", 20) == 3
    clock.now += 1_000
    assert admitted(buckets, "a", 20) == 10


def test_a_request_is_admitted_after_the_reported_delay() -> None:
    clock = Clock()
    slow = TokenBuckets(per_second=0.25, burst_seconds=4.0, max_clients=1, clock=clock)
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
    buckets = limit(clock, max_clients=3)
    for client in "abc":
        assert admitted(buckets, client, 1) == 1
    assert sum(admitted(buckets, f"new {number}", 1) for number in range(100)) == 10
    assert admitted(buckets, "a", 20) == 9


def test_buckets_that_are_full_again_make_room_for_new_clients() -> None:
    clock = Clock()
    buckets = limit(clock, max_clients=3)
    for client in "abc":
        admitted(buckets, client, 10)
    clock.now += 5
    assert [admitted(buckets, f"new {number}", 20) for number in range(3)] == [10, 10, 10]


def test_a_rate_of_0_means_no_limit() -> None:
    assert admitted(TokenBuckets(per_second=0.0, burst_seconds=1.0, max_clients=1), "a", 1_000) == 1_000
