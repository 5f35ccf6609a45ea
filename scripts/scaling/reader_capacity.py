"""The cache hit rate, and the number of requests that the processes of a publication can serve.

The hit rate depends on how often each response is requested (Zipf's law), how often events invalidate it, and how many
responses fit into memory. It is calculated with the approximation of Che, Tung and Wang for caches that drop the least
recently used entry (IEEE JSAC 20/7, 2002), extended by the invalidation of responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import expm1
from typing import Final

from scripts.scaling.constants import Rates
from scripts.scaling.publications import Publication

ZIPF: Final = 0.9
"""The exponent. Typical values in logs of news sites and proxies are 0.6 to 1."""
CACHE_BYTES: Final = 64 * 2**20
"""The default of `cache.max_bytes`, per process."""
LISTS_SHARE: Final = 0.4
"""The share of requests for front pages, sections and feeds; the other requests are for articles."""
BUSY: Final = 0.7
"""The load of a process above which waiting times grow fast. At 0.7, requests wait 1.2 service times (M/D/1)."""


@dataclass(frozen=True, slots=True)
class Group:
    """`count` responses, each requested `rate` times and invalidated `ended` times per second."""

    count: float
    rate: float
    ended: float


def groups(publication: Publication, requests: float) -> list[Group]:
    """Return the groups of responses for a number of requests per second."""
    events = publication.events_a_second
    # About a quarter of the events publish something that readers see; these events invalidate the lists.
    lists = Group(publication.sections, requests * LISTS_SHARE / publication.sections, events / 4)
    shares = _zipf(publication.read_often)
    articles = requests * (1 - LISTS_SHARE)
    # Articles that are published again are mostly new, and new articles are read most: here, the first thousand.
    return [lists] + [
        Group(count, articles * share, events / 4 / 1_000 if rank <= 1_000 else 0.0)
        for rank, count, share in shares
    ]


@lru_cache
def _zipf(items: int) -> list[tuple[int, int, float]]:
    """Return the first rank, the number of ranks and the share of one rank, for groups of ranks of increasing size."""
    parts: list[tuple[int, int, float]] = []
    rank = 1
    while rank <= items:
        count = max(1, min(items - rank + 1, rank // 4))
        middle = rank + (count - 1) / 2
        parts.append((rank, count, middle**-ZIPF))
        rank += count
    total = sum(count * weight for _, count, weight in parts)
    return [(rank, count, weight / total) for rank, count, weight in parts]


def kept_share(groups: Sequence[Group], room: float) -> float:
    """Return the share of requests served from a cache with room for `room` responses."""
    total = sum(group.count * group.rate for group in groups)
    if not total or room <= 0:
        return 0.0
    horizon = _horizon(groups, room)
    return sum(group.count * group.rate * _hit(group, horizon) for group in groups) / total


def _hit(group: Group, horizon: float) -> float:
    """Return the probability that a response was requested within the horizon and not invalidated since."""
    both = group.rate + group.ended
    return -group.rate / both * expm1(-both * horizon) if both else 0.0


def _horizon(groups: Sequence[Group], room: float) -> float:
    """Return for how many seconds the cache keeps a response without requests for it."""

    def held(seconds: float) -> float:
        return sum(group.count * _hit(group, seconds) for group in groups)

    low, high = 0.0, 1.0
    while held(high) < room and high < 1e9:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if held(middle) < room else (low, middle)
    return high


def answers_a_second(rates: Rates, share: float) -> float:
    """Return the responses of one process per second of processor time, of which `share` are cached."""
    return 1 / (share / rates.cached + (1 - share) / rates.uncached)


def capacity(publication: Publication, rates: Rates, processes: int, events: float) -> tuple[float, float]:
    """Return the requests per second that `processes` processes serve together, and the share served from the cache.

    Every process follows the log, which needs processor time, and has its own cache. With more processes, each receives
    the same request less often.
    """
    room = CACHE_BYTES / rates.cached_response_bytes
    following = min(1.0, events * rates.command_processor)
    requests = processes * BUSY * rates.uncached
    share = 0.0
    for _ in range(30):
        share = kept_share(groups(publication, requests / processes), room)
        served = processes * max(0.0, BUSY - following) * answers_a_second(rates, share)
        requests = (requests + served) / 2
    return requests, share


def processes_for(publication: Publication, rates: Rates) -> int:
    """Return the number of processes for the busiest second. Raises `ValueError` if 2^20 are not enough."""
    low, high = 1, 2
    while capacity(publication, rates, high, publication.events_at_peak)[0] < publication.reads_at_peak:
        low, high = high, high * 2
        if high > 1 << 20:
            raise ValueError(f"{publication.name} has more requests than any number of processes can serve")
    while low < high:
        middle = (low + high) // 2
        if capacity(publication, rates, middle, publication.events_at_peak)[0] < publication.reads_at_peak:
            low = middle + 1
        else:
            high = middle
    return low
