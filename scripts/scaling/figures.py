"""The figures of `docs/explanation/scale.md`, each drawn from the measured constants."""

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
"""The ticks of axes of time, in seconds."""


def reads(constants: Constants) -> Chart:
    """Requests a second by the number of processes, with the share of answers that are kept."""
    rates = constants.rates
    numbers = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    lines = [
        Line(
            "everything cached",
            [(n, n * reader_capacity.BUSY * rates.kept) for n in numbers],
            dashed=True,
            colour=5,
        ),
    ]
    needed = []
    for place, one in enumerate(ALL):
        found = [(n, *reader_capacity.capacity(one, rates, n, one.events_at_peak)) for n in numbers]
        name = f"{_short_name(one.name)}: {found[0][2]:.0%} cached"
        lines.append(Line(name, [(n, many) for n, many, _ in found], colour=place))
        needed.append((reader_capacity.processes_for(one, rates), one.reads_at_peak))
    lines.append(
        Line(
            "nothing cached",
            [(n, n * reader_capacity.BUSY * rates.uncached) for n in numbers],
            dashed=True,
            colour=3,
        )
    )
    lines += [Line("", [at], joined=False, colour=place) for place, at in enumerate(needed)]
    return Chart(
        "Requests per second, by number of processes",
        "processes of all nodes (one per core); dots: the busiest second of each publication",
        "requests per second",
        Scale(1, 256, logarithmic=True, marks=tuple(numbers)),
        Scale(100, 1e7, logarithmic=True),
        lines,
    )


def lag(constants: Constants) -> Chart:
    """How long it takes until a node shows what is written, while a wire service is imported, and while the log stalls."""
    size = constants.largest
    capacity = constants.engine("JetStream").append_many
    seconds, burst, stall = 80.0, round(capacity / 2, -2), 20.0

    def rate(now: float) -> float:
        return burst if 10 <= now < 40 else 20.0

    asked = list(arrivals(rate, burst, seconds, SEED))
    lines = []
    for name, busy, stalled in (
        ("the log stalls", 0.0, ((stall, stall + leader_loss.KILLED[1]),)),
        ("reads take 70%", 0.7, ()),
        ("reads take 50% or less", 0.5, ()),
    ):
        result = follow(record(iter(asked), capacity, stalled), Follower.measured(size, busy))
        waits = [(at, shown - at) for at, shown in zip(asked, result.shown, strict=True)]
        lines.append(
            Line(
                name,
                _thinned(waits, seconds / 300),
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


def _thinned(points: Sequence[tuple[float, float]], apart: float) -> list[tuple[float, float]]:
    """Return the largest value of each stretch, in order."""
    found: dict[int, tuple[float, float]] = {}
    for x, y in points:
        stretch = int(x / apart)
        if stretch not in found or y > found[stretch][1]:
            found[stretch] = (x, y)
    return list(found.values())


def disk(constants: Constants) -> Chart:
    """Bytes of the log, and of the views on each node, over ten years."""
    growth = Growth(constants)
    lines = []
    for place, one in enumerate(ALL):
        years = [year / 4 for year in range(4 * YEARS + 1)]
        name = _short_name(one.name)
        lines.append(
            Line(f"{name}: log", [(y, growth.log_bytes(one.events_after(y))) for y in years], colour=place)
        )
        lines.append(
            Line(
                f"{name}: views of a node",
                [(y, growth.views_bytes(one.events_after(y))) for y in years],
                dashed=True,
                colour=place,
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
    """The time of what reads the whole log, or writes all views, by the number of events."""
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
        lambda one: one.verify_log + one.verify_views,
        lambda one: one.withdrawal,
        lambda one: one.rebuild + one.rebuild_indexes + one.rebuild_digests,
        lambda one: one.backup,
    )
    for place, took in enumerate(measured):
        dots = [(one.events, took(one)) for one in constants.sizes]
        lines.append(Line("", dots, joined=False, colour=place))
    return Chart(
        "Tasks that read the whole log or write all views",
        "events in the log (dots: measured; joining is calculated)",
        "time",
        Scale(1e4, 1e10, logarithmic=True),
        Scale(0.1, 1e7, logarithmic=True, marks=TIMES),
        lines,
        levels=[(NIGHT, "a night of eight hours")],
        moments=[(one.events, _short_name(one.name).removesuffix(" articles")) for one in ALL],
        moments_left=True,
        format_y=in_time,
    )


def appends(constants: Constants) -> Chart:
    """Appends a second of each engine against what publications ask for, by the number of logs."""
    parts = [1, 2, 4, 8, 16, 32, 64]
    lines = [
        Line(one.name, [(n, n * one.append_many) for n in parts], colour=place)
        for place, one in enumerate(constants.engines)
    ]
    follower = Follower.measured(constants.largest).rate
    lines.append(Line("one node follows", [(n, follower) for n in parts], dashed=True, colour=5))
    night = HUNDRED_MILLION.archive * HUNDRED_MILLION.events_a_post / NIGHT
    levels = [(one.events_at_peak, f"busiest second of {_within(one.name)}") for one in ALL]
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
    """Seconds a year for which writes stand still, by how often the leader of the log is lost."""
    often = [10 ** (step / 8) for step in range(25)]
    growth = Growth(constants)
    size = growth.log_bytes(BROADCASTER.events)
    restored = 2 * size / NETWORK + growth.backup(BROADCASTER.events)
    lines = [
        Line(name, [(n, n * takes) for n in often], dashed=dashed, colour=colour)
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
