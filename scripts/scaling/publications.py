"""The publications for which the model is calculated. They are assumptions, and the page marks them as such."""

from dataclasses import dataclass, replace
from typing import Final

YEARS: Final = 10
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Assumed reads and writes. `peak_reads` and `peak_writes` are ratios of the busiest second to the daily mean."""

    name: str
    archive: int
    """Articles imported at the beginning."""
    posts_a_day: float
    events_a_post: float
    requests_a_day: float
    peak_reads: float
    peak_writes: float
    read_often: int
    """Different responses that readers request repeatedly within a day."""
    sections: int
    """Responses that change with every published article: front pages, sections, feeds."""
    engines: tuple[str, ...] = ("PostgreSQL", "JetStream")
    """The log engines that the page recommends for it."""

    @property
    def articles(self) -> float:
        """Articles after ten years."""
        return self.articles_after(YEARS)

    def articles_after(self, years: float) -> float:
        """Return the number of articles after `years`."""
        return self.archive + self.posts_a_day * 365 * years

    def events_after(self, years: float) -> float:
        """Return the number of events after `years`."""
        return self.articles_after(years) * self.events_a_post

    @property
    def events(self) -> float:
        """Events after ten years."""
        return self.events_after(YEARS)

    @property
    def events_a_second(self) -> float:
        """Events per second, mean of the day."""
        return self.posts_a_day * self.events_a_post / DAY

    @property
    def events_at_peak(self) -> float:
        """Events in the busiest second."""
        return self.events_a_second * self.peak_writes

    @property
    def reads_at_peak(self) -> float:
        """Requests in the busiest second."""
        return self.requests_a_day / DAY * self.peak_reads

    def split(self, parts: int) -> "Publication":
        """Return one of the `parts` equal publications that this one is split into."""
        return replace(
            self,
            name=f"{self.name}, in {parts} parts",
            archive=self.archive // parts,
            posts_a_day=self.posts_a_day / parts,
            requests_a_day=self.requests_a_day / parts,
            read_often=max(1, self.read_often // parts),
            sections=max(1, self.sections // parts),
        )


NEWSROOM: Final = Publication(
    name="A newsroom",
    archive=50_000,
    posts_a_day=40,
    events_a_post=9.0,
    requests_a_day=2e6,
    peak_reads=10,
    peak_writes=60,
    read_often=5_000,
    sections=8,
    engines=("SQLite",),
)
BROADCASTER: Final = Publication(
    name="A national broadcaster",
    archive=3_000_000,
    posts_a_day=1_200,
    events_a_post=9.0,
    requests_a_day=150e6,
    peak_reads=12,
    peak_writes=60,
    read_often=60_000,
    sections=20,
)
HUNDRED_MILLION: Final = Publication(
    name="A hundred million articles",
    archive=80_000_000,
    posts_a_day=5_500,
    events_a_post=9.0,
    requests_a_day=600e6,
    peak_reads=10,
    peak_writes=60,
    read_often=2_000_000,
    sections=60,
)
ALL: Final = (NEWSROOM, BROADCASTER, HUNDRED_MILLION)
