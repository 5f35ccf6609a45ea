"""The figures of `docs/explanation/scale.md`, calculated from the measured constants."""

from collections.abc import Callable, Sequence
from typing import Final

from scripts.scaling import leader_loss, reader_capacity
from scripts.scaling.charts import Chart, Line, Scale
from scripts.scaling.constants import Constants, OfSize
from scripts.scaling.follower_lag import Follower, arrivals, follow, record
from scripts.scaling.growth import NETWORK, NIGHT, Growth
from scripts.scaling.publications import ALL, BROADCASTER, HUNDRED_MILLION, YEARS
from scripts.scaling.units import in_bytes, in_time, short

SEED: Final = 28
TIMES: Final = (0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 10 * 3_600.0, 4 * 86_400.0, 40 * 86_400.0)
"""Ticks of time axes, in seconds."""


def reads(constants: Constants) -> Chart:
    """Draw the requests per second and the share of cached responses, by the number of processes."""
    rates = constants.rates
    numbers = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    lines = [
        Line(
            "everything cached",
            [(n, n * reader_capacity.BUSY * rates.cached) for n in numbers],
            dashed=True,
            colour=5,
        ),
    ]
    needed = []
    for colour, publication in enumerate(ALL):
        capacities = [
            (n, *reader_capacity.capacity(publication, rates, n, publication.events_at_peak)) for n in numbers
        ]
        name = f"{_short_name(publication.name)}: {capacities[0][2]:.0%} cached"
        lines.append(Line(name, [(n, requests) for n, requests, _ in capacities], colour=colour))
        needed.append((reader_capacity.processes_for(publication, rates), publication.reads_at_peak))
    lines.append(
        Line(
            "nothing cached",
            [(n, n * reader_capacity.BUSY * rates.uncached) for n in numbers],
            dashed=True,
            colour=3,
        )
    )
    lines += [Line("", [point], joined=False, colour=colour) for colour, point in enumerate(needed)]
    return Chart(
        "Requests per second, by number of processes",
        "processes of all nodes (one per core); dots: the busiest second of each publication",
        "requests per second",
        Scale(1, 256, logarithmic=True, marks=tuple(numbers)),
        Scale(100, 1e7, logarithmic=True),
        lines,
    )


def lag(constants: Constants) -> Chart:
    """Draw the delay from recording to reading, during an import from a wire service and during a stall of the log."""
    size = constants.largest
    capacity = constants.engine("JetStream").append_many
    seconds, burst, stall = 80.0, round(capacity / 2, -2), 20.0

    def rate(now: float) -> float:
        return burst if 10 <= now < 40 else 20.0

    sent = list(arrivals(rate, burst, seconds, SEED))
    lines = []
    for name, busy, stalled in (
        ("the log stalls", 0.0, ((stall, stall + leader_loss.KILLED[1]),)),
        ("reads take 70%", 0.7, ()),
        ("reads take 50% or less", 0.5, ()),
    ):
        result = follow(record(iter(sent), capacity, stalled), Follower.measured(size, busy))
        delays = [(sent_at, shown - sent_at) for sent_at, shown in zip(sent, result.shown, strict=True)]
        lines.append(
            Line(
                name,
                _thinned(delays, seconds / 300),
                dashed=bool(stalled),
            )
        )
    return Chart(
        f"Delay from recording to reading, with {short(burst * 30)} events in half a minute",
        "second at which an event is sent (“reads take”: share of the process’s time)",
        "seconds until a node shows it (log in JetStream)",
        Scale(0, seconds),
        Scale(0, 1.4 * max(y for line in lines for _, y in line.points)),
        lines,
        moments=[
            (10, "burst"),
            (stall, "stall"),
            (stall + leader_loss.KILLED[1], "stall ends"),
            (40, "burst ends"),
        ],
    )


def _thinned(points: Sequence[tuple[float, float]], interval: float) -> list[tuple[float, float]]:
    """Return the point with the largest value in each interval of length `interval`, in order."""
    maxima: dict[int, tuple[float, float]] = {}
    for x, y in points:
        number = int(x / interval)
        if number not in maxima or y > maxima[number][1]:
            maxima[number] = (x, y)
    return list(maxima.values())


def disk(constants: Constants) -> Chart:
    """Draw the bytes of the log and of the views of each node over ten years."""
    growth = Growth(constants)
    lines = []
    for colour, publication in enumerate(ALL):
        years = [year / 4 for year in range(4 * YEARS + 1)]
        name = _short_name(publication.name)
        lines.append(
            Line(
                f"{name}: log",
                [(y, growth.log_bytes(publication.events_after(y))) for y in years],
                colour=colour,
            )
        )
        lines.append(
            Line(
                f"{name}: views of a node",
                [(y, growth.views_bytes(publication.events_after(y))) for y in years],
                dashed=True,
                colour=colour,
            )
        )
    return Chart(
        "Disk space over ten years, with bodies of the measured length",
        "years after the import of the archive",
        "bytes",
        Scale(0, YEARS),
        Scale(1e8, 1e13, logarithmic=True),
        lines,
        format_y=in_bytes,
    )


def whole(constants: Constants) -> Chart:
    """Draw the time of tasks that read the whole log or write all views, by the number of events."""
    growth, worst = Growth(constants), Growth(constants, worst=True)
    sizes = [10 ** (4 + step / 8) for step in range(49)]
    takes: Sequence[tuple[str, Callable[[float], float]]] = (
        ("verify", growth.verify),
        ("withdrawal", growth.withdrawal),
        ("replay", growth.replay),
        ("backup", growth.backup),
        ("join from views copy", growth.join),
    )
    lines = [Line(name, [(size, work(size)) for size in sizes]) for name, work in takes]
    lines.append(
        Line("replay, worst case", [(size, worst.replay(size)) for size in sizes], dashed=True, colour=2)
    )
    measured: Sequence[Callable[[OfSize], float]] = (
        lambda size: size.verify_log + size.verify_views,
        lambda size: size.withdrawal,
        lambda size: size.rebuild + size.rebuild_indexes + size.rebuild_digests,
        lambda size: size.backup,
    )
    for colour, seconds in enumerate(measured):
        dots = [(size.events, seconds(size)) for size in constants.sizes]
        lines.append(Line("", dots, joined=False, colour=colour))
    return Chart(
        "Tasks that read the whole log or write all views",
        "events in the log (dots: measured; joining is calculated)",
        "time",
        Scale(1e4, 1e10, logarithmic=True),
        Scale(0.1, 1e7, logarithmic=True, marks=TIMES),
        lines,
        levels=[(NIGHT, "a night of eight hours")],
        moments=[
            (publication.events, _short_name(publication.name).removesuffix(" articles"))
            for publication in ALL
        ],
        moments_left=True,
        format_y=in_time,
    )


def appends(constants: Constants) -> Chart:
    """Draw the appends per second of each engine and the needs of the publications, by the number of logs."""
    parts = [1, 2, 4, 8, 16, 32, 64]
    lines = [
        Line(engine.name, [(n, n * engine.append_many) for n in parts], colour=colour)
        for colour, engine in enumerate(constants.engines)
    ]
    follower = Follower.measured(constants.largest).rate
    lines.append(Line("one node follows", [(n, follower) for n in parts], dashed=True, colour=5))
    night = HUNDRED_MILLION.archive * HUNDRED_MILLION.events_a_post / NIGHT
    levels = [
        (publication.events_at_peak, f"busiest second of {_within(publication.name)}") for publication in ALL
    ]
    return Chart(
        "Appends per second, by number of publications with separate servers",
        "publications, each with its own log and servers (one is measured)",
        "events per second",
        Scale(1, 64, logarithmic=True, marks=tuple(parts)),
        Scale(0.1, 1e7, logarithmic=True),
        lines,
        levels=[*levels, (night, "80 M articles in a night")],
        levels_right=True,
    )


def stalls(constants: Constants) -> Chart:
    """Draw the seconds per year without writes, by how often the leader of the log is lost."""
    losses = [10 ** (step / 8) for step in range(25)]
    growth = Growth(constants)
    size = growth.log_bytes(BROADCASTER.events)
    restored = 2 * size / NETWORK + growth.backup(BROADCASTER.events)
    lines = [
        Line(name, [(n, n * takes) for n in losses], dashed=dashed, colour=colour)
        for name, takes, dashed, colour in (
            (f"{in_bytes(size)} restored", restored, True, 3),
            (f"killed: {leader_loss.KILLED[1]} s at most", leader_loss.KILLED[1], False, 2),
            (f"killed: {leader_loss.KILLED[0]} s at least", leader_loss.KILLED[0], False, 2),
            (f"stopped: {leader_loss.STOPPED[1]} s at most", leader_loss.STOPPED[1], False, 4),
            (f"step-down: {leader_loss.STEPPED_DOWN[1]} s at most", leader_loss.STEPPED_DOWN[1], True, 4),
        )
    ]
    year = 365 * 86_400
    return Chart(
        "Time without writes in JetStream, by number of lost leaders",
        "losses per year",
        "time per year without writes (reads continue)",
        Scale(1, 1_000, logarithmic=True),
        Scale(0.1, 1e7, logarithmic=True, marks=TIMES),
        lines,
        levels=[(year * 1e-3, "99.9% available"), (year * 1e-5, "99.999% available")],
        format_y=in_time,
    )


FIGURES: Final[dict[str, Callable[[Constants], Chart]]] = {
    "reads": reads,
    "lag": lag,
    "disk": disk,
    "whole": whole,
    "appends": appends,
    "stalls": stalls,
}


def _short_name(name: str) -> str:
    return {"A newsroom": "newsroom", "A national broadcaster": "broadcaster"}.get(name, "100 M articles")


def _within(name: str) -> str:
    return name[0].lower() + name[1:]
