"""Costs that grow with the log: bytes, and the time of tasks that read the whole log or all views.

Seconds per event are fitted to the logarithm of the size, like the depth of a B-tree. This holds while the views fit
into memory. In larger views, each event also reads pages from disk: at least as many as measured with the operating
system's cache dropped before each batch, at most `WORST_PAGES`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from scripts.scaling.constants import Constants, OfSize

NIGHT: Final = 8 * 3_600.0
"""Seconds of a night: eight hours."""
MEMORY: Final = 64 * 2**30
"""Memory of a node in the figures, in bytes."""
CACHED: Final = 0.75
"""The share of the memory in which the operating system can cache views."""
PAGE: Final = 4_096
WORST_PAGES: Final = 5.0
"""Pages that an event reads in the worst case: a leaf of each tree with unordered keys (commands, names of subjects,
ids of posts, listings), and a page of its post; it shares none of them with another event of the batch."""
WORST_READ: Final = 100e-6
"""Seconds in which a server's disk reads such a page, unless the measured disk is slower."""
NETWORK: Final = 300e6
"""Bytes per second of a views copy from node to node and of writes to a disk; both are assumed."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The function a + b * log10(events), at least the smallest measured value."""

    a: float
    b: float
    least: float

    @staticmethod
    def of(points: Sequence[tuple[float, float]]) -> "Fit":
        """Return the least-squares fit of values to the logarithm of sizes; `points` are pairs of size and value."""
        xs, ys = [log10(x) for x, _ in points], [y for _, y in points]
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - mean_x) ** 2 for x in xs)
        slope = (
            sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
        )
        slope = max(0.0, slope)
        return Fit(mean_y - slope * mean_x, slope, min(ys))

    def at(self, events: float) -> float:
        """Return the value for a number of events."""
        return max(self.least, self.a + self.b * log10(max(1.0, events)))


class Growth:
    """Calculates bytes and seconds from the number of events."""

    def __init__(self, constants: Constants, memory: float = MEMORY, *, worst: bool = False) -> None:
        """Use the measurements and a node with `memory` bytes; `worst` assumes the most reads from disk."""
        self._sizes = constants.sizes
        self._cached = memory * CACHED
        largest = constants.largest
        self.log_bytes_an_event = largest.log_bytes / largest.events
        self.views_bytes_an_event = largest.views_bytes / largest.events
        self.events_an_article = largest.events / largest.posts
        self._replay = self._fit(
            lambda size: (size.rebuild + size.rebuild_indexes + size.rebuild_digests) / size.events
        )
        self._follow = self._fit(lambda size: size.follow_batch)
        self._verify = self._fit(lambda size: (size.verify_log + size.verify_views) / size.events)
        self._withdrawal = self._fit(lambda size: size.withdrawal / size.events)
        self._backup = self._fit(lambda size: size.backup / size.events)
        pages = WORST_PAGES if worst else largest.cold_read_bytes / PAGE
        self._cold = pages * (max(WORST_READ, largest.page_read) if worst else largest.page_read)

    def _fit(self, value: Callable[[OfSize], float]) -> Fit:
        return Fit.of([(size.events, value(size)) for size in self._sizes])

    def log_bytes(self, events: float) -> float:
        """Return the bytes of the log in SQLite."""
        return events * self.log_bytes_an_event

    def views_bytes(self, events: float) -> float:
        """Return the bytes of the views of one node."""
        return events * self.views_bytes_an_event

    def _misses(self, events: float) -> float:
        """Return the additional seconds for reading pages from disk after the views no longer fit into memory."""
        fitting = self._cached / self.views_bytes_an_event
        return max(0.0, events - fitting) * self._cold

    def replay(self, events: float) -> float:
        """Return the seconds of a replay of the log into new views."""
        return events * self._replay.at(events) + self._misses(events)

    def withdrawal(self, events: float) -> float:
        """Return for how many seconds a withdrawal rebuilds the views in the serving process, 500 events at a time."""
        return events * self._withdrawal.at(events) + self._misses(events)

    def verify(self, events: float) -> float:
        """Return the seconds of `ledgerpress verify` for the log and the views."""
        return events * self._verify.at(events) + self._misses(events)

    def backup(self, events: float) -> float:
        """Return the seconds of a backup with its check."""
        return events * self._backup.at(events)

    def join(self, events: float, written_meanwhile: float = 0.0) -> float:
        """Return the seconds of a join from a views copy: write it, send it, install it, and catch up with the log.

        `written_meanwhile` is the number of events recorded per second.
        """
        copying = 3 * self.views_bytes(events) / NETWORK
        behind = copying * written_meanwhile * self._follow.at(events)
        return copying + behind

    def largest_in(self, seconds: float, takes: Callable[[float], float]) -> float:
        """Return the largest number of events for which `takes` returns at most `seconds`."""
        low, high = 1.0, 1e13
        for _ in range(100):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if takes(middle) <= seconds else (low, middle)
        return low
