"""Generates docs/reference/benchmarks.md from the results of a run."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from scripts.peers import results
from scripts.peers.figures import Rounds, Spread
from scripts.peers.http_requests import MOST_ARTICLES
from scripts.peers.newsroom import CATEGORIES, Newsroom
from scripts.peers.results import Results, Work

_INTRODUCTION: Final = """\
# Benchmarks

*`scripts/bench peers --write` generates this page. Do not edit it.*

LedgerPress is compared with other content stores and GraphQL servers that hold the same data and do the same work.
Each ratio divides the figure of LedgerPress by that of the row: it is the median of the ratios within each round, with
the lowest and the highest. Above 1, LedgerPress does more per second, or needs more processor time. Ratios depend little
on the machine; rates do, so compare them only with each other.
"""

_METHOD: Final = """\
## How it is measured

- **The same data.** {posts} published posts in {categories} categories, each post in three, are written through the API
  of each server. The texts have {shortest:,} to {longest:,} characters.
- **The same answers.** Before the measurements, the front page, every category page and twenty articles of each server
  are compared with the data: slugs, titles, teasers, texts, dates, categories and order. The run fails if one value
  differs. After the measurements, each server must have exactly the posts that it acknowledged, and the last one
  must be complete.
- **In turn.** {rounds} rounds, after one that warms up. In each, every server works for {seconds:g} seconds while the
  others are idle. The order changes from round to round. {clients} clients read at the same time, each on a connection
  of its own, and send the next request when the response has arrived.
- **One core for the load generator, the other for the server** with all its threads and processes. Against the fastest
  server, the load generator used {use:.0%} of its core. Near 100%, the generator would be the limit, not the server.
- **No response cache** for reads: that of LedgerPress is turned off, and the others have none. Every response is
  executed. LedgerPress with its cache is compared with an ASGI application that sends the same bytes.
- **What is read.** The front page is the same request each time. Articles are requested one after another, in
  random order, from {articles} different ones; category pages from all categories. All are requested again and again, so
  a server that keeps what it has read is faster: LedgerPress does ([above](#what-is-compared)), the peers do not. In all
  servers, SQLite keeps pages of the database in memory.
- **After a change**: before each request, another program changes a number in the header of the database that the server
  reads. LedgerPress then forgets all records, and in all servers SQLite forgets its pages. Compiled or parsed documents
  stay. How often a newsroom reads between two changes decides which figures apply to it.
- **Processor time** is that of the server's processes, in user and kernel mode, for each request.
- **Flushes** are the calls of `fsync` and `fdatasync` that strace counts in a separate run with {flushed} posts.

```text
{command}
```

{date}; {machine}.
"""

_LIMITS: Final = """\
## What the comparison does not show

- **A network, or more than one machine.** Everything runs on one machine, over its loopback interface.
- **More than one process.** Every server has one. With more, the other servers use more cores for reads and for
  writes; LedgerPress for reads, while one process at a time writes.
- **Tuned peers.** Their GraphQL APIs are the ones that they generate, or that their documentation suggests, with
  indexes on what the queries need. Someone who knows a peer well can make it faster.
- **Databases other than SQLite.** Most installations of the peers use PostgreSQL or another server.
- **Access control of the peers.** Everyone may read and write there. LedgerPress checks a token in each mutation.
- **What only the peers do**: administration interfaces, media, drafts with preview, custom content types. They are
  turned off or unused.
- **What only LedgerPress does**: a complete history, `asOf`, verification, exact caching. The peers overwrite rows; a
  peer that keeps versions as well writes more than it does here.
- **The first requests after a start.** The round that warms up sends the same requests as the others.
- **Large data.** [Scale](../explanation/scale.md) estimates that for LedgerPress.
- **Memory, the time to start, and latency under a given load.**
"""


def page(run: Results) -> str:
    """Return the page."""
    lengths = [len(post.body) for post in Newsroom(run.posts).posts]
    return (
        "\n".join(
            [
                _INTRODUCTION,
                *_summary(run),
                *_reads(run),
                *_writes(run),
                *_peers(run),
                _METHOD.format(
                    posts=f"{run.posts:,}",
                    categories=CATEGORIES,
                    shortest=min(lengths),
                    longest=max(lengths),
                    articles=f"{min(run.posts, MOST_ARTICLES):,}",
                    clients=results.CLIENTS,
                    flushed=results.FLUSHED_POSTS,
                    rounds=run.rounds,
                    seconds=run.seconds,
                    use=run.generator_use,
                    command=run.command,
                    date=run.date,
                    machine=run.machine,
                ),
                _LIMITS,
            ]
        ).rstrip("\n")
        + "\n"
    )


def _summary(run: Results) -> Iterator[str]:
    """Yield the ratios of all kinds of work over HTTP, one line for each peer."""
    kinds = {**results.WRITES, **results.READS, **results.READS_AFTER_CHANGES}
    others = [name for name in _servers(run, kinds) if name != results.LEDGERPRESS]
    if others:
        yield "## Summary\n"
        yield "Requests per second of LedgerPress, divided by those of the peer:\n"
        header = [
            "",
            "create, 1 client",
            f"create, {results.CLIENTS} clients",
            *("front page", "article", "category page"),
            *("front page after changes", "article after changes"),
        ]
        rows = [
            [name, *(_ratio(run.work[kind], work, name) for kind, work in kinds.items())] for name in others
        ]
        yield _table(header, rows)


def _reads(run: Results) -> Iterator[str]:
    yield "## Reads\n"
    yield (
        "First, nothing changes: LedgerPress uses what it has read for an earlier request, and the peers read their"
        " databases each time. Then the data changes before each request, so every server reads its database each time."
        " A newsroom is between the two ([details](#how-it-is-measured)).\n"
    )
    for kind, work in results.READS.items():
        yield from _work_table(run, kind, work)
    for kind, work in results.READS_AFTER_CHANGES.items():
        yield from _work_table(run, kind, work)
    yield "## Cached responses\n"
    for kind, work in results.CACHED_READS.items():
        yield from _work_table(run, kind, work)
    not_modified = run.work["cached"].ratio(results.NOT_MODIFIED, results.CACHED)
    yield f"304 responses against cached ones: {_spread(not_modified)}.\n"


def _writes(run: Results) -> Iterator[str]:
    yield "## Writes over HTTP\n"
    yield (
        "Every acknowledged post is on disk, in all servers. A server that is stopped at once loses nothing that it"
        " acknowledged.\n"
    )
    for kind, work in results.WRITES.items():
        yield from _work_table(run, kind, work)
    yield "## Writes without HTTP\n"
    yield (
        "*LedgerPress, log* appends encoded events with a hash of each payload. *LedgerPress, commands* also decides,"
        " claims the slug, and projects the post into the views. *plain SQLite* encodes the same events, and inserts"
        " their rows into the tables of the log, with its triggers: the limit of the log.\n"
    )
    for kind, work in results.IN_PROCESS.items():
        yield from _work_table(run, kind, work)


def _work_table(run: Results, kind: str, work: Work) -> Iterator[str]:
    """Yield the figures of one kind of work."""
    rounds, flushes = run.work[kind], run.flushes.get(kind)
    yield f"**{work.title}**\n"
    header = [
        "",
        f"{work.unit}s/s",
        "lowest to highest",
        "processor time",
        f"ratio of {work.unit}s/s",
        "ratio of processor time",
    ]
    if flushes:
        header.append(f"flushes per {work.unit}")
    rows = []
    others = [name for name in rounds.measurements if name != work.ours]
    for name in (work.ours, *sorted(others, key=lambda name: -rounds.rate(name).median)):
        rate = rounds.rate(name)
        row = [name, f"{rate.median:,.0f}", f"{rate.low:,.0f} to {rate.high:,.0f}"]
        row.append(_duration(rounds.processor_seconds(name)))
        row.append(_ratio(rounds, work, name))
        row.append("" if name == work.ours else f"{rounds.processor_ratio(work.ours, name):.2f}")
        if flushes:
            count = flushes.get(name)
            row.append("not counted" if count is None else f"{count:.2f}")
        rows.append(row)
    yield _table(header, rows)


def _peers(run: Results) -> Iterator[str]:
    yield "## What is compared\n"
    rows = [
        [name, ", ".join(f"{package} {version}" for package, version in peer.versions.items()), peer.remarks]
        for name, peer in run.peers.items()
    ]
    yield _table(["", "Versions", "Remarks"], rows)
    yield "When is a write acknowledged?\n"
    yield "".join(f"- **{name}**: {peer.durability}\n" for name, peer in run.peers.items())
    yield "What does a server keep in memory between two requests, and use again?\n"
    yield "".join(f"- **{name}**: {peer.reused}\n" for name, peer in run.peers.items() if peer.reused)
    if run.missing:
        yield "Not measured, because the installation failed:\n"
        yield "".join(
            f"- **{name}**: `{' '.join(reason.split())[:300]}`\n" for name, reason in run.missing.items()
        )


def _servers(run: Results, kinds: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for kind in kinds for name in run.work[kind].measurements))


def _ratio(rounds: Rounds, work: Work, other: str) -> str:
    return "" if other == work.ours else _spread(rounds.ratio(work.ours, other))


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def _duration(seconds: float) -> str:
    return f"{seconds * 1_000:.2f} ms" if seconds >= 0.001 else f"{seconds * 1_000_000:,.0f} µs"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
