"""Answers that are kept, and how many readers a node then has room for.

The share of requests that a kept answer serves follows from how often each answer is asked for (Zipf's law), how often an
event takes it away, and how many answers memory holds: the approximation of Che, Tung and Wang for caches that drop what was
not asked for longest (IEEE JSAC 20/7, 2002), with answers that also end by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import expm1
from typing import Final

from scripts.scaling.constants import Rates
from scripts.scaling.publications import Publication

ZIPF: Final = 0.9
"""The exponent that is found again and again in the logs of news sites and proxies: 0.6 to 1."""
CACHE_BYTES: Final = 64 * 2**20
"""The default of `cache.max_bytes`, for each process."""
LISTS_SHARE: Final = 0.4
"""Requests that are for front pages, sections and feeds; the rest is for articles."""
BUSY: Final = 0.7
"""The part of its time that a process may work before waiting grows: at 0.7, M/D/1 waits 1.2 times its service."""


@dataclass(frozen=True, slots=True)
class Group:
    """`count` answers, each asked for `rate` times a second, and taken away by events `ended` times a second."""

    count: float
    rate: float
    ended: float


def groups(publication: Publication, requests: float) -> list[Group]:
    """Return the answers that `requests` a second are for."""
    events = publication.events_a_second
    # About a quarter of the events publish something that readers see: those take the lists away.
    lists = Group(publication.sections, requests * LISTS_SHARE / publication.sections, events / 4)
    shares = _zipf(publication.read_often)
    articles = requests * (1 - LISTS_SHARE)
    # What is published anew is one of the newest, and those are the most read: here, of the first thousand.
    return [lists] + [
        Group(count, articles * share, events / 4 / 1_000 if rank <= 1_000 else 0.0)
        for rank, count, share in shares
    ]


@lru_cache
def _zipf(items: int) -> list[tuple[int, int, float]]:
    """Return, for ever larger groups of ranks, the first rank, how many, and the share of each."""
    parts: list[tuple[int, int, float]] = []
    rank = 1
    while rank <= items:
        count = max(1, min(items - rank + 1, rank // 4))
        middle = rank + (count - 1) / 2
        parts.append((rank, count, middle**-ZIPF))
        rank += count
    total = sum(count * weight for _, count, weight in parts)
    return [(rank, count, weight / total) for rank, count, weight in parts]


def kept_share(asked: Sequence[Group], room: float) -> float:
    """Return the share of requests that a kept answer serves, where memory has room for so many answers."""
    total = sum(group.count * group.rate for group in asked)
    if not total or room <= 0:
        return 0.0
    horizon = _horizon(asked, room)
    return sum(group.count * group.rate * _hit(group, horizon) for group in asked) / total


def _hit(group: Group, horizon: float) -> float:
    """Return the chance that an answer was asked for within the horizon, and not taken away since."""
    both = group.rate + group.ended
    return -group.rate / both * expm1(-both * horizon) if both else 0.0


def _horizon(asked: Sequence[Group], room: float) -> float:
    """Return for how many seconds an answer stays that nobody asks for."""

    def held(seconds: float) -> float:
        return sum(group.count * _hit(group, seconds) for group in asked)

    low, high = 0.0, 1.0
    while held(high) < room and high < 1e9:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if held(middle) < room else (low, middle)
    return high


def answers_a_second(rates: Rates, share: float) -> float:
    """Return how many answers one process gives in a second of processor time, with so many of them kept."""
    return 1 / (share / rates.kept + (1 - share) / rates.uncached)


def capacity(publication: Publication, rates: Rates, processes: int, events: float) -> tuple[float, float]:
    """Return how many requests a second so many processes answer together, and the share that is kept.

    Every process follows the log, which takes its share of the processor, and keeps answers of its own: the more there
    are, the less often each is asked for the same.
    """
    room = CACHE_BYTES / rates.kept_answer_bytes
    following = min(1.0, events * rates.command_processor)
    requests = processes * BUSY * rates.uncached
    share = 0.0
    for _ in range(30):
        share = kept_share(groups(publication, requests / processes), room)
        found = processes * max(0.0, BUSY - following) * answers_a_second(rates, share)
        requests = (requests + found) / 2
    return requests, share


def processes_for(publication: Publication, rates: Rates) -> int:
    """Return how many processes answer the busiest second."""
    low, high = 1, 2
    while capacity(publication, rates, high, publication.events_at_peak)[0] < publication.reads_at_peak:
        low, high = high, high * 2
        if high > 1 << 20:
            raise ValueError(f"{publication.name} is beyond what processes can answer")
    while low < high:
        middle = (low + high) // 2
        if capacity(publication, rates, middle, publication.events_at_peak)[0] < publication.reads_at_peak:
            low = middle + 1
        else:
            high = middle
    return low
