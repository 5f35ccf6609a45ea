"""What grows with the log: bytes, and the time of everything that reads the log or the views as a whole.

Seconds an event are fitted to the logarithm of the size, as the depth of a B-tree grows. That holds as long as the views
fit into memory. Beyond, each event also costs pages that have to be read from disk: at least what is measured with the
operating system's cache dropped before each batch, at most `WORST_PAGES`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from scripts.scaling.constants import Constants, OfSize

NIGHT: Final = 8 * 3_600.0
"""Seconds."""
MEMORY: Final = 64 * 2**30
"""Bytes of memory of a node in the figures; the part of it that the operating system has for views is `CACHED`."""
CACHED: Final = 0.75
PAGE: Final = 4_096
WORST_PAGES: Final = 5.0
"""Pages that an event reads at worst: its leaf in each tree whose keys come in no order (commands, names of subjects, ids
of posts, what is listed), and one of its post's own, none of them shared with another event of the batch."""
WORST_READ: Final = 100e-6
"""Seconds in which a disk of a server gives such a page, unless the one that was measured is slower."""
NETWORK: Final = 300e6
"""Bytes a second that a snapshot travels from one node to another, and that a disk writes: both are assumed."""


@dataclass(frozen=True, slots=True)
class Fit:
    """a + b * log10(events), never less than what was measured at the smallest size."""

    a: float
    b: float
    least: float

    @staticmethod
    def of(points: Sequence[tuple[float, float]]) -> "Fit":
        """Return the fit by least squares of values to the logarithm of sizes."""
        xs, ys = [log10(x) for x, _ in points], [y for _, y in points]
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - mean_x) ** 2 for x in xs)
        slope = (
            sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
        )
        slope = max(0.0, slope)
        return Fit(mean_y - slope * mean_x, slope, min(ys))

    def at(self, events: float) -> float:
        """Return the value at a size."""
        return max(self.least, self.a + self.b * log10(max(1.0, events)))


class Growth:
    """Bytes and seconds by the number of events."""

    def __init__(self, constants: Constants, memory: float = MEMORY, *, worst: bool = False) -> None:
        """Take what was measured, and the bytes of memory of a node; `worst` is with the most reads from the disk."""
        self._sizes = constants.sizes
        self._cached = memory * CACHED
        largest = constants.largest
        self.log_bytes_an_event = largest.log_bytes / largest.events
        self.views_bytes_an_event = largest.views_bytes / largest.events
        self.events_an_article = largest.events / largest.posts
        self._replay = self._fit(
            lambda one: (one.rebuild + one.rebuild_indexes + one.rebuild_digests) / one.events
        )
        self._follow = self._fit(lambda one: one.follow_batch)
        self._verify = self._fit(lambda one: (one.verify_log + one.verify_views) / one.events)
        self._withdrawal = self._fit(lambda one: one.withdrawal / one.events)
        self._backup = self._fit(lambda one: one.backup / one.events)
        pages = WORST_PAGES if worst else largest.cold_read_bytes / PAGE
        self._cold = pages * (max(WORST_READ, largest.page_read) if worst else largest.page_read)

    def _fit(self, of: Callable[[OfSize], float]) -> Fit:
        return Fit.of([(one.events, of(one)) for one in self._sizes])

    def log_bytes(self, events: float) -> float:
        """Return the bytes of the log in SQLite."""
        return events * self.log_bytes_an_event

    def views_bytes(self, events: float) -> float:
        """Return the bytes of one file of views."""
        return events * self.views_bytes_an_event

    def _misses(self, events: float) -> float:
        """Return the seconds that events cost which came when the views did no longer fit into memory."""
        fitting = self._cached / self.views_bytes_an_event
        return max(0.0, events - fitting) * self._cold

    def replay(self, events: float) -> float:
        """Return the seconds of a replay into new views."""
        return events * self._replay.at(events) + self._misses(events)

    def withdrawal(self, events: float) -> float:
        """Return for how long a withdrawal makes the views anew: in the serving process, in steps of 500 events."""
        return events * self._withdrawal.at(events) + self._misses(events)

    def verify(self, events: float) -> float:
        """Return the seconds of `ledgerpress verify`, log and views."""
        return events * self._verify.at(events) + self._misses(events)

    def backup(self, events: float) -> float:
        """Return the seconds of a checked backup."""
        return events * self._backup.at(events)

    def join(self, events: float, written_meanwhile: float = 0.0) -> float:
        """Return the seconds of joining from a snapshot: written, sent, put in place, and caught up with.

        `written_meanwhile` is how many events a second are recorded.
        """
        copying = 3 * self.views_bytes(events) / NETWORK
        behind = copying * written_meanwhile * self._follow.at(events)
        return copying + behind

    def largest_in(self, seconds: float, takes: Callable[[float], float]) -> float:
        """Return the most events with which something does not take longer than so many seconds."""
        low, high = 1.0, 1e13
        for _ in range(100):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if takes(middle) <= seconds else (low, middle)
        return low
