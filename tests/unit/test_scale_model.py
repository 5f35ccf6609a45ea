"""The arithmetic behind docs/explanation/scale.md, compared with closed forms, limits and simulations."""

import random
from collections import OrderedDict
from itertools import pairwise

import pytest

from scripts.scaling import reader_capacity
from scripts.scaling.constants import Constants, load
from scripts.scaling.follower_lag import Follower, arrivals, follow, record
from scripts.scaling.growth import Fit, Growth
from scripts.scaling.publications import ALL, BROADCASTER, HUNDRED_MILLION, NEWSROOM
from scripts.scaling.reader_capacity import Group


@pytest.fixture(scope="module")
def constants() -> Constants:
    return load()


# --- following ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("load_", [0.3, 0.5, 0.8])
def test_batches_of_one_event_wait_like_an_m_d_1_queue(load_: float) -> None:
    service = 0.001
    follower = Follower(fixed=service, each=0.0, limit=1)
    recorded = list(arrivals(lambda _: load_ / service, load_ / service, 400.0, seed=1))
    expected = service + load_ * service / (2 * (1 - load_))  # the Pollaczek-Khinchine formula
    assert follow(recorded, follower).mean_lag == pytest.approx(expected, rel=0.05)


def test_batches_keep_up_with_a_rate_that_is_too_high_for_single_events() -> None:
    recorded = list(arrivals(lambda _: 2_000.0, 2_000.0, 20.0, seed=2))
    one_by_one = follow(recorded, Follower(fixed=0.001, each=0.0001, limit=1))
    in_batches = follow(recorded, Follower(fixed=0.001, each=0.0001))
    assert one_by_one.shown[-1] > 40
    assert in_batches.shown[-1] < recorded[-1] + 0.1


def test_every_event_is_shown_once_in_order_and_not_before_it_is_recorded() -> None:
    requested = list(arrivals(lambda now: 3_000.0 if 2 < now < 5 else 50.0, 3_000.0, 10.0, seed=3))
    recorded = record(iter(requested), 1_000.0, stalls=((3.0, 4.0),))
    result = follow(recorded, Follower(fixed=0.001, each=0.0005))
    assert len(requested) == len(result.recorded) == len(result.shown)
    assert result.recorded == sorted(result.recorded)
    assert result.shown == sorted(result.shown)
    assert all(a < b < c for a, b, c in zip(requested, result.recorded, result.shown, strict=True))


def test_a_log_records_at_its_highest_rate_at_most_and_nothing_in_a_stall() -> None:
    recorded = record(iter([0.001 * number for number in range(2_000)]), 500.0, stalls=((1.0, 3.0),))
    assert all(b - a >= 1 / 500.0 - 1e-9 for a, b in pairwise(recorded))
    assert not [at for at in recorded if 1.0 <= at < 3.0]
    assert recorded[-1] == pytest.approx(2_000 / 500.0 + 2.0, abs=0.01)


def test_arrivals_match_their_rate_and_are_reproducible() -> None:
    def sample(seed: int) -> list[float]:
        return list(arrivals(lambda now: 100.0 if now < 50 else 300.0, 300.0, 100.0, seed))

    assert len(sample(4)) == pytest.approx(20_000, rel=0.03)
    assert sample(4) == sample(4) != sample(5)


def test_readers_slow_a_follower_down(constants: Constants) -> None:
    idle, busy = (Follower.measured(constants.largest, share) for share in (0.0, 0.75))
    assert busy.rate == pytest.approx(idle.rate / 4)
    assert idle.seconds(1) == pytest.approx(constants.largest.follow_single)
    assert idle.seconds(500) == pytest.approx(constants.largest.follow_batch * 500)


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_share_of_cached_responses_equals_that_of_a_simulated_cache() -> None:
    groups = [Group(20, 5.0, 0.5), Group(80, 1.0, 0.0), Group(400, 0.1, 0.05)]
    for room in (30, 100, 300):
        assert reader_capacity.kept_share(groups, room) == pytest.approx(
            simulated_share(groups, room), abs=0.03
        )


def simulated_share(groups: list[Group], room: int) -> float:
    """Return the share of hits for 50,000 requests to an LRU cache whose responses events invalidate."""
    rng = random.Random(6)
    items = [group for group in groups for _ in range(int(group.count))]
    cached: OrderedDict[int, float] = OrderedDict()
    total, now, hits = sum(item.rate for item in items), 0.0, 0
    requested = rng.choices(range(len(items)), [item.rate for item in items], k=50_000)
    for item in requested:
        now += rng.expovariate(total)
        if item in cached and now < cached[item]:
            hits += 1
            cached.move_to_end(item)
            continue
        cached.pop(item, None)
        cached[item] = now + (rng.expovariate(items[item].ended) if items[item].ended else float("inf"))
        # As in the model, invalidated responses take no room.
        cached = OrderedDict((key, until) for key, until in cached.items() if until > now)
        while len(cached) > room:
            cached.popitem(last=False)
    return hits / len(requested)


def test_everything_is_cached_without_events_or_bounds_and_nothing_without_room() -> None:
    groups = [Group(10, 1.0, 0.0)]
    assert reader_capacity.kept_share(groups, 1_000) == pytest.approx(1.0, abs=1e-6)
    assert reader_capacity.kept_share(groups, 0) == 0.0
    assert reader_capacity.kept_share([Group(10, 1.0, 1.0)], 1_000) == pytest.approx(0.5, abs=1e-6)


def test_the_response_rate_is_between_the_uncached_and_the_cached_rate(constants: Constants) -> None:
    rates = constants.rates
    assert reader_capacity.answers_a_second(rates, 0.0) == pytest.approx(rates.uncached)
    assert reader_capacity.answers_a_second(rates, 1.0) == pytest.approx(rates.cached)
    response_rates = [reader_capacity.answers_a_second(rates, share / 10) for share in range(11)]
    assert response_rates == sorted(response_rates)


@pytest.mark.parametrize("publication", ALL, ids=lambda publication: publication.name)
def test_the_calculated_number_of_processes_is_enough_and_one_fewer_is_not(publication, constants) -> None:  # type: ignore[no-untyped-def]
    needed = reader_capacity.processes_for(publication, constants.rates)
    enough, share = reader_capacity.capacity(publication, constants.rates, needed, publication.events_at_peak)
    assert enough >= publication.reads_at_peak
    assert 0 < share < 1
    if needed > 1:
        fewer, _ = reader_capacity.capacity(
            publication, constants.rates, needed - 1, publication.events_at_peak
        )
        assert fewer < publication.reads_at_peak


def test_the_shares_of_a_zipf_distribution_add_up_to_1() -> None:
    for items in (1, 10, 12_345, 2_000_000):
        parts = reader_capacity._zipf(items)
        assert sum(count for _, count, _ in parts) == items
        assert sum(count * share for _, count, share in parts) == pytest.approx(1.0)


# --- growth ------------------------------------------------------------------------------------------


def test_a_fit_goes_through_points_on_a_line_and_never_falls() -> None:
    fit = Fit.of([(1e4, 3.0), (1e5, 4.0), (1e6, 5.0)])
    assert fit.at(1e8) == pytest.approx(7.0)
    assert Fit.of([(1e4, 5.0), (1e6, 3.0)]).at(1e9) >= 3.0


def test_the_model_reproduces_the_measurements(constants: Constants) -> None:
    growth, largest = Growth(constants), constants.largest
    assert growth.log_bytes(largest.events) == pytest.approx(largest.log_bytes)
    assert growth.views_bytes(largest.events) == pytest.approx(largest.views_bytes)
    replay = largest.rebuild + largest.rebuild_indexes + largest.rebuild_digests
    assert growth.replay(largest.events) == pytest.approx(replay, rel=0.35)


def test_durations_grow_with_the_log_and_less_memory_never_helps(constants: Constants) -> None:
    growth, small = Growth(constants), Growth(constants, memory=2**30)
    sizes = [10.0**power for power in range(4, 11)]
    for duration in (growth.replay, growth.withdrawal, growth.verify, growth.backup, growth.join):
        durations = [duration(size) for size in sizes]
        assert durations == sorted(durations)
    assert small.replay(1e9) > growth.replay(1e9)
    assert small.replay(1e4) == growth.replay(1e4)


def test_joining_with_a_views_copy_is_faster_than_a_replay(constants: Constants) -> None:
    growth = Growth(constants)
    for publication in ALL:
        assert growth.join(publication.events, publication.events_a_second) < growth.replay(
            publication.events
        )


def test_the_largest_log_that_fits_takes_exactly_the_available_time(constants: Constants) -> None:
    growth = Growth(constants)
    assert growth.replay(growth.largest_in(3_600.0, growth.replay)) == pytest.approx(3_600.0, rel=1e-6)


# --- publications ------------------------------------------------------------------------------------


def test_the_parts_of_a_publication_add_up_to_the_whole() -> None:
    part = HUNDRED_MILLION.split(8)
    assert part.articles * 8 == pytest.approx(HUNDRED_MILLION.articles)
    assert part.events * 8 == pytest.approx(HUNDRED_MILLION.events)
    assert part.reads_at_peak * 8 == pytest.approx(HUNDRED_MILLION.reads_at_peak)


def test_the_publications_have_the_sizes_that_their_names_suggest() -> None:
    assert NEWSROOM.events < BROADCASTER.events < HUNDRED_MILLION.events
    assert HUNDRED_MILLION.articles == pytest.approx(1e8, rel=0.01)
