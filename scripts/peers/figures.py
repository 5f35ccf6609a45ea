"""Medians, spreads and ratios of measurements that were taken in turn, in rounds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Measurement(NamedTuple):
    """What a server did in one turn of a round."""

    rate: float
    """Requests, posts or events per second."""
    processor_seconds: float
    """The processor time of the server for each of them."""


class Spread(NamedTuple):
    """A median, and the lowest and the highest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of `values`."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Rounds:
    """The measurements of one kind of work: for each server, one in each round."""

    measurements: dict[str, list[Measurement]] = field(default_factory=dict)

    def add(self, server: str, measurement: Measurement) -> None:
        """Add the measurement of the next round."""
        self.measurements.setdefault(server, []).append(measurement)

    def rate(self, server: str) -> Spread:
        """Return the rates of a server."""
        return Spread.of([each.rate for each in self.measurements[server]])

    def processor_seconds(self, server: str) -> float:
        """Return the median of the processor time."""
        return statistics.median(each.processor_seconds for each in self.measurements[server])

    def ratio(self, server: str, other: str) -> Spread:
        """Return the ratios of two rates within each round."""
        return Spread.of(ratios_within_rounds(self.measurements, server, other))

    def processor_ratio(self, server: str, other: str) -> float:
        """Return the median of the ratios of processor time within each round."""
        pairs = zip(self.measurements[server], self.measurements[other], strict=True)
        return statistics.median(mine.processor_seconds / theirs.processor_seconds for mine, theirs in pairs)


def ratios_within_rounds(
    measurements: Mapping[str, Sequence[Measurement]], server: str, other: str
) -> list[float]:
    """Return one ratio for each round, so that a slow moment of the machine affects both sides.

    Raises `ValueError` if one of the two was not measured in every round.
    """
    pairs = zip(measurements[server], measurements[other], strict=True)
    return [mine.rate / theirs.rate for mine, theirs in pairs]
