"""The tables of `docs/explanation/scale.md`, inserted between the marks in that page."""

import re
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Final

from scripts.scaling import leader_loss, reader_capacity
from scripts.scaling.constants import Constants, OfSize
from scripts.scaling.follower_lag import Follower
from scripts.scaling.growth import Growth
from scripts.scaling.publications import ALL, HUNDRED_MILLION, Publication
from scripts.scaling.units import in_bytes, in_time, short

PARTS: Final = (1, 8, 40)
LINE_LENGTH: Final = 118


def measured(constants: Constants) -> str:
    """Return the table of the measurements, with one column per log size."""
    rows: list[tuple[str, Callable[[OfSize], str]]] = [
        (
            "log, bytes per event (payload)",
            lambda o: f"{o.log_bytes / o.events:,.0f} ({o.payload_bytes / o.events:,.0f})",
        ),
        (
            "views, bytes per event (texts)",
            lambda o: f"{o.views_bytes / o.events:,.0f} ({o.text_bytes / o.events:,.0f})",
        ),
        ("views, bytes per article", lambda o: f"{o.views_bytes / o.posts:,.0f}"),
        (
            "replay, events per second",
            lambda o: f"{o.events / (o.rebuild + o.rebuild_indexes + o.rebuild_digests):,.0f}",
        ),
        ("replay, peak memory", lambda o: in_bytes(o.rebuild_peak_bytes)),
        ("following in batches of 500, events per second", lambda o: f"{1 / o.follow_batch:,.0f}"),
        ("following one by one, per event", lambda o: in_time(o.follow_single)),
        (
            "replay with none of the views in memory, bytes read per event",
            lambda o: f"{o.cold_read_bytes:,.0f}",
        ),
        ("a page of 4 KB from disk", lambda o: in_time(o.page_read)),
        ("start of an up-to-date server", lambda o: in_time(o.start)),
        ("front page of 20, executed", lambda o: in_time(o.front_page)),
        ("an article, from memory", lambda o: in_time(o.article_warm)),
        (
            "an article, from disk",
            lambda o: f"{in_time(o.article_cold)}, {in_bytes(o.article_cold_read_bytes)} read",
        ),
        ("memory of a process after reads", lambda o: in_bytes(o.resident_bytes)),
        ("appends per second, one client (SQLite)", lambda o: f"{o.append_one:,.0f}"),
        ("appends per second, 256 clients (SQLite)", lambda o: f"{o.append_many:,.0f}"),
        ("backup, with check", lambda o: in_time(o.backup)),
        ("`verify`: log; views", lambda o: f"{in_time(o.verify_log)}; {in_time(o.verify_views)}"),
        (
            "`verify`, peak memory: log; views",
            lambda o: f"{in_bytes(o.verify_log_peak_bytes)}; {in_bytes(o.verify_views_peak_bytes)}",
        ),
        ("a withdrawal", lambda o: in_time(o.withdrawal)),
        (
            "its write-ahead log, relative to the views",
            lambda o: f"{o.withdrawal_wal_bytes / o.views_bytes:.2f} times",
        ),
        ("views copy with checksum and sync", lambda o: in_time(o.copy)),
    ]
    heads = [f"{size.events:,} events" for size in constants.sizes]
    return table(["", *heads], [[name, *map(cell, constants.sizes)] for name, cell in rows])


def one_process(constants: Constants) -> str:
    """Return the table of the rates of one process."""
    rates = constants.rates
    return table(
        ["one process", ""],
        [
            [
                f"cached responses of {in_bytes(rates.answer_bytes)}, per second of processor time",
                f"{rates.cached:,.0f}",
            ],
            ["“not modified” responses (304), per second of processor time", f"{rates.unchanged:,.0f}"],
            ["executed responses, per second of processor time", f"{rates.uncached:,.0f}"],
            ["memory of one cached response", in_bytes(rates.cached_response_bytes)],
            ["complete commands per second of wall-clock time, one editor", f"{rates.commands_one:,.0f}"],
            ["complete commands per second of wall-clock time, 64 editors", f"{rates.commands_many:,.0f}"],
            ["processor time of a command, its views and the response", in_time(rates.command_processor)],
            ["processor time to find what an event invalidates", in_time(rates.touched)],
            ["processor time of an event for each subscriber that receives it", in_time(rates.subscriber)],
            [
                "… for each distinct subscription, whether it concerns it or not",
                in_time(rates.different_subscription),
            ],
        ],
    )


def engines(constants: Constants) -> str:
    """Return the table of the costs of the log on each engine."""
    return table(
        [
            "engine, log of",
            "bytes per event",
            "appends per second: one client",
            "256 clients",
            "256 clients on 1, 2, 4 publications of one server",
            "read by one follower",
            "from",
        ],
        [
            [
                f"{engine.name}, {engine.events:,} events",
                f"{engine.bytes_an_event:,.0f}",
                f"{engine.append_one:,.0f}",
                f"{engine.append_many:,.0f}",
                "; ".join(f"{rate:,.0f}" for rate in engine.several),
                f"{engine.read:,.0f} per second",
                engine.source,
            ]
            for engine in constants.engines
        ],
    )


def stalled(_: Constants) -> str:
    """Return the table of the write stalls after the loss of JetStream's leader."""
    return table(
        ["JetStream's leader is", "writes stall for"],
        [
            [name, f"{least} to {most} s"]
            for name, (least, most) in (
                ("killed (SIGKILL)", leader_loss.KILLED),
                ("stopped gracefully (SIGTERM)", leader_loss.STOPPED),
                ("asked to step down", leader_loss.STEPPED_DOWN),
            )
        ],
    )


def publications(constants: Constants) -> str:
    """Return the table of the three publications: the assumptions and the results."""
    return _of(constants, ALL)


def split(constants: Constants) -> str:
    """Return the table of a hundred million articles in one publication, and in one part of several."""
    parts = [HUNDRED_MILLION.split(number) if number > 1 else HUNDRED_MILLION for number in PARTS]
    return _of(constants, parts, [f"{number} publication{'s' * (number > 1)}, each" for number in PARTS])


def _of(constants: Constants, columns: Sequence[Publication], heads: Sequence[str] = ()) -> str:
    growth, worst, rates = Growth(constants), Growth(constants, worst=True), constants.rates
    follower = Follower.measured(constants.largest)

    def processes(publication: Publication) -> str:
        needed = reader_capacity.processes_for(publication, rates)
        _, share = reader_capacity.capacity(publication, rates, needed, publication.events_at_peak)
        return f"{needed:,} ({share:.0%} cached)"

    def by_engine(publication: Publication, text: Callable[[float], str]) -> str:
        return "; ".join(f"{name} {text(constants.engine(name).append_many)}" for name in publication.engines)

    def archived(publication: Publication) -> float:
        return publication.archive * publication.events_a_post

    rows: list[tuple[str, Callable[[Publication], str]]] = [
        (
            "*assumed:* articles imported; posts per day",
            lambda p: f"{short(p.archive)}; {short(p.posts_a_day)}",
        ),
        (
            "*assumed:* requests per day; busiest second",
            lambda p: f"{short(p.requests_a_day)}; {short(p.reads_at_peak)}/s",
        ),
        ("articles; events after ten years", lambda p: f"{short(p.articles)}; {short(p.events)}"),
        ("events per second: mean; busiest", lambda p: f"{p.events_a_second:.2g}; {p.events_at_peak:.2g}"),
        (
            "log; views on each node",
            lambda p: f"{in_bytes(growth.log_bytes(p.events))}; {in_bytes(growth.views_bytes(p.events))}",
        ),
        ("processes (cores) for the busiest second", processes),
        ("time to record the archive", lambda p: by_engine(p, lambda rate: in_time(archived(p) / rate))),
        (
            "time to build the views of the archive",
            lambda p: between(growth.replay(archived(p)), worst.replay(archived(p))),
        ),
        ("replay", lambda p: between(growth.replay(p.events), worst.replay(p.events))),
        ("join from a views copy", lambda p: in_time(growth.join(p.events, p.events_a_second))),
        ("`verify`", lambda p: between(growth.verify(p.events), worst.verify(p.events))),
        ("backup, with check", lambda p: in_time(growth.backup(p.events))),
        (
            "a withdrawal, on every node",
            lambda p: between(growth.withdrawal(p.events), worst.withdrawal(p.events)),
        ),
        (
            "log capacity, relative to the busiest second",
            lambda p: by_engine(p, lambda rate: f"{short(rate / p.events_at_peak)} times"),
        ),
        (
            "node capacity, relative to the busiest second",
            lambda p: f"{short(follower.rate / p.events_at_peak)} times",
        ),
    ]
    return table(
        ["", *(heads or [publication.name for publication in columns])],
        [[name, *map(cell, columns)] for name, cell in rows],
    )


def between(least: float, most: float) -> str:
    """Return two times as text, or one time if both texts are equal."""
    return in_time(least) if in_time(least) == in_time(most) else f"{in_time(least)} to {in_time(most)}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def where(constants: Constants) -> str:
    """Return the description of the machine on which the constants were measured."""
    machine = constants.machine
    runs = "in one run" if machine.one_run else "**combined from several runs**"
    least, most = machine.load
    text = (
        f"{machine.processor}, {machine.cores} cores shared with others, {in_bytes(machine.memory_bytes)} of memory, "
        f"Linux {machine.kernel.split('-')[0]}, Python {machine.python}, SQLite {machine.sqlite}, on {machine.measured_on}, "
        f"{runs}, with a load of {least:g} to {most:g}."
    )
    return fill(text, LINE_LENGTH)


TABLES: Final[dict[str, Callable[[Constants], str]]] = {
    "where": where,
    "measured": measured,
    "one process": one_process,
    "engines": engines,
    "stalls": stalled,
    "publications": publications,
    "split": split,
}


def filled_in(page: str, constants: Constants) -> str:
    """Return the page with all tables calculated from the constants. Raises `KeyError` for unknown tables."""
    return re.sub(
        r"(<!-- table: (?P<name>[a-z ]+) -->\n).*?(<!-- end -->)",
        lambda mark: f"{mark[1]}\n{TABLES[mark['name']](constants)}\n\n{mark[3]}",
        page,
        flags=re.DOTALL,
    )
