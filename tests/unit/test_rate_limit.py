"""Buckets that fill at a steady rate, under a clock that is set by hand, and a table of them that is bounded."""

import pytest

from ledgerpress.http.limits import TokenBuckets
from ledgerpress.http.request_rejection_error import HttpError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(limit: TokenBuckets, client: str, times: int) -> int:
    """How many of so many requests are let in."""
    let_in = 0
    for _ in range(times):
        try:
            limit.take(client)
        except HttpError:
            continue
        let_in += 1
    return let_in


def limit(clock: Clock, *, max_clients: int = 100) -> TokenBuckets:
    return TokenBuckets(per_second=2.0, burst_seconds=5.0, max_clients=max_clients, clock=clock)


def test_a_bucket_fills_at_the_rate_and_no_further_than_full() -> None:
    clock = Clock()
    one = limit(clock)
    assert taken(one, "a", 20) == 10
    clock.now += 1.5
    assert taken(one, "a", 20) == 3
    clock.now += 1_000
    assert taken(one, "a", 20) == 10


def test_what_is_said_about_when_to_come_again_is_true() -> None:
    clock = Clock()
    slow = TokenBuckets(per_second=0.25, burst_seconds=4.0, max_clients=1, clock=clock)
    slow.take("a")
    with pytest.raises(HttpError) as refused:
        slow.take("a")
    headers = dict(refused.value.headers)
    assert headers[b"retry-after"] == b"4"
    assert headers[b"ratelimit"] == b'"requests";r=0;t=4'
    clock.now += 4
    slow.take("a")


def test_newcomers_share_a_bucket_while_all_others_are_in_use() -> None:
    clock = Clock()
    one = limit(clock, max_clients=3)
    for client in "abc":
        assert taken(one, client, 1) == 1
    assert sum(taken(one, f"new {number}", 1) for number in range(100)) == 10
    assert taken(one, "a", 20) == 9


def test_buckets_that_are_full_again_make_room() -> None:
    clock = Clock()
    one = limit(clock, max_clients=3)
    for client in "abc":
        taken(one, client, 10)
    clock.now += 5
    assert [taken(one, f"new {number}", 20) for number in range(3)] == [10, 10, 10]


def test_no_rate_is_no_limit() -> None:
    assert taken(TokenBuckets(per_second=0.0, burst_seconds=1.0, max_clients=1), "a", 1_000) == 1_000
